"""Gates as maps: block by channel, class by channel, block by block.

Gates come as one array a stage, ``[image, block, channel]``: an ``xarray.DataArray`` with these dims or plain numpy.
Stages, blocks and channels are numbered from 0, as in the code (``stages.1.points.7``).
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from dianet_lab.analysis.interval import written
from dianet_lab.errors import DataError
from dianet_lab.plots.style import own_axes

GATE_COLORS = "viridis"
SIGNED_COLORS = "RdBu_r"

MAX_NAMES = 30
"""How many class names fit beside a map; of more classes every k-th is named."""


def stage_arrays(gates_by_stage: Sequence) -> list[np.ndarray]:
    """The stages as numpy arrays ``[image, block, channel]``; labelled arrays are put in that order first."""
    arrays = [g.transpose("image", "block", "channel") if hasattr(g, "dims") else g for g in gates_by_stage]
    arrays = [np.asarray(array, float) for array in arrays]
    for stage, array in enumerate(arrays):
        if array.ndim != 3:
            raise DataError(f"gates of stage {stage} have shape {array.shape}; expected [image, block, channel]")
    return arrays


def plot_gate_map(
    gates_by_stage: Sequence,
    *,
    axes: Sequence[Axes] | None = None,
    fig: Figure | None = None,
    limits: tuple[float, float] | None = None,
    start: float | None = None,
) -> list[Axes]:
    """Mean gate over images of every block and channel: one map a stage, one colour scale for all.

    Args:
        gates_by_stage: per stage ``[image, block, channel]``.
        axes: one axes a stage; else they are made in ``fig``, else in a new figure.
        fig: an empty figure to fill.
        limits: ends of the colour scale, to compare networks; the range of the data (and of ``start``) otherwise.
        start: the value of an untrained gate (0.25 for DIA, 0.5 for SE), marked on the colour bar.
    """
    means = [array.mean(0) for array in stage_arrays(gates_by_stage)]
    if axes is None:
        fig = fig or plt.figure(figsize=(9, 2.2 + 0.09 * max(map(len, means))), layout="constrained")
        axes = list(fig.subplots(1, len(means), squeeze=False)[0])
    low, high = limits or _range(means, start)
    for stage, (ax, mean) in enumerate(zip(axes, means, strict=True)):
        image = _map(ax, mean, f"stage {stage}", vmin=low, vmax=high, cmap=GATE_COLORS)
    axes[0].set_ylabel("block (index)")
    _gate_bar(image, axes, "gate (mean over images)", start)
    return list(axes)


def _range(arrays: Sequence[np.ndarray], start: float | None = None) -> tuple[float, float]:
    """Smallest and largest value in the arrays and ``start``."""
    values = np.concatenate([np.ravel(array) for array in arrays] + [[] if start is None else [start]])
    return float(values.min()), float(values.max())


def _map(ax: Axes, values: np.ndarray, title: str, **scale) -> AxesImage:
    """``values [row, column]`` as an image with whole-numbered ticks; columns are channels."""
    image = ax.imshow(values, aspect="auto", interpolation="nearest", **scale)
    ax.set(title=title, xlabel="channel (index)")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image


def _gate_bar(image: AxesImage, axes: Sequence[Axes], label: str, start: float | None = None) -> None:
    """One colour bar for several axes; ``start`` is a line across it."""
    bar = axes[0].figure.colorbar(image, ax=list(axes), label=label, fraction=0.05, pad=0.02, aspect=14)
    bar.outline.set_visible(False)
    if start is not None:
        bar.ax.axhline(start, color="white", linewidth=3)
        bar.ax.axhline(start, color="#d55e00", linewidth=1.6, gid="start")
        bar.ax.annotate(
            "start",
            (0, start),
            xycoords=("axes fraction", "data"),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color="#d55e00",
            fontsize=9.5,
        )


def plot_image_walk(
    image: np.ndarray,
    gates_by_stage: Sequence,
    image_index: int,
    *,
    label: str | None = None,
    fig: Figure | None = None,
    limits: tuple[float, float] | None = None,
) -> list[Axes]:
    """One image beside the gates it gets, stage by stage and block by block.

    Args:
        image: ``[height, width]``, ``[height, width, 3]`` or ``[1 or 3, height, width]``.
        gates_by_stage: per stage ``[image, block, channel]``.
        image_index: which image of the gates this one is.
        label: what the image shows; read from the gates' ``label`` coordinate where there is one.
        fig: an empty figure to fill; a new one otherwise.
        limits: ends of the colour scale, to compare images; the range of this image's gates otherwise.

    Returns:
        The axes of the image, then one axes a stage.
    """
    gates = [array[image_index] for array in stage_arrays(gates_by_stage)]
    coords = getattr(gates_by_stage[0], "coords", {})
    if label is None and "label" in coords:
        label = str(coords["label"].values[image_index])
    fig = fig or plt.figure(figsize=(9, 2.2 + 0.09 * max(map(len, gates))), layout="constrained")
    axes = list(fig.subplots(1, 1 + len(gates), width_ratios=[0.9] + [1.0] * len(gates)))
    picture = np.asarray(image)
    if picture.ndim == 3 and picture.shape[0] in (1, 3):
        picture = picture.transpose(1, 2, 0)
    axes[0].imshow(picture.squeeze(), cmap="gray", interpolation="nearest")
    axes[0].set(
        title="image" if label is None else f"label {label!r}",
        xticks=[],
        yticks=[],
        xlabel=f"image {image_index} (index)",
    )
    low, high = limits or _range(gates)
    for stage, (ax, gate) in enumerate(zip(axes[1:], gates, strict=True)):
        strip = _map(ax, gate, f"stage {stage}", vmin=low, vmax=high, cmap=GATE_COLORS)
    axes[1].set_ylabel("block (index)")
    _gate_bar(strip, axes[1:], "gate")
    return axes


def plot_class_gates(
    gates_by_stage: Sequence,
    labels: Sequence[int],
    class_names: Sequence[str],
    stage: int,
    block: int,
    *,
    ax: Axes | None = None,
) -> Axes:
    """What a class changes: the class mean of each channel's gate minus its mean over all images, at one block.

    Args:
        gates_by_stage: per stage ``[image, block, channel]``.
        labels: the class index of each image.
        class_names: names of the classes; a class without an image is an empty row.
        stage: which stage, from 0.
        block: which block of the stage, from 0.
        ax: where to draw; a new figure otherwise.
    """
    gates = stage_arrays(gates_by_stage)[stage][:, block]
    labels = np.asarray(labels)
    deviation = np.full((len(class_names), gates.shape[1]), np.nan)
    for index in np.intersect1d(labels, np.arange(len(class_names))):
        deviation[index] = gates[labels == index].mean(0) - gates.mean(0)
    ax = own_axes(ax, 8.5, 1.5 + 0.24 * min(len(class_names), MAX_NAMES))
    limit = float(np.nanmax(np.abs(deviation))) or 1.0  # a gate that never varies still needs a scale
    image = _map(ax, deviation, f"stage {stage}, block {block}", vmin=-limit, vmax=limit, cmap=SIGNED_COLORS)
    step = -(-len(class_names) // MAX_NAMES)
    ax.set_yticks(range(0, len(class_names), step), class_names[::step])
    ax.set_ylabel("class" if step == 1 else f"class (every {step}th named)")
    _gate_bar(image, [ax], "gate: class mean minus overall mean")
    return ax


def _short(value: float) -> str:
    """``.63``, ``−.12``, ``1``: two digits that fit a small cell."""
    return "1" if value > 0.995 else written(value, 2).replace("0.", ".", 1)


def plot_layer_correlation(gates: np.ndarray, *, stage: str | int, ax: Axes | None = None) -> Axes:
    """Pearson correlation between the gates of the blocks of one stage, written into the cells up to 8 blocks.

    Args:
        gates: the matrix ``[block, block]`` of correlations, as the caller computed it.
        stage: the stage's number or name, for the title.
        ax: where to draw; a new figure otherwise.
    """
    matrix = np.asarray(gates, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"a correlation between blocks is a square matrix; got shape {matrix.shape}")
    ax = own_axes(ax, 5.4, 4.4)
    small = len(matrix) <= 8
    sns.heatmap(
        matrix,
        ax=ax,
        vmin=-1,
        vmax=1,
        cmap=SIGNED_COLORS,
        square=True,
        annot=np.vectorize(_short)(matrix) if small else False,
        fmt="",
        annot_kws={"fontsize": 8.5},
        linewidths=1 if small else 0,
        cbar_kws={"label": "Pearson correlation", "shrink": 0.85},
    )
    step = 1 if len(matrix) <= 20 else 5
    ticks = np.arange(0, len(matrix), step)
    ax.set_xticks(ticks + 0.5, ticks)
    ax.set_yticks(ticks + 0.5, ticks, rotation=0)
    ax.tick_params(length=0)
    ax.set(xlabel="block (index)", ylabel="block (index)", title=stage if isinstance(stage, str) else f"stage {stage}")
    return ax
