"""Maps from earlier to later blocks: a triangle a stage, which source does how much to which target."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dianet_lab.plots.style import FAINT, require

COLORS = "cividis"


def plot_triangles(
    maps: Mapping[str, pd.DataFrame], *, value: str, label: str, limits: tuple[float, float] | None = None
) -> Figure:
    """A row of panels for each name, a panel for each stage; the source block across, the target block up.

    Args:
        maps: name -> tidy ``stage, source, target`` and ``value``; several rows of one cell are averaged.
        label: of the colour bar, with its unit.
        limits: ends of the colour scale, which all panels share; from 0 (or the lowest, if negative) to the highest.
    """
    for frame in maps.values():
        require(frame, ["stage", "source", "target", value])
    stages = sorted({stage for frame in maps.values() for stage in frame["stage"]})
    figure, axes = plt.subplots(
        len(maps), len(stages), figsize=(9, 0.6 + 2.5 * len(maps)), squeeze=False, layout="constrained"
    )
    values = np.concatenate([frame[value].to_numpy(float) for frame in maps.values()])
    low, high = limits or (min(0.0, float(np.nanmin(values))), float(np.nanmax(values)))
    for row, (name, frame) in zip(axes, maps.items(), strict=True):
        for ax, stage in zip(row, stages, strict=True):
            table = frame[frame["stage"] == stage].pivot_table(index="target", columns="source", values=value)
            image = _panel(ax, table, low, high)
            ax.set_title(f"{name}, stage {stage}")
        row[0].set_ylabel("gate of block (index)")
    for ax in axes[-1]:
        ax.set_xlabel("state behind block (index)")
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02, aspect=10 * len(maps), label=label)
    bar.outline.set_visible(False)
    return figure


def _panel(ax, table: pd.DataFrame, low: float, high: float):
    """One triangle; a cell without a value is left white."""
    sources, targets = table.columns.to_numpy(int), table.index.to_numpy(int)
    grid = np.full((targets.max() + 1, sources.max() + 1), np.nan)
    grid[np.ix_(targets, sources)] = table.to_numpy(float)
    image = ax.imshow(grid, vmin=low, vmax=high, cmap=COLORS, origin="lower", aspect="auto", interpolation="nearest")
    ax.set(xlim=(sources.min() - 0.5, sources.max() + 0.5), ylim=(targets.min() - 0.5, targets.max() + 0.5))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
    for spine in ax.spines.values():
        spine.set_color(FAINT)
    return image
