"""Arms by their accuracies: every run, the mean over seeds and its Student-t interval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.clipped import ENDLESS, Limits, clipped_line, clipped_mark
from dianet_lab.plots.style import FAINT, INK, NOT_FROM_ZERO, arm_style, baseline_first, legend_above, own_axes, require

ACCURACIES = {
    "test_accuracy": "last-epoch test accuracy",
    "best_test_accuracy": "best epoch's test accuracy",
    "train_accuracy": "training accuracy",
}


def plot_arms(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    value: str = "test_accuracy",
    groups: bool = False,
) -> Axes:
    """One row an arm: a dot a seed, thin lines joining equal seeds, and below the dots the mean with its t interval.

    What lies beyond the axis is an arrowhead at its edge: runs with their numbers, means and intervals by what stands
    at the right. Rows are parted, and no seeds joined, where what stands before the colon changes (``depth 20: DIA``).

    Args:
        frame: tidy, one row a run, with arm, seed, status and ``value`` (0 to 1); is_baseline orders the rows.
        ax: where to draw; a new figure otherwise.
        arms: the rows from top to bottom, those that the frame has; the baseline and then its order otherwise.
        value: a key of :data:`ACCURACIES`.
        groups: part the rows by their backbone too (``PreResNet, DIA``): backbones differ in more than their attention.
    """
    require(frame, ["arm", "seed", "status", value])
    arms = [arm for arm in baseline_first(frame, arms) if arm in set(frame["arm"])]
    ax = own_axes(ax, 8.8, 1.5 + 0.55 * len(arms))
    finished = frame[(frame["status"] == "finished") & frame[value].notna()]
    percent = {arm: 100 * finished.loc[finished["arm"] == arm, value] for arm in arms}
    limits = accuracy_limits(percent)
    starts = [_group(arm, groups) for arm in arms]
    for start in dict.fromkeys(starts):
        rows = [row for row, name in enumerate(starts) if name == start]
        join_seeds(ax, finished, [arms[row] for row in rows], rows, value, limits)
        if rows[0]:
            ax.axhline(rows[0] - 0.4, color=FAINT, linewidth=0.8, zorder=0, gid="group")
    for row, arm in enumerate(arms):
        draw_arm(ax, row, arm, percent[arm], limits)
    ax.set(ylim=(len(arms) - 0.4, -0.45), xlabel=f"{ACCURACIES.get(value, value)} (%; {NOT_FROM_ZERO})")
    ax.set_yticks(range(len(arms)), [_row_label(arm, frame[frame["arm"] == arm], finished) for arm in arms])
    ax.tick_params(axis="y", length=0, pad=9)
    ax.spines["left"].set_visible(False)
    finish_rows(ax, limits)
    return ax


def finish_rows(ax: Axes, limits: Limits) -> None:
    """The ends of the axis, what its arrowheads are, and the key of rows of arms."""
    if limits != ENDLESS:
        ax.set_xlim(limits)
    if any(line.get_gid() == "beyond" for line in ax.get_lines()):
        ax.set_xlabel(f"{ax.get_xlabel()}\narrowheads: beyond the axis")
    legend_above(ax, seed_key())


def _group(arm: str, backbones: bool) -> str:
    """What arms must share for their seeds to be joined: the setting before a colon, or else the backbone."""
    setting, colon, name = arm.rpartition(": ")
    return setting if colon or not backbones else name.partition(", ")[0]


FAR = 5
"""Quartile distances below the lower quartile at which a run is told at the edge, lest it squeeze all others."""


def accuracy_limits(percent: dict[Any, pd.Series]) -> Limits:
    """Ends of an axis (%) for runs of arms: all runs, means and intervals but those far below, none beyond 0 and 100.

    Left of the others there is room for the numbers of the runs far below.
    """
    runs = pd.concat([*percent.values(), pd.Series(dtype=float)])
    if runs.empty:
        return ENDLESS
    low, high = runs.quantile([0.25, 0.75])
    ends = np.concatenate([runs, *(t_interval(values) for values in percent.values())])
    caught = pd.Series([low - FAR * (high - low)])
    while len(caught):
        least = caught.min()
        shown = ends[ends >= least]  # which leaves out NaN too
        left, right = shown.min(), min(shown.max(), 100)
        width = max(right - left, 0.5)
        numbers = max(len(_numbers(values[values < least])) for values in percent.values())
        room = min(0.05 + 0.017 * numbers, 0.4)
        begin = left - width * room / (1 - room)
        caught = runs[(runs < least) & (runs >= begin)]  # the room for the others has reached them
    # A t interval of few seeds knows no bounds, an accuracy does.
    return max(begin, -1), min(right + 0.05 * width, 101)


def _numbers(values: pd.Series) -> str:
    """``17.7, 61.3``, or ``5 runs, 17.7 to 61.3`` where there are many."""
    told = [f"{value:.1f}" for value in sorted(values)]
    return ", ".join(told) if len(told) < 4 else f"{len(told)} runs, {told[0]} to {told[-1]}"


def seed_key() -> list[Line2D]:
    """What dots, thin lines and markers mean."""
    return [
        Line2D([], [], color=INK, marker="o", markersize=4.5, alpha=0.6, linestyle="none", label="one seed"),
        Line2D([], [], color=FAINT, linewidth=0.9, label="same seed"),
        Line2D([], [], color=INK, marker="D", markersize=6, linewidth=2, label="mean, 95 % t interval (±)"),
    ]


def join_seeds(
    ax: Axes, finished: pd.DataFrame, arms: list[str], rows: list[int], value: str, limits: Limits = ENDLESS
) -> None:
    """A faint line from each seed's dot to its dot in the next row; a gap where a run is missing; thin if many.

    Runs beyond ``limits`` (%) are joined where they are told, at the edge.
    """
    table = finished.pivot_table(index="seed", columns="arm", values=value).reindex(columns=arms)
    look = {"color": FAINT, "linewidth": 0.9 if len(table) <= 10 else 0.5, "zorder": 1}
    for _, accuracies in table.iterrows():
        ax.plot(np.clip(100 * accuracies.to_numpy(), *limits), rows, **look, gid="seed")


def draw_arm(ax: Axes, row: int, arm: str, percent: pd.Series, limits: Limits = ENDLESS) -> None:
    """The dots of one arm at height ``row`` and its mean with interval a little below.

    What lies beyond ``limits`` (%) is an arrowhead at the edge, and runs are written there.
    """
    color, marker = arm_style(arm)
    below = row + 0.24
    mean, low, high = t_interval(percent)
    inside = percent[percent.between(*limits)]
    ax.scatter(inside, np.full(len(inside), row), s=24, color=color, alpha=0.65, linewidths=0, zorder=3, gid=arm)
    clipped_line(ax, (low, high), below, limits, color=color, linewidth=2.4, zorder=4, gid=f"interval:{arm}")
    mark = {"color": color, "markeredgecolor": "white", "markeredgewidth": 0.8}
    clipped_mark(ax, mean, below, limits, marker=marker, markersize=8.5, **mark, zorder=5, gid=f"mean:{arm}")
    _tell_far(ax, row, percent[percent < limits[0]], limits[0], color)
    text = f"{mean:.2f} ± {(high - low) / 2:.2f} %" if np.isfinite(low) else f"{mean:.2f} %"
    text = f"{'◀ ' if mean < limits[0] else ''}{text}, n = {len(percent)}" if len(percent) else "n = 0"
    ax.text(1.025, row, text, transform=ax.get_yaxis_transform(), va="center")


def _tell_far(ax: Axes, row: int, far: pd.Series, edge: float, color: str) -> None:
    """The runs left of ``edge``: an arrowhead there and their numbers, on white, for the lines of seeds end there."""
    if far.empty:
        return
    ax.plot([edge], [row], color=color, marker="<", markersize=6, clip_on=False, zorder=6, gid="beyond")
    ax.annotate(
        _numbers(far),
        (edge, row),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        zorder=2,
        bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
        gid="far",
    )


def _row_label(arm: str, runs: pd.DataFrame, finished: pd.DataFrame) -> str:
    """The arm's name, and what is missing: ``DIA (5 of 6; 1 diverged)``."""
    done = int((finished["arm"] == arm).sum())
    lost = [
        f"{(runs['status'] == status).sum()} {status}"
        for status in ("diverged", "failed")
        if (runs["status"] == status).any()
    ]
    return f"{arm} ({done} of {len(runs)}; {', '.join(lost)})" if lost else arm
