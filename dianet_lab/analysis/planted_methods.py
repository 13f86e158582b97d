"""How the notebooks 11 to 14 find something, as rules that say of each block, or pair of blocks, whether it is there.

Some rules make a yes or no of the lab's own measures, with their controls. Others are *readings*: what one would take a
measure to say who looks at its size alone, a published one or a rival. Both are tried on the same planted cells.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from dianet_lab.analysis import memory
from dianet_lab.analysis.capture import capture_data
from dianet_lab.analysis.copying import copies
from dianet_lab.analysis.integration import integration
from dianet_lab.analysis.layer_gain import NOTICED as GAINED
from dianet_lab.analysis.layer_gain import gains, integrates
from dianet_lab.analysis.layer_states import LayerStates, of_captured
from dianet_lab.analysis.planted import BLOCKS, SOURCE, TARGET, Truth
from dianet_lab.analysis.replacement import Replacement
from dianet_lab.analysis.similarity import layer_cka, layer_correlation, layer_kl, shuffled_pairs
from dianet_lab.analysis.under import logits_under
from dianet_lab.analysis.variance import variance_parts
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.data.images import ImageData
from dianet_lab.seeding import seed_of

STAGE = 1
"""Where it is looked: the cells of all stages are of one kind, and the middle one has the middle width."""

LEVEL = 0.01
"""p below which something is found."""

ALIKE = 0.3
"""Centred correlation above which neighbours are said to copy each other and not only to see the same image."""

PUBLISHED = 0.85
"""The raw correlation between layers that arXiv 2210.16101 reports, "up to"."""

SAME_IMAGES = 0.65
"""CKA above which neighbours are read as copies; two layers that merely see the same image come near it."""

CLOSER = 0.1
"""Of the KL divergence of shuffled pairs: below it, neighbours share more than a profile of the channels."""

MOVED = 0.002
"""Of the standard deviation of all logits: a network that moves by less is not said to notice."""

NOTHING = 1e-5
"""Of a stage's variance: a share below which nothing of it is of the image, in float32."""

DARK = 2.0
"""Times an even share of a row: how dark a cell of the forest's map must be to be read as integration."""

DROPPED = 0.02
"""Of R²: how much permuting a layer must cost a regression for the layer to be read as a source."""

PAIRS = 5
"""Of the 21 pairs of layers that are no neighbours, the planted one among them: so many ``integration`` looks at."""


@dataclass(frozen=True)
class Trial:
    """One planted network with the images that it is shown.

    ``pairs``: see :data:`PAIRS`; each takes half a second.
    """

    model: ResidualNet
    images: ImageData
    train: ImageData
    seed: int
    pairs: int = PAIRS

    @cached_property
    def captured(self) -> tuple[xr.Dataset, xr.Dataset]:
        """Of training and of test images."""
        names = ["gate", "h", "squeeze"]
        return tuple(capture_data(self.model, data, names)[STAGE] for data in (self.train, self.images))

    @property
    def gates(self) -> xr.DataArray:
        """``[image, block, channel]`` of the test images."""
        return self.captured[1]["gate"]

    @property
    def states(self) -> LayerStates:
        """Fitted on training images, judged on test images."""
        return of_captured(*self.captured)

    @cached_property
    def regressions(self) -> pd.DataFrame:
        """``source, target, mdi, permutation, ridge, gain_bent``."""
        cells = integration([self.states], seed=self.seed).cells
        return cells.merge(gains([self.states]).cells, how="left", on=["stage", "source", "target"])

    def random(self, what: str) -> np.random.Generator:
        """Decides which images are exchanged."""
        return np.random.default_rng(seed_of("planted", what, self.seed))


Found = Iterator[tuple[Any, bool]]
"""What was looked at (a block, or a pair of blocks), and whether something was found there."""


@dataclass(frozen=True)
class Method:
    """How a notebook finds something: ``look(trial)`` by a ``rule``; ``there(truth, item)`` is whether it is there.

    ``decides``: whether the rule has the control that the lab asks for; else it is a reading.
    ``blind`` are scenarios in which its question has no answer.
    """

    notebook: str
    asks: str
    rule: str
    look: Callable[[Trial], Found]
    there: Callable[[Truth, Any], bool]
    decides: bool = True
    blind: frozenset[str] = field(default=frozenset())


def _copies(trial: Trial) -> Found:
    for row in copies(trial.gates, trial.random("copies")).itertuples():
        yield (row.block - 1, row.block), bool(row.p <= LEVEL and row.similarity >= ALIKE)


def _neighbours(alike: Callable[[Trial], np.ndarray]) -> Callable[[Trial], Found]:
    def look(trial: Trial) -> Found:
        found = alike(trial)
        yield from (((block, block + 1), bool(found[block, block + 1])) for block in range(BLOCKS - 1))

    return look


def _kl_is_closer(trial: Trial) -> np.ndarray:
    chance = layer_kl(shuffled_pairs(trial.gates, trial.random("kl")))
    return np.isfinite(chance) & (chance > memory.RESOLUTION) & (layer_kl(trial.gates) <= CLOSER * chance)


