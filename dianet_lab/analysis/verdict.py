"""The one rule by which a contrast gets its verdict, and Holm's correction over the family that shares the 5 %."""

import math
from collections.abc import Sequence

import numpy as np

from dianet_lab.analysis.interval import LEVEL

FEWEST = 3
"""Seeds below which nothing is decided: two accuracies on some hundred images often have the same difference."""

BETTER, WORSE, EQUIVALENT, NEGLIGIBLE = "better", "worse", "equivalent", "different but negligible"
UNDECIDED, EXPLORATORY, DEPENDS = "undecided", "exploratory", "depends on learning rate"

LOST = 0.1
"""The share of lost seeds above which nothing is decided: what is left is a choice of survivors."""

DECIDED = (BETTER, WORSE, EQUIVALENT, NEGLIGIBLE)
"""Verdicts that answer a question; "depends on learning rate" says that it has no single answer."""


def withheld(n: int, lost: int = 0, waiting: int = 0) -> str:
    """Why a primary contrast gets no verdict, whatever its interval says; empty where it may have one.

    A look before all seeds are in is no test: deciding at the first look that allows it would find a difference in
    every fifth null. And what survived divergence says nothing about what diverged.

    Args:
        n, lost, waiting: seeds that finished in all arms, that diverged or failed in one, that have not run yet.
    """
    if waiting:
        return f"interim: {n + lost} of {n + lost + waiting} seeds have run"
    if lost > LOST * (n + lost):
        return f"{lost} of {n + lost} seeds lost"
    return ""


def verdict(
    low: float, high: float, p_holm: float, n: int, p_equal_holm: float = math.nan, equivalence: bool = True
) -> str:
    """The verdict of a primary contrast.

    ============================ =================================================================
    better, worse                the interval excludes 0 and ``p_holm`` is below 5 %
    equivalent                   ``p_equal_holm`` is below 5 %: within the smallest difference that matters
    different but negligible     both
    undecided                    neither, or fewer than three seeds
    ============================ =================================================================

    Args:
        low, high: the ends of the 95 % paired t interval.
        p_holm: of the paired t test against 0, after Holm.
        n: seeds.
        p_equal_holm: of the two one-sided tests (TOST) against the smallest difference that matters, after Holm.
        equivalence: whether equality may be stated at all. Without an assay (a control that is known to matter, and
            was found to) a study that is blind to every difference would call all of them equivalent.
    """
    if n < FEWEST:
        return UNDECIDED
    different = p_holm < 1 - LEVEL and (low > 0 or high < 0)
    equal = equivalence and p_equal_holm < 1 - LEVEL
    if different and equal:
        return NEGLIGIBLE
    if different:
        return BETTER if low > 0 else WORSE
    return EQUIVALENT if equal else UNDECIDED


def holm(p_values: Sequence[float], others: Sequence[float] = ()) -> np.ndarray:
    """Holm's correction of ``p_values`` over one family, to which ``others`` belong too.

    NaN is a member without a test: not run yet, too few seeds, or ties. It stays NaN and counts as p = 1, so that the
    multipliers are those of the whole family from the first study on. This is conservative: whatever p-value takes its
    place later, no corrected one of today can grow, and no verdict has to be taken back for it.
    """
    own = np.asarray(p_values, dtype=float)
    if np.isnan(own).all():
        return own
    family = np.concatenate([own, np.asarray(others, dtype=float)])
    corrected = _step_down(np.where(np.isnan(family), 1.0, family))[: len(own)]
    return np.where(np.isnan(own), math.nan, corrected)


def _step_down(p_values: np.ndarray) -> np.ndarray:
    """Holm's corrected p-values (Scandinavian Journal of Statistics 6, 1979), of members that all have one.

    The same as statsmodels' ``multipletests(method="holm")``, which collects garbage at every call: a tenth of a second
    and more, many times in each report.
    """
    order = np.argsort(p_values, kind="stable")
    multiplied = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(multiplied)
    corrected[order] = np.minimum(np.maximum.accumulate(multiplied), 1.0)
    return corrected
