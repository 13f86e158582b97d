"""The axis on which layers stand in forward order: stages side by side, with one place free between them."""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes

from dianet_lab.plots.style import FAINT

LABEL = "layer in forward order (block index within its stage)"
FEW = 30
"""Layers of which every one has its number; of more, every fifth."""

Places = Mapping[tuple[int, int], int]


def layer_places(layers: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """x of each ``(stage, block)``, in forward order."""
    ordered = sorted({(int(stage), int(block)) for stage, block in layers})
    stages = sorted({stage for stage, _ in ordered})
    return {layer: index + stages.index(layer[0]) for index, layer in enumerate(ordered)}


def mark_layers(ax: Axes, places: Places, *, label: str = LABEL, height: float = 1.02, borders: bool = True) -> None:
    """Block numbers as ticks, the stages' names above the axes, and a line between stages.

    Args:
        height: of the names, in heights of the axes.
        borders: whether there are lines between stages.
    """
    step = 1 if len(places) <= FEW else 5
    ticks = [(at, block) for (_, block), at in places.items() if block % step == 0]
    ax.set_xticks([at for at, _ in ticks], [str(block) for _, block in ticks])
    for stage in sorted({stage for stage, _ in places}):
        own = [at for (number, _), at in places.items() if number == stage]
        where = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        ax.text(np.mean(own), height, f"stage {stage}", **where, gid="stage")
        if borders and own[0]:
            ax.axvline(own[0] - 1, color=FAINT, linewidth=0.8, zorder=0, gid="border")
    ax.set_xlabel(label)
