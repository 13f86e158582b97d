"""The study of stability: which runs finish, which of them learn, and what that makes of their accuracy.

Two readings of "it trains". A run *finishes* if no loss is NaN or infinite. It *learns* if it finishes and gets more
than half of its training images right within its epochs: without skips a network can stand still at chance for ever,
and no loss says so.
"""

import math
import re
from collections.abc import Iterable

import pandas as pd
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_test
from statsmodels.stats.proportion import proportion_confint

from dianet_lab.analysis.statistics import effects
from dianet_lab.errors import DataError, unknown_name
from dianet_lab.studies.contrast import Contrast

NAME = re.compile(r"(?P<condition>.+), depth (?P<depth>\d+), rate (?P<rate>[^:]+): (?P<name>.+)")
"""What arms are called: ``no norm, depth 20, rate 0.1: DIA``."""

CELL = ["condition", "depth", "rate"]
FINISHED, LEARNED = OUTCOMES = ("finished", "learned")
PLAIN = "plain"
RIGHT = 0.5
"""The share of its training images above which a run has learned."""

FAILS = 0.5
"""Plain fails in a cell where at least this share of its seeds does not get there."""

SELECTED, EVERYWHERE = "where plain fails to learn in at least half of the seeds", "in all cells"
NO_CELL = "plain does not fail here: no cell counts"
ALL_CELLS = ("no augmentation",)
"""Conditions that are compared in all cells, since the plain network need not fail in any."""

COMPARED = (
    ("DIA", PLAIN), ("r=16", PLAIN), ("scalar per block", PLAIN),
    ("DIA", "scalar per block"), ("DIA", "constant 0.25"), ("DIA", "SE per block"),
)  # fmt: skip


