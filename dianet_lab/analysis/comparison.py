"""What the seeds say of one contrast: estimate, paired t test, two one-sided tests; and against the best of rivals."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from dianet_lab.analysis.crossed import crossed_half_width
from dianet_lab.analysis.interval import t_interval
from dianet_lab.analysis.power import SPREADLESS
from dianet_lab.errors import DataError
from dianet_lab.studies.contrast import Contrast

Right = Callable[[str, int], np.ndarray]
"""``(arm, seed) -> [image]`` of bool: whether the prediction of each test image is right, in one order for all."""


def paired_difference(frame: pd.DataFrame, weights: Mapping[str, float], value: str = "test_accuracy") -> pd.Series:
    """The weighted sum of arms for each seed in which all of them finished, indexed by seed."""
    finished = frame[frame["status"] == "finished"]
    table = finished.pivot(index="seed", columns="arm", values=value).reindex(columns=list(weights))
    return (table * pd.Series(weights)).sum(axis=1, skipna=False).dropna()


def compare(frame: pd.DataFrame, contrast: Contrast, value: str, right: Right | None) -> dict[str, float | int | str]:
    """``rival, n, lost, waiting, estimate, sd, low, high, crossed_low, crossed_high, p, p_equal`` of one contrast.

    Of a contrast against the best of rivals, the numbers are those of the hardest rival, with the smallest mean
    difference, over the seeds that all rivals have.
    """
    differences = {rival: paired_difference(frame, weights, value) for rival, weights in contrast.parts().items()}
    table = pd.DataFrame(differences).dropna()
    parts = [_Part.of(rival, table[rival], contrast.delta) for rival in differences]
    hardest = min(parts, key=lambda part: part.mean)
    states = _states(frame, contrast)
    weights = contrast.parts()[hardest.rival]
    crossed_low, crossed_high = _crossed(weights, table[hardest.rival], right)
    return {
        "rival": hardest.rival,
        "n": len(table),
        "lost": int(states.isin(["diverged", "failed"]).any(axis=1).sum()),
        "waiting": int((~states.isin(["finished", "diverged", "failed"])).any(axis=1).sum()),
        "estimate": hardest.mean,
        "sd": hardest.sd,
        "low": hardest.low,
        "high": hardest.high,
        "crossed_low": crossed_low,
        "crossed_high": crossed_high,
        "p": _difference_p(parts, hardest),
        "p_equal": _equal_p(parts),
    }


def shift(common: pd.DataFrame, own: pd.DataFrame, contrast: Contrast, value: str) -> dict[str, float | str]:
    """What the learning rate does to a contrast: at each arm's own rate minus at the common one, paired by seed.

    Against the best of rivals it is that against the hardest at each rate.

    Returns:
        ``contrast, shift, shift_low, shift_high, shift_p``: the mean, its 95 % t interval, p of the t test against 0.
    """
    ends = []
    for frame in (own, common):
        differences = [paired_difference(frame, weights, value) for weights in contrast.parts().values()]
        ends.append(min(differences, key=lambda series: series.mean()))
    moved = (ends[0] - ends[1]).dropna()
    mean, low, high = t_interval(moved)
    p = _t_test(moved, 0.0, "two-sided")
    return {"contrast": contrast.name, "shift": mean, "shift_low": low, "shift_high": high, "shift_p": p}


@dataclass(frozen=True)
class _Part:
    """One difference over n seeds: p of 0 (two-sided), of being at most ``-delta``, and of being at least ``delta``."""

    rival: str
    mean: float
    sd: float
    low: float
    high: float
    p: float
    p_lower: float
    p_upper: float

    @classmethod
    def of(cls, rival: str, differences: pd.Series, delta: float) -> "_Part":
        sd = float(differences.std(ddof=1)) if len(differences) > 1 else math.nan
        tests = (
            _t_test(differences, 0.0, "two-sided"),
            _t_test(differences, -delta, "greater"),
            _t_test(differences, delta, "less"),
        )
        mean, low, high = t_interval(differences)
        return cls(rival, mean, sd, low, high, *tests)


def _t_test(differences: pd.Series, null: float, alternative: str) -> float:
    """p of Student's t test; NaN for fewer than two seeds, or where ties leave no spread to test with."""
    if len(differences) < 2 or np.ptp(differences) < SPREADLESS:
        return math.nan
    return float(stats.ttest_1samp(differences, null, alternative=alternative).pvalue)


def _difference_p(parts: list[_Part], hardest: _Part) -> float:
    """p of "no difference to the best rival"; with a single part, that of its paired t test.

    Better than the best is better than each: the largest p counts, uncorrected (an intersection-union test: Berger,
    Technometrics 24, 1982, 295-300). Worse than the best is worse than any: the smallest p, times the number of rivals.
    """
    if hardest.mean > 0 or len(parts) == 1:
        return float(np.max([part.p for part in parts]))
    below = [part.p for part in parts if part.mean < 0 and math.isfinite(part.p)]
    if below:
        return min(1.0, len(parts) * min(below))
    return 1.0 if math.isfinite(hardest.p) else math.nan


def _equal_p(parts: list[_Part]) -> float:
    """p of "not within delta of the best rival" (TOST: Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987, 657-680).

    The difference to the best is the smallest of all: it is above ``-delta`` where all are (intersection-union), and
    below ``delta`` where any is (Bonferroni).
    """
    lower = np.max([part.p_lower for part in parts])
    upper = np.minimum(1.0, len(parts) * np.min([part.p_upper for part in parts]))
    return float(np.max([lower, upper]))  # numpy's, because NaN stays NaN


def _crossed(weights: Mapping[str, float], differences: pd.Series, right: Right | None) -> tuple[float, float]:
    """The ends of the crossed interval; NaN without predictions, or for fewer than two seeds."""
    if right is None or len(differences) < 2:
        return math.nan, math.nan
    cells = np.array(
        [
            sum(weight * np.asarray(right(arm, seed), float) for arm, weight in weights.items())
            for seed in differences.index
        ]
    )
    mean, expected = float(cells.mean()), float(differences.mean())
    # An image or two may be a tie of two classes, which the stored probabilities break another way.
    if abs(mean - expected) > 1.5 * sum(map(abs, weights.values())) / cells.shape[1]:
        raise DataError(f"the predictions give a difference of {mean:.4f}, the runs one of {expected:.4f}")
    half = float(crossed_half_width(cells))
    return expected - half, expected + half


def _states(frame: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """The status of the contrast's arms, ``[seed, arm]``, over the seeds that all of them are to have."""
    rows = frame[frame["arm"].isin(contrast.arms)]
    return rows.pivot(index="seed", columns="arm", values="status").reindex(columns=list(contrast.arms)).dropna()
