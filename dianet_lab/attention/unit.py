"""What attention units have in common: the options that they read, where their gate starts, and the squeeze."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

DEVIATION_FLOOR = 1e-5
"""Added to a variance before its root, so that a constant map has a gradient (as in SRM, arXiv 1903.10829)."""


def average(branch: Tensor) -> Tensor:
    """Mean over space. Not ``mean()``: its gradient would be of the branch's size; a sum's is a view of [B, C]."""
    squeeze = branch.sum((2, 3)) / (branch.shape[2] * branch.shape[3])
    return squeeze.to(branch.dtype)  # autocast on a GPU sums in float32


def maximum(branch: Tensor) -> Tensor:
    """Largest value over space."""
    return branch.amax((2, 3))


def deviation(branch: Tensor) -> Tensor:
    """Standard deviation over space."""
    return (branch.var((2, 3), correction=0) + DEVIATION_FLOOR).sqrt()


def average_and_maximum(branch: Tensor) -> Tensor:
    """The sum of both."""
    return average(branch) + maximum(branch)


SQUEEZES: dict[str, Callable[[Tensor], Tensor]] = {
    "avg": average,
    "max": maximum,
    "avg+max": average_and_maximum,
    "std": deviation,
}
"""How a branch ``[batch, channel, height, width]`` becomes ``[batch, channel]``."""


class AttentionUnit(nn.Module):
    """Turns a residual branch ``[batch, channel, height, width]`` (and a state) into a gate that broadcasts against it.

    A subclass lists in ``options`` the fields of ``AttentionConfig`` that it reads (those about who owns a unit are
    read for it), takes them as keyword arguments, and says in ``initial_gate`` where its gate starts. A unit never
    sees a block or a stage.

    Args:
        gate_start: where the gate starts instead: ``h * gate_start / initial_gate``, or ``gate_start + h`` where
            ``initial_gate`` is 0; ``None`` leaves the unit as it was published.
    """

    options: ClassVar[tuple[str, ...]] = ()
    reduction_optional: ClassVar[bool] = False
    """Whether ``reduction=None``, no bottleneck, is allowed."""
    initial_gate: float
    """The gate where all maps give zero: about the mean of the gates of a fresh unit."""

    def __init__(self, gate_start: float | None = None):
        super().__init__()
        self.gate_start = gate_start

    def started(self, h: Tensor) -> Tensor:
        """``h`` moved to where the gate shall start."""
        if self.gate_start is None:
            return h
        return h / self.initial_gate * self.gate_start if self.initial_gate > 0 else h + self.gate_start

    def dead(self, zero_state: bool) -> dict[str, Tensor]:
        """Which entries of which parameters can have no gradient, by structure: name -> mask.

        Args:
            zero_state: whether every call of this unit starts from zero state.
        """
        return {}

    def forward(self, branch: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        raise TypeError(f"{type(self).__name__} must implement forward(branch, state)")


class ChannelUnit(AttentionUnit):
    """A unit that sees the branch through its squeeze only; its gate is ``[batch, channel, 1, 1]``.

    A subclass implements :meth:`excite` and ends it with :meth:`gate`.

    Args:
        squeeze: a name in :data:`SQUEEZES`.
    """

    def __init__(self, squeeze: str = "avg", gate_start: float | None = None):
        super().__init__(gate_start)
        self.pool = SQUEEZES[squeeze]

    def squeeze(self, branch: Tensor) -> Tensor:
        """``[batch, channel, height, width] -> [batch, channel]``."""
        return self.pool(branch)

    def gate(self, h: Tensor) -> Tensor:
        """``[batch, channel] -> [batch, channel, 1, 1]``, moved to where the gate shall start."""
        return self.started(h)[:, :, None, None]

    def excite(self, squeeze: Tensor, state: Any) -> tuple[Tensor, Any]:
        """``(squeeze [batch, channel], state) -> (gate [batch, channel, 1, 1], new state)``."""
        raise TypeError(f"{type(self).__name__} must implement excite(squeeze, state)")

    def forward(self, branch: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return self.excite(self.squeeze(branch), state)


class Bottleneck(nn.Module):
    """``Linear(inputs, hidden) -> ReLU -> Linear(hidden, outputs)``, both with biases."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.down = nn.Linear(inputs, hidden)
        self.up = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x).relu_())


def hidden_width(channels: int, reduction: int | None, hidden: int | None = None) -> int | None:
    """The width q of a bottleneck: ``hidden`` where it is given, else ``max(1, C // reduction)``; None for none."""
    if hidden is not None or reduction is None:
        return hidden
    return max(1, channels // reduction)


def linear_map(channels: int, hidden: int | None, outputs: int, zero: bool = False) -> Bottleneck | nn.Linear:
    """A :class:`Bottleneck` of width ``hidden``, or the plain single ``Linear`` where that is ``None``.

    Args:
        zero: whether the last Linear starts at zero.
    """
    made = nn.Linear(channels, outputs) if hidden is None else Bottleneck(channels, hidden, outputs)
    return start_at_zero(made) if zero else made


def layer_names(made: Bottleneck | nn.Linear) -> tuple[str, str]:
    """What stands before the names of the first and the last layer's parameters in a :func:`linear_map`."""
    return ("down.", "up.") if isinstance(made, Bottleneck) else ("", "")


def start_at_zero(made: nn.Module) -> nn.Module:
    """Let the last layer of ``made`` start at zero: now, and whenever ``initialise`` draws initial values."""
    layer = made.up if isinstance(made, Bottleneck) else made
    layer.zero_start = True
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return made
