"""What a picture of the explorer is made of: plain arrays and words."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dianet_lab.errors import LabError
from dianet_lab.explore.inside import Inside, log_odds
from dianet_lab.explore.state import ANOTHER, KINDS, RESET, State

PLACES = ("image", "stage", "block", "other")
"""The fields of a state that depend on what its run has."""


class Neighbour(NamedTuple):
    """The layer before or after the chosen one, in its stage.

    ``r`` is Pearson's correlation of the two gate vectors over the channels, for this image; ``r_own`` that of what is
    left when each gate's mean over the training images is taken out. NaN where one of them does not vary.
    """

    block: int
    gate: np.ndarray
    changed: np.ndarray
    r: float
    r_own: float


@dataclass(frozen=True)
class Seen:
    """One image, one block, and an intervention at it.

    Arrays: ``picture [channel, height, width]`` uint8; ``before`` and ``after``, the probability of each class;
    ``gates`` and ``changed [block, channel]`` of the stage, without and with the intervention, ``usual`` and
    ``spread``, mean and standard deviation over training images, alike; ``attribution [layer]``, the change of the true
    class's log-odds (nats) when one layer's gate becomes its training mean, ``all_layers`` when all do. ``effect`` is
    what the intervention changes in the true class's log-odds, in nats.
    """

    state: State
    title: str
    arm: str
    picture: np.ndarray
    label: int
    class_names: tuple[str, ...]
    before: np.ndarray
    after: np.ndarray
    effect: float
    blocks: list[int]
    gates: np.ndarray
    changed: np.ndarray
    usual: np.ndarray
    spread: np.ndarray
    neighbours: list[Neighbour | None]
    layers: list[tuple[int, int]]
    attribution: np.ndarray
    all_layers: float
    notes: list[str] = field(default_factory=list)

    @property
    def row(self) -> int:
        """Which row of ``gates`` is the chosen block."""
        return self.blocks.index(self.state.block)


def look_at(inside: Inside, state: State, title: str, arm: str) -> Seen:
    """Everything that the picture of a complete ``state`` shows, with one pass through the network beyond what is kept.

    Raises:
        LabError: a place that the network does not have.
    """
    _check(inside, state)
    position, usual = (state.stage, state.block), inside.usual
    blocks = inside.blocks(state.stage)
    logits, gates, notes = _both(inside, state)
    label = int(inside.images.labels[state.image])
    before, after = logits.softmax(1).numpy()
    odds = log_odds(logits, torch.tensor([label, label]))
    mean, spread = (np.stack([usual[state.stage, block][part] for block in blocks]) for part in (1, 2))
    if inside.spatial:
        notes.append("This gate varies over space: shown is its mean over space, replaced is the whole map.")
    if state.kind == RESET and inside.remembers and position == (state.stage, blocks[-1]):
        notes.append("No block of this stage comes after, so nothing reads the state.")
    attribution, all_layers = inside.attribution(state.image)
    row = blocks.index(state.block)
    return Seen(
        state, title, arm, inside.images.images[state.image].numpy(), label,
        inside.images.class_names, before, after, float(odds[1] - odds[0]), blocks, gates[0], gates[1], mean, spread,
        [_neighbour(blocks, gates, mean, row, row + step) for step in (-1, 1)],
        inside.positions, attribution, all_layers, notes,
    )  # fmt: skip


def complete(inside: Inside, state: State) -> State:
    """``state`` with what it leaves open filled in, moved to the nearest place that this network has."""
    images = len(inside.images)
    image = min(max(state.image, 0), images - 1)
    stage = inside.stages - 1 if state.stage is None else min(max(state.stage, 0), inside.stages - 1)
    blocks = inside.blocks(stage)
    block = blocks[len(blocks) // 2] if state.block is None else min(max(state.block, blocks[0]), blocks[-1])
    other = (
        int(of_another_class(inside.images.labels)[image])
        if state.other is None
        else min(max(state.other, 0), images - 1)
    )
    return State(state.run, image, stage, block, state.kind, state.amount, other, state.view)


def _check(inside: Inside, state: State) -> None:
    """Raise LabError where a state names what this network does not have; it must be complete."""
    blocks, images = inside.blocks(complete(inside, state).stage), len(inside.images)
    ends = {"stage": (0, inside.stages - 1), "block": (blocks[0], blocks[-1])}
    for name in PLACES:
        low, high = ends.get(name, (0, images - 1))
        if not low <= getattr(state, name) <= high:
            raise LabError(f"{name}: got {getattr(state, name)}, expected {low} to {high}")


def of_another_class(labels: Tensor) -> Tensor:
    """For each image the first one of another class, by position ``[image]``; 0 where all are of one class."""
    return (labels[:, None] != labels).int().argmax(1)


def _both(inside: Inside, state: State) -> tuple[Tensor, np.ndarray, list[str]]:
    """Logits ``[2, class]`` and gates ``[2, block, channel]``: the image as it is, and under intervention."""
    images, notes = [state.image] * 2, []
    amounts = np.array([0.0, state.amount])
    if state.kind == RESET and not inside.remembers:
        notes.append("This network has no memory: there is no state to reset, and nothing was changed.")
        interventions = []
    else:
        others = [state.other] * 2 if state.kind == ANOTHER else ()
        interventions = [inside.intervention(state.kind, (state.stage, state.block), amounts, others)]
    logits, trace = inside.run(images, *interventions)
    gates = trace.array("gate", state.stage).transpose("image", "block", "channel").values.astype(np.float64)
    return logits, gates, notes


def _neighbour(blocks: list[int], gates: np.ndarray, mean: np.ndarray, row: int, other: int) -> Neighbour | None:
    if not 0 <= other < len(blocks):
        return None
    own = gates[0] - mean
    return Neighbour(
        blocks[other],
        gates[0, other],
        gates[1, other],
        correlation(gates[0, row], gates[0, other]),
        correlation(own[row], own[other]),
    )


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's, over channels; NaN where there are fewer than three or one of the two hardly varies (by rounding)."""
    if len(one) < 3 or min(one.std(), other.std()) < 1e-6:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def told(state: State) -> str:
    """The intervention in a sentence."""
    to = f" (image {state.other})" if state.kind == ANOTHER else ""
    return f"{KINDS[state.kind]}{to}, {100 * state.amount:.0f}\N{NO-BREAK SPACE}% of the way"
