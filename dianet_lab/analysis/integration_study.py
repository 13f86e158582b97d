"""Importance maps of many networks beside their controls, and whether they rank pairs of layers as the memory does."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.integration import COMPONENTS, TREES, integration
from dianet_lab.analysis.interval import t_interval
from dianet_lab.analysis.layer_gain import gains
from dianet_lab.analysis.layer_states import layer_states
from dianet_lab.analysis.memory import memory_map
from dianet_lab.analysis.subject import Subject
from dianet_lab.errors import LabError
from dianet_lab.studies.contrast import Contrast, minus

ARMS = ("DIA", "per block, carried", "shared, no memory", "SE shared", "SE per block")
"""Of the study ``vectors``; a static gate has no layer that tells of another."""

SHUFFLED = "targets shuffled"
MEASURES = {
    "mdi": "decrease in impurity",
    "permutation": "permutation, forest",
    "ridge": "permutation, ridge",
    "gain": "gain, line",
    "gain_bent": "gain, bends",
}
"""What a pair of layers is measured by: columns of ``cells`` and what they are called."""

UNITS = {
    "mdi": (1, "share"),
    "permutation": (1, "R² lost"),
    "ridge": (1, "R² lost"),
    "gain": (1000, "R² gained ×1000"),
    "gain_bent": (1000, "R² gained ×1000"),
}
"""What :data:`MEASURES` are drawn as: times how much, and what the colours are called then."""

NEARNESS = "nearness"
"""What a ruler would reach: minus the distance in blocks."""

SCORES = ("forest", "forest_centred", "ridge", "ridge_centred", "known", "known_bent")
"""R² on held-out images: columns of ``layers``."""

PAIR = ["stage", "source", "target"]


class Measured(NamedTuple):
    """``cells``, ``layers``: those of :class:`~dianet_lab.analysis.integration.Integration` and
    :class:`~dianet_lab.analysis.layer_gain.Gains` with ``arm`` and ``seed`` in front, where the arm of an untrained
    network ends in ``, untrained`` and that of one whose targets were shuffled in ``, targets shuffled``; ``memory``:
    ``seed, stage, source, target, effect`` through the memory of the arm that it is about, empty where it has none.
    """

    cells: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame


def looked_at(seen: Subject) -> Iterator[Network]:
    """The trained networks of a subject that are worth asking, and its own untrained.

    Its own arm has the name that it is drawn by: ``this run`` of a single network, whose id would not fit a figure.
    """
    asked = [arm for arm in seen.arms if arm in ARMS] or seen.arms
    for arms, when in ((asked, "end"), ([seen.arm], "start")):
        for network in seen.networks(arms, [when]):
            own = network.which["arm"] == seen.arm
            yield network._replace(which=network.which | ({"arm": seen.views[0].name} if own else {}))


def measured(
    networks: Iterable[Network], main: str, *, components: int | None = COMPONENTS, trees: int = TREES
) -> Measured:
    """Everything that the notebook asks of each network: seconds of forests for each.

    Args:
        main: the arm whose targets are shuffled too, and whose memory is measured.
    """
    cells, layers, memory = [], [], []
    options = {"components": components, "trees": trees}
    for network in networks:
        (which, model, images, train), name = network, network.name
        arm, seed = which["arm"], which["seed"]
        states = layer_states(model, train, images)
        found, gained = integration(states, **options, seed=seed), gains(states)
        cells.append(found.cells.merge(gained.cells, how="left", on=PAIR).assign(arm=name, seed=seed))
        layers.append(found.layers.merge(gained.layers, how="left", on=["stage", "target"]).assign(arm=name, seed=seed))
        if which["when"] == "end" and arm == main:
            other = integration(states, **options, seed=seed, shuffled=True)
            cells.append(other.cells.assign(arm=f"{arm}, {SHUFFLED}", seed=seed))
            layers.append(other.layers.assign(arm=f"{arm}, {SHUFFLED}", seed=seed))
            with suppress(LabError):  # a unit without a memory, or one that sees whole branches, has no map
                memory.append(memory_map(model, images, seed).assign(seed=seed))
    nothing = pd.DataFrame(columns=["seed", *PAIR, "effect"])
    return Measured(*(pd.concat(part, ignore_index=True) for part in (cells, layers, memory or [nothing])))


def agreement(cells: pd.DataFrame, memory: pd.DataFrame, measures: Sequence[str] = tuple(MEASURES)) -> pd.DataFrame:
    """Spearman's rank correlation of each measure with the memory-path map of the same seed, over pairs of a stage.

    Returns:
        ``arm, seed, measure, rho, at_distance, pairs``, the correlations mean over stages. ``at_distance``: after the
        mean rank of pairs at the same distance was taken out, since near layers may rank high in both maps for being
        near. :data:`NEARNESS` stands among the measures.
    """
    frame = cells.merge(memory[["seed", *PAIR, "effect"]], on=["seed", *PAIR])
    frame = frame.assign(**{NEARNESS: frame["source"] - frame["target"]})
    rows = []
    for (arm, seed), network in frame.groupby(["arm", "seed"], sort=False):
        for measure in (*measures, NEARNESS):
            stages = [_ranked(stage, measure) for _, stage in network.groupby("stage")]
            found = pd.DataFrame(stages, columns=["rho", "at_distance", "pairs"])
            means = {"rho": found["rho"].mean(), "at_distance": found["at_distance"].mean()}
            rows.append({"arm": arm, "seed": seed, "measure": measure} | means | {"pairs": int(found["pairs"].sum())})
    return pd.DataFrame(rows, columns=["arm", "seed", "measure", "rho", "at_distance", "pairs"])


def _ranked(stage: pd.DataFrame, measure: str) -> tuple[float, float, int]:
    known = stage[stage[measure].notna() & stage["effect"].notna()]
    ranks = known[[measure, "effect"]].rank()
    distance = known["target"] - known["source"]
    return _pearson(ranks), _pearson(ranks - ranks.groupby(distance).transform("mean")), len(known)


def _pearson(pair: pd.DataFrame) -> float:
    """NaN for fewer than three pairs, or where one of the two does not vary."""
    first, second = pair.to_numpy(float).T
    if len(first) < 3 or min(np.ptp(first), np.ptp(second)) < 1e-9:
        return float("nan")
    return float(stats.pearsonr(first, second).statistic)


def per_network(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """One row a network, for ``effects``: the median over its layers or pairs of layers, as one layer that hardly
    varies may have an R² far below 0."""
    names = [name for name in columns if name in frame]
    return frame.groupby(["arm", "seed"], sort=False)[names].median().reset_index().assign(status="finished")


def over_seeds(frame: pd.DataFrame, value: str, by: Sequence[str] = ("arm",)) -> pd.DataFrame:
    """Mean and 95 % t interval over seeds: ``by..., mean, low, high, n``."""
    rows = [
        dict(zip(by, key, strict=True))
        | dict(zip(("mean", "low", "high"), t_interval(group[value]), strict=True))
        | {"n": int(group[value].notna().sum())}
        for key, group in frame.groupby(list(by), sort=False)
    ]
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "n"])


def comparisons(main: str, frame: pd.DataFrame) -> list[Contrast]:
    """The main arm minus every other one in the frame; all exploratory."""
    return minus(main, *(arm for arm in dict.fromkeys(frame["arm"]) if arm != main))
