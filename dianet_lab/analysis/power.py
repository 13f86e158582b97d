"""How many seeds would find a difference that is there: the size of a study from a measured spread."""

import bisect
import math

from statsmodels.stats.power import TTestPower

from dianet_lab.analysis.interval import LEVEL
from dianet_lab.analysis.verdict import FEWEST

POWER = 0.8

SPREADLESS = 1e-6
"""A spread below this is rounding: accuracies are counts of images, and one image in a million is none."""

DETECT = 1.5
"""What the lab's primary contrasts are sized for, times the smallest difference that matters: 1.5 points on digits."""

FAMILY = 8
"""The most primary contrasts that the whole lab has."""


def seeds_needed(sd: float, delta: float, family: int = 1, rivals: int = 1) -> float:
    """Seeds that detect a paired difference of ``delta`` with 80 % power; NaN where the spread is unknown or none.

    Never less than :data:`~dianet_lab.analysis.verdict.FEWEST`, below which nothing is decided.
    Two-sided at 5 % over ``family``, by Bonferroni: the first step of Holm's correction, so that it is never too few.

    Args:
        sd: standard deviation of the paired differences over seeds (0 to 1), as is ``delta``.
        family: how many contrasts share the 5 %.
        rivals: how many must all be beaten; each then with the power whose product over them is 80 %.
    """
    if not sd > SPREADLESS:
        return math.nan
    alpha, effect = (1 - LEVEL) / family, delta / sd

    def enough(n: int) -> bool:
        return TTestPower().power(effect, n, alpha) >= POWER ** (1 / rivals)

    top = FEWEST
    while not enough(top):
        top *= 2
    return bisect.bisect_left(range(top + 1), True, lo=max(FEWEST, top // 2), key=enough)
