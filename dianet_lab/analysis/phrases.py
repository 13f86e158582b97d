"""Small pieces of sentences: counts, ranges and lists."""

import math
from collections.abc import Iterable

from dianet_lab.analysis.interval import written


def plural(count: int, noun: str) -> str:
    """``1 seed``, ``6 seeds``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def within(delta: float) -> str:
    """A band around 0 (fraction) in points: ``±1 point``, ``±0.5 points``."""
    shown = f"{100 * delta:.6g}"
    return f"±{shown} point" + ("" if shown == "1" else "s")


def span(values: Iterable[float], digits: int = 2) -> str:
    """``0.21 to 0.34``, or ``0.21`` where they agree to so many digits."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "unknown"
    low, high = (written(value, digits) for value in (min(finite), max(finite)))
    return low if low == high else f"{low} to {high}"


def listed(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *first, last = list(names)
    return f"{', '.join(first)} and {last}" if first else last
