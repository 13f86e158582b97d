"""Depth: what arms reach and what they cost as the network grows."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.arms import ACCURACIES
from dianet_lab.plots.costs import SIZE_LABELS, short_number
from dianet_lab.plots.labels import label_line_ends
from dianet_lab.plots.style import FAINT, INK, NOT_FROM_ZERO, arm_style, baseline_first, legend_above, own_axes, require


def plot_accuracy_by_depth(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    value: str = "test_accuracy",
    arms: Sequence[str] | None = None,
) -> Axes:
    """Accuracy against depth: a faint dot a seed, and a line through the means with their 95 % t intervals.

    Arms stand side by side at each depth, close to a guide at it. Runs that were lost (not finished) are counted below
    the axis; intervals that reach beyond 0 or 100 % end in arrowheads and are told there too.

    Args:
        frame: one row a run: depth, arm, seed, status and ``value`` (0 to 1).
        ax: where to draw; a new figure otherwise.
        value: a key of :data:`~dianet_lab.plots.arms.ACCURACIES`.
        arms: which arms; all otherwise.
    """
    require(frame, ["depth", "arm", "seed", "status", value])
    arms = baseline_first(frame, arms)
    frame = frame[frame["arm"].isin(arms)]
    finished = frame[(frame["status"] == "finished") & frame[value].notna()]
    depths = sorted(frame["depth"].unique())
    ax = own_axes(ax, 8.8, 4.8)
    for depth in depths:
        ax.axvline(depth, color=FAINT, linewidth=0.8, zorder=0, gid="depth")
    cut = []
    for arm, shift in zip(arms, _shifts(len(arms), depths), strict=True):
        cut += _draw_arm(ax, arm, finished[finished["arm"] == arm].assign(y=100 * finished[value]), depths, shift)
    _depth_axis(ax, depths)
    named = "depth (layers); arms of one depth are shifted sideways to be seen"
    ax.set_xlabel("\n".join([named, *_told(cut), *_lost(frame, finished, arms, depths)]))
    ax.margins(y=0.06)
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, LIMITS[0] - 2), min(high, LIMITS[1] + 2))
    ax.set_ylabel(f"{ACCURACIES.get(value, value)} (%)" + (f"\n({NOT_FROM_ZERO})" if ax.get_ylim()[0] > 0 else ""))
    _name_lines(ax)
    handles = [
        Line2D([], [], color=INK, marker="o", markersize=4.5, alpha=0.4, linestyle="none", label="one seed"),
        Line2D([], [], color=INK, marker="D", markersize=6, linewidth=1.8, label="mean, 95 % t interval (bar)"),
    ]
    legend_above(ax, handles)
    return ax


LIMITS = (0, 100)
"""A t interval of few seeds knows no bounds, an accuracy (%) does."""


def _shifts(count: int, depths: Sequence[int]) -> np.ndarray:
    """Layers by which arms are set apart: all within a twentieth of the axis, and a quarter of its smallest step."""
    width = min(np.ptp(depths) / 20, np.diff(depths).min() / 4) if len(depths) > 1 else 0.1
    return (np.arange(count) - (count - 1) / 2) / max(count - 1, 1) * width


def _draw_arm(ax: Axes, arm: str, runs: pd.DataFrame, depths: Sequence[int], shift: float) -> list[str]:
    """The dots, intervals and line of one arm; ``y`` of the runs is in %. Without a run the line has a gap.

    Returns what is cut: ``plain at depth 74: 49.6 ± 69.4 %``.
    """
    color, marker = arm_style(arm)
    look = {"color": color, "linewidth": 1.8}
    ax.scatter(runs["depth"] + shift, runs["y"], s=22, color=color, alpha=0.6, linewidths=0, zorder=2, gid=arm)
    means, cut = [], []
    for depth in depths:
        mean, low, high = t_interval(runs.loc[runs["depth"] == depth, "y"])
        means.append(mean)
        ax.plot([depth + shift] * 2, np.clip([low, high], *LIMITS), **look, zorder=3, gid=f"interval:{arm}")
        for edge, beyond, shape in zip(LIMITS, (low < LIMITS[0], high > LIMITS[1]), "v^", strict=True):
            if beyond:
                ax.plot([depth + shift], [edge], color=color, marker=shape, markersize=7, zorder=4, gid="beyond")
        if low < LIMITS[0] or high > LIMITS[1]:
            cut.append(f"{arm} at depth {depth}: {mean:.1f} ± {mean - low:.1f} %")
    at = np.array(depths) + shift
    ax.plot(at, means, **look, marker=marker, markersize=7.5, markeredgecolor="white", zorder=4, label=arm, gid="line")
    return cut


def _told(cut: Sequence[str]) -> list[str]:
    """Lines that name the intervals that are cut, no break within one."""
    whole = "; ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in cut)
    lines = wrap(f"arrowheads: intervals beyond 0 or 100 %, {whole}", 90) if cut else []
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _lost(frame: pd.DataFrame, finished: pd.DataFrame, arms: Sequence[str], depths: Sequence[int]) -> list[str]:
    """Lines such as ``lost at depth 164: plain 2 of 8, DIA 1 of 8``; none for a depth where every run finished."""
    lines = []
    for depth in depths:
        runs, done = (rows.loc[rows["depth"] == depth, "arm"].value_counts() for rows in (frame, finished))
        done = done.reindex(runs.index, fill_value=0)
        lost = [
            f"{arm} {runs[arm] - done[arm]} of {runs[arm]}" for arm in arms if arm in runs and done[arm] < runs[arm]
        ]
        if lost:
            lines += wrap(f"lost at depth {depth}: {', '.join(lost)}", 90)
    return lines


def _depth_axis(ax: Axes, depths: Sequence[int]) -> None:
    ax.xaxis.set_major_locator(FixedLocator(depths))
    ax.xaxis.set_major_formatter(FixedFormatter([str(depth) for depth in depths]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("depth (layers)")


def _name_lines(ax: Axes) -> None:
    """Each arm's name at the right, at the height of its line's end."""
    lines = [line for line in ax.get_lines() if line.get_gid() == "line" and not np.isnan(line.get_ydata()).all()]
    ends = [np.asarray(line.get_ydata())[~np.isnan(line.get_ydata())][-1] for line in lines]
    label_line_ends(ax, [line.get_label() for line in lines], ends, [line.get_color() for line in lines])


def plot_cost_by_depth(
    frame: pd.DataFrame,
    *,
    y: str = "parameters",
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
) -> Axes:
    """What a run costs against depth: a faint dot a run and a line through the medians; both axes linear, y from 0.

    Medians, as in :func:`~dianet_lab.analysis.tables.cost_table`: a run that shared the machine moves a mean far.

    Args:
        frame: one row a run: depth, arm and ``y``; with status, only finished runs are drawn.
        y: a key of :data:`~dianet_lab.plots.costs.SIZE_LABELS`.
        ax: where to draw; a new figure otherwise.
        arms: which arms; all otherwise.
    """
    require(frame, ["depth", "arm", y])
    arms = baseline_first(frame, arms)
    if "status" in frame:
        frame = frame[frame["status"] == "finished"]
    frame = frame[frame["arm"].isin(arms) & frame[y].notna()]
    ax = own_axes(ax, 8.8, 4.2)
    for arm in arms:
        runs, (color, marker) = frame[frame["arm"] == arm], arm_style(arm)
        medians = runs.groupby("depth")[y].median()
        ax.scatter(runs["depth"], runs[y], s=16, color=color, alpha=0.4, linewidths=0, zorder=2, gid=arm)
        look = {"color": color, "marker": marker, "markersize": 7, "markeredgecolor": "white"}
        ax.plot(medians.index, medians, **look, zorder=3, label=arm, gid="line")
    depths = sorted(frame["depth"].unique())
    _depth_axis(ax, depths)
    ax.set(ylabel=SIZE_LABELS.get(y, y), ylim=(0, None))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda size, _: short_number(size)))
    _name_lines(ax)
    handles = [
        Line2D([], [], color=INK, marker="o", markersize=4, alpha=0.4, linestyle="none", label="one run"),
        Line2D([], [], color=INK, marker="D", markersize=6, linewidth=1.8, label="median over runs"),
    ]
    legend_above(ax, handles)
    return ax
