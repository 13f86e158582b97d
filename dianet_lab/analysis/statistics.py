"""Intervals and verdicts for few seeds: paired t intervals, Holm over the family, and how many seeds would tell.

A percentile bootstrap covers only 74 % at three seeds where it says 95 %; Student's t holds for normal differences.
"""

import bisect
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from dianet_lab.analysis.interval import LEVEL, t_interval
from dianet_lab.studies.study import Contrast

POWER = 0.8
FEWEST = 3

SPREADLESS = 1e-6
"""A spread below this is rounding: accuracies are counts of images, and one image in a million is none."""


def paired_difference(frame: pd.DataFrame, weights: Mapping[str, float], value: str = "test_accuracy") -> pd.Series:
    """The weighted sum of arms for each seed in which all of them finished, indexed by seed."""
    finished = frame[frame["status"] == "finished"]
    table = finished.pivot(index="seed", columns="arm", values=value).reindex(columns=list(weights))
    return (table * pd.Series(weights)).sum(axis=1, skipna=False).dropna()


def effects(frame: pd.DataFrame, contrasts: Sequence[Contrast], value: str = "test_accuracy") -> pd.DataFrame:
    """One row a contrast: ``contrast, n, estimate, sd, low, high, p, p_holm, verdict, seeds_needed, delta``.

    Accuracies and differences are fractions (0.01 is one point). ``p_holm`` is corrected over the given contrasts,
    which are the family; ``seeds_needed`` is how many seeds would detect ``delta`` with 80 % power after Bonferroni
    over the family, from the measured spread.
    """
    rows = []
    for contrast in contrasts:
        differences = paired_difference(frame, contrast.weights, value)
        mean, low, high = t_interval(differences)
        sd = float(differences.std(ddof=1)) if len(differences) > 1 else math.nan
        rows.append(
            {"contrast": contrast.name, "n": len(differences), "estimate": mean, "sd": sd, "low": low, "high": high}
            | {"p": _p_value(differences), "delta": contrast.delta}
        )
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"])
    table["verdict"] = [verdict(row.low, row.high, row.p_holm, row.n) for row in table.itertuples()]
    table["seeds_needed"] = [seeds_needed(row.sd, row.delta, len(table)) for row in table.itertuples()]
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


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's correction over one family; NaN (too few seeds for a test) stays NaN and is no member."""
    p_values = np.asarray(p_values, dtype=float)
    corrected = np.full(len(p_values), math.nan)
    known = np.isfinite(p_values)
    if known.any():
        corrected[known] = multipletests(p_values[known], method="holm")[1]
    return corrected


def verdict(low: float, high: float, p_holm: float, n: int) -> str:
    """``better`` or ``worse`` where the interval excludes 0 and Holm agrees; else ``undecided``.

    Fewer than three seeds decide nothing: two accuracies on some hundred images often have the same difference.
    """
    if n < FEWEST or not (math.isfinite(low) and p_holm < 1 - LEVEL) or low <= 0 <= high:
        return "undecided"
    return "better" if low > 0 else "worse"


def seeds_needed(sd: float, delta: float, family: int = 1) -> float:
    """Seeds that detect a paired difference of ``delta`` with 80 % power; NaN where the spread is unknown or none."""
    if not sd > SPREADLESS:
        return math.nan
    alpha, effect = (1 - LEVEL) / family, delta / sd

    def enough(n: int) -> bool:
        return TTestPower().power(effect, n, alpha) >= POWER

    top = 2
    while not enough(top):
        top *= 2
    return bisect.bisect_left(range(top + 1), True, lo=max(2, top // 2), key=enough)


def _p_value(differences: pd.Series) -> float:
    """Two-sided paired t test against 0; NaN for fewer than two seeds, or where ties leave no spread to test with."""
    if len(differences) < 2 or np.ptp(differences) < SPREADLESS:
        return math.nan
    return float(stats.ttest_1samp(differences, 0.0).pvalue)
