"""What the methods of the notebooks 11 to 14 find in cells of which it is known: detections and false alarms."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import binomtest

from dianet_lab.analysis import memory
from dianet_lab.analysis.capture import capture_data
from dianet_lab.analysis.copying import copies
from dianet_lab.analysis.layer_gain import NOTICED as GAINED
from dianet_lab.analysis.layer_gain import integrates
from dianet_lab.analysis.phrases import listed
from dianet_lab.analysis.planted import BLOCKS, SOURCE, TARGET, TRUTHS, Truth, planted
from dianet_lab.analysis.replacement import Replacement
from dianet_lab.analysis.under import logits_under
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.data.images import ImageData
from dianet_lab.seeding import seed_of

STAGE = 1
"""Where it is looked: the cells of all stages are of one kind, and the middle one has the middle width."""

FIRST_SEED = 100
"""Of the planted networks in the table: the rules were set on others."""

LEVEL = 0.01
"""p below which something is found."""

ALIKE = 0.3
"""Centred correlation above which neighbours are said to copy each other and not only to see the same image."""

DRIFT = 0.01
"""Difference of mean gates between two blocks above which gates that see no image are said to drift."""

OTHERS = 4
"""Pairs beside the planted one that are looked at in each network, of 20."""

MOVED = 1e-4
"""Of a logit's standard deviation over images: what is less is rounding."""


@dataclass(frozen=True)
class Trial:
    """One planted network with the images that it is shown."""

    model: ResidualNet
    images: ImageData
    train: ImageData
    seed: int


Found = Iterator[tuple[Any, bool]]
"""What was looked at (a block, or a pair of blocks), and whether something was found there."""


@dataclass(frozen=True)
class Method:
    """How a notebook finds something: ``look(trial)`` by a ``rule``; ``there(truth, item)`` is whether it is there."""

    notebook: str
    asks: str
    rule: str
    look: Callable[[Trial], Found]
    there: Callable[[Truth, Any], bool]


def _copies(trial: Trial) -> Found:
    gates = capture_data(trial.model, trial.images, ["gate"])[STAGE]["gate"]
    table = copies(gates, np.random.default_rng(seed_of("planted copies", trial.seed)))
    for row in table.itertuples():
        yield (row.block - 1, row.block), bool(row.p <= LEVEL and row.similarity >= ALIKE)


def _answers(trial: Trial) -> Found:
    each = Replacement(trial.model, trial.images, trial.train, start=0.25, seed=trial.seed)
    intact = logits_under(trial.model, trial.images)
    for block in range(BLOCKS):
        found = logits_under(trial.model, trial.images, each.make("another image's", [(STAGE, block)]))
        yield block, bool(((found - intact).std() / intact.std()) > MOVED)


def _drifts(trial: Trial) -> Found:
    gates = capture_data(trial.model, trial.images, ["gate"])[STAGE]["gate"].astype(np.float64)
    blind = bool((gates.max("image") - gates.min("image")).max() < memory.RESOLUTION)
    means = gates.mean("image")
    yield "stage", blind and bool((means.max("block") - means.min("block")).max() > DRIFT)


def _memory(trial: Trial) -> Found:
    frame = memory.memory_map(trial.model, trial.images, trial.seed, limit=len(trial.images))
    for row in frame[frame["stage"] == STAGE].itertuples():
        yield (row.source, row.target), bool(row.effect >= memory.NOTICED)


def _integrates(trial: Trial) -> Found:
    stage = capture_data(trial.model, trial.images, ["h", "squeeze"])[STAGE]
    states, squeezes = stage["h"].values, stage["squeeze"].values
    for source, target in _some_pairs(trial.seed):
        gain, p = integrates(states, squeezes, source, target, seed=trial.seed)
        yield (source, target), bool(p <= LEVEL and gain >= GAINED)


def _some_pairs(seed: int) -> list[tuple[int, int]]:
    """The planted pair and :data:`OTHERS` of the others that are no neighbours: each takes half a second."""
    every = [(source, target) for target in range(2, BLOCKS) for source in range(target - 1)]
    every.remove((SOURCE, TARGET))
    order = np.random.default_rng(seed_of("planted pairs", seed)).permutation(len(every))
    return [(SOURCE, TARGET), *(every[index] for index in order[:OTHERS])]


