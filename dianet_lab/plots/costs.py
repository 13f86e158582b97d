"""Accuracy against what an arm costs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.arms import ACCURACIES
from dianet_lab.plots.labels import label_spans
from dianet_lab.plots.style import FAINT, NOT_FROM_ZERO, arm_style, baseline_first, own_axes, require

SIZE_LABELS = {
    "parameters": "parameters (number)",
    "attention_parameters": "parameters of the attention units (number)",
    "seconds": "median training time of a run (s)",
}


def plot_accuracy_against(
    frame: pd.DataFrame,
    x: str = "parameters",
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    ladder: Sequence[str] | None = None,
    value: str = "test_accuracy",
) -> Axes:
    """Mean accuracy of each arm with its 95 % t interval against what the arm costs.

    The x axis is logarithmic where the values span more than a factor of 10. An interval of few seeds knows no bounds:
    what it has beyond 0 or 100 % is an arrowhead there. Arms without a finished run are left out.
    A run's time is the median over runs, as in :func:`~dianet_lab.analysis.tables.cost_table`: some shared the machine.

    Args:
        frame: tidy, one row a run, with arm, status, ``x`` and ``value`` (0 to 1).
        x: a column such as parameters or seconds; the median over the runs of an arm is drawn.
        ax: where to draw; a new figure otherwise.
        arms: which arms; all otherwise.
        ladder: arms to join by a line, in this order (one family at several reductions or depths).
        value: a key of :data:`ACCURACIES`.
    """
    require(frame, ["arm", "status", x, value])
    ax = own_axes(ax, 8.5, 4.6)
    points = {}
    for arm in baseline_first(frame, arms):
        runs = frame[(frame["arm"] == arm) & (frame["status"] == "finished") & frame[value].notna()]
        if len(runs):
            points[arm] = (float(runs[x].median()), *t_interval(100 * runs[value]))
    steps = np.array([points[arm][:2] for arm in ladder or () if arm in points])
    if len(steps):
        ax.plot(steps[:, 0], steps[:, 1], color=FAINT, linewidth=1.4, zorder=1, gid="ladder")
    for arm, (at, mean, low, high) in points.items():
        color, marker = arm_style(arm)
        look = {"color": color, "zorder": 3}
        ax.plot([at, at], np.clip([low, high], 0, 100), linewidth=2, gid=f"interval:{arm}", **look)
        for over, bound, shape in ((low < 0, 0, "v"), (high > 100, 100, "^")):
            if over:
                ax.plot([at], [bound], marker=shape, markersize=6, gid="beyond", **look)
        ax.plot([at], [mean], color=color, marker=marker, markersize=8, markeredgecolor="white", zorder=4, label=arm)
    accuracy = ACCURACIES.get(value, value)
    ax.set(xlabel=SIZE_LABELS.get(x, x), ylabel=f"{accuracy} (%)\nmean and 95 % t interval over seeds")
    if points:
        _scale_size_axis(ax, [at for at, *_ in points.values()])
        if ax.get_ylim()[0] > 0:
            ax.set_ylabel(f"{ax.get_ylabel()}\n({NOT_FROM_ZERO})")
        if any(line.get_gid() == "beyond" for line in ax.get_lines()):
            ax.set_xlabel(f"{ax.get_xlabel()}\narrowheads: intervals beyond 0 or 100 %")
        _label_arms(ax, points, steps)
    return ax


def _scale_size_axis(ax: Axes, sizes: list[float]) -> None:
    """A logarithmic x axis with ticks at 1, 2, 3 and 5 where the sizes span more than a factor of 10; thousands as k.

    Otherwise a linear one, from 0 where that leaves the sizes apart.
    """
    label = ax.get_xlabel()
    ax.margins(x=0.12, y=0.1)
    if min(sizes) > 0 and max(sizes) > 10 * min(sizes):
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(label.replace(")", "; logarithmic axis)"))
    elif min(sizes) < max(sizes) / 2:
        ax.set_xlim(0, 1.1 * max(sizes))
    else:
        ax.set_xlabel(label.replace(")", f"; {NOT_FROM_ZERO})"))
    if len(set(sizes)) == 1:
        ax.xaxis.set_major_locator(FixedLocator(sizes[:1]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: short_number(size)))


def short_number(size: float) -> str:
    """``1.95 M``, ``20 k``, ``250``."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if abs(size) >= unit:
            return f"{size / unit:.3g}{name}"
    return f"{size:.3g}"


def _label_arms(ax: Axes, points: dict[str, tuple], steps: np.ndarray) -> None:
    """Names beside the intervals, clear of the points, the intervals and the ladder."""
    spans = np.array(
        [(at, mean, *(mean if np.isnan(end) else end for end in ends)) for at, mean, *ends in points.values()]
    )
    spans[:, 2:] = np.clip(spans[:, 2:], 0, 100)  # as they are drawn
    bars = [(at, y) for at, _, low, high in spans for y in np.linspace(low, high, 40)]
    rungs = [a + (b - a) * t for a, b in zip(steps[:-1], steps[1:], strict=True) for t in np.linspace(0, 1, 40)]
    label_spans(ax, list(points), spans, np.array([*bars, *rungs]), [arm_style(arm).color for arm in points])
