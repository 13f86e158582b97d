"""Who owns which unit in a stage, and the place where a gate can be watched or replaced."""

from typing import Any

from torch import Tensor, nn

from dianet_lab.attention.registry import unit_class


class HookPoint(nn.Module):
    """The identity on ``(gate, state, squeeze)``, with a name of its own for every position.

    A forward hook on a shared unit sees only the unit's last call; a hook on a point sees the call of one block.
    ``squeeze`` is passed along to be captured and is not returned.
    """

    def forward(self, gate: Tensor, state: Any, squeeze: Tensor | None) -> tuple[Tensor, Any]:
        return gate, state


def owners(blocks: int, sharing: str | int) -> tuple[int, ...]:
    """Which unit serves each block: ``stage`` one for all, ``none`` one each, k one for each k consecutive blocks."""
    if sharing == "stage":
        return (0,) * blocks
    if sharing == "none":
        return tuple(range(blocks))
    return tuple(block // int(sharing) for block in range(blocks))


class StageAttention(nn.Module):
    """The attention units of one stage: ``units``, ``owner`` (block -> unit) and one hook point a block.

    It holds no state between calls: the caller passes the state in (``None`` before the first block of a stage) and
    gets the new one back.

    Args:
        channels: width of the branches.
        blocks: how many blocks the stage has.
        unit: a name in the registry.
        sharing: see :func:`owners`.
        options: what the unit's constructor takes.
    """

    def __init__(self, channels: int, blocks: int, unit: str = "lstm", sharing: str | int = "stage", **options: Any):
        super().__init__()
        self.owner = owners(blocks, sharing)
        self.units = nn.ModuleList(unit_class(unit)(channels, **options) for _ in range(max(self.owner) + 1))
        self.points = nn.ModuleList(HookPoint() for _ in range(blocks))

    def forward(self, block: int, branch: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The gate of one block: ``(branch [batch, channel, height, width], state) -> (gate, new state)``."""
        unit = self.units[self.owner[block]]
        squeeze = unit.squeeze(branch)
        gate, state = unit.excite(squeeze, state)
        return self.points[block](gate, state, squeeze)
