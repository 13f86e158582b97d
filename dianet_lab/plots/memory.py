"""How far a change of the memory reaches: effects on gates by distance in blocks."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.style import FAINT, INK, ArmStyle, arm_style, require

KIND_STYLES = {
    "zero": ArmStyle("#2b2b2b", "X"),
    "random, as zero": ArmStyle("#a3a3a3", "P"),
    "mean": ArmStyle("#7a4a8c", "s"),
    "random, as mean": ArmStyle("#cfb3da", "D"),
    "same class": ArmStyle("#009e73", "o"),
    "other class": ArmStyle("#d55e00", "^"),
    "random": ArmStyle("#f2b48c", "v"),
}
"""Of what a state becomes; a control of equal size is a lighter shade of what it belongs to."""

MODE_LINES = {"memory": "-", "total": (0, (2, 1.5))}
MODE_NAMES = {"memory": "memory path only", "total": "features too"}
FLOOR = 1e-3
"""What is smaller is drawn here: a thousandth of a gate's deviation is nothing."""


def plot_by_distance(
    curves: pd.DataFrame,
    *,
    hue: str = "arm",
    rows: str | None = None,
    noticed: float | None = None,
    axes: Sequence[Axes] | None = None,
) -> list[Axes]:
    """How far gates move against the distance in blocks, a panel a stage, on a logarithmic scale.

    Dots are geometric means over seeds, bars the 95 % t intervals of the logarithm; lines of the mode ``total`` are
    dashed.

    Args:
        curves: tidy: stage, seed, distance, effect, ``hue`` and, where there are both, mode.
        hue: ``arm`` or ``kind``, a line each.
        rows: a column each of whose values has a row of panels, such as ``arm`` where lines are kinds.
        noticed: where a line is drawn under which a gate counts as not reached.
        axes: one a row and stage; a new figure otherwise.
    """
    require(curves, ["stage", "seed", "distance", "effect", hue, *([rows] if rows else [])])
    stages = sorted(curves["stage"].unique())
    groups = list(curves.groupby(rows, sort=False)) if rows else [("", curves)]
    if axes is None:
        size = (9, 0.6 + 3.3 * len(groups) ** 0.8)
        _, made = plt.subplots(
            len(groups), len(stages), figsize=size, sharex="col", sharey=True, squeeze=False, layout="constrained"
        )
        axes = list(made.flat)
    names, modes = list(dict.fromkeys(curves[hue])), list(dict.fromkeys(curves.get("mode", pd.Series(["memory"]))))
    places = [(title, part, stage) for title, part in groups for stage in stages]
    for ax, (title, part, stage) in zip(axes, places, strict=True):
        _panel(ax, part[part["stage"] == stage], hue, names, modes, noticed)
        ax.set_title(f"{title}: stage {stage}" if rows and stage == stages[0] else f"stage {stage}")
    for ax in axes[-len(stages) :]:
        ax.set_xlabel("distance (blocks)")
    for ax in axes[:: len(stages)]:
        ax.set_ylabel("gate moved by (its standard\ndeviations over images)")
    _key(axes[0], hue, names, modes)
    return list(axes)


def _panel(
    ax: Axes, part: pd.DataFrame, hue: str, names: Sequence[str], modes: Sequence[str], noticed: float | None
) -> None:
    for place, name in enumerate(names):
        shift = 0.08 * (place - (len(names) - 1) / 2)
        for mode in modes:
            rows = part[(part[hue] == name) & (part["mode"].eq(mode) if "mode" in part else True)]
            _line(ax, rows, _style(hue, name), MODE_LINES[mode], shift)
    ax.set_yscale("log")
    ax.set_xticks(sorted(part["distance"].unique()))
    if noticed is not None:
        ax.axhline(noticed, color=FAINT, linewidth=1, zorder=0, gid="noticed")


def _line(ax: Axes, rows: pd.DataFrame, style: ArmStyle, dashes: str | tuple, shift: float) -> None:
    groups = [(distance, part["effect"].to_numpy(float)) for distance, part in rows.groupby("distance")]
    if not groups:
        return
    at = np.array([distance for distance, _ in groups]) + shift
    ends = np.exp([t_interval(np.log(np.maximum(values, FLOOR))) for _, values in groups])
    mean, low, high = ends.T
    look = {"color": style.color, "marker": style.marker, "linestyle": dashes, "markeredgecolor": "white"}
    ax.plot(at, mean, markersize=5.5, linewidth=1.4, **look)
    known = ~np.isnan(low)
    if known.any():
        ax.vlines(at[known], np.maximum(low[known], FLOOR), high[known], color=style.color, linewidth=1)


def _style(hue: str, name: str) -> ArmStyle:
    return KIND_STYLES[name] if hue == "kind" else arm_style(name)


def _key(ax: Axes, hue: str, names: Sequence[str], modes: Sequence[str]) -> None:
    handles = [
        Line2D([], [], color=_style(hue, n).color, marker=_style(hue, n).marker, label=n, markeredgecolor="white")
        for n in names
    ]
    if len(modes) > 1:
        handles += [Line2D([], [], color=INK, linestyle=MODE_LINES[mode], label=MODE_NAMES[mode]) for mode in modes]
    columns = 5 if len(handles) <= 5 else 4
    ax.figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False)
