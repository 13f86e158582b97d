"""The DIA-LSTM: the modified LSTM that DIANet shares among all blocks of a stage.

Huang, Liang, Liang, Yang: DIANet: Dense-and-Implicit Attention Network, AAAI 2020, arXiv 1905.10671. The equations are
those of the official repository (gbup-group/DIANet, ``models/cifar/dia_resnet.py``): a standard LSTM cell but for the
bottlenecks in its two maps and for its output, ``o * sigmoid(c)`` in place of ``o * tanh(c)``.
"""

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from dianet_lab.attention.recurrent import RecurrentUnit
from dianet_lab.attention.unit import hidden_width, layer_names, linear_map

STACK_DROPOUT = 0.1
"""The official rate, on the input of every further cell only: it does nothing in a unit of one cell."""

Gates = tuple[Tensor | None, Tensor | None, Tensor, Tensor | None]
"""i, f, g, o; None for a gate that the cell lacks, which is a gate of 1."""


class LSTMState(NamedTuple):
    """What walks down the layers: hidden and cell state, each ``[cells, batch, channel]``."""

    h: Tensor
    c: Tensor


class CellStep(NamedTuple):
    """One step of one cell, each ``[batch, channel]``: its gates and its new state; None for a gate that it lacks."""

    i: Tensor | None
    f: Tensor | None
    g: Tensor
    o: Tensor | None
    h: Tensor
    c: Tensor


class DIACell(nn.Module):
    """One cell as two pure methods: :meth:`gates` and :meth:`update`.

    With all four gates and a hidden width q it has 10Cq + 2q + 8C parameters.

    Args:
        hidden: q, the width of both maps' bottlenecks; ``None`` for plain Linear maps.
        present: which of the gates i, f, o there are.
        recurrent: whether there is a map of the hidden state; it would get no gradient where every block starts from
            zero state.
        zero: whether the last layer of each map starts at zero.
    """

    def __init__(
        self,
        channels: int,
        hidden: int | None,
        activation: Any,
        present: tuple[bool, bool, bool] = (True, True, True),
        recurrent: bool = True,
        zero: bool = False,
    ):
        super().__init__()
        self.activation, self.channels = activation, channels
        has_i, has_f, has_o = present
        self.order = [name for name, there in zip("ifgo", (has_i, has_f, True, has_o), strict=True) if there]
        outputs = len(self.order) * channels
        self.input_map = linear_map(channels, hidden, outputs, zero)
        self.hidden_map = linear_map(channels, hidden, outputs, zero) if recurrent else None

    def gates(self, x: Tensor, h: Tensor, embedding: Tensor | None = None) -> Gates:
        """Input, forget, candidate and output gate, all ``[batch, channel]`` as x and h.

        ``i, f, g, o = chunks of W_ih(x) + W_hh(h) (+ embedding)``; i, f, o pass a sigmoid, g a tanh.
        """
        z = self.input_map(x)
        if self.hidden_map is not None:
            z = z + self.hidden_map(h)
        if embedding is not None:
            z = z + embedding
        chunks = dict(zip(self.order, z.chunk(len(self.order), dim=1), strict=True))
        i, f, o = (torch.sigmoid(chunks[name]) if name in chunks else None for name in "ifo")
        return i, f, torch.tanh(chunks["g"]), o

    def update(self, i: Tensor | None, f: Tensor | None, g: Tensor, o: Tensor | None, c: Tensor) -> tuple[Tensor, ...]:
        """``c' = f * c + i * g``; ``h' = o * activation(c')``; both ``[batch, channel]``."""
        kept = c if f is None else f * c
        c = kept + g if i is None else torch.addcmul(kept, i, g)
        h = self.activation(c)
        return (h if o is None else o * h), c

    def dead_rows(self) -> Tensor:
        """The forget gate's rows of a map: what is forgotten of a zero state makes no difference."""
        rows = torch.zeros(len(self.order), self.channels, dtype=torch.bool)
        if "f" in self.order:
            rows[self.order.index("f")] = True
        return rows.flatten()

    def dead(self) -> dict[str, Tensor]:
        """The masks of dead entries where the state is always zero."""
        found: dict[str, Tensor] = {}
        for map_name in ("input_map", "hidden_map"):
            made = getattr(self, map_name)
            if made is None:
                continue
            first, last = (f"{map_name}.{name}" for name in layer_names(made))
            found[f"{last}weight"] = self.dead_rows()[:, None].expand_as(self.get_parameter(f"{last}weight"))
            found[f"{last}bias"] = self.dead_rows()
            if map_name == "hidden_map":
                found[f"{first}weight"] = torch.ones_like(self.get_parameter(f"{first}weight"), dtype=torch.bool)
        return {name: mask for name, mask in found.items() if mask.any()}


