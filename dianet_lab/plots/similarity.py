"""How alike layers are: matrices side by side, against the distance in layers, between neighbours, and compared."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dianet_lab.analysis.interval import t_interval
from dianet_lab.errors import DataError
from dianet_lab.plots.gates import SIGNED_COLORS
from dianet_lab.plots.layer_axis import LABEL, layer_places, mark_layers
from dianet_lab.plots.style import FAINT, INK, arm_style, own_axes, require

UNKNOWN = "#d9d9d9"
DASHED = {"linestyle": (0, (3, 2)), "linewidth": 1.1}


def plot_similarity(
    models: Mapping[str, Sequence[np.ndarray]], *, measure: str, rows: Sequence[str] | None = None
) -> Figure:
    """A measure between layers: a column a network, a row a stage, one colour scale from -1 to 1.

    Grey is where it is not defined, as the correlation of a gate that varies over no image.

    Args:
        models: name -> one matrix ``[block, block]`` a stage; all have the same stages.
        measure: what it is, in words, for the colour bar.
        rows: what the rows are called, where they are no stages.

    Raises:
        DataError: a matrix that is not square, or networks of different stages.
    """
    networks = {name: [_square(matrix) for matrix in stages] for name, stages in models.items()}
    if len(set(map(len, networks.values()))) != 1:
        raise DataError(f"networks have different numbers of stages: { {n: len(m) for n, m in networks.items()} }")
    count = len(next(iter(networks.values())))
    size = (9, 0.9 + 1.55 * count)
    figure, axes = plt.subplots(count, len(networks), figsize=size, squeeze=False, layout="constrained")
    for column, (name, stages) in zip(axes.T, networks.items(), strict=True):
        column[0].set_title(name, fontsize=10.5)
        for ax, matrix in zip(column, stages, strict=True):
            image = _panel(ax, matrix)
        column[-1].set_xlabel("block (index)")
    for name, ax in zip(rows or [f"stage {stage}" for stage in range(count)], axes[:, 0], strict=True):
        ax.set_ylabel(f"{name}\nblock (index)")
    bar = figure.colorbar(image, ax=list(axes.flat), fraction=0.05, pad=0.02, aspect=10 + 6 * count)
    bar.outline.set_visible(False)
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.set_label(measure)
    return figure


def _square(matrix: np.ndarray) -> np.ndarray:
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"a measure between blocks is a square matrix; got shape {matrix.shape}")
    return matrix


def _panel(ax: Axes, matrix: np.ndarray):
    colors = plt.get_cmap(SIGNED_COLORS).with_extremes(bad=UNKNOWN)
    image = ax.imshow(np.ma.masked_invalid(matrix), vmin=-1, vmax=1, cmap=colors, interpolation="nearest")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4, integer=True))
    ax.tick_params(length=2, labelsize=9)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image


def plot_similarity_by_distance(
    frame: pd.DataFrame, value: str, *, ax: Axes | None = None, arms: Sequence[str] | None = None
) -> Axes:
    """How alike layers are that lie so many layers apart: mean over seeds and its 95 % t interval, an arm a colour.

    The dashed line of the same colour is the level with the images of each layer shuffled. No key is drawn:
    :func:`add_arms_key` makes one for several axes.

    Args:
        frame: tidy, a row an arm, seed and distance: arm, images (``together`` or ``pairs shuffled``), seed, distance
            and ``value``.
        value: the column that is drawn. An arm without any value is left out.
        ax: where to draw; a new figure otherwise.
        arms: which arms, in this order; all otherwise.
    """
    require(frame, ["arm", "images", "seed", "distance", value])
    ax = own_axes(ax, 8.5, 3.8)
    for arm in _drawn(frame, value, arms):
        color, marker = arm_style(arm)
        curves = {images: _over_seeds(part, value) for images, part in frame[frame["arm"] == arm].groupby("images")}
        ends = curves["together"]
        ax.fill_between(
            ends.index, ends["low"], ends["high"], color=color, alpha=0.15, linewidth=0, gid=f"{arm} interval"
        )
        look = {"marker": marker, "markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.6}
        ax.plot(ends.index, ends["mean"], color=color, gid=arm, **look)
        if "pairs shuffled" in curves:
            chance = curves["pairs shuffled"]["mean"]
            alone = {"marker": "_", "markersize": 12} if len(chance) == 1 else {}  # no line leads through one distance
            ax.plot(chance.index, chance, color=color, gid=f"{arm} shuffled", **DASHED, **alone)
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set(xlabel="distance (layers)", xlim=(frame["distance"].min() - 0.4, frame["distance"].max() + 0.4))
    return ax


def _drawn(frame: pd.DataFrame, value: str, arms: Sequence[str] | None) -> list[str]:
    """The arms that have a value."""
    known = set(frame.loc[frame[value].notna(), "arm"])
    return [arm for arm in (arms if arms is not None else frame["arm"].drop_duplicates()) if arm in known]


def _over_seeds(part: pd.DataFrame, value: str) -> pd.DataFrame:
    """``mean, low, high`` by distance."""
    rows = {distance: t_interval(values) for distance, values in part.groupby("distance")[value]}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "low", "high"])


def add_arms_key(figure: Figure, arms: Sequence[str], *, columns: int = 4) -> None:
    """A key above all axes of a figure: those of ``arms`` that are drawn, and what a dashed line is."""
    drawn = {line.get_gid() for ax in figure.axes for line in ax.lines}
    handles = []
    for arm in [arm for arm in arms if arm in drawn]:
        color, marker = arm_style(arm)
        handles.append(Line2D([], [], color=color, marker=marker, markeredgecolor="white", markersize=6, label=arm))
    handles.append(Line2D([], [], color=INK, **DASHED, label="pairs shuffled (chance)"))
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, frameon=False, columnspacing=1.6)


def plot_neighbours(
    frame: pd.DataFrame, value: str, *, ax: Axes | None = None, arms: Sequence[str] | None = None
) -> Axes:
    """A divergence between every layer and the one before it, in forward order, on a logarithmic axis.

    Dashed lines are with the images of each layer shuffled. Where no arm has a value, the axes say so.

    Args:
        frame: one row an arm, images, stage and block: arm, images, stage, second (the later block) and ``value``.
        value, ax, arms: see :func:`plot_similarity_by_distance`.
    """
    require(frame, ["arm", "images", "stage", "second", value])
    ax = own_axes(ax, 8.5, 3.8)
    places = layer_places(zip(frame["stage"], frame["second"], strict=True))
    drawn = _drawn(frame, value, arms)
    for arm in drawn:
        color, marker = arm_style(arm)
        for (images, _), part in frame[frame["arm"] == arm].groupby(["images", "stage"]):
            x = [places[key] for key in zip(part["stage"], part["second"], strict=True)]
            y = part[value].where(part[value] > 0)  # equal layers have no place on a logarithmic axis
            look = DASHED if images != "together" else {"marker": marker, "markersize": 5, "markeredgecolor": "white"}
            ax.plot(x, y, color=color, gid=arm if images == "together" else f"{arm} shuffled", **look)
    if drawn:
        ax.set_yscale("log")
    else:
        ax.text(0.5, 0.5, "not defined: gates below 0", transform=ax.transAxes, ha="center", color=INK, gid="none")
    mark_layers(ax, places, label=f"{LABEL[:-1]}; compared with the block before it)")
    return ax


def plot_similarity_effects(effects: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Differences of a measure with their 95 % t intervals, a row a contrast; a dot alone where there is no interval.

    Args:
        effects: contrast, estimate, low, high, all in the measure's own unit.
        ax: where to draw; a new figure otherwise.
    """
    require(effects, ["contrast", "estimate", "low", "high"])
    ax = own_axes(ax, 8.5, 1.2 + 0.36 * len(effects))
    rows = range(len(effects))
    ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
    ax.hlines(rows, effects["low"], effects["high"], color=INK, linewidth=1.6, zorder=2, gid="interval")
    ax.plot(effects["estimate"], rows, color=INK, marker="D", markersize=5, linestyle="none", zorder=3, gid="estimate")
    for row in rows:
        ax.axhline(row, color=FAINT, linewidth=0.5, zorder=0)
    ax.set_yticks(rows, effects["contrast"])
    ax.set(ylim=(len(effects) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)
    return ax
