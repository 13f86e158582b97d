"""Gates layer by layer: how they are distributed and how much they depend on the image."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dianet_lab.plots.gates import stage_arrays
from dianet_lab.plots.layer_axis import layer_places, mark_layers
from dianet_lab.plots.style import FAINT, INK, arm_style, baseline_first, legend_above, own_axes, require

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MEDIAN = {"marker": "o", "color": "white", "markeredgecolor": INK, "markeredgewidth": 1.2, "linestyle": "none"}
"""White with a dark edge, which is seen on the bar of any arm, and the same in the key."""

START_LINE = {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 3))}


def plot_gate_distribution(
    gates_by_stage: Sequence,
    *,
    ax: Axes | None = None,
    start: float | None = None,
    arm: str = "DIA",
    key: bool = True,
) -> Axes:
    """Spread of the gate values of each layer over images and channels, in forward order.

    The thin bar is the 5 to 95 % range, the thick one the 25 to 75 % range, the white dot the median.

    Args:
        gates_by_stage: per stage ``[image, block, channel]``.
        ax: where to draw; a new figure otherwise.
        start: the value of an untrained gate, a dashed line.
        arm: whose colour to use.
        key: whether it has a legend, which does for a column of figures: it names no value.
    """
    stages = stage_arrays(gates_by_stage)
    ax = own_axes(ax, 8.5, 3.8)
    color = arm_style(arm).color
    layers = [array[:, block].ravel() for array in stages for block in range(array.shape[1])]
    positions = np.concatenate(_positions(stages))
    wide = min(16.0, 200 / len(layers))
    for at, values in zip(positions, layers, strict=True):
        _quantile_bar(ax, at, np.quantile(values, QUANTILES), color, wide)
    if start is not None:
        ax.axhline(start, **START_LINE, zorder=1, gid="start")
    _mark_stages(ax, stages)
    ax.set_ylabel("gate (dimensionless)")
    handles = _bar_key(color)
    if start is not None:
        handles.append(Line2D([], [], **START_LINE, label="start, before training (about)"))
    if key:
        legend_above(ax, handles, 1.08)
    return ax


def _quantile_bar(ax: Axes, at: float, quantiles: Sequence[float], color: str, wide: float, alpha: float = 1.0) -> None:
    """The five quantiles of one layer at x = ``at``; ``wide`` is the width of the thick bar in points."""
    q05, q25, q50, q75, q95 = quantiles
    ax.vlines(at, q05, q95, color=color, linewidth=max(1.0, wide / 6), alpha=0.6 * alpha, zorder=2)
    ax.vlines(at, q25, q75, color=color, linewidth=wide, alpha=alpha, zorder=3)
    ax.plot([at], [q50], **MEDIAN, markersize=min(7.0, max(3.0, 0.6 * wide)), zorder=4, gid="median")


def _bar_key(color: str) -> list:
    return [
        Line2D([], [], color=color, alpha=0.6, linewidth=2, label="5 to 95 % of gates"),
        Patch(color=color, label="25 to 75 %"),
        Line2D([], [], **MEDIAN, markersize=7, label="median"),
    ]


def _positions(stages: Sequence[np.ndarray]) -> list[np.ndarray]:
    """x of each layer, stage by stage; stages are gates ``[image, block, channel]`` or one value a block."""
    counts = [stage.shape[1] if stage.ndim > 1 else len(stage) for stage in stages]
    places = layer_places((stage, block) for stage, count in enumerate(counts) for block in range(count))
    return [np.array([at for (number, _), at in places.items() if number == s]) for s in range(len(stages))]


def _mark_stages(ax: Axes, stages: Sequence[np.ndarray]) -> None:
    """Block numbers as ticks, a line between stages, and the stages' names above the axes."""
    positions = _positions(stages)
    mark_layers(ax, {(s, b): int(at) for s, place in enumerate(positions) for b, at in enumerate(place)})
    ax.set_xlim(positions[0][0] - 0.8, positions[-1][-1] + 0.8)


