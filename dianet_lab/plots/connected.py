"""What a network loses when blocks stop listening to the image: block by block, and by how many still do."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.layer_axis import layer_places, mark_layers
from dianet_lab.plots.style import FAINT, arm_style, legend_above, own_axes, require


def plot_by_block(frame: pd.DataFrame, *, value: str, label: str, hue: str = "arm", ax: Axes | None = None) -> Axes:
    """A value of every block in forward order, stages side by side; dots are means over seeds, bars 95 % t intervals.

    Args:
        frame: tidy: stage, block, seed, ``hue`` and ``value``.
        label: of the upright axis, with its unit.
    """
    require(frame, ["stage", "block", "seed", hue, value])
    ax = own_axes(ax, 8.5, 3.6)
    at = layer_places(zip(frame["stage"], frame["block"], strict=True))
    names = list(dict.fromkeys(frame[hue]))
    handles = []
    for order, name in enumerate(names):
        style, shift = arm_style(name), 0.18 * (order - (len(names) - 1) / 2)
        part = frame[frame[hue] == name].groupby(["stage", "block"])[value]
        ends = {place: t_interval(values) for place, values in part}
        x = np.array([at[place] + shift for place in ends])
        mean, low, high = np.array(list(ends.values())).T
        ax.plot(x, mean, color=style.color, marker=style.marker, linestyle="none", markersize=5, gid=name)
        known = ~np.isnan(low)
        if known.any():
            ax.vlines(x[known], low[known], high[known], color=style.color, linewidth=1.2)
        handles.append(Line2D([], [], color=style.color, marker=style.marker, linestyle="none", label=name))
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    mark_layers(ax, at)
    ax.set_ylabel(label)
    legend_above(ax, handles, 1.08)
    return ax


def plot_connected(masks: pd.DataFrame, *, value: str, label: str, hue: str = "arm", ax: Axes | None = None) -> Axes:
    """A value against the share of blocks whose gates still answer to the image; means over seeds, 95 % t intervals.

    Args:
        masks: tidy: fraction (0 to 1), seed, ``hue`` and ``value``; the draws of a seed are averaged.
        label: of the upright axis, with its unit.
    """
    require(masks, ["fraction", "seed", hue, value])
    ax = own_axes(ax, 8.5, 3.6)
    names, handles = list(dict.fromkeys(masks[hue])), []
    for order, name in enumerate(names):
        style, shift = arm_style(name), 1.2 * (order - (len(names) - 1) / 2)
        means = masks[masks[hue] == name].groupby(["fraction", "seed"])[value].mean()
        ends = {fraction: t_interval(values) for fraction, values in means.groupby("fraction")}
        x = np.array([100 * fraction + shift for fraction in ends])
        mean, low, high = np.array(list(ends.values())).T
        look = {"color": style.color, "marker": style.marker, "markeredgecolor": "white"}
        ax.plot(x, mean, linewidth=1.3, markersize=6, gid=name, **look)
        known = ~np.isnan(low)
        if known.any():
            ax.vlines(x[known], low[known], high[known], color=style.color, linewidth=1.2)
        handles.append(Line2D([], [], label=name, **look))
    ax.set(xlabel="blocks whose gates answer to the image (%)", ylabel=label)
    legend_above(ax, handles)
    return ax
