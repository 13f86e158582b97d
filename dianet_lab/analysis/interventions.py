"""Changing what passes a hook point: a gate is replaced, a state is reset or swapped, a forget gate is held."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dianet_lab.analysis.points import Position, attentions, hook_points, hooked
from dianet_lab.attention.lstm import DIALSTM, LSTMState
from dianet_lab.attention.stage import StageAttention
from dianet_lab.errors import LabError

Values = Tensor | np.ndarray | float


class Call(NamedTuple):
    """One block's turn, as an intervention sees it.

    ``gate`` is what the branch would be multiplied by, ``state`` what would go on to the next block, ``before`` the
    state that this block started from (None at the first block of a stage), ``squeeze`` ``[batch, channel]`` or None.
    """

    position: Position
    gate: Tensor
    state: Any
    squeeze: Tensor | None
    before: Any
    attention: StageAttention


@dataclass(frozen=True, eq=False)
class Intervention:
    """What is changed, where. A subclass says how, in ``__call__(call) -> (gate, state)``.

    Args:
        stage, block: 0-based; None for every one, a sequence for several.
    """

    stage: int | Sequence[int] | None = None
    block: int | Sequence[int] | None = None

    def applies(self, position: Position) -> bool:
        """Whether it changes something at a position."""
        return all(_meant(asked, index) for asked, index in zip((self.stage, self.block), position, strict=True))

    def __call__(self, call: Call) -> tuple[Tensor, Any]:
        raise TypeError(f"{type(self).__name__} must implement __call__(call)")


@dataclass(frozen=True, eq=False)
class Replace(Intervention):
    """Multiply the branch by another gate. The unit's own state goes on as it was computed.

    Args:
        gate: a number, ``[channel]``, ``[batch, channel]``, or the gate's own four dimensions.
    """

    gate: Values = 0.25

    def __call__(self, call: Call) -> tuple[Tensor, Any]:
        values = _like(self.gate, call.gate)
        values = values[..., None, None] if values.dim() in (1, 2) else values
        return _spread(values, call.gate, "gate", call.position), call.state


@dataclass(frozen=True, eq=False)
class SetState(Intervention):
    """Hand another state to the next block; the gate of this block stays. What is None stays too.

    Args:
        h, c: a number, ``[channel]``, ``[batch, channel]`` or ``[cells, batch, channel]``. A GRU or RNN has no c.
    """

    h: Values | None = None
    c: Values | None = None

    def __call__(self, call: Call) -> tuple[Tensor, Any]:
        if call.state is None:
            raise LabError(f"stage {call.position[0]} has a unit without a memory: there is no state to set")
        new = {}
        for name, values in (("h", self.h), ("c", self.c)):
            if values is not None and name in call.state._fields:
                old = getattr(call.state, name)
                new[name] = _spread(_like(values, old), old, name, call.position)
        return call.gate, call.state._replace(**new)


@dataclass(frozen=True, eq=False)
class HoldForget(Intervention):
    """Hold the forget gate of a DIA-LSTM at given values; i, g and o are computed as ever, and so are c, h and gate.

    A capture sees the c, h and gate that come of it, and as ``f`` what the cell would have computed. Under the memory
    ``clock`` no image's state goes on, so that there is nothing that could be held.

    Args:
        forget: a number, ``[channel]`` or ``[batch, channel]``.
    """

    forget: Values = 1.0

    def __call__(self, call: Call) -> tuple[Tensor, Any]:
        stage, block = call.position
        if reason := why_not_held(call.attention, block):
            raise LabError(f"stage {stage}: {reason}")
        unit = call.attention.units[call.attention.owner[block]]
        state = unit.incoming(call.squeeze, call.before)
        cell = unit.cells[0]
        i, f, g, o = cell.gates(call.squeeze, state.h[0], *call.attention.embedding_of(block))
        held = _spread(_like(self.forget, f), f, "forget", call.position)
        h, c = cell.update(i, held, g, o, state.c[0])
        return unit.gate(h), LSTMState(h[None], c[None])


def why_not_held(attention: StageAttention, block: int) -> str:
    """Why :class:`HoldForget` can't hold the forget gate of a block; empty if it can."""
    unit = attention.units[attention.owner[block]]
    if not isinstance(unit, DIALSTM) or len(unit.cells) > 1 or "f" not in unit.cells[0].order:
        return "only a DIA-LSTM of one cell has a forget gate that can be held"
    return "" if attention.clock is None else "under the memory 'clock' no state of an image goes on to be held"


@contextmanager
def intervene(model: nn.Module, *interventions: Intervention) -> Iterator[None]:
    """Change the forward passes inside, in this thread; no hook is left behind, also after an error.

    Interventions of one call, and of contexts within each other, are applied in the order in which they stand; captures
    see their result. One that puts in place what is there already changes nothing, to the last bit.

    >>> with intervene(model, Replace(stage=1, block=4, gate=0.25)):  # doctest: +SKIP
    ...     model(images)

    Raises:
        LabError: a compiled or a plain model, a position that the model does not have, values that do not fit, or
            no forward pass inside that came by.
    """
    points, stages = hook_points(model), attentions(model)
    for intervention in interventions:
        _check_place(intervention, list(points))
    targets = {position for position in points if any(each.applies(position) for each in interventions)}
    touched = {stage for stage, _ in targets}
    watched = {position: point for position, point in points.items() if position[0] in touched}
    seen: set[Position] = set()
    last: dict[int, Any] = {}

    def change(position: Position, gate: Tensor, state: Any, squeeze: Tensor | None) -> tuple[Tensor, Any]:
        attention = stages[position[0]]
        before = None if position[1] == attention.share_from else last.get(position[0])
        for intervention in interventions:
            if intervention.applies(position):
                gate, state = intervention(Call(position, gate, state, squeeze, before, attention))
        return gate, state

    def remember(position: Position, gate: Tensor, state: Any, squeeze: Tensor | None) -> None:
        seen.add(position)
        last[position[0]] = state

    with hooked(watched, before=change, after=remember):
        yield
    last.clear()
    if unseen := sorted(targets - seen):
        raise LabError(f"no forward pass came by {unseen[0]} (stage, block): run the model inside intervene()")


def _meant(asked: int | Sequence[int] | None, index: int) -> bool:
    if asked is None:
        return True
    return asked == index if isinstance(asked, Integral) else index in asked


def _check_place(intervention: Intervention, positions: list[Position]) -> None:
    """Every stage and block that is named must exist, not only one of several."""
    if not isinstance(intervention, Intervention):
        raise LabError(f"got {intervention!r}, expected an intervention such as Replace(stage=1, block=4, gate=0.25)")
    for name, place in (("stage", 0), ("block", 1)):
        asked, there = getattr(intervention, name), sorted({position[place] for position in positions})
        named = [] if asked is None else [asked] if isinstance(asked, Integral) else list(asked)
        if missing := [index for index in named if index not in there]:
            raise LabError(f"{name}: got {missing[0]}, but this model has gates in {name}s {there[0]} to {there[-1]}")
    if not any(map(intervention.applies, positions)):
        raise LabError(f"{intervention} applies to no position: this model has gates at {positions} (stage, block)")


def _like(values: Values, other: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=other.dtype, device=other.device)


def _spread(values: Tensor, like: Tensor, name: str, position: Position) -> Tensor:
    """``values`` in the shape of ``like``."""
    try:
        return values.expand_as(like) if values.shape != like.shape else values
    except RuntimeError:
        raise LabError(
            f"{name} at {position} (stage, block): got shape {list(values.shape)}, expected one that spreads over "
            f"{list(like.shape)}"
        ) from None
