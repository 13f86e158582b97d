"""Differences with their intervals: against the baseline, and the contrasts that a study named before it ran."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from dianet_lab.analysis.estimates import all_needed, losing, more_seeds, unassayed
from dianet_lab.analysis.interval import points
from dianet_lab.analysis.phrases import within
from dianet_lab.analysis.verdict import DECIDED, DEPENDS, EQUIVALENT, EXPLORATORY, UNDECIDED
from dianet_lab.plots.clipped import Limits, clipped_line, clipped_mark
from dianet_lab.plots.style import FAINT, INK, arm_style, own_axes, readable, require

BAND, GREY = "#ececec", "#808080"

COMMON, CROSSED, AT_OWN = ("low", "high"), ("crossed_low", "crossed_high"), ("own_low", "own_high")
OPEN = {UNDECIDED: "undecided", DEPENDS: "it depends"}

LONG = 6
"""How many times as long as the median interval one may be that the axis is made for."""

SEEN = 1.05
"""How many times as long as another an interval must be that the two can be told apart on paper."""

OWN = {"color": "#d55e00", "marker": "s", "markersize": 5}
"""The marks of each arm's own learning rate; Okabe and Ito's vermilion."""


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

    Primary contrasts come first: filled where decided, hollow where not, with the verdict beside them. Exploratory
    ones are small and grey, with their numbers at the common learning rate. "Equivalent" is an interval in the band.
    The axis is as long as the usual intervals need; one that goes on beyond it ends in an arrowhead, and its numbers
    stand beside it.

    Args:
        effects: one row a contrast, with contrast, estimate, low, high (0 to 1) and verdict. Drawn where they are
            there and known: delta, the smallest difference that matters; crossed_low and crossed_high, a thin line
            with caps for new test images too; own_estimate, own_low and own_high, a square for each arm's own learning
            rate; n, lost, waiting and seeds_needed, in words.
        ax: where to draw; a new figure otherwise.
    """
    require(effects, ["contrast", "estimate", "low", "high", "verdict"])
    rows = effects.rename(columns={"contrast": "name"})
    # Stable, so that each group keeps its order.
    rows = rows.sort_values("verdict", key=lambda verdicts: verdicts.eq(EXPLORATORY), kind="stable")
    explored = rows["verdict"].eq(EXPLORATORY)
    colors = [GREY if grey else INK for grey in explored]
    ax = _forest(rows if "delta" in rows else rows.assign(delta=None), ax, colors)
    for label, color in zip(ax.get_yticklabels(), colors, strict=True):
        label.set_color(readable(color))
    if 0 < explored.sum() < len(rows):
        ax.axhline((~explored).sum() - 0.5, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    label = "effect on the test accuracy, mean over seeds (percentage points, 95 % t intervals; 0: no difference)"
    where = "\nround marks, grey ones and numbers: at the common learning rate" if _known(rows, "own_estimate") else ""
    ax.set_xlabel(label + where)
    return ax


def _forest(rows: pd.DataFrame, ax: Axes | None, colors: list[str]) -> Axes:
    """Rows of name, estimate, low, high and delta, and beside each its verdict, or its numbers where it has none."""
    paired = _known(rows, "own_estimate")
    ax = own_axes(ax, 8.8, 1.7 + (0.48 if paired else 0.42) * len(rows))
    limits, wide = _limits(rows), _wider(rows)
    for row, ((_, item), color) in enumerate(zip(rows.iterrows(), colors, strict=True)):
        if half := 100 * item["delta"] if pd.notna(item["delta"]) else 0:
            ax.add_patch(Rectangle((-half, row - 0.5), 2 * half, 1, color=BAND, linewidth=0, zorder=0, gid="delta"))
        verdict = item.get("verdict", "none")
        look = _look(verdict, color)
        at = row - 0.14 if paired else row
        if wide:
            _line(ax, item, CROSSED, at, limits, color=color, linewidth=0.9, marker="|", markersize=7, gid="crossed")
        _line(ax, item, COMMON, at, limits, color=color, linewidth=look["linewidth"], gid="interval")
        clipped_mark(ax, 100 * item["estimate"], at, limits, gid="estimate", zorder=4, **look)
        if paired:
            _line(ax, item, AT_OWN, row + 0.24, limits, color=OWN["color"], linewidth=1.3, gid="own interval")
            clipped_mark(ax, 100 * item["own_estimate"], row + 0.24, limits, gid="own", zorder=4, **OWN)
        bold = "bold" if verdict in DECIDED else "normal"
        where = {"transform": ax.get_yaxis_transform(), "va": "center", "color": readable(color)}
        ax.text(1.035, row, _beside(item, limits), **where, fontweight=bold)
    ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
    ax.set_yticks(range(len(rows)), rows["name"])
    ax.set(xlim=limits, ylim=(max(len(rows), 1) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0, pad=9)
    ax.spines["left"].set_visible(False)
    _legend(ax, rows)
    return ax


def _limits(rows: pd.DataFrame) -> Limits:
    """The ends of the axis in points: those of all intervals that are not many times as long as the median one."""
    spans = [rows[[*ends]].to_numpy(dtype=float) for ends in (COMMON, CROSSED, AT_OWN) if ends[0] in rows]
    spans = 100 * np.concatenate(spans)
    length = spans[:, 1] - spans[:, 0]
    known = np.isfinite(length)
    usual = spans[known & (length <= LONG * np.median(length[known]))] if known.any() else 100 * rows[["estimate"]]
    band = 100 * rows["delta"].astype(float).max()
    inside = np.append(np.ravel(usual), [0, *([-band, band] if np.isfinite(band) else [])])
    low, high = np.nanmin(inside), np.nanmax(inside)
    pad = 0.06 * (high - low) or 1.0
    return float(low - pad), float(high + pad)


def _wider(rows: pd.DataFrame) -> bool:
    """Whether an interval for new test images can be seen, as it is longer than that for these."""
    if not _known(rows, "crossed_low"):
        return False
    return bool((rows["crossed_high"] - rows["crossed_low"]).gt(SEEN * (rows["high"] - rows["low"])).any())


def _known(rows: pd.DataFrame, column: str) -> bool:
    return column in rows and bool(rows[column].notna().any())


def _look(verdict: str, color: str) -> dict[str, Any]:
    """Marker and line of a row: hollow where the verdict is open, small where it is not asked for."""
    if verdict == EXPLORATORY:
        return {"color": color, "marker": "D", "markersize": 5, "linewidth": 1.6}
    fill = color if verdict in (*DECIDED, "none") else "white"
    thick = {"markersize": 8, "markeredgewidth": 1.8, "linewidth": 2.6}
    return {"color": color, "marker": "o", "markerfacecolor": fill, **thick}


def _line(ax: Axes, item: pd.Series, ends: tuple[str, str], at: float, limits: Limits, **look: Any) -> None:
    """An interval at one height; nothing where the columns are not there."""
    if ends[0] in item:
        clipped_line(ax, tuple(100 * item[end] for end in ends), at, limits, zorder=3, **look)


def _beside(item: pd.Series, limits: Limits) -> str:
    """``better, n = 20``; or why it is open; numbers where there is no verdict, or where they leave the axis."""
    verdict, seeds = item.get("verdict", EXPLORATORY), f"n = {item['n']:.0f}" if "n" in item else ""
    estimate, low, high = (points(item[name]) for name in ("estimate", "low", "high"))
    numbers = f"{estimate} [{low}, {high}]" if np.isfinite(item["low"]) else estimate
    if verdict == EXPLORATORY:
        return f"{numbers}, {seeds}" if seeds else numbers
    said = f"equivalent (within {within(item['delta'])})" if verdict == EQUIVALENT else str(verdict)
    if verdict == UNDECIDED:
        said = _open(item)
    beyond = 100 * item["low"] < limits[0] or 100 * item["high"] > limits[1]
    return ", ".join(filter(None, [said, seeds, numbers if beyond else ""]))


def _open(item: pd.Series) -> str:
    """``undecided``, with what stands in the way of a verdict where that is known."""
    if "n" in item and losing(item):
        return "undecided (too many seeds lost)"
    if item.get("waiting", 0):
        return f"undecided ({item['waiting']:.0f} seeds to come)"
    if "n" in item and unassayed(item):
        return f"undecided (within {within(item['delta'])},\nassay failed)"
    if np.isfinite(more_seeds(item)):
        return f"undecided ({all_needed(item):.0f} seeds find {within(item['delta'])[1:]})"
    return "undecided"


def _legend(ax: Axes, rows: pd.DataFrame) -> None:
    """A key above the axes of what is drawn, in two columns if more than three."""
    verdicts = set(rows["verdict"]) if "verdict" in rows else {"none"}
    handles = []
    if "none" in verdicts:
        handles.append(Line2D([], [], **_look("none", INK), label="mean, 95 % t interval"))
    if verdicts & set(DECIDED):
        handles.append(Line2D([], [], **_look("better", INK), label="decided"))
    if hollow := [word for state, word in OPEN.items() if state in verdicts]:
        handles.append(Line2D([], [], **_look(UNDECIDED, INK), label=", or ".join(hollow)))
    if EXPLORATORY in verdicts:
        handles.append(Line2D([], [], **_look(EXPLORATORY, GREY), label="exploratory, no verdict"))
    if rows["delta"].notna().any():
        handles.append(Patch(facecolor=BAND, edgecolor=FAINT, label="too small to matter"))
    if _wider(rows):
        handles.append(Line2D([], [], color=INK, linewidth=0.9, marker="|", label="for new test images too"))
    if _known(rows, "own_estimate"):
        handles.append(Line2D([], [], **OWN, linewidth=1.3, label="at each arm's own learning rate"))
    look = {"frameon": False, "borderaxespad": 0.2, "handletextpad": 0.5, "columnspacing": 1.8}
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles) if len(handles) <= 3 else 2, **look
    )