def _answers(trial: Trial) -> Found:
    each = Replacement(trial.model, trial.images, trial.train, trial.seed)
    intact = logits_under(trial.model, trial.images)
    for block in range(BLOCKS):
        found = logits_under(trial.model, trial.images, each.make("another image's", [(STAGE, block)]))
        yield block, bool(((found - intact).std() / intact.std()) > MOVED)


def _drifts(trial: Trial) -> Found:
    parts = variance_parts(trial.gates)
    yield "stage", bool(parts["image"] < NOTHING and parts["layer"] > 0.5)


def _memory(trial: Trial) -> Found:
    frame = memory.memory_map(trial.model, trial.images, trial.seed, limit=len(trial.images))
    for row in frame[frame["stage"] == STAGE].itertuples():
        yield (row.source, row.target), bool(row.effect >= memory.NOTICED)


def _integrates(trial: Trial) -> Found:
    states, squeezes = (trial.captured[1][name].values for name in ("h", "squeeze"))
    for source, target in _some_pairs(trial):
        gain, p = integrates(states, squeezes, source, target, seed=trial.seed)
        yield (source, target), bool(p <= LEVEL and gain >= GAINED)


def _some_pairs(trial: Trial) -> list[tuple[int, int]]:
    """The planted pair first, then others."""
    every = [(source, target) for target in range(2, BLOCKS) for source in range(target - 1)]
    every.remove((SOURCE, TARGET))
    order = trial.random("pairs").permutation(len(every))
    return [(SOURCE, TARGET), *(every[index] for index in order[: trial.pairs - 1])]


def _regressed(says: Callable[[Any], bool]) -> Callable[[Trial], Found]:
    """Of every pair that is no neighbours, by one row of the regressions."""

    def look(trial: Trial) -> Found:
        for row in trial.regressions.itertuples():
            if row.source < row.target - 1:
                yield (row.source, row.target), bool(says(row))

    return look


def _copied(truth: Truth, pair: tuple[int, int]) -> bool:
    return pair in truth.copies


def _gained(truth: Truth, pair: tuple[int, int]) -> bool:
    return pair in truth.gain


COPIES = frozenset({"neighbours copy"})
"""There every layer tells all of every later one, and which of them a regression takes is a matter of chance."""


def _likeness(asks: str, rule: str, alike: Callable[[Trial], np.ndarray]) -> Method:
    """A reading of how alike neighbours are."""
    return Method("11", asks, rule, _neighbours(alike), _copied, decides=False)


def _regression(asks: str, rule: str, says: Callable[[Any], bool]) -> Method:
    """A reading of what a regression takes from an earlier layer."""
    return Method("14", asks, rule, _regressed(says), _gained, decides=False, blind=COPIES)


METHODS = {
    "neighbours copy": Method(
        "11",
        "do two neighbours copy each other?",
        f"centred correlation at least {ALIKE:g}, and p at most {LEVEL:g} over permuted images",
        _copies,
        _copied,
    ),
    "raw Pearson": _likeness(
        "the same, by its size, at the published level",
        f"correlation at least {PUBLISHED:g}",
        lambda trial: layer_correlation(trial.gates) >= PUBLISHED,
    ),
    "CKA": _likeness(
        "the same, whatever the channels are called",
        f"debiased linear CKA at least {SAME_IMAGES:g}",
        lambda trial: layer_cka(trial.gates) >= SAME_IMAGES,
    ),
    "KL": _likeness(
        "the same, as distributions over channels",
        f"KL at most {CLOSER:g} of that of shuffled pairs",
        _kl_is_closer,
    ),
    "answers to the image": Method(
        "12",
        "does the network notice another image's gate at this block?",
        f"logits move by more than {MOVED:g} of their deviation",
        _answers,
        lambda truth, block: truth.image,
    ),
    "clock": Method(
        "12",
        "do gates that see no image drift with depth?",
        "nothing of a stage's variance is of the image, and more than half of the layer alone",
        _drifts,
        lambda truth, stage: truth.drifts,
    ),
    "memory path": Method(
        "13",
        "does another image's state here move the gate there?",
        f"by at least {memory.NOTICED:g} of the gate's deviation, squeezes clamped",
        _memory,
        lambda truth, pair: pair in truth.memory,
    ),
    "integration": Method(
        "14",
        "does this h tell of that one beyond its squeeze and all other h before it?",
        f"gain in held-out R² at least {GAINED:g}, and p at most {LEVEL:g} over shuffled images",
        _integrates,
        _gained,
    ),
    "forest's map": _regression(
        "does that h integrate this one, by the published map as we reconstruct it?",
        f"decrease in impurity at least {DARK:g} times an even share of the row",
        lambda row: row.mdi >= DARK / row.target,
    ),
    "permuted, forest": _regression(
        "the same, by permuting",
        f"held-out R² falls by at least {DROPPED:g}",
        lambda row: row.permutation >= DROPPED,
    ),
    "permuted, ridge": _regression(
        "the same, by ridge regression",
        f"held-out R² falls by at least {DROPPED:g}",
        lambda row: row.ridge >= DROPPED,
    ),
    "gain, bends": _regression(
        "the same, by the gain beyond the squeeze and the h just before",
        f"gain in held-out R² at least {GAINED:g}",
        lambda row: row.gain_bent >= GAINED,
    ),
}
