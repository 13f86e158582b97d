"""Means with their intervals over seeds: a row for each of several things, a mark for each of several others."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.style import FAINT, ArmStyle, arm_style, own_axes, require

ROW_HEIGHT = 0.42


def plot_dots(
    frame: pd.DataFrame,
    *,
    row: str,
    mark: str,
    value: str,
    label: str,
    lowest: float | None = None,
    styles: Mapping[str, ArmStyle] | None = None,
    names: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The mean of ``value`` over seeds, a dot, with its 95 % t interval, a bar; a seed's own rows are averaged first.

    Args:
        frame: tidy, with ``seed`` and the three columns that ``row``, ``mark`` and ``value`` name.
        label: of the axis, with its unit.
        lowest: where bars end that would reach below it, such as 0 for a share.
        styles: mark -> colour and marker; those of arms if not given.
        names: mark -> what the key says; the mark itself if not given.
    """
    require(frame, [row, mark, value, "seed"])
    rows, marks = list(dict.fromkeys(frame[row])), list(dict.fromkeys(frame[mark]))
    single = row == mark  # a row is a mark then, and stands alone
    ax = own_axes(ax, 8.5, 1.1 + ROW_HEIGHT * len(rows) * (0.8 if single else max(1.0, len(marks) / 3)))
    handles = []
    for place, name in enumerate(marks):
        style = styles[name] if styles else arm_style(name)
        shift = 0.0 if single else (place - (len(marks) - 1) / 2) * min(0.26, 0.8 / len(marks))
        for at, each in enumerate(rows):
            part = frame[(frame[row] == each) & (frame[mark] == name)]
            _dot(ax, at + shift, part.groupby("seed")[value].mean(), style, lowest, f"{each}: {name}")
        said = (names or {}).get(name, name)
        handles.append(Line2D([], [], color=style.color, marker=style.marker, linestyle="none", label=said))
    ax.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel=label)
    if not single:  # there the row's name says it
        ax.figure.legend(handles=handles, loc="outside upper left", ncols=min(5, len(handles)), frameon=False)
    return ax


def _dot(ax: Axes, at: float, values: Sequence[float], style: ArmStyle, lowest: float | None, name: str) -> None:
    mean, low, high = t_interval(values)
    ax.plot([mean], [at], color=style.color, marker=style.marker, linestyle="none", markersize=6, zorder=3, gid=name)
    if low == low:
        start = low if lowest is None else max(low, lowest)
        ax.hlines(at, start, high, color=style.color, linewidth=1.5, zorder=2)
