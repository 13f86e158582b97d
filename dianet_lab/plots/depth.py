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
from dianet_lab.plots.style import INK, arm_style, baseline_first, legend_above, own_axes, require


def plot_accuracy_by_depth(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    value: str = "test_accuracy",
    arms: Sequence[str] | None = None,
) -> Axes:
    """Accuracy against depth: a faint dot a seed, and a line through the means with their 95 % t intervals.

    Arms stand side by side at each depth (the axis is logarithmic). Runs that were lost (not finished) are
    counted below the axis.

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
    for arm, shift in zip(arms, _shifts(len(arms), depths), strict=True):
        _draw_arm(ax, arm, finished[finished["arm"] == arm].assign(y=100 * finished[value]), depths, shift)
    _depth_axis(ax, depths, log=True)
    ax.set_xlabel("\n".join(["depth (layers)", *_lost(frame, finished, arms, depths)]))
    ax.set_ylabel(f"{ACCURACIES.get(value, value)} (%)")
    ax.margins(y=0.06)
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -2), min(high, 102))  # a t interval of few seeds knows no bounds, an accuracy does
    _name_lines(ax)
    handles = [
        Line2D([], [], color=INK, marker="o", markersize=4.5, alpha=0.4, linestyle="none", label="one seed"),
        Line2D([], [], color=INK, marker="D", markersize=6, linewidth=1.8, label="mean, 95 % t interval (bar)"),
    ]
    legend_above(ax, handles)
    return ax


def _shifts(count: int, depths: Sequence[int]) -> np.ndarray:
    """Factors that set arms apart at a depth, within a third of the smallest step between depths."""
    step = np.diff(np.log(depths)).min() if len(depths) > 1 else 1.0
    return np.exp((np.arange(count) - (count - 1) / 2) / max(count, 1) * step * 0.42)


def _draw_arm(ax: Axes, arm: str, runs: pd.DataFrame, depths: Sequence[int], shift: float) -> None:
    """The dots, intervals and line of one arm; ``y`` of the runs is in %. Without a run the line has a gap."""
    color, marker = arm_style(arm)
    look = {"color": color, "linewidth": 1.8}
    ax.scatter(runs["depth"] * shift, runs["y"], s=22, color=color, alpha=0.6, linewidths=0, zorder=2, gid=arm)
    means = []
    for depth in depths:
        mean, low, high = t_interval(runs.loc[runs["depth"] == depth, "y"])
        means.append(mean)
        ax.plot([depth * shift] * 2, [low, high], **look, zorder=3, gid=f"interval:{arm}")
    at = np.array(depths) * shift
    ax.plot(at, means, **look, marker=marker, markersize=7.5, markeredgecolor="white", zorder=4, label=arm, gid="mean")


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


def _depth_axis(ax: Axes, depths: Sequence[int], log: bool) -> None:
    if log:
        ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(depths))
    ax.xaxis.set_major_formatter(FixedFormatter([str(depth) for depth in depths]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("depth (layers)")


def _name_lines(ax: Axes) -> None:
    """Each arm's name at the right, at the height of its last mean."""
    lines = [line for line in ax.get_lines() if line.get_gid() == "mean" and not np.isnan(line.get_ydata()).all()]
    ends = [np.asarray(line.get_ydata())[~np.isnan(line.get_ydata())][-1] for line in lines]
    label_line_ends(ax, [line.get_label() for line in lines], ends, [line.get_color() for line in lines])


def plot_cost_by_depth(
    frame: pd.DataFrame,
    *,
    y: str = "parameters",
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
) -> Axes:
    """What a run costs against depth: a faint dot a run and a line through the means; both axes are linear, y from 0.

    Args:
        frame: one row a run: depth, arm and ``y``; with status, only finished runs are drawn.
        y: parameters, attention_parameters (numbers) or seconds.
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
        means = runs.groupby("depth")[y].mean()
        ax.scatter(runs["depth"], runs[y], s=16, color=color, alpha=0.4, linewidths=0, zorder=2, gid=arm)
        look = {"color": color, "marker": marker, "markersize": 7, "markeredgecolor": "white"}
        ax.plot(means.index, means, **look, zorder=3, label=arm, gid="mean")
    depths = sorted(frame["depth"].unique())
    _depth_axis(ax, depths, log=False)
    ax.set(ylabel=SIZE_LABELS.get(y, y), ylim=(0, None))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda size, _: short_number(size)))
    _name_lines(ax)
    return ax
