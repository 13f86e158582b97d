"""Stability: which runs get to the end, where a network lacks what keeps its training stable."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dianet_lab.errors import DataError
from dianet_lab.plots.rates import EMPTY, HATCH, draw_cell, shade, table_axes
from dianet_lab.plots.style import FAINT, INK, baseline_first, legend_above, own_axes, require

MEANING = {
    "finished": "finished: no loss was NaN or infinite; it may have learned nothing",
    "learned": "learned: finished, and more than half of the training images are right at the end",
}

COLUMNS = ("condition", "depth", "rate", "arm", "finished", "runs", "low", "high")


def plot_phase(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    rates: Sequence[float] | None = None,
    intervals: bool = True,
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
    """
    require(frame, COLUMNS)
    arms = baseline_first(frame, arms)
    rates = sorted(frame["rate"].unique()) if rates is None else list(rates)
    ax = own_axes(ax, 8.5, 1.2 + 0.42 * len(arms))
    _fill(ax, frame, arms, rates, intervals)
    table_axes(ax, arms, [f"{rate:g}" for rate in rates])
    ax.set_xlabel(f"learning rate (dimensionless)\n{MEANING['finished']}")
    legend_above(ax, _key(intervals))
    return ax


def plot_phases(
    frame: pd.DataFrame,
    *,
    arms: Sequence[str] | None = None,
    conditions: Sequence[str] | None = None,
    intervals: bool = True,
    outcome: str = "finished",
) -> Figure:
    """Every condition (a row of panels) and depth (a column), each as in :func:`plot_phase`.

    Args:
        frame: one row a cell: condition, depth, rate, arm, finished, runs, low and high, as for :func:`plot_phase`.
        arms: the rows of each panel; the order of the frame otherwise.
        conditions: the rows of panels; the order of the frame otherwise.
        intervals: whether to draw the intervals.
        outcome: what the counted runs did: a key of :data:`MEANING`.
    """
    require(frame, COLUMNS)
    arms = baseline_first(frame, arms)
    conditions = list(frame["condition"].drop_duplicates()) if conditions is None else list(conditions)
    frame = frame[frame["condition"].isin(conditions) & frame["arm"].isin(arms)]
    depths = sorted(frame["depth"].unique())
    height = 0.9 + len(conditions) * (0.75 + 0.36 * len(arms))
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
    figure.supxlabel(f"learning rate (dimensionless)\n{MEANING[outcome]}", fontsize=10.5, color=INK)
    key = _key(intervals, outcome)
    figure.legend(handles=key, loc="outside upper right", ncols=4, frameon=False, columnspacing=1.6)
    return figure


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


def _key(intervals: bool, outcome: str = "finished") -> list:
    handles = [
        Patch(facecolor=shade(1), label=f"all {outcome}"),
        Patch(facecolor=shade(0), edgecolor=FAINT, label="none"),
        Patch(facecolor=EMPTY, edgecolor="#9a9a9a", hatch=HATCH, label="not run"),
    ]
    line = Line2D([], [], color=INK, linewidth=1.6, label="95 % interval (cell: 0 to 1)")
    return [*handles, line] if intervals else handles
