"""The interval of a mean of few runs, and how numbers are written. Knows nothing of runs: figures use it too."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95


def written(value: float, digits: int, sign: str = "") -> str:
    """A number in text, with a minus sign in place of a hyphen; ``sign="+"`` shows a plus too.

    What rounds to 0 has no sign, which would be one of nothing.
    """
    text = f"{value:{sign}z.{digits}f}"
    return text.lstrip("+") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def points(value: float) -> str:
    """A difference of accuracies (fraction) in signed percentage points: 0.013 is ``+1.3``."""
    return written(100 * value, 1, "+")


def t_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % Student t interval ``(mean, low, high)`` of the values that are not NaN.

    The ends are NaN for fewer than two values, all three for none. With few seeds a bootstrap interval would be far too
    short.
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan, math.nan
    mean = float(values.mean())
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def with_interval(values: Sequence[float], digits: int = 2, scale: float = 1.0, sign: str = "", unit: str = "") -> str:
    """``0.41 [0.36, 0.47]``: the mean with its 95 % t interval; without one for a single value, ``unknown`` for none.

    Args:
        scale: of the values, such as 100 for percent.
        sign, digits: see :func:`written`.
        unit: what stands behind the mean.
    """
    mean, low, high = t_interval(scale * np.asarray(values, dtype=float))
    if not math.isfinite(mean):
        return "unknown"
    ends = f" [{written(low, digits, sign)}, {written(high, digits, sign)}]" if math.isfinite(low) else ""
    return f"{written(mean, digits, sign)}{unit}{ends}"