class DIALSTM(RecurrentUnit):
    """The DIA-LSTM unit: ``cells`` stacked cells over the channel vector of a block; the gate is the top cell's h.

    The gate starts at about 0.25, between 0.1 and 0.4 (o and sigmoid(c) are both about 0.5), so a new branch is scaled
    by a quarter; with ``tanh``, ``relu`` or ``identity`` it starts near 0. The first cell has a bottleneck in its maps;
    further cells use the plain ``Linear(C, 4C)``, with dropout on their input, as the official code does.

    Without its output gate it is the DSU of Dynamic Layer Attention (Fang et al., IJCAI 2024, arXiv 2406.13392), whose
    gate starts at about 0.5.

    Args:
        channels: C, the width of the branch.
        reduction: r; the maps of the first cell are ``Linear(C, q), ReLU, Linear(q, 4C)`` with ``q = max(1, C // r)``,
            or a single ``Linear(C, 4C)`` where it is ``None``.
        hidden: q itself.
        activation: what c passes: DIANet uses ``sigmoid``, the standard LSTM ``tanh``.
        cells: how many cells are stacked.
        input_gate, forget_gate, output_gate: whether there is one; a missing gate is a gate of 1.
    """

    options: ClassVar[tuple[str, ...]] = (
        "memory", "layer_embedding", "reduction", "hidden", "activation", "cells", "input_gate", "forget_gate",
        "output_gate", "squeeze", "gate_start", "neutral",
    )  # fmt: skip

    def __init__(
        self,
        channels: int,
        *,
        reduction: int | None = 4,
        hidden: int | None = None,
        cells: int = 1,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        **options: Any,
    ):
        super().__init__(channels, **options)
        self.initial_gate *= 0.5 if output_gate else 1
        present = (input_gate, forget_gate, output_gate)
        widths = [hidden_width(channels, reduction, hidden)] + [None] * (cells - 1)
        self.cells = nn.ModuleList(
            DIACell(channels, width, self.activation, present, self.recurrent, self.neutral) for width in widths
        )
        self.preactivations = len(self.cells[0].order) * channels
        self.dropout = nn.Dropout(STACK_DROPOUT)

    def initial_state(self, squeeze: Tensor) -> LSTMState:
        """Zeros ``[cells, batch, channel]`` on the device and in the dtype of ``squeeze [batch, channel]``."""
        zeros = squeeze.new_zeros(len(self.cells), *squeeze.shape)
        return LSTMState(zeros, zeros)

    def excite(
        self, squeeze: Tensor, state: LSTMState | None = None, embedding: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """One step of the cells: the gate ``[batch, channel, 1, 1]`` is ``h[-1]`` of the new state.

        Args:
            embedding: added to the first cell's gates before their activations, ``[4 * channel]``.
        """
        steps = self.steps(squeeze, state, embedding)
        return self.gate(steps[-1].h), LSTMState(_stack([step.h for step in steps]), _stack([step.c for step in steps]))

    def steps(
        self, squeeze: Tensor, state: LSTMState | None = None, embedding: Tensor | None = None
    ) -> list["CellStep"]:
        """What each cell does in :meth:`excite`, from the lowest to the top one."""
        state = self.incoming(squeeze, state)
        x, done = squeeze, []
        for index, cell in enumerate(self.cells):
            x = self.dropout(x) if index else x
            gates = cell.gates(x, state.h[index], None if index else embedding)
            x, c = cell.update(*gates, state.c[index])
            done.append(CellStep(*gates, x, c))
        return done

    def dead(self, zero_state: bool) -> dict[str, Tensor]:
        if not zero_state:
            return {}
        cells = enumerate(self.cells)
        return {f"cells.{index}.{name}": mask for index, cell in cells for name, mask in cell.dead().items()}

    def dead_embedding(self, zero_state: bool) -> Tensor:
        return self.cells[0].dead_rows() if zero_state else super().dead_embedding(zero_state)


def _stack(values: list[Tensor]) -> Tensor:
    """``[cells, batch, channel]``; of a single cell a view, so that nothing is kept twice for the backward pass."""
    return values[0][None] if len(values) == 1 else torch.stack(values)