METHODS = {
    "neighbours copy": Method(
        "11",
        "do two neighbours copy each other?",
        f"centred correlation at least {ALIKE:g}, and p at most {LEVEL:g} over permuted images",
        _copies,
        lambda truth, pair: pair in truth.copies,
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
        f"no gate varies over images, and mean gates differ by more than {DRIFT:g}",
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
        "does this h tell of that one beyond its squeeze and the h before it?",
        f"gain in held-out R² at least {GAINED:g}, and p at most {LEVEL:g} over shuffled images",
        _integrates,
        lambda truth, pair: pair in truth.gain,
    ),
}


def planted_trials(
    images: ImageData,
    train: ImageData,
    seeds: int,
    shares: Sequence[float] = (0.5,),
    scenarios: Sequence[str] = tuple(TRUTHS),
    methods: Sequence[str] = tuple(METHODS),
) -> pd.DataFrame:
    """Every method on every scenario: ``method, scenario, share, seed, item, there, found``.

    Args:
        seeds: planted networks of each scenario.
        shares: of the channels that take part in a dependence: see :func:`~dianet_lab.analysis.planted.planted`.
    """
    rows = []
    with torch.no_grad():
        for scenario, share, seed in itertools.product(scenarios, shares, range(FIRST_SEED, FIRST_SEED + seeds)):
            trial = Trial(planted(scenario, seed, share), images, train, seed)
            which = {"scenario": scenario, "share": share, "seed": seed}
            for name in methods:
                for item, found in METHODS[name].look(trial):
                    there = METHODS[name].there(TRUTHS[scenario], item)
                    rows.append({"method": name} | which | {"item": str(item), "there": there, "found": found})
    return pd.DataFrame(rows)


def _bounds(count: int, of: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper and Pearson, Biometrika 26, 1934); NaN of nothing."""
    return tuple(binomtest(count, of).proportion_ci(method="exact")) if of else (float("nan"), float("nan"))


def rates(trials: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Counts of what is there and was detected, and of what is absent and was found all the same.

    Columns: ``method`` (and ``by``), ``there, detected, at least (%)``, ``absent, false alarms, at most (%)``; the
    shares are ends of exact 95 % intervals, as if items of one network were independent.
    """
    rows = []
    for key, part in trials.groupby(["method", *by], sort=False):
        there, absent = part[part["there"]], part[~part["there"]]
        counts = {"there": len(there), "detected": int(there["found"].sum())}
        counts |= {"at least (%)": 100 * _bounds(counts["detected"], counts["there"])[0]}
        counts |= {"absent": len(absent), "false alarms": int(absent["found"].sum())}
        counts |= {"at most (%)": 100 * _bounds(counts["false alarms"], counts["absent"])[1]}
        rows.append(dict(zip(["method", *by], key, strict=True)) | counts)
    return pd.DataFrame(rows)


def rates_sentence(found: pd.DataFrame) -> tuple[str, str]:
    """What all methods detect of what is there, and how often they find what is absent."""
    caught = [f"{row.method} {row.detected} of {row.there}" for row in found.itertuples() if row.there]
    found = found.rename(columns={"false alarms": "alarms"})
    alarms = [f"{row.method} {row.alarms} of {row.absent}" for row in found.itertuples() if row.absent]
    return f"Detected of what was planted: {listed(caught)}.", f"Found where nothing is: {listed(alarms)}."


def weakest_sentence(there: pd.DataFrame) -> str:
    """Down to which share of channels each method still detects at least four of five.

    Args:
        there: :func:`rates` by share, of items that are there.
    """
    said = []
    for method, part in there.groupby("method", sort=False):
        enough = part.loc[part["detected"] >= 0.8 * part["there"], "share"]
        said.append(f"{method} down to {100 * enough.min():g} %" if len(enough) else f"{method} at none")
    return f"Of the channels, so many must take part for four of five to be detected: {listed(said)} of those tried."
