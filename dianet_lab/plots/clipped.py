"""Marks on an axis that is shorter than what is drawn: what goes on beyond it ends in an arrowhead, never silently."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

Limits = tuple[float, float]
ENDLESS: Limits = (-np.inf, np.inf)


def clipped_line(ax: Axes, ends: Sequence[float], at: float, limits: Limits, *, gid: str, **look: Any) -> None:
    """A horizontal line at the height ``at``, with an arrowhead (gid ``beyond``) for each end beyond the limits.

    A ``marker`` is that of the ends, for example a cap.
    """
    beyond = ends[0] < limits[0], ends[1] > limits[1]
    caps = [end for end in (0, 1) if not beyond[end]]
    ax.plot(np.clip(ends, *limits), [at, at], gid=gid, clip_on=False, markevery=caps, **look)
    for edge, over, shape in zip(limits, beyond, "<>", strict=True):
        if over:
            ax.plot([edge], [at], gid="beyond", clip_on=False, **look | {"marker": shape, "markersize": 6})


def clipped_mark(ax: Axes, value: float, at: float, limits: Limits, *, gid: str, marker: str, **look: Any) -> None:
    """A mark at ``(value, at)``; an arrowhead at the edge if it lies beyond the limits."""
    inside = float(np.clip(value, *limits))
    shape = marker if np.isnan(value) or inside == value else "<" if value < inside else ">"
    ax.plot([inside], [at], gid=gid, marker=shape, clip_on=False, **look)
