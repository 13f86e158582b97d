"""The DIA-LSTM: the modified LSTM that DIANet shares among all blocks of a stage.

Huang, Liang, Liang, Yang: DIANet: Dense-and-Implicit Attention Network, AAAI 2020, arXiv 1905.10671. The equations are
those of the official repository (gbup-group/DIANet, ``models/cifar/dia_resnet.py``): a standard LSTM cell but for the
bottlenecks in its two maps and for its output, ``o * sigmoid(c)`` in place of ``o * tanh(c)``.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from dianet_lab.attention.unit import ChannelUnit, linear_map

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "hardsigmoid": nn.functional.hardsigmoid,
    "softplus": nn.functional.softplus,
    "identity": lambda c: c,
}
"""What the cell state passes through on its way to the gate: ``h = o * activation(c)``."""

MEMORIES = ("carried", "none")
"""``carried``: the state walks on to the next block. ``none``: every block starts from zero state."""

STACK_DROPOUT = 0.1
"""The official rate, on the input of every further cell only: it does nothing in a unit of one cell."""


class LSTMState(NamedTuple):
    """What walks down the layers: hidden and cell state, each ``[cells, batch, channel]``."""

    h: Tensor
    c: Tensor


class DIACell(nn.Module):
    """One cell as two pure methods: :meth:`gates` and :meth:`update`.

    With q = max(1, C // reduction) it has 10Cq + 2q + 8C parameters. ``recurrent=False`` leaves out the map of the
    hidden state, which would get no gradient where every block starts from zero state.
    """

    def __init__(self, channels: int, reduction: int | None, activation: str, recurrent: bool = True):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.input_map = linear_map(channels, reduction, 4 * channels)
        self.hidden_map = linear_map(channels, reduction, 4 * channels) if recurrent else None

    def gates(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Input, forget, candidate and output gate, all ``[batch, channel]`` as x and h.

        ``i, f, g, o = chunks of W_ih(x) + W_hh(h)``; i, f, o pass a sigmoid, g a tanh.
        """
        z = self.input_map(x)
        if self.hidden_map is not None:
            z = z + self.hidden_map(h)
        i, f, g, o = z.chunk(4, dim=1)
        return torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)

    def update(self, i: Tensor, f: Tensor, g: Tensor, o: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """``c' = f * c + i * g``; ``h' = o * activation(c')``; both ``[batch, channel]``."""
        c = torch.addcmul(f * c, i, g)
        return o * self.activation(c), c


class DIALSTM(ChannelUnit):
    """The DIA-LSTM unit: ``cells`` stacked cells over the channel vector of a block; the gate is the top cell's h.

    The gate starts at about 0.25 (o and sigmoid(c) are both about 0.5), so a new branch is scaled by a quarter; with
    ``tanh``, ``relu`` or ``identity`` it starts near 0. The first cell has a bottleneck in its maps; further cells use
    the plain ``Linear(C, 4C)``, with dropout on their input, as the official code does.

    Args:
        channels: C, the width of the branch.
        reduction: r; the maps of the first cell are ``Linear(C, q), ReLU, Linear(q, 4C)`` with ``q = max(1, C // r)``,
            or a single ``Linear(C, 4C)`` where it is ``None``.
        activation: a name in :data:`ACTIVATIONS`; DIANet uses ``sigmoid``, the standard LSTM ``tanh``.
        cells: how many cells are stacked.
        memory: a name in :data:`MEMORIES`; with ``none`` the incoming state is ignored and no map of it is built.
    """

    options: ClassVar[tuple[str, ...]] = ("sharing", "memory", "reduction", "activation", "cells")
    reduction_optional: ClassVar[bool] = True

    def __init__(
        self,
        channels: int,
        *,
        reduction: int | None = 4,
        activation: str = "sigmoid",
        cells: int = 1,
        memory: str = "carried",
    ):
        super().__init__()
        self.memory = memory
        ratios = [reduction] + [None] * (cells - 1)
        self.cells = nn.ModuleList(DIACell(channels, r, activation, recurrent=memory == "carried") for r in ratios)
        self.dropout = nn.Dropout(STACK_DROPOUT)

    def initial_state(self, squeeze: Tensor) -> LSTMState:
        """Zeros ``[cells, batch, channel]`` on the device and in the dtype of ``squeeze [batch, channel]``."""
        zeros = squeeze.new_zeros(len(self.cells), *squeeze.shape)
        return LSTMState(zeros, zeros)

    def excite(self, squeeze: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]:
        """One step of the cells: the gate ``[batch, channel, 1, 1]`` is ``h[-1]`` of the new state."""
        if state is None or self.memory == "none":
            state = self.initial_state(squeeze)
        x, hidden, memory = squeeze, [], []
        for index, cell in enumerate(self.cells):
            x = self.dropout(x) if index else x
            h, c = cell.update(*cell.gates(x, state.h[index]), state.c[index])
            hidden.append(h)
            memory.append(c)
            x = h
        return x[:, :, None, None], LSTMState(torch.stack(hidden), torch.stack(memory))
