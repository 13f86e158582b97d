"""Several networks below each other, their stages side by side: maps of gates that are read together.

``views`` are name -> gates, one array a stage, ``[image, block, channel]``: an ``xarray.DataArray`` or plain numpy.
Numbers count from 0, as in the code. Every figure has one colour scale, so that what looks calm is calm.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dianet_lab.errors import DataError
from dianet_lab.plots.gates import GATE_COLORS, SIGNED_COLORS, draw_map, gate_bar, stage_arrays
from dianet_lab.plots.style import arm_style, readable

SPREAD_COLORS = "magma"
WIDTH, LEAST = 9.0, 1.25
"""Inches: of a figure, and the least height of a row, beside which a name must fit."""

MAX_NAMES = 10
"""How many class names fit beside a map; of more classes every k-th is named."""

Views = Mapping[str, Sequence]


def plot_gate_maps(views: Views, *, of: str = "mean", start: float | None = None) -> Figure:
    """The mean of every gate over images, or its standard deviation: a row a network, a map a stage.

    Args:
        of: ``mean`` or ``sd``.
        start: the value of a gate before training, about, marked on the bar of the means.

    Raises:
        DataError: another ``of``, or no network.
    """
    if of not in ("mean", "sd"):
        raise DataError(f"of: got {of!r}, expected 'mean' or 'sd'")
    maps = {
        name: [array.mean(0) if of == "mean" else array.std(0) for array in arrays]
        for name, arrays in _arrays(views).items()
    }
    low, high = _range([*_flat(maps), *([] if start is None or of == "sd" else [np.array([start])])])
    scale = {"vmin": low if of == "mean" else 0.0, "vmax": high, "cmap": GATE_COLORS if of == "mean" else SPREAD_COLORS}
    figure, grid = _grid(maps, len(next(iter(maps.values()))), _height(maps))
    for row, stages in zip(grid, maps.values(), strict=True):
        for ax, values in zip(row, stages, strict=True):
            image = draw_map(ax, values, "", **scale)
    _name_stages(grid[0])
    _name(grid, maps, "block (index)")
    label = "gate (mean over images)" if of == "mean" else "gate: standard deviation over images"
    if of == "mean" and start is not None:
        label += f"\norange: before training, about {start:g}"
    gate_bar(image, list(grid.flat), label, start if of == "mean" else None, named=False)
    return figure


def plot_image_walks(
    views: Views,
    pictures: Mapping[str, np.ndarray],
    image_index: int,
    *,
    label: str | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """One image beside the gates that each network gives to it.

    Args:
        pictures: name -> the image that this network is shown, ``[height, width]`` or ``[1 or 3, height, width]``.
        image_index: which image of the gates this one is.
        label: what the image shows.
        limits: ends of the colour scale, to compare images; the range of these gates otherwise.
    """
    walks = {name: [array[image_index] for array in arrays] for name, arrays in _arrays(views).items()}
    low, high = limits or _range(_flat(walks))
    stages = len(next(iter(walks.values())))
    figure, grid = _grid(walks, 1 + stages, _height(walks), widths=[0.5] + [1.0] * stages)
    for (name, gates), row in zip(walks.items(), grid, strict=True):
        _picture(row[0], pictures[name])
        for ax, values in zip(row[1:], gates, strict=True):
            image = draw_map(ax, values, "", vmin=low, vmax=high, cmap=GATE_COLORS)
    grid[0, 0].set_title(f"image {image_index}" + ("" if label is None else f"\nlabel {label!r}"), fontsize=10)
    _name_stages(grid[0, 1:])
    _name(grid[:, 1:], walks, "block (index)")
    gate_bar(image, list(grid.flat), "gate (of this image)", named=False)
    return figure


def plot_class_maps(
    views: Views, labels: Sequence[int], class_names: Sequence[str], shares: Mapping[str, Sequence[float]]
) -> Figure:
    """What a class changes in the last block of each stage: the class mean of each gate minus its mean over all images.

    Above each map stand the share of the gate's variance over images that lies between classes, and the largest
    deviation, which may be too small to see on the common scale.

    Args:
        labels: the class index of each image.
        class_names: names of the classes; a class without an image is an empty row.
        shares: name -> for each stage the share in its last block, 0 to 1.
    """
    labels = np.asarray(labels)
    maps = {
        name: [_deviations(array[:, -1], labels, len(class_names)) for array in arrays]
        for name, arrays in _arrays(views).items()
    }
    joint = ", " if len(next(iter(maps.values()))) <= 3 else "\n"  # as wide as a panel
    limit = max(float(np.nanmax(np.abs(values))) for values in _flat(maps)) or 1.0
    rows = min(len(class_names), MAX_NAMES)
    figure, grid = _grid(maps, len(next(iter(maps.values()))), 0.65 + 0.11 * rows)
    for index, ((name, stages), row) in enumerate(zip(maps.items(), grid, strict=True)):
        for stage, (ax, values) in enumerate(zip(row, stages, strict=True)):
            image = draw_map(ax, values, "", vmin=-limit, vmax=limit, cmap=SIGNED_COLORS)
            head = "" if index else f"stage {stage}, last block\n"
            largest = float(np.nanmax(np.abs(values)))
            share = shares[name][stage]
            told = f"{100 * share:.0f} % between classes" if np.isfinite(share) else "no variance"
            ax.set_title(f"{head}{told}{joint}±{largest:.2g}", fontsize=9.5, fontweight="normal")
    step = -(-len(class_names) // MAX_NAMES)
    for ax in grid[:, 0]:
        ax.set_yticks(range(0, len(class_names), step), class_names[::step], fontsize=8)
    _name(grid, maps, "class" if step == 1 else f"class (every {step}th)")
    gate_bar(image, list(grid.flat), "gate: class mean minus\nmean over all images (white: 0)", named=False)
    return figure


def _deviations(gates: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """``[class, channel]``: the class means of ``gates [image, channel]`` minus the mean; NaN without an image."""
    deviation = np.full((classes, gates.shape[1]), np.nan)
    for index in np.intersect1d(labels, np.arange(classes)):
        deviation[index] = gates[labels == index].mean(0) - gates.mean(0)
    return deviation


def _picture(ax: Axes, picture: np.ndarray) -> None:
    picture = np.asarray(picture)
    if picture.ndim == 3 and picture.shape[0] in (1, 3):
        picture = picture.transpose(1, 2, 0)
    ax.imshow(picture.squeeze(), cmap="gray", interpolation="nearest")
    ax.set(xticks=[], yticks=[])


def _arrays(views: Views) -> dict[str, list[np.ndarray]]:
    if not views:
        raise DataError("there is no network to draw: expected name -> gates, one array a stage")
    arrays = {name: stage_arrays(stages) for name, stages in views.items()}
    if len({len(stages) for stages in arrays.values()}) > 1:
        raise DataError("networks that are drawn below each other need the same number of stages")
    return arrays


def _grid(
    views: Mapping[str, Any], columns: int, height: float, widths: Sequence[float] | None = None
) -> tuple[Figure, np.ndarray]:
    """Axes ``[network, column]``; only the last row has numbers and a name below it."""
    figure = plt.figure(figsize=(WIDTH, 0.6 + max(LEAST, height) * len(views)), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.03, w_pad=0.04)
    return figure, figure.subplots(len(views), columns, squeeze=False, width_ratios=widths)


def _name(grid: np.ndarray, names: Iterable[str], label: str) -> None:
    """Each network's name beside its row, in its colour, above what its rows are; labels of x at the foot only."""
    for name, row in zip(names, grid, strict=True):
        row[0].set_ylabel(f"{name}\n{label}", color=readable(arm_style(name).color))
        row[0].set_gid(name)
    for ax in grid[:-1].flat:
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
    for ax in grid[:, 1:].flat:
        ax.tick_params(labelleft=False)


def _name_stages(axes: Iterable[Axes]) -> None:
    for stage, ax in enumerate(axes):
        ax.set_title(f"stage {stage}")


def _flat(maps: Mapping[str, Sequence[np.ndarray]]) -> list[np.ndarray]:
    return [values for stages in maps.values() for values in stages]


def _range(arrays: Sequence[np.ndarray]) -> tuple[float, float]:
    return min(float(array.min()) for array in arrays), max(float(array.max()) for array in arrays)


def _height(maps: Mapping[str, Sequence[np.ndarray]]) -> float:
    """Inches of a row: enough to tell one block from the next."""
    return 0.45 + 0.08 * max(len(values) for values in _flat(maps))
