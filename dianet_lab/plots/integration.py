"""Which layer tells of which: triangular maps, and R² layer by layer."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dianet_lab.errors import DataError
from dianet_lab.plots.layer_axis import layer_places, mark_layers
from dianet_lab.plots.style import FAINT, arm_style, require

COLORS = "cividis"
LOOK = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
LOWEST = -0.3
"""R² below it is drawn there: how much worse than the mean a prediction is does not matter."""

IN_A_ROW = 4
"""Names in one row of a key."""


def plot_importance_maps(
    maps: Mapping[str, pd.DataFrame], *, label: str | Mapping[str, str], top: float | None = None
) -> Figure:
    """One triangular map a stage and name: source layers across, later target layers up, stages from top to bottom.

    Args:
        maps: name -> rows with ``stage, source, target, value``; what a pair has several rows of, such as seeds, is
            averaged.
        label: of the one colour scale for all maps; or name -> that of a scale of its own.
        top: upper end of the one scale, where one cell would outshine all; the largest value otherwise.

    Raises:
        DataError: nothing to draw.
    """
    means = {name: _mean(frame) for name, frame in maps.items()}
    stages = sorted({stage for mean in means.values() for stage in mean.index.unique("stage")})
    if not stages:
        raise DataError("there is no pair of layers to draw: a map needs stages of two blocks or more")
    figure, axes = plt.subplots(
        len(stages), len(maps), figsize=(9, 1.0 + 1.55 * len(stages)), squeeze=False, layout="constrained"
    )
    ends = [_ends(mean) for mean in means.values()]
    one = isinstance(label, str)
    common = (min(low for low, _ in ends), top or max(high for _, high in ends)) if one else None
    for column, (name, mean) in enumerate(means.items()):
        low, high = common or ends[column]
        for row, stage in enumerate(stages):
            image = _triangle(axes[row, column], mean, stage, low, high)
        axes[0, column].set_title(name.replace(", ", ",\n"), fontsize=9, loc="center")
        axes[-1, column].set_xlabel("source (block)", fontsize=9.5)
        if not one:
            bar = figure.colorbar(image, ax=list(axes[:, column]), location="bottom", aspect=12, pad=0.02)
            bar.set_label(label[name], fontsize=8.5)
            bar.ax.tick_params(labelsize=8.5)
            bar.ax.locator_params(nbins=3)
            bar.outline.set_visible(False)
    for row, stage in enumerate(stages):
        axes[row, 0].set_ylabel(f"stage {stage}\ntarget (block)", fontsize=9.5)
    if one:
        extend = "max" if top and top < max(high for _, high in ends) else "neither"
        bar = figure.colorbar(image, ax=axes, label=label, fraction=0.03, pad=0.01, aspect=24, extend=extend)
        bar.outline.set_visible(False)
    return figure


def _mean(frame: pd.DataFrame) -> pd.Series:
    require(frame, ["stage", "source", "target", "value"])
    return frame.groupby(["stage", "target", "source"])["value"].mean()


def _ends(mean: pd.Series) -> tuple[float, float]:
    known = mean.dropna()
    low, high = min(0.0, known.min()), max(0.0, known.max())
    return (float(low), float(high)) if high > low else (0.0, 1.0)  # nothing known, or all 0


def _triangle(ax: Axes, mean: pd.Series, stage: int, low: float, high: float):
    """Blocks are at their own numbers; what has no value is left white."""
    table = mean[mean.index.get_level_values("stage") == stage].droplevel("stage").unstack("source")
    blocks = sorted({*table.index, *table.columns})
    first, last = (blocks[0], blocks[-1]) if blocks else (0, 1)
    values = table.reindex(index=range(first + 1, last + 1), columns=range(first, last)).to_numpy(float)
    extent = (first - 0.5, last - 0.5, first + 0.5, last + 0.5)
    image = ax.imshow(values, vmin=low, vmax=high, cmap=COLORS, extent=extent, **LOOK)
    step = max(1, (last - first) // 4)
    ax.set_xticks(range(first, last, step))
    ax.set_yticks(range(first + 1, last + 1, step))
    ax.tick_params(labelsize=8.5, length=2)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image


def plot_scores(layers: pd.DataFrame, panels: Mapping[str, str], *, arms: Sequence[str] | None = None) -> Figure:
    """R² of every later layer of each stage, in forward order, a panel a score: of each arm the median over seeds.

    Args:
        layers: ``arm, stage, target`` and the columns of ``panels``, one row a seed.
        panels: column -> the label of its y axis.
        arms: which, in which order; all otherwise.
    """
    require(layers, ["arm", "stage", "target", *panels])
    names = list(dict.fromkeys(layers["arm"])) if arms is None else list(arms)
    size = (9, 0.9 + 2.4 * len(panels))
    figure, axes = plt.subplots(len(panels), 1, figsize=size, sharex=True, squeeze=False, layout="constrained")
    at = layer_places(zip(layers["stage"], layers["target"], strict=True))
    for ax, (value, label) in zip(axes[:, 0], panels.items(), strict=True):
        for name in names:
            _score_line(ax, layers[layers["arm"] == name].groupby(["stage", "target"])[value].median(), at, name)
        ax.axhline(0, color=FAINT, linewidth=1, zorder=1)
        ax.set(ylim=(LOWEST, 1.02), ylabel=label)
        mark_layers(ax, at, label="")
        if ax is not axes[0, 0]:
            for text in [text for text in ax.texts if text.get_gid() == "stage"]:
                text.remove()
    axes[-1, 0].set_xlabel("target layer in forward order (block index within its stage)")
    _key(figure, names)
    return figure


def _score_line(ax: Axes, scores: pd.Series, at: Mapping[tuple[int, int], int], name: str) -> None:
    color, marker = arm_style(name)
    look = {"color": color, "marker": marker, "markersize": 6, "markeredgecolor": "white", "linewidth": 1}
    for _, line in scores.groupby(level="stage"):
        ax.plot([at[p] for p in line.index], line.clip(lower=LOWEST), clip_on=False, gid=name, zorder=3, **look)


def _key(figure: Figure, names: Sequence[str]) -> None:
    looks = {name: arm_style(name) for name in names}
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, markersize=6, linewidth=1, label=name)
        for name, look in looks.items()
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(IN_A_ROW, len(names)), frameon=False)
