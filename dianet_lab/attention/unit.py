"""What every channel-attention unit has in common: a squeeze, an excitation and the options that it reads."""

from typing import Any, ClassVar

from torch import Tensor, nn


class ChannelUnit(nn.Module):
    """Turns a residual branch ``[batch, channel, height, width]`` (and a state) into a gate ``[batch, channel, 1, 1]``.

    A subclass lists in ``options`` the fields of ``AttentionConfig`` that it reads, takes those but ``sharing`` (which
    decides who owns a unit, not what a unit does) as keyword arguments, and implements :meth:`excite`. A unit never
    sees a block or a stage.
    """

    options: ClassVar[tuple[str, ...]] = ("sharing",)
    reduction_optional: ClassVar[bool] = False
    """Whether ``reduction=None``, no bottleneck, is allowed."""

    def squeeze(self, branch: Tensor) -> Tensor:
        """Global average pool: ``[batch, channel, height, width] -> [batch, channel]``."""
        # Not mean(): its gradient would be a tensor of the branch's size; that of a sum is a view of [batch, channel].
        return branch.sum((2, 3)) / (branch.shape[2] * branch.shape[3])

    def excite(self, squeeze: Tensor, state: Any) -> tuple[Tensor, Any]:
        """``(squeeze [batch, channel], state) -> (gate [batch, channel, 1, 1], new state)``."""
        raise TypeError(f"{type(self).__name__} must implement excite(squeeze, state)")

    def forward(self, branch: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return self.excite(self.squeeze(branch), state)


class Bottleneck(nn.Module):
    """``Linear(C, q) -> ReLU -> Linear(q, outputs)`` with ``q = max(1, C // reduction)``, both with biases."""

    def __init__(self, channels: int, reduction: int, outputs: int):
        super().__init__()
        hidden = hidden_width(channels, reduction)
        self.down = nn.Linear(channels, hidden)
        self.up = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x).relu_())


def hidden_width(channels: int, reduction: int | None) -> int | None:
    """The width q of a bottleneck at ``reduction``; ``None`` (no bottleneck) stays ``None``."""
    return None if reduction is None else max(1, channels // reduction)


def linear_map(channels: int, reduction: int | None, outputs: int) -> nn.Module:
    """A :class:`Bottleneck` at ``reduction``, or the plain single ``Linear`` where that is ``None``."""
    return nn.Linear(channels, outputs) if reduction is None else Bottleneck(channels, reduction, outputs)
