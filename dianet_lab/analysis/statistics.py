"""Effects of few seeds: paired t intervals, and verdicts by one rule after Holm over the lab's one family.

A percentile bootstrap covers only 74 % at three seeds where it says 95 %; Student's t holds for normal differences.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dianet_lab.analysis.comparison import Right, compare, paired_difference, shift
from dianet_lab.analysis.interval import LEVEL, t_interval
from dianet_lab.analysis.power import seeds_needed
from dianet_lab.analysis.verdict import (
    BETTER,
    DEPENDS,
    EQUIVALENT,
    EXPLORATORY,
    NEGLIGIBLE,
    UNDECIDED,
    WORSE,
    holm,
    verdict,
    withheld,
)
from dianet_lab.studies.contrast import Contrast

__all__ = [
    "as_arms",
    "by_learning_rate",
    "effects",
    "holm",
    "paired_difference",
    "seeds_needed",
    "shifts",
    "summarise",
    "verdict",
]

NAMES = ("contrast", "primary", "rival", "n", "lost", "waiting")
INTERVALS = ("estimate", "sd", "low", "high", "crossed_low", "crossed_high")
CONFLICTS = ({BETTER, WORSE}, {BETTER, EQUIVALENT}, {WORSE, EQUIVALENT})
"""Verdicts at two learning rates that can't both hold of one effect that matters."""

TESTS = ("p", "p_holm", "p_equal", "p_equal_holm", "delta", "verdict", "reason", "seeds_needed")
OWN_TESTS = ("p_holm", "p_equal", "p_equal_holm", "seeds_needed")


def effects(
    frame: pd.DataFrame,
    contrasts: Sequence[Contrast],
    value: str = "test_accuracy",
    *,
    right: Right | None = None,
    others: Sequence[tuple[float, float]] = (),
    equivalence: bool = True,
) -> pd.DataFrame:
    """One row a contrast; accuracies and differences are fractions (0.01 is one point).

    Columns: ``contrast, primary``; ``rival``, the hardest one of a contrast with rivals, else empty; ``n`` seeds;
    ``lost``, how many seeds are missing because an arm diverged or failed; ``waiting``, how many have not run yet;
    ``estimate, sd``; ``low, high``, the 95 % paired t interval over seeds, which holds for these test images;
    ``crossed_low, crossed_high``, the 95 % interval for new seeds, training draws and test images (NaN without
    ``right``); ``p``, ``p_equal`` of the t test against 0 and of equality within ``delta``, ``p_holm``,
    ``p_equal_holm`` after Holm; ``delta``; ``verdict``; ``reason``, why a primary contrast gets no verdict whatever its
    interval says (see :func:`~dianet_lab.analysis.verdict.withheld`), else empty; and ``seeds_needed``, how many would
    detect ``delta`` with 80 % power, Bonferroni over the family, from the measured spread.

    The family are the primary contrasts: those given, and ``others``. Differences and equalities are corrected apart:
    each kind of statement is held to 5 % over the family, so that one of either kind is wrong in at most 10 %. A
    contrast that is not primary is exploratory: it has no corrected p, no verdict, and no part in the family.

    Args:
        frame: one row a run: arm, seed, status and ``value``.
        value: the column that is compared.
        right: gives the predictions for the crossed interval, which then must be those that ``value`` is the mean of.
        others: ``(p, p_equal)`` of the family's primary contrasts that are not given; NaN for one that was not run.
            A member without a test, here or there, counts as p = 1: see :func:`~dianet_lab.analysis.verdict.holm`.
        equivalence: whether equality may be stated. False without an assay, and for values to which ``delta`` does
            not belong; ``p_equal`` is NaN then.

    Raises:
        DataError: the predictions don't have the accuracies of the frame.
    """
    if right is not None:
        right = functools.cache(right)  # arms recur in many contrasts
    rows = [
        {"contrast": contrast.name, "primary": contrast.primary, "delta": contrast.delta}
        | compare(frame, contrast, value, right)
        for contrast in contrasts
    ]
    table = pd.DataFrame(rows, columns=[*NAMES, *INTERVALS, *TESTS])
    if not equivalence:
        table["p_equal"] = math.nan
    primary = table["primary"].to_numpy(dtype=bool)
    reasons = [withheld(row.n, row.lost, row.waiting) if row.primary else "" for row in table.itertuples()]
    table["reason"] = reasons
    for place, name in enumerate(("p", "p_equal")):
        corrected = np.full(len(table), math.nan)
        tested = table[name].where(table["reason"].eq(""))
        corrected[primary] = holm(tested[primary], [pair[place] for pair in others])
        table[f"{name}_holm"] = corrected
    table["verdict"] = [_verdict(row, equivalence) for row in table.itertuples()]
    family = max(1, int(primary.sum()) + len(others))
    table["seeds_needed"] = [
        seeds_needed(row.sd, row.delta, family, rivals=len(contrast.parts()))
        for row, contrast in zip(table.itertuples(), contrasts, strict=True)
    ]
    return table[[*NAMES, *INTERVALS, *TESTS]]


def _verdict(row: tuple, equivalence: bool) -> str:
    if not row.primary:
        return EXPLORATORY
    if row.reason:
        return UNDECIDED
    return verdict(row.low, row.high, row.p_holm, row.n, row.p_equal_holm, equivalence)


