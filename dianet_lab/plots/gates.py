"""Gates as maps: block by channel, class by channel, block by block.

Gates come as one array a stage, ``[image, block, channel]``: an ``xarray.DataArray`` with these dims or plain numpy.
Stages, blocks and channels are numbered from 0, as in the code (``stages.1.points.7``).
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from dianet_lab.errors import DataError
from dianet_lab.plots.style import readable

GATE_COLORS = "viridis"
SIGNED_COLORS = "RdBu_r"
START = "#d55e00"

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
    label: str = "gate (mean over images)",
) -> list[Axes]:
    """Mean gate over images of every block and channel: one map a stage, one colour scale for all.

    Args:
        gates_by_stage: per stage ``[image, block, channel]``.
        axes: one axes a stage; else they are made in ``fig``, else in a new figure.
        fig: an empty figure to fill.
        limits: ends of the colour scale, to compare networks; the range of the data (and of ``start``) otherwise.
        start: the value of a gate before training (0.25 for DIA, 0.5 for SE, about), marked on the colour bar.
        label: of the colour bar.
    """
    means = [array.mean(0) for array in stage_arrays(gates_by_stage)]
    if axes is None:
        fig = fig or plt.figure(figsize=(9, 2.2 + 0.09 * max(map(len, means))), layout="constrained")
        axes = list(fig.subplots(1, len(means), squeeze=False)[0])
    low, high = limits or _range(means, start)
    for stage, (ax, mean) in enumerate(zip(axes, means, strict=True)):
        image = draw_map(ax, mean, f"stage {stage}", vmin=low, vmax=high, cmap=GATE_COLORS)
    axes[0].set_ylabel("block (index)")
    gate_bar(image, axes, label, start)
    return list(axes)


def _range(arrays: Sequence[np.ndarray], start: float | None = None) -> tuple[float, float]:
    """Smallest and largest value in the arrays and ``start``."""
    values = np.concatenate([np.ravel(array) for array in arrays] + [[] if start is None else [start]])
    return float(values.min()), float(values.max())


def draw_map(ax: Axes, values: np.ndarray, title: str, **scale) -> AxesImage:
    """``values [row, column]`` as an image with whole-numbered ticks; columns are channels."""
    image = ax.imshow(values, aspect="auto", interpolation="nearest", **scale)
    ax.set(title=title, xlabel="channel (index)")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    for spine in ax.spines.values():
        spine.set_visible(False)
    return image


def gate_bar(
    image: AxesImage, axes: Sequence[Axes], label: str, start: float | None = None, named: bool = True
) -> None:
    """One colour bar for several axes; ``start`` is a line across it, with its name beside it where there is room."""
    bar = axes[0].figure.colorbar(
        image, ax=list(axes), label=label, fraction=0.05, pad=0.02, aspect=14 if named else 30
    )
    bar.outline.set_visible(False)
    if start is None:
        return
    bar.ax.axhline(start, color="white", linewidth=3)
    bar.ax.axhline(start, color=START, linewidth=1.6, gid="start")
    if not named:
        return
    bar.ax.annotate(
        f"before training:\nabout {start:g}",
        (0, start),
        xycoords=("axes fraction", "data"),
        xytext=(-3, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=readable(START),
        fontsize=9,
        linespacing=1.0,
        gid="start name",
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
        strip = draw_map(ax, gate, f"stage {stage}", vmin=low, vmax=high, cmap=GATE_COLORS)
    axes[1].set_ylabel("block (index)")
    gate_bar(strip, axes[1:], "gate (of this image)")
    return axes
