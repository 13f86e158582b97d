"""Differences with their intervals: against the baseline, and the contrasts that a study named before it ran."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from dianet_lab.analysis.interval import points
from dianet_lab.plots.style import FAINT, INK, arm_style, legend_above, own_axes, require

DECIDED = ("better", "worse")
"""Verdicts with a filled marker."""

BAND = "#ececec"


def plot_differences(
    summary: pd.DataFrame, *, ax: Axes | None = None, arms: Sequence[str] | None = None, delta: float | None = None
) -> Axes:
    """Each arm's paired difference to the baseline with its 95 % t interval, in percentage points.

    Args:
        summary: one row an arm, with arm, is_baseline, difference, difference_low and difference_high (0 to 1); the
            baseline's row only gives the axis its name.
        ax: where to draw; a new figure otherwise.
        arms: the rows from top to bottom; the order of the summary otherwise.
        delta: the smallest difference that matters (0 to 1); drawn as a band around zero.
    """
    require(summary, ["arm", "is_baseline", "difference", "difference_low", "difference_high"])
    is_baseline = summary["is_baseline"].astype(bool)
    baseline, rows = summary.loc[is_baseline, "arm"], summary[~is_baseline]
    if arms is not None:
        rows = rows.set_index("arm", drop=False).loc[[arm for arm in arms if arm not in set(baseline)]]
    # The summary's own low and high are those of the mean, not of the difference.
    rows = rows.drop(columns=["low", "high"], errors="ignore").rename(
        columns={"arm": "name", "difference": "estimate", "difference_low": "low", "difference_high": "high"}
    )
    ax = _forest(rows.assign(delta=delta), ax, [arm_style(arm).color for arm in rows["name"]])
    reference = baseline.iloc[0] if len(baseline) else "the baseline"
    ax.set_xlabel(f"test accuracy minus that of {reference!r}, same seeds (percentage points)")
    return ax


def plot_effects(effects: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Each contrast's estimate with its 95 % t interval, in percentage points, over the band of what does not matter.

    Args:
        effects: one row a contrast, with contrast, estimate, low, high (0 to 1) and verdict; delta, where it is
            there, is the smallest difference that matters (0 to 1) of that contrast.
        ax: where to draw; a new figure otherwise.
    """
    require(effects, ["contrast", "estimate", "low", "high", "verdict"])
    rows = effects.rename(columns={"contrast": "name"})
    ax = _forest(rows if "delta" in rows else rows.assign(delta=None), ax, [INK] * len(rows))
    ax.set_xlabel("effect on the test accuracy (percentage points)")
    return ax


def _forest(rows: pd.DataFrame, ax: Axes | None, colors: list[str]) -> Axes:
    """Rows of name, estimate, low, high and delta, and beside each its verdict, or its numbers where it has none.

    A marker is hollow where the verdict is open.
    """
    ax = own_axes(ax, 8.5, 1.5 + 0.42 * len(rows))
    for row, ((_, item), color) in enumerate(zip(rows.iterrows(), colors, strict=True)):
        half = 100 * item["delta"] if pd.notna(item["delta"]) else 0
        if half:
            ax.add_patch(Rectangle((-half, row - 0.5), 2 * half, 1, color=BAND, linewidth=0, zorder=0, gid="delta"))
        ax.plot(
            [100 * item["low"], 100 * item["high"]], [row, row], color=color, linewidth=2.2, zorder=3, gid="interval"
        )
        fill = color if item.get("verdict", "none") in (*DECIDED, "none") else "white"
        ax.plot(
            [100 * item["estimate"]],
            [row],
            marker="o",
            markersize=8,
            color=color,
            markerfacecolor=fill,
            markeredgewidth=1.8,
            zorder=4,
            gid="estimate",
        )
        ax.text(
            1.015,
            row,
            _verdict(item) if "verdict" in item else _in_points(item),
            transform=ax.get_yaxis_transform(),
            va="center",
            fontweight="bold" if item.get("verdict") in DECIDED else "normal",
        )
    ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
    ax.set_yticks(range(len(rows)), rows["name"])
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.06)
    _legend(ax, banded=bool(rows["delta"].notna().any()), verdicts="verdict" in rows)
    return ax


def _verdict(item: pd.Series) -> str:
    """``better``, or ``undecided (21 seeds needed)`` where that many are known to be needed and fewer were run."""
    seeds = item.get("seeds_needed", np.nan)
    more = item["verdict"] == "undecided" and np.isfinite(seeds) and seeds > item.get("n", 0)
    return f"undecided ({int(seeds)} seeds needed)" if more else str(item["verdict"])


def _in_points(item: pd.Series) -> str:
    """``+0.5 [−0.3, +1.3]``"""
    estimate, low, high = (points(item[name]) for name in ("estimate", "low", "high"))
    return f"{estimate} [{low}, {high}]" if np.isfinite(item["low"]) else estimate


def _legend(ax: Axes, banded: bool, verdicts: bool) -> None:
    look = {"color": INK, "marker": "o", "markersize": 7, "markeredgewidth": 1.6, "linewidth": 2}
    handles = [Line2D([], [], **look, label="decided, 95 % t interval" if verdicts else "mean, 95 % t interval")]
    if verdicts:
        handles.append(Line2D([], [], **look, markerfacecolor="white", label="undecided"))
    if banded:
        handles.append(Patch(facecolor=BAND, edgecolor=FAINT, label="too small to matter"))
    legend_above(ax, handles)
