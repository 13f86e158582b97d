"""Effects of few seeds: paired t intervals, and verdicts by one rule after Holm over the lab's one family.

A percentile bootstrap covers only 74 % at three seeds where it says 95 %; Student's t holds for normal differences.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dianet_lab.analysis.comparison import Right, compare, paired_difference
from dianet_lab.analysis.interval import t_interval
from dianet_lab.analysis.power import power_seeds, seeds_needed
from dianet_lab.analysis.verdict import DEPENDS, EXPLORATORY, holm, verdict
from dianet_lab.studies.contrast import Contrast

__all__ = [
    "by_learning_rate",
    "effects",
    "holm",
    "paired_difference",
    "power_seeds",
    "seeds_needed",
    "summarise",
    "verdict",
]

NAMES = ("contrast", "primary", "rival", "n", "lost")
INTERVALS = ("estimate", "sd", "low", "high", "crossed_low", "crossed_high")
TESTS = ("p", "p_holm", "p_equal", "p_equal_holm", "delta", "verdict", "seeds_needed")


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
    ``lost``, how many seeds are missing because an arm diverged or failed; ``estimate, sd``; ``low, high``, the 95 %
    paired t interval over seeds, which holds for these test images; ``crossed_low, crossed_high``, the 95 % interval
    for new seeds, training draws and test images (NaN without ``right``); ``p``, ``p_equal`` of the t test against 0
    and of equality within ``delta``, ``p_holm``, ``p_equal_holm`` after Holm; ``delta``; ``verdict``; and
    ``seeds_needed``, how many would detect ``delta`` with 80 % power, Bonferroni over the family, from the measured
    spread.

    The family are the primary contrasts: those given, and ``others``. Differences and equalities are corrected apart:
    each kind of statement is held to 5 % over the family. A contrast that is not primary is exploratory: it has no
    corrected p, no verdict, and no part in the family.

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
    for place, name in enumerate(("p", "p_equal")):
        corrected = np.full(len(table), math.nan)
        corrected[primary] = holm(table.loc[primary, name], [pair[place] for pair in others])
        table[f"{name}_holm"] = corrected
    table["verdict"] = [
        verdict(row.low, row.high, row.p_holm, row.n, row.p_equal_holm, equivalence) if row.primary else EXPLORATORY
        for row in table.itertuples()
    ]
    family = max(1, int(primary.sum()) + len(others))
    table["seeds_needed"] = [seeds_needed(row.sd, row.delta, family) for row in table.itertuples()]
    return table


def by_learning_rate(common: pd.DataFrame, own: pd.DataFrame | None) -> pd.DataFrame:
    """``common`` with what the same contrasts say where each arm is trained at its own learning rate.

    New columns: ``own_estimate, own_low, own_high, own_n, own_p_holm`` (NaN where unknown), ``verdict_common`` and
    ``verdict_own`` (empty where unknown). ``verdict`` becomes "depends on learning rate" where both are known, the
    contrast is primary, and they differ.

    Args:
        common: :func:`effects` at the learning rate that all arms share.
        own: :func:`effects` of contrasts of the same names; None or without rows for what could not be computed.
    """
    names = ["estimate", "low", "high", "n", "p_holm"]
    found = pd.DataFrame(columns=["contrast", *names, "verdict"]) if own is None else own
    found = found[found["estimate"].notna()].set_index("contrast").reindex(common["contrast"])
    table = common.copy()
    for name in names:
        table[f"own_{name}"] = found[name].to_numpy(dtype=float)
    table["verdict_common"] = common["verdict"]
    table["verdict_own"] = found["verdict"].astype(object).fillna("").to_numpy()
    differ = table["primary"].astype(bool) & table["verdict_own"].ne("") & table["verdict_own"].ne(common["verdict"])
    table["verdict"] = common["verdict"].where(~differ, DEPENDS)
    return table


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
