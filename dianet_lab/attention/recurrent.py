"""Recurrent units: what they share, and the two simpler rivals of the DIA-LSTM, the GRU and the plain RNN."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from dianet_lab.attention.unit import ChannelUnit, hidden_width, layer_names, linear_map


def identity(state: Tensor) -> Tensor:
    return state


def sigmoid_near_zero(state: Tensor) -> Tensor:
    """A sigmoid that starts near 0: of a zero state it is 0.018, with a slope of 0.018."""
    return torch.sigmoid(state - 4)


def tanh_from_half(state: Tensor) -> Tensor:
    """A tanh that starts where the sigmoid does: of a zero state it is 0.50, with a slope of 0.75."""
    return torch.tanh(state + 0.549)


def tanh_from_half_slowly(state: Tensor) -> Tensor:
    """The same with the sigmoid's slope of 0.25 too; ``(1 + tanh(c)) / 2`` would be no other shape, but sigmoid(2c)."""
    return torch.tanh(state / 3 + 0.549)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "sigmoid(c-4)": sigmoid_near_zero,
    "tanh": torch.tanh,
    "tanh(c+0.549)": tanh_from_half,
    "tanh(c/3+0.549)": tanh_from_half_slowly,
    "relu": torch.relu,
    "hardsigmoid": nn.functional.hardsigmoid,
    "softplus": nn.functional.softplus,
    "identity": identity,
}
"""What a state passes through on its way to the gate."""

SHIFTED = ("sigmoid(c-4)", "tanh(c+0.549)", "tanh(c/3+0.549)")
"""Those whose value at zero is no short binary number, so that no gate of theirs can be scaled to exactly 1."""

MEMORIES = ("carried", "detached", "clock", "none")
"""What of the state reaches the next block. ``carried``: all of it; ``detached``: its value, but no gradient;
``clock``: the state of the same cell run on batch-mean squeezes, with no image in it; ``none``: zero state."""


class HiddenState(NamedTuple):
    """What walks down the layers: ``h``, ``[1, batch, channel]``."""

    h: Tensor


class RecurrentUnit(ChannelUnit):
    """A channel unit with a state. The state restarts at zero where it is ``None``.

    Args:
        channels: C, the width of the branch and of the state.
        activation: a name in :data:`ACTIVATIONS`.
        memory: a name in :data:`MEMORIES`. With ``none`` no map of the state is built. What makes a clock of the
            state is the stage (:class:`~dianet_lab.attention.memory.Clock`); to the unit it is a carried one.
        neutral: whether the gate starts at exactly 1, by zeros in the last layer of each map.
    """

    reduction_optional: ClassVar[bool] = True
    preactivations: int
    """How many numbers a layer embedding adds to: the width of the (first) cell's maps."""

    def __init__(
        self,
        channels: int,
        activation: str = "sigmoid",
        memory: str = "carried",
        neutral: bool = False,
        gate_start: float | None = None,
        squeeze: str = "avg",
    ):
        super().__init__(squeeze, 1.0 if neutral else gate_start)
        self.channels, self.memory, self.neutral = channels, memory, neutral
        self.activation = ACTIVATIONS[activation]
        self.initial_gate = self.activation(torch.zeros((), dtype=torch.float64, device="cpu")).item()

    @property
    def recurrent(self) -> bool:
        """Whether the state is looked at."""
        return self.memory != "none"

    def initial_state(self, squeeze: Tensor) -> Any:
        """Zeros on the device and in the dtype of ``squeeze [batch, channel]``."""
        return HiddenState(squeeze.new_zeros(1, *squeeze.shape))

    def incoming(self, squeeze: Tensor, state: Any) -> Any:
        """The state that a call starts from."""
        if state is None or not self.recurrent:
            return self.initial_state(squeeze)
        return state._make([value.detach() for value in state]) if self.memory == "detached" else state

    def dead_embedding(self, zero_state: bool) -> Tensor:
        """Which of a layer embedding's ``preactivations`` numbers can have no gradient."""
        return torch.zeros(self.preactivations, dtype=torch.bool)


class _OneCell(RecurrentUnit):
    """What the GRU and the RNN share: two maps, and no other cell on top."""

    options: ClassVar[tuple[str, ...]] = (
        "memory", "layer_embedding", "reduction", "hidden", "activation", "squeeze", "gate_start", "neutral",
    )  # fmt: skip

    def _make_maps(self, channels: int, reduction: int | None, hidden: int | None, outputs: int) -> None:
        width = hidden_width(channels, reduction, hidden)
        self.preactivations = outputs
        self.input_map = linear_map(channels, width, outputs, self.neutral)
        self.hidden_map = linear_map(channels, width, outputs, self.neutral) if self.recurrent else None

    def _step(self, x: Tensor, h: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} must implement _step(x, h)")

    def excite(
        self, squeeze: Tensor, state: HiddenState | None = None, embedding: Tensor | None = None
    ) -> tuple[Tensor, HiddenState]:
        h = self.incoming(squeeze, state).h[0]
        x = self.input_map(squeeze)
        h = self._step(x if embedding is None else x + embedding, h)
        return self.gate(self.activation(h)), HiddenState(h[None])

    def dead(self, zero_state: bool) -> dict[str, Tensor]:
        """A map of zeros shows nothing but its biases."""
        if not zero_state or self.hidden_map is None:
            return {}
        name = f"hidden_map.{layer_names(self.hidden_map)[0]}weight"
        return {name: torch.ones_like(self.get_parameter(name), dtype=torch.bool)}


class GRU(_OneCell):
    """The gated recurrent unit with DIANet's bottlenecks: ``gate = activation(h')``, at about 0.5 first (0.37 to 0.63).

    ``r, z = sigmoid(...)``; ``n = tanh(W_n x + r * U_n h)``; ``h' = (1 - z) * n + z * h``. Cho et al.: Learning Phrase
    Representations using RNN Encoder-Decoder, EMNLP 2014, arXiv 1406.1078, equations 5 to 8 (with the reset gate after
    the product, as in torch.nn.GRUCell). Without memory there is no r, since it would have nothing to reset.

    Args:
        reduction: r of both maps, with hidden width ``max(1, C // r)``; ``None`` for plain Linear maps.
        hidden: that width itself.
    """

    def __init__(self, channels: int, *, reduction: int | None = 4, hidden: int | None = None, **options: Any):
        super().__init__(channels, **options)
        self._make_maps(channels, reduction, hidden, (3 if self.recurrent else 2) * channels)

    def _step(self, x: Tensor, h: Tensor) -> Tensor:
        if self.hidden_map is None:
            z, n = x.chunk(2, dim=1)
            return (1 - torch.sigmoid(z)) * torch.tanh(n)
        (xr, xz, xn), (hr, hz, hn) = x.chunk(3, dim=1), self.hidden_map(h).chunk(3, dim=1)
        z = torch.sigmoid(xz + hz)
        return torch.lerp(torch.tanh(xn + torch.sigmoid(xr + hr) * hn), h, z)


class RNN(_OneCell):
    """The plain recurrent cell with DIANet's bottlenecks: ``h' = tanh(W x + U h)``, ``gate = activation(h')``.

    Elman: Finding Structure in Time, Cognitive Science 14, 1990. The gate starts at about 0.5 (0.3 to 0.7).

    Args:
        reduction, hidden: as of the :class:`GRU`.
    """

    def __init__(self, channels: int, *, reduction: int | None = 4, hidden: int | None = None, **options: Any):
        super().__init__(channels, **options)
        self._make_maps(channels, reduction, hidden, channels)

    def _step(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(x if self.hidden_map is None else x + self.hidden_map(h))
