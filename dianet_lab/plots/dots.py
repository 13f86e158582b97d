"""Means with their intervals over seeds: a row for each of several things, a mark for each of several others."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.clipped import Limits, clipped_line, clipped_mark
from dianet_lab.plots.style import FAINT, ArmStyle, arm_style, require

EDGE = {"markeredgecolor": "white", "zorder": 4}
LETTERS = 70
"""Of all names together that fit in one row of the key."""


def plot_by_row(
    frame: pd.DataFrame,
    panels: Mapping[str, str],
    *,
    row: str,
    mark: str = "arm",
    rows: Mapping[str, str] | None = None,
    marks: Sequence[str] | None = None,
    limits: Limits | None = None,
    lowest: float | None = None,
) -> Figure:
    """Values of networks, a panel a value: seeds as small dots, their mean as a mark, its 95 % t interval as a bar.

    Args:
        frame: tidy: ``seed``, the columns that ``row`` and ``mark`` name and those of ``panels``. A seed's own rows are
            averaged first; what is not known (NaN) is left out.
        panels: column -> the label of its x axis, with the unit.
        row: what the rows are; if the same as ``mark``, each mark has a row of its own and no key is needed.
        rows: value of ``row`` -> what the row is called, from top to bottom; all, by their own names, otherwise.
        marks: which, in which order; all otherwise.
        limits: of all x axes; an interval that goes on ends in an arrowhead. Otherwise there is room for all.
        lowest: where bars end that would reach below it, such as 0 for a share.
    """
    require(frame, ["seed", row, mark, *panels])
    marks = list(dict.fromkeys(frame[mark])) if marks is None else list(marks)
    rows = {each: each for each in dict.fromkeys(frame[row])} if rows is None else rows
    looks = {name: arm_style(name) for name in marks}
    alone = row == mark
    height = 1.3 + len(rows) * (0.36 if alone else max(0.36, 0.17 * len(marks)))
    figure, axes = plt.subplots(1, len(panels), figsize=(9, height), sharey=True, squeeze=False, layout="constrained")
    for ax, (value, label) in zip(axes[0], panels.items(), strict=True):
        lanes = _lanes(frame.groupby([row, mark, "seed"])[value].mean().dropna(), rows, marks, alone)
        ends = limits or _room(lanes, lowest)
        for (at, name), seeds in lanes.items():
            _lane(ax, seeds, at, name, looks[name], ends, lowest)
        for border in range(1, len(rows)):
            ax.axhline(border - 0.5, color=FAINT, linewidth=0.6, zorder=0)
        ax.axvline(0, color=FAINT, linewidth=1, zorder=0)
        ax.set(xlim=ends, xlabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(max(3, 8 // len(panels))))
    axes[0, 0].set_yticks(range(len(rows)), list(rows.values()))
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    if not alone:
        _key(figure, looks)
    return figure


def _lanes(
    means: pd.Series, rows: Mapping[str, str], marks: Sequence[str], alone: bool
) -> dict[tuple[float, str], np.ndarray]:
    """``(height, mark)`` -> the seeds' values; a mark that has none in a row keeps its lane free."""
    found = {}
    for at, each in enumerate(rows):
        for place, name in enumerate([each] if alone else marks):
            shift = 0.0 if alone else 0.8 * ((place + 0.5) / len(marks) - 0.5)
            if (each, name) in means.index:
                found[at + shift, name] = means.loc[each, name].to_numpy(float)
    return found


def _lane(
    ax: Axes, seeds: np.ndarray, at: float, name: str, look: ArmStyle, limits: Limits, lowest: float | None
) -> None:
    mean, *ends = _interval(seeds, lowest)
    if len(seeds) > 1:
        inside = np.clip(seeds, *limits)
        ax.plot(inside, [at] * len(seeds), ".", color=look.color, alpha=0.45, markersize=5, gid=f"seeds {name}")
        clipped_line(ax, ends, at, limits, zorder=3, gid=f"interval {name}", color=look.color, linewidth=1.6)
    clipped_mark(ax, mean, at, limits, gid=name, marker=look.marker, color=look.color, markersize=6.5, **EDGE)


def _interval(seeds: np.ndarray, lowest: float | None) -> tuple[float, float, float]:
    mean, low, high = t_interval(seeds)
    return mean, low if lowest is None else max(low, lowest), high


def _room(lanes: Mapping[tuple[float, str], np.ndarray], lowest: float | None) -> Limits:
    """From 0 or what is lowest to 0 or what is highest of all seeds and intervals, and a little more."""
    ends = [value for seeds in lanes.values() for value in (*seeds, *_interval(seeds, lowest)) if not np.isnan(value)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    pad = 0.06 * (high - low) or 1.0
    return low - pad, high + pad


def _key(figure: Figure, looks: Mapping[str, ArmStyle]) -> None:
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, linestyle="none", markersize=6.5, label=name)
        for name, look in looks.items()
    ]
    columns = 5 if sum(map(len, looks)) <= LETTERS else 4
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False)