def plot_gate_variation(models: Mapping[str, Sequence], *, ax: Axes | None = None) -> Axes:
    """How much a layer's gates depend on the image: the standard deviation over images, averaged over channels.

    Args:
        models: name -> gates, per stage ``[image, block, channel]``; the names are those of arms, or ``shared``,
            ``per block`` and ``untrained``. All models have the same stages.
        ax: where to draw; a new figure otherwise.
    """
    spreads = {
        name: [array.std(0).mean(1) for array in stage_arrays(gates_by_stage)]
        for name, gates_by_stage in models.items()
    }
    ax = own_axes(ax, 8.5, 3.8)
    handles = _lines(ax, spreads)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("gate: standard deviation over images\n(mean over channels, dimensionless)")
    legend_above(ax, handles, 1.08)
    return ax


def plot_class_share(
    models: Mapping[str, Sequence[Sequence[float]]], *, chance: float | None = None, ax: Axes | None = None
) -> Axes:
    """How much of a gate's variance over images lies between classes, layer by layer.

    Args:
        models: name -> per stage the share of each block, 0 to 1, as of
            :func:`~dianet_lab.analysis.gates.class_share`. All models have the same stages.
        chance: the share of gates that ignore the class, a dashed line.
        ax: where to draw; a new figure otherwise.
    """
    ax = own_axes(ax, 8.5, 3.8)
    handles = _lines(ax, {name: [np.asarray(stage, float) for stage in stages] for name, stages in models.items()})
    if chance is not None:
        ax.axhline(chance, **START_LINE, zorder=1, gid="chance")
        handles.append(Line2D([], [], **START_LINE, label=f"chance: {chance:.2f}"))
    ax.set_ylim(0, 1)
    ax.set_ylabel("share of the gates' variance over images\nthat lies between classes (0 to 1)")
    legend_above(ax, handles, 1.08)
    return ax


def _lines(ax: Axes, models: Mapping[str, Sequence[np.ndarray]]) -> list[Line2D]:
    """A line a model and stage through one value a layer; returns what stands in the key."""
    handles = []
    for name, stages in models.items():
        color, marker = arm_style(name)
        few = sum(map(len, stages)) <= 30
        look = {"color": color, "marker": marker, "markersize": 6 if few else 4.5, "markeredgecolor": "white"}
        for place, values in zip(_positions(stages), stages, strict=True):
            ax.plot(place, values, **look, gid=name)
        handles.append(Line2D([], [], **look, label=name))
    _mark_stages(ax, stages)
    return handles


def plot_activation_ranges(ranges: pd.DataFrame, *, ax: Axes | None = None, arms: Sequence[str] | None = None) -> Axes:
    """Quantiles of the gate before and after training, side by side for each arm.

    Args:
        ranges: tidy, one row an arm and moment, with arm, when (``start`` or ``end``), q05, q25, q50, q75 and q95.
        ax: where to draw; a new figure otherwise.
        arms: the arms from left to right; the order of the frame otherwise.
    """
    columns = ["q05", "q25", "q50", "q75", "q95"]
    require(ranges, ["arm", "when", *columns])
    ax = own_axes(ax, 8.5, 3.8)
    names = baseline_first(ranges, arms)
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    for index, arm in enumerate(names):
        for when, shift, strength in (("start", -0.16, 0.4), ("end", 0.16, 1.0)):
            row = ranges[(ranges["arm"] == arm) & (ranges["when"] == when)]
            for quantiles in row[columns].to_numpy(float):
                _quantile_bar(ax, index + shift, quantiles, arm_style(arm).color, 16, strength)
    ax.set_xticks(range(len(names)), names)
    ax.set(xlim=(-0.6, len(names) - 0.4), xlabel="arm", ylabel="gate (dimensionless)")
    legend_above(
        ax,
        [
            Patch(color=INK, alpha=0.4, linewidth=0, label="start of training"),
            Patch(color=INK, linewidth=0, label="end of training"),
            *_bar_key(INK),
        ],
    )
    return ax
