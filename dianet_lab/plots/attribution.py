"""Attributions to gates: class by layer, by layer, by stage, against ablation, and whether they add up.

Frames are those of :mod:`dianet_lab.analysis.attribution`, with the column ``name`` that the figures go by.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dianet_lab.analysis.interval import t_interval, written
from dianet_lab.errors import DataError
from dianet_lab.plots.gates import MAX_NAMES, SIGNED_COLORS
from dianet_lab.plots.layer_axis import layer_places, mark_layers
from dianet_lab.plots.style import FAINT, INK, arm_style, own_axes, require

DASHED = {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 3))}


def plot_class_layers(
    means: pd.DataFrame, *, ax: Axes | None = None, title: str = "", limit: float | None = None
) -> Axes:
    """Mean attribution of every class (row) to every layer (column), the stages apart.

    The colour scale is symmetric about 0. Above the map stands the largest value, which may be too small to see there,
    or beyond the scale, whose bar has arrowheads then.

    Args:
        means: class by ``(stage, block)``, logits.
        title: the network's name.
        limit: the end of the colour scale, to compare networks; the largest value otherwise.

    Raises:
        DataError: columns that are no ``(stage, block)``.
    """
    if means.columns.nlevels != 2:
        raise DataError("expected a column for each (stage, block), as class_map gives them")
    ax = own_axes(ax, 8.8, 1.5 + 0.2 * min(len(means), MAX_NAMES))
    places = list(means.columns)
    positions = layer_places(places)
    at = np.array([positions[place] for place in places])
    shown = np.full((len(means), at[-1] + 1), np.nan)
    shown[:, at] = means.to_numpy(float)
    largest = float(np.nanmax(np.abs(means.to_numpy(float))))
    limit = limit or largest or 1.0  # where nothing is attributed the map still needs a scale
    image = ax.imshow(shown, aspect="auto", interpolation="nearest", cmap=SIGNED_COLORS, vmin=-limit, vmax=limit)
    mark_layers(ax, positions, height=1.01, borders=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    step = -(-len(means) // MAX_NAMES)
    ax.set_yticks(range(0, len(means), step), [str(name) for name in means.index[::step]])
    ax.set_ylabel("class" if step == 1 else f"class (every {step}th named)")
    told = f"largest ±{largest:.2g} logits"
    ax.set_title(f"{title}: {told}" if title else told, pad=20)
    beyond = "both" if largest > limit else "neither"
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.04, pad=0.015, extend=beyond, label="mean attribution\n(logits)")
    bar.outline.set_visible(False)
    return ax


def plot_attribution_by_layer(sizes: pd.DataFrame, *, ax: Axes | None = None, name: str) -> Axes:
    """Mean |attribution| of each layer: the mean over networks as a bar, its 95 % t interval, and every network.

    Args:
        sizes: ``name, seed, stage, block, size``; of one seed there is no interval.
        name: whose rows to draw.

    Raises:
        DataError: no such rows, or a column is missing.
    """
    require(sizes, ["name", "seed", "stage", "block", "size"])
    rows = _named(sizes, name).pivot(index="seed", columns=["stage", "block"], values="size").sort_index(axis=1)
    ax = own_axes(ax, 8.8, 2.2)
    places = list(rows.columns)
    positions, color = layer_places(places), arm_style(name).color
    at = np.array([positions[place] for place in places])
    found = np.array([t_interval(rows[place]) for place in places])
    ax.bar(at, found[:, 0], width=0.8, color=color, alpha=0.55, linewidth=0, gid="mean")
    for values in rows.to_numpy():
        ax.plot(at, values, "o", color=color, markersize=2.5, alpha=0.8, zorder=3, gid="network")
    known = np.isfinite(found[:, 1])
    ax.vlines(at[known], found[known, 1], found[known, 2], color=INK, linewidth=1.3, zorder=4, gid="interval")
    mark_layers(ax, positions, height=1.0, borders=False)
    ax.set(ylabel="mean |attribution|\n(logits)", ylim=(0, None), xlim=(at[0] - 0.8, at[-1] + 0.8))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.set_title(f"{name}: all layers together {written(float(found[:, 0].sum()), 3)} logits", pad=20)
    return ax


def plot_against_ablation(layers: pd.DataFrame, *, ax: Axes | None = None, name: str, agreement: float) -> Axes:
    """Each layer and image: what integrated gradients attribute, against what is lost where that gate is ablated.

    Args:
        layers: ``name, attribution, ablation``.
        name: whose rows to draw.
        agreement: the rank correlation that stands above, NaN where there is none.
    """
    require(layers, ["name", "attribution", "ablation"])
    rows = _named(layers, name)
    ax = own_axes(ax, 4.2, 4.2)
    values = rows[["ablation", "attribution"]].to_numpy(float)
    limit = float(np.abs(values).max()) * 1.08 or 1.0
    ax.plot([-limit, limit], [-limit, limit], **DASHED, zorder=1, gid="equal")
    ax.plot(*values.T, "o", color=arm_style(name).color, markersize=3, alpha=0.3, markeredgewidth=0, gid="layers")
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.set(xlabel="lost by ablation (logits)", ylabel="integrated gradients (logits)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4, symmetric=True))
    told = "nothing to rank" if np.isnan(agreement) else f"rank correlation {written(agreement, 3)}"
    ax.set_title(f"{name}\n{told}")
    return ax


def plot_stage_effects(stages: pd.DataFrame, *, ax: Axes | None = None, names: Sequence[str] | None = None) -> Axes:
    """What the own class's logit loses where all gates of a stage are ablated: mean over networks and 95 % t interval.

    Args:
        stages: ``name, seed, stage, ablation``.
        names: which, from left to right; the order of the frame otherwise.
    """
    require(stages, ["name", "seed", "stage", "ablation"])
    ax = own_axes(ax, 8.8, 3.8)
    shown, numbers = list(names or dict.fromkeys(stages["name"])), sorted(stages["stage"].unique())
    steps = np.linspace(-0.34, 0.34, len(shown)) if len(shown) > 1 else [0.0]
    ax.axhline(0, color=FAINT, linewidth=0.9, zorder=0)
    handles = []
    for step, name in zip(steps, shown, strict=True):
        color, marker = arm_style(name)
        groups = _named(stages, name).groupby("stage")["ablation"]
        for at, number in enumerate(numbers):
            mean, low, high = t_interval(groups.get_group(number))
            if np.isfinite(low):
                ax.vlines(at + step, low, high, color=color, linewidth=2, gid="interval")
            ax.plot(at + step, mean, marker, color=color, markersize=7, markeredgecolor="white", gid="mean")
        handles.append(Line2D([], [], color=color, marker=marker, markersize=7, markeredgecolor="white", label=name))
    ax.set_xticks(range(len(numbers)), [f"stage {number}" for number in numbers])
    ax.set(xlim=(-0.5, len(numbers) - 0.5), xlabel="whose gates are put at the baseline")
    ax.set_ylabel("lost by the own class (logits,\nmean over images)")
    columns = min(4, len(handles))
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2)
    return ax


def plot_convergence(images: pd.DataFrame, *, ax: Axes | None = None, large: float) -> Axes:
    """Each explanation's convergence delta against the difference that it explains, both in logits without sign.

    What lies above the dashed line misses more than the share ``large`` of it. A log scale has no zeros: none is drawn.

    Args:
        images: ``name, explained, delta``.
    """
    require(images, ["name", "explained", "delta"])
    ax = own_axes(ax, 8.8, 4.2)
    handles, seen = [], []
    for name, rows in images.groupby("name", sort=False):
        color, marker = arm_style(name)
        look = {"color": color, "marker": marker, "markersize": 4.5, "linestyle": "none", "markeredgewidth": 0}
        values = rows[["explained", "delta"]].abs().to_numpy(float)
        values = values[(values > 0).all(1)]
        seen.append(values)
        ax.plot(*values.T, **look, alpha=0.45, gid=name)
        handles.append(Line2D([], [], **look, label=name))
    every = np.concatenate(seen)
    if len(every):
        ax.set(xscale="log", yscale="log")
        ends = np.array([every[:, 0].min() / 2, every[:, 0].max() * 2])
        ax.plot(ends, large * ends, **DASHED, zorder=1, gid="large")
        ax.set_xlim(ends)
    handles.append(Line2D([], [], **DASHED, label=f"{100 * large:.0f} % of the difference"))
    ax.set(xlabel="|explained difference| (logits)", ylabel="|convergence delta| (logits)")
    columns = min(4, len(handles))
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, borderaxespad=0.2)
    return ax


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    rows = frame[frame["name"] == name]
    if rows.empty:
        raise DataError(f"no rows of {name!r}: the frame has {', '.join(map(str, frame['name'].unique()))}")
    return rows