def shifts(
    common: pd.DataFrame, own: pd.DataFrame, contrasts: Sequence[Contrast], value: str = "test_accuracy"
) -> pd.DataFrame:
    """What the learning rate does to each contrast, paired by seed: see :func:`~dianet_lab.analysis.comparison.shift`.

    Args:
        common, own: one row a run, at the common rate and at each arm's own.
    """
    columns = ["contrast", "shift", "shift_low", "shift_high", "shift_p"]
    return pd.DataFrame([shift(common, own, contrast, value) for contrast in contrasts], columns=columns)


def by_learning_rate(
    common: pd.DataFrame, own: pd.DataFrame | None, moved: pd.DataFrame | None = None, family: int = 0
) -> pd.DataFrame:
    """``common`` with what the same contrasts say where each arm is trained at its own learning rate.

    New columns: those of ``common`` from ``n`` to ``seeds_needed``, as ``own_n`` and so on (NaN where unknown), and
    ``own_rival``; ``shift, shift_low, shift_high, shift_p_holm``, own minus common; and ``verdict_common``,
    ``verdict_own`` (empty where unknown, as while its runs are not all in).

    ``verdict`` of a primary contrast is what both rates say. Where they say what can't both hold, or where they differ
    and the shift itself is told from 0 after Holm, it is "depends on learning rate". Where only one decides, it is
    "undecided", with the ``reason``: that a test finds nothing at one rate is no finding about the rate.

    Args:
        common: :func:`effects` at the learning rate that all arms share.
        own: :func:`effects` of contrasts of the same names; None or without rows for what could not be computed.
        moved: of :func:`shifts`.
        family: how many primary contrasts the family has, if more than ``common`` has.
    """
    found = pd.DataFrame(columns=[*NAMES, *INTERVALS, *TESTS]) if own is None else own
    found = found[found["estimate"].notna() & found["waiting"].eq(0)].set_index("contrast").reindex(common["contrast"])
    table = common.copy()
    for name in ("n", "lost", *INTERVALS, *OWN_TESTS):
        table[f"own_{name}"] = found[name].to_numpy(dtype=float)
    table["own_rival"] = found["rival"].astype(object).fillna("").to_numpy()
    table = table.merge(shifts(common, common, []) if moved is None else moved, on="contrast", how="left")
    primary = table["primary"].to_numpy(dtype=bool)
    table["shift_p_holm"] = math.nan
    if primary.any():
        unseen = [math.nan] * max(0, family - int(primary.sum()))
        table.loc[primary, "shift_p_holm"] = holm(table.loc[primary, "shift_p"].astype(float), unseen)
    table["verdict_common"] = common["verdict"].to_numpy()
    table["verdict_own"] = found["verdict"].astype(object).fillna("").to_numpy()
    judged = [_at_both(row) if row.primary else (row.verdict, "") for row in table.itertuples()]
    table["verdict"], table["reason"] = [one for one, _ in judged], [why for _, why in judged]
    return table.drop(columns="shift_p")


def _at_both(row: tuple) -> tuple[str, str]:
    """The verdict of a primary contrast over both rates, and why it has none."""
    common, own = row.verdict_common, row.verdict_own
    if own in ("", common):
        return common, row.reason
    both = {common, own}
    if both in CONFLICTS or row.shift_p_holm < 1 - LEVEL:
        return DEPENDS, ""
    if both == {EQUIVALENT, NEGLIGIBLE}:
        return EQUIVALENT, ""
    return UNDECIDED, f"{common} at the common rate, {own} at each arm's own"


def summarise(frame: pd.DataFrame, baseline: str | None = None, value: str = "test_accuracy") -> pd.DataFrame:
    """One row an arm, in the order of the frame.

    Columns: ``arm, is_baseline, n, diverged, failed, mean, sd, low, high`` (95 % t interval over the finished seeds),
    ``parameters``, and the paired ``difference`` to the baseline with its interval ``difference_low``,
    ``difference_high``. Seeds that diverged or failed are counted; they are missing from the means. A verdict is for
    the contrasts that were named before the run: :func:`effects`.
    """
    baseline = baseline or frame.loc[frame["is_baseline"], "arm"].iloc[0]
    rows = []
    for arm in dict.fromkeys(frame["arm"]):
        runs = frame[frame["arm"] == arm]
        values = runs.loc[runs["status"] == "finished", value]
        mean, low, high = t_interval(values)
        counts = {status: int((runs["status"] == status).sum()) for status in ("diverged", "failed")}
        same = arm == baseline
        ends = (math.nan,) * 3 if same else t_interval(paired_difference(frame, {arm: 1, baseline: -1}, value))
        rows.append(
            {"arm": arm, "is_baseline": same, "n": len(values), **counts, "mean": mean, "sd": values.std(ddof=1)}
            | {"low": low, "high": high, "parameters": runs["parameters"].max()}
            | dict(zip(("difference", "difference_low", "difference_high"), ends, strict=True))
        )
    return pd.DataFrame(rows)


def as_arms(frame: pd.DataFrame, value: str, *names: str) -> pd.DataFrame:
    """``arm, seed, status`` and the mean of ``value``, so that :func:`effects` can compare what ``names`` tell apart.

    The arm becomes ``DIA: other class`` where ``names`` is ``kind``.
    """
    means = frame.groupby(["arm", "seed", *names], sort=False)[value].mean().reset_index()
    parts = [means[name].astype(str) for name in names]
    arms = means["arm"].str.cat(parts, sep=": ") if parts else means["arm"]
    return means.assign(arm=arms, status="finished")
