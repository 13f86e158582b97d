"""Stability: which runs get to the end, where a network lacks what keeps its training stable."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dianet_lab.analysis.phrases import plural
from dianet_lab.analysis.stability import FINISHED, LEARNED, RIGHT
from dianet_lab.errors import DataError
from dianet_lab.plots.arms import draw_arm, join_seeds, seed_key
from dianet_lab.plots.rates import EMPTY, HATCH, draw_cell, shade, table_axes
from dianet_lab.plots.style import FAINT, INK, baseline_first, legend_above, own_axes, require

COLUMNS = ("condition", "depth", "rate", "arm", "finished", "runs", "low", "high")

MEANINGS = {
    FINISHED: "none of their losses was NaN or infinite",
    LEARNED: f"they finished, with more than {100 * RIGHT:g} % of their training images right at the end",
}
"""What the counted runs did, in the words above a figure."""

CHANCE_LINE = {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 3))}


def plot_phase(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    rates: Sequence[float] | None = None,
    intervals: bool = True,
    outcome: str = FINISHED,
) -> Axes:
    """A table of arms by learning rates at one condition and depth: how many runs finished, ``6/8``.

    The larger the fraction, the darker. The line at the foot of a cell is the interval of the fraction, on a scale from
    0 at the cell's left edge to 1 at its right. A cell that was not run is hatched.

    Args:
        frame: one row a cell: arm, rate, finished and runs (numbers of runs), low and high (interval of the fraction,
            0 to 1), and condition and depth, which are the same in all rows.
        ax: where to draw; a new figure otherwise.
        arms: the rows from top to bottom; the order of the frame otherwise.
        rates: the columns; those of the frame otherwise.
        intervals: whether to draw the intervals.
        outcome: a key of :data:`MEANINGS`: what the counted runs did.
    """
    require(frame, COLUMNS)
    arms = baseline_first(frame, arms)
    rates = sorted(frame["rate"].unique()) if rates is None else list(rates)
    ax = own_axes(ax, 8.5, 1.2 + 0.42 * len(arms))
    _fill(ax, frame, arms, rates, intervals)
    table_axes(ax, arms, [f"{rate:g}" for rate in rates])
    ax.set_xlabel("learning rate (dimensionless)")
    legend_above(ax, _key(intervals, outcome))
    ax.set_title(_told(outcome), fontsize=10, fontweight="normal", pad=28)
    return ax


def plot_phases(
    frame: pd.DataFrame,
    *,
    arms: Sequence[str] | None = None,
    conditions: Sequence[str] | None = None,
    intervals: bool = True,
    outcome: str = FINISHED,
) -> Figure:
    """Every condition (a row of panels) and depth (a column), each as in :func:`plot_phase`.

    Args:
        frame: one row a cell: condition, depth, rate, arm, finished, runs, low and high, as for :func:`plot_phase`.
        arms: the rows of each panel; the order of the frame otherwise.
        conditions: the rows of panels; the order of the frame otherwise.
        intervals: whether to draw the intervals.
        outcome: a key of :data:`MEANINGS`: what the counted runs did, which the words above the key define.
    """
    require(frame, COLUMNS)
    arms = baseline_first(frame, arms)
    conditions = list(frame["condition"].drop_duplicates()) if conditions is None else list(conditions)
    frame = frame[frame["condition"].isin(conditions) & frame["arm"].isin(arms)]
    depths = sorted(frame["depth"].unique())
    height = 1.15 + len(conditions) * (0.75 + 0.36 * len(arms))
    figure, axes = plt.subplots(
        len(conditions), len(depths), figsize=(9, height), squeeze=False, layout="constrained", sharex="row"
    )
    for condition, row in zip(conditions, axes, strict=True):
        panel = frame[frame["condition"] == condition]
        rates = sorted(panel["rate"].unique())
        for number, (depth, ax) in enumerate(zip(depths, row, strict=True)):
            _fill(ax, panel[panel["depth"] == depth], arms, rates, intervals)
            table_axes(ax, arms, [f"{rate:g}" for rate in rates], names=number == 0)
            ax.set_title(f"{condition}, depth {depth}" if number == 0 else f"depth {depth}", fontsize=10.5)
    figure.supxlabel("learning rate (dimensionless)", fontsize=10.5, color=INK)
    # The definition is the key's title: the layout would put a title of the figure upon the key.
    words = {"title": _told(outcome), "alignment": "left"}
    look = {"loc": "outside upper left", "ncols": 4, "frameon": False, "columnspacing": 1.6}
    figure.legend(handles=_key(intervals, outcome), **words, **look)
    return figure


def plot_seed_means(
    means: pd.DataFrame, *, cells: int, chance: float, ax: Axes | None = None, arms: Sequence[str] | None = None
) -> Axes:
    """A dot a seed: its mean accuracy over some cells, with the mean and t interval of each arm and a line at chance.

    Args:
        means: of :func:`~dianet_lab.analysis.stability.seed_means`: arm, seed, status and test_accuracy (0 to 1).
        cells: over how many cells the means are.
        chance: the accuracy of guessing (0 to 1), which a run that diverged counts as.
        ax: where to draw; a new figure otherwise.
        arms: the rows from top to bottom; the baseline and then the order of the frame otherwise.
    """
    require(means, ["arm", "seed", "status", "test_accuracy"])
    finished = means[means["status"] == "finished"]
    arms = [arm for arm in baseline_first(means, arms) if arm in set(finished["arm"])]
    ax = own_axes(ax, 8.8, 1.5 + 0.55 * len(arms))
    ax.axvline(100 * chance, **CHANCE_LINE, zorder=0, gid="chance")
    join_seeds(ax, finished, arms, list(range(len(arms))), "test_accuracy")
    for row, arm in enumerate(arms):
        draw_arm(ax, row, arm, 100 * finished.loc[finished["arm"] == arm, "test_accuracy"])
    # From 0, so that chance is seen and no run is beyond; a t interval of few seeds knows no bounds, an accuracy does.
    ax.set(xlim=(0, min(ax.get_xlim()[1], 101)), ylim=(len(arms) - 0.4, -0.45))
    ax.set_yticks(range(len(arms)), arms)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(
        f"test accuracy (%), mean over {plural(cells, 'cell')}, a diverged run counts as {100 * chance:g} % (chance)"
    )
    legend_above(ax, [*seed_key(), Line2D([], [], **CHANCE_LINE, label="chance")])
    return ax


def _told(outcome: str) -> str:
    """What is counted, and when a run counts."""
    return f"6/8: 6 of 8 runs {outcome}: {MEANINGS[outcome]}"


def _fill(ax: Axes, frame: pd.DataFrame, arms: Sequence[str], rates: Sequence[float], intervals: bool) -> None:
    cells = frame.set_index(["arm", "rate"])
    if not cells.index.is_unique:
        raise DataError("plot_phase draws one condition and depth; the frame has several rows for an arm and rate")
    for row, arm in enumerate(arms):
        for column, rate in enumerate(rates):
            if (arm, rate) not in cells.index or not cells.at[(arm, rate), "runs"]:
                draw_cell(ax, column, row, None)
                continue
            cell = cells.loc[(arm, rate)]
            fraction = cell["finished"] / cell["runs"]
            draw_cell(ax, column, row, fraction, f"{int(cell['finished'])}/{int(cell['runs'])}")
            if intervals:
                ends = [column - 0.46 + 0.92 * cell[end] for end in ("low", "high")]
                ax.plot(ends, [row + 0.4] * 2, color=INK, linewidth=1.6, solid_capstyle="butt", gid="interval")


def _key(intervals: bool, outcome: str) -> list:
    handles = [
        Patch(facecolor=shade(1), label=f"all {outcome}"),
        Patch(facecolor=shade(0), edgecolor=FAINT, label="none"),
        Patch(facecolor=EMPTY, edgecolor="#9a9a9a", hatch=HATCH, label="not run"),
    ]
    line = Line2D([], [], color=INK, linewidth=1.6, label="95 % interval (cell: 0 to 1)")
    return [*handles, line] if intervals else handles