def by_cell(frame: pd.DataFrame, chance: float = 0.1) -> pd.DataFrame:
    """The runs that came to an end, with ``arm`` called as elsewhere, their cell and their outcomes.

    New columns: ``condition, depth, rate``; ``finished, learned`` (bool); ``accuracy``, that on the test images (0 to
    1), which for a run that diverged is ``chance``. Runs that failed for a technical reason, or are not there yet, are
    left out: they say nothing of stability.

    Args:
        frame: one row a run: arm, seed, status, test_accuracy, train_accuracy.
        chance: the accuracy of guessing, one over the number of classes.

    Raises:
        DataError: an arm that is not called like ``no norm, depth 20, rate 0.1: DIA``.
    """
    named = _named(frame)
    finished = named["finished"]
    named = named.assign(
        learned=finished & (named["train_accuracy"] > RIGHT), accuracy=named["test_accuracy"].where(finished, chance)
    )
    return named[named["status"].isin(["finished", "diverged"])]


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Every run with its cell, ``arm`` called as elsewhere, and whether it ``finished``."""
    parts = frame["arm"].str.extract(f"^{NAME.pattern}$")
    if (unknown := parts["name"].isna()).any():
        arm = frame.loc[unknown, "arm"].iloc[0]
        raise DataError(f"arm {arm!r}: expected a name like 'no norm, depth 20, rate 0.1: DIA'")
    return frame.assign(
        arm=parts["name"], condition=parts["condition"], depth=parts["depth"].astype(int),
        rate=parts["rate"].astype(float), finished=frame["status"].eq("finished"),
    )  # fmt: skip


def cells(frame: pd.DataFrame, outcome: str = FINISHED, chance: float = 0.1) -> pd.DataFrame:
    """One row a condition, depth, rate and arm, in the order of the frame.

    Columns: ``condition, depth, rate, arm``; ``runs``, ``finished`` and ``learned`` (numbers of runs); ``low, high``,
    the 95 % Wilson interval of the share of ``outcome`` (0 to 1); ``accuracy``, the mean with diverged = chance;
    ``survivors``, how many finished, and ``survivors_accuracy``, their mean alone (0 to 1): a mean over those that an
    arm happened to bring through, and so not comparable between arms.

    Raises:
        DataError: as of :func:`by_cell`.
        ConfigError: an unknown outcome.
    """
    if outcome not in OUTCOMES:
        raise unknown_name("outcome", outcome, OUTCOMES)
    runs = by_cell(frame, chance)
    grouped = runs.groupby([*CELL, "arm"], sort=False)
    table = grouped.agg(
        runs=("seed", "size"), finished=("finished", "sum"), learned=("learned", "sum"), accuracy=("accuracy", "mean")
    )
    low, high = proportion_confint(table[outcome], table["runs"], method="wilson")
    table["survivors"] = table["finished"]
    table["survivors_accuracy"] = runs[runs["finished"]].groupby([*CELL, "arm"])["accuracy"].mean()
    order = [*CELL, "arm", "runs", "finished", "learned", "low", "high"]
    return table.assign(low=low, high=high).reset_index()[[*order, "accuracy", "survivors", "survivors_accuracy"]]


def largest_rate(table: pd.DataFrame, share: float = 0.8, outcome: str = FINISHED) -> pd.DataFrame:
    """The largest rate at which at least ``share`` of the runs get there: ``condition, depth, arm, rate, edge``.

    ``rate`` is NaN where there is none. ``edge`` says that it is the largest that was tried: the limit may be higher.

    Args:
        table: of :func:`cells`.
    """
    rows = []
    for key, group in table.groupby(["condition", "depth", "arm"], sort=False):
        rate = group.loc[group[outcome] >= share * group["runs"] - 1e-9, "rate"].max()
        rows.append((*key, rate, bool(rate == group["rate"].max())))
    return pd.DataFrame(rows, columns=["condition", "depth", "arm", "rate", "edge"])


def failing(table: pd.DataFrame, outcome: str = LEARNED) -> list[tuple[str, int, float]]:
    """The cells ``(condition, depth, rate)`` in which plain does not get there in at least half of its seeds.

    Args:
        table: of :func:`cells`.
    """
    plain = table[table["arm"] == PLAIN]
    bad = plain[plain["runs"] - plain[outcome] >= FAILS * plain["runs"]]
    return list(bad[CELL].itertuples(index=False, name=None))


def mcnemar(frame: pd.DataFrame, arm: str, other: str = PLAIN, outcome: str = FINISHED) -> pd.DataFrame:
    """Arm against other in each cell, paired by seed: in how many pairs both, one or neither gets there.

    Columns: ``condition, depth, rate, pairs, both, only_arm, only_other, neither``, ``p`` of the exact McNemar test
    (two-sided, uncorrected: cells are many and seeds few), and ``note``. Where ``other`` gets there in more than half
    of its seeds nothing is tested: ``p`` is NaN, and the note says so.
    """
    runs = by_cell(frame)
    wide = runs.pivot(index=[*CELL, "seed"], columns="arm", values=outcome).reindex(columns=[arm, other])
    pairs = wide.dropna().astype(bool).reset_index()
    rows = []
    for cell in dict.fromkeys(runs[CELL].itertuples(index=False, name=None)):
        own = pairs[(pairs[CELL] == list(cell)).all(axis=1)]
        one, two = own[arm], own[other]
        counts = [[sum(one & two), sum(one & ~two)], [sum(~one & two), sum(~one & ~two)]]
        fails = len(own) > 0 and sum(~two) >= FAILS * len(own)
        p = float(mcnemar_test(counts, exact=True).pvalue) if fails else math.nan
        rows.append(
            (*cell, len(own), *counts[0], *counts[1], p, f"{other} {'fails' if fails else 'does not fail'} here")
        )
    return pd.DataFrame(rows, columns=[*CELL, "pairs", "both", "only_arm", "only_other", "neither", "p", "note"])


def counted_cells(frame: pd.DataFrame, condition: str, everywhere: bool = False) -> list[tuple[str, int, float]]:
    """The cells of a condition in which plain does not *learn* in at least half of its seeds; in "no augmentation" all.

    Args:
        frame: as of :func:`by_cell`.
        everywhere: all cells of every condition.
    """
    table = cells(frame)
    there = dict.fromkeys(table.loc[table["condition"] == condition, CELL].itertuples(index=False, name=None))
    bad = set(failing(table))
    return [cell for cell in there if everywhere or condition in ALL_CELLS or cell in bad]


def seed_means(frame: pd.DataFrame, condition: str, chance: float = 0.1, everywhere: bool = False) -> pd.DataFrame:
    """Accuracy with diverged = chance, averaged over the counted cells: ``arm, seed, status, test_accuracy``.

    One row an arm and seed that has a run in each of these cells; a frame like one of runs, for figures and effects.
    """
    runs, counted = by_cell(frame, chance), counted_cells(frame, condition, everywhere)
    inside = runs[[cell in counted for cell in runs[CELL].itertuples(index=False, name=None)]]
    means = inside.groupby(["arm", "seed"], sort=False)["accuracy"].agg(["mean", "size"]).reset_index()
    whole = means[means["size"] == len(counted)].rename(columns={"mean": "test_accuracy"})
    return whole.assign(status="finished", is_baseline=whole["arm"] == PLAIN).drop(columns="size")


def stability_effects(
    frame: pd.DataFrame, chance: float = 0.1, delta: float = 0.01, everywhere: bool = False
) -> pd.DataFrame:
    """Paired differences between arms' :func:`seed_means`, within each condition.

    A cell counted for plain's bad luck flatters whatever is compared with plain there; it favours neither side of a
    contrast between two other arms, in the same cells. All are exploratory.

    Columns: as of :func:`~dianet_lab.analysis.statistics.effects`, where ``lost`` and ``waiting`` are seeds of which a
    counted run failed or has yet to be done (one that diverged counts as chance), and ``reason`` says where no cell
    counts; ``cells``, how many count, ``of_cells``, how many there are, and ``where``, in words.

    Args:
        frame: as of :func:`by_cell`.
        chance: the accuracy of guessing.
        delta: the smallest difference of accuracy that matters (0 to 1).
        everywhere: count all cells in every condition; the choice then flatters nobody.
    """
    runs, parts = by_cell(frame, chance), []
    for condition in dict.fromkeys(runs["condition"]):
        arms = set(runs.loc[runs["condition"] == condition, "arm"])
        contrasts = list(_contrasts(condition, arms, delta))
        part = effects(seed_means(frame, condition, chance, everywhere), contrasts)
        counted, there = (counted_cells(frame, condition, every) for every in (everywhere, True))
        named, inside = _named(frame), set(counted)
        named = named[[cell in inside for cell in named[CELL].itertuples(index=False, name=None)]]
        missing = pd.DataFrame([_missing(named, contrast) for contrast in contrasts], columns=["lost", "waiting"])
        part = part.assign(lost=missing["lost"], waiting=missing["waiting"])
        where = EVERYWHERE if everywhere or condition in ALL_CELLS else SELECTED
        reason = "" if counted else NO_CELL
        parts.append(part.assign(cells=len(counted), of_cells=len(there), where=where, reason=reason))
    return pd.concat(parts, ignore_index=True) if parts else effects(frame, [])


def _missing(runs: pd.DataFrame, contrast: Contrast) -> tuple[int, int]:
    """In how many seeds a run of the contrast failed, or has yet to be done."""
    runs = runs[runs["arm"].isin(contrast.arms)]
    lost, done = runs["status"].eq("failed"), runs["status"].isin(["finished", "diverged", "failed"])
    return runs.loc[lost, "seed"].nunique(), runs.loc[~done, "seed"].nunique()


def _contrasts(condition: str, arms: set[str], delta: float) -> Iterable[Contrast]:
    for one, other in COMPARED:
        if {one, other} <= arms:
            yield Contrast(f"{condition}: {one} - {other}", {one: 1, other: -1}, delta, primary=False)
