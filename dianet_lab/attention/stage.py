"""Who owns which unit in a stage, and the place where a gate can be watched or replaced."""

from typing import Any

import torch
from torch import Tensor, nn

from dianet_lab.attention.memory import Clock, LayerEmbedding
from dianet_lab.attention.registry import unit_class
from dianet_lab.attention.unit import ChannelUnit


class HookPoint(nn.Module):
    """The identity on ``(gate, state, squeeze)``, with a name of its own for every position.

    A forward hook on a shared unit sees only the unit's last call; a hook on a point sees the call of one block.
    ``squeeze`` is passed along to be captured and is not returned; it is ``None`` for a unit that sees the branch.
    """

    def forward(self, gate: Tensor, state: Any, squeeze: Tensor | None) -> tuple[Tensor, Any]:
        return gate, state


def owners(blocks: int, sharing: str | int, share_from: int = 0) -> tuple[int | None, ...]:
    """Which unit serves each block: ``stage`` one for all, ``none`` one each, k one for each k consecutive blocks.

    The first ``share_from`` blocks have none.
    """
    size = {"stage": blocks, "none": 1}.get(sharing, sharing)
    return tuple(None if block < share_from else (block - share_from) // int(size) for block in range(blocks))


class StageAttention(nn.Module):
    """The attention units of one stage: ``units``, ``owner`` (block -> unit or None) and a hook point for each block.

    It holds no state between calls: the caller passes the state in (``None`` before the first block of a stage) and
    gets the new one back.

    Args:
        channels: width of the branches.
        blocks: how many blocks the stage has.
        unit: a name in the registry.
        sharing, share_from: see :func:`owners`.
        tied_init: whether all units of the stage start from the first one's values.
        layer_embedding: whether each block adds a learned vector to a recurrent unit's gates.
        options: what the unit's constructor takes.
    """

    def __init__(
        self,
        channels: int,
        blocks: int,
        unit: str = "lstm",
        sharing: str | int = "stage",
        share_from: int = 0,
        tied_init: bool = False,
        layer_embedding: bool = False,
        **options: Any,
    ):
        super().__init__()
        self.owner, self.share_from, self.tied_init = owners(blocks, sharing, share_from), share_from, tied_init
        served = [block for block, owner in enumerate(self.owner) if owner is not None]
        self.units = nn.ModuleList(unit_class(unit)(channels, **options) for _ in range(self.owner[-1] + 1))
        self.points = nn.ModuleDict({str(block): HookPoint() for block in served})
        first = self.units[0]
        self.embedding = LayerEmbedding(len(served), first.preactivations) if layer_embedding else None
        self.clock = Clock(len(served), channels) if options.get("memory") == "clock" else None

    def forward(self, block: int, branch: Tensor, state: Any) -> tuple[Tensor | None, Any]:
        """The gate of one block: ``(branch [batch, channel, height, width], state) -> (gate or None, new state)``."""
        if self.owner[block] is None:
            return None, state
        unit = self.units[self.owner[block]]
        if isinstance(unit, ChannelUnit):
            return self.excite(block, unit.squeeze(branch), state)
        gate, new = unit(branch, state)
        return self.points[str(block)](gate, new, None)

    def excite(self, block: int, squeeze: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The same from a squeeze ``[batch, channel]``, which may have been made elsewhere; for channel units."""
        unit, embedding = self.units[self.owner[block]], self.embedding_of(block)
        gate, new = unit.excite(squeeze, state, *embedding)
        if self.clock is not None:
            new = self.clock.tick(block - self.share_from, unit, squeeze, state, *embedding)
        return self.points[str(block)](gate, new, squeeze)

    def embedding_of(self, block: int) -> tuple[Tensor, ...]:
        """What a block adds to its unit's gates, ``[4 * channel]`` of an LSTM; empty where there is no embedding."""
        return () if self.embedding is None else (self.embedding(block - self.share_from),)

    def tie_start(self) -> None:
        """Copy the first unit's values to the others, where they shall start equal."""
        if self.tied_init:
            for unit in self.units[1:]:
                unit.load_state_dict(self.units[0].state_dict())

    def dead(self) -> dict[str, Tensor]:
        """Which entries of which parameters can have no gradient, by structure: name -> mask.

        A unit that serves nothing but the first block only ever sees zero state, and so does one without memory.
        """
        found: dict[str, Tensor] = {}
        for index, unit in enumerate(self.units):
            alone = index == 0 and self.owner.count(0) == 1
            zero_state = alone or not getattr(unit, "recurrent", True)
            found |= {f"units.{index}.{name}": mask for name, mask in unit.dead(zero_state).items()}
        if self.embedding is not None:
            rows = [self.units[0].dead_embedding(not self.units[0].recurrent or not k) for k in range(len(self.points))]
            found["embedding.weight"] = torch.stack(rows)
        return found


def stage_attentions(model: nn.Module) -> dict[str, StageAttention]:
    """The attention of each stage of any network, by its name in the module tree, in forward order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, StageAttention)}


def is_compiled(model: nn.Module) -> bool:
    """Whether any part of a network is compiled, by ``torch.compile(model)`` or in place."""
    return any("_orig_mod" in part._modules or part._compiled_call_impl is not None for part in model.modules())
