"""One look for the whole lab: the same arm has the same colour and marker in every figure."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

from dianet_lab.errors import DataError

INK = "#2b2b2b"
"""Text, axes and whatever belongs to no arm."""

FAINT = "#c9c9c9"
"""Guides: zero lines, stage borders, the lines that join the runs of one seed."""


NOT_FROM_ZERO = "the axis does not start at 0"
"""What the label of an axis says that could."""


class ArmStyle(NamedTuple):
    """How an arm is drawn."""

    color: str
    marker: str


ARM_STYLES: dict[str, ArmStyle] = {
    "plain": ArmStyle("#8c8c8c", "o"),
    "plain, gain 0.25": ArmStyle("#5b4636", "s"),
    "SE per block": ArmStyle("#e69f00", "^"),
    "SE per block, start 0.25": ArmStyle("#f5cf65", "P"),
    "SE shared": ArmStyle("#8c5a00", "v"),
    "DIA": ArmStyle("#0072b2", "D"),
    "shared, no memory": ArmStyle("#009e73", "s"),
    "per block, carried": ArmStyle("#c984b1", "p"),
    "per block, no memory": ArmStyle("#7b3f8c", "^"),
    # Other reductions and activations of DIA, which is r=4 and sigmoid: the reductions are shades around its blue.
    "no bottleneck": ArmStyle("#041c3a", "P"),
    "r=1": ArmStyle("#08306b", "v"),
    "r=2": ArmStyle("#0b519c", "s"),
    "r=8": ArmStyle("#4f9fd3", "o"),
    "r=16": ArmStyle("#93c4e6", "^"),
    "tanh": ArmStyle("#d55e00", "s"),
    "relu": ArmStyle("#9f942d", "^"),
    "identity": ArmStyle("#882255", "v"),
    "sigmoid(c-4)": ArmStyle("#7a5cff", "p"),
    "tanh(c+0.549)": ArmStyle("#ef8a3c", "P"),
    "tanh(c/3+0.549)": ArmStyle("#8f3b00", "X"),
    "hardsigmoid": ArmStyle("#5f5f12", "h"),
    # Nothing is looked at: networks without gates are grey, gates without an image brown.
    "plain, half width": ArmStyle("#b3b3b3", "v"),
    "gain 0.25, wider": ArmStyle("#4d4d4d", "^"),
    "gain 0.25, size of r=1": ArmStyle("#332288", "h"),
    "plain, gain 0": ArmStyle("#8d6e5a", "X"),
    "constant 0.25": ArmStyle("#3e2b1f", "P"),
    "static per block": ArmStyle("#a5713f", "D"),
    "scalar per block": ArmStyle("#cfa574", "^"),
    # Changes to DIA: blue; to what it remembers: from blue to the green of no memory; how it is shared: violet.
    "DIA, neutral start": ArmStyle("#56b4e9", "h"),
    "DIA, widened": ArmStyle("#003f6b", "s"),
    "DIA, rate / n": ArmStyle("#3a87b8", "v"),
    "2 cells": ArmStyle("#7d98de", "o"),
    "3 cells": ArmStyle("#4a66c4", "s"),
    "4 cells": ArmStyle("#23357f", "^"),
    "detached": ArmStyle("#1597bb", "X"),
    "clock": ArmStyle("#00b3b3", "p"),
    "shared, no memory, embedding": ArmStyle("#5cc49c", "P"),
    "groups of 2": ArmStyle("#bb91de", "s"),
    "groups of 3": ArmStyle("#6a4fb3", "o"),
    "from block 1": ArmStyle("#7cc8dd", "<"),
    "from block 3": ArmStyle("#0c6d86", ">"),
    "per block, tied start": ArmStyle("#a63d7c", "<"),
    "per block, rate x n": ArmStyle("#e6a8cb", "s"),
    # Parts taken from the cell, and other cells: sea green.
    "no output gate": ArmStyle("#278b7a", "<"),
    "no forget gate": ArmStyle("#84c9c8", ">"),
    "GRU": ArmStyle("#005f56", "p"),
    "GRU per block": ArmStyle("#4fae9f", "h"),
    "RNN": ArmStyle("#6b4c7a", "X"),
    "RNN per block": ArmStyle("#b79ac6", "P"),
    # Other units: dark where shared, light for each block, like SE.
    "ECA shared": ArmStyle("#8b2738", "o"),
    "ECA per block": ArmStyle("#f2889d", "X"),
    "CBAM shared": ArmStyle("#4d611b", "s"),
    "CBAM per block": ArmStyle("#9dba4c", "D"),
    "IE shared": ArmStyle("#3b3b98", "<"),
    "IE per block": ArmStyle("#9191de", ">"),
    # Networks compared by their gates (plot_gate_variation).
    "shared": ArmStyle("#0072b2", "D"),
    "per block": ArmStyle("#c984b1", "p"),
    "untrained": ArmStyle("#8c8c8c", "s"),
    "pixels shuffled": ArmStyle("#d55e00", "o"),
    "this run": ArmStyle("#0072b2", "D"),
    "targets shuffled": ArmStyle("#d55e00", "X"),
}
"""Okabe and Ito's colours, which the colour-blind can tell apart, and shades of them.

In one study no two arms come close in colour for them either, and those of one marker are far apart: the tests measure.
"""

# What is left of Paul Tol's muted palette, for arms that the lab has no name for.
_SPARE_COLORS = ("#44aa99", "#332288", "#cc6677", "#117733", "#b8a22f", "#aa4499")
_SPARE_MARKERS = ("X", "p", "h", "<", ">", "*", "P")


def arm_style(arm: str) -> ArmStyle:
    """Colour and marker of an arm; ``PreResNet, DIA`` has those of ``DIA``, and so has ``no norm, rate 0.1: DIA``.

    An unknown name gets the same ones in every process, by a hash of the name without what stands before the colon.
    """
    own = str(arm).rpartition(": ")[2]
    for name in (arm, own, own.partition(", ")[2], own.rpartition(", ")[2]):
        if name in ARM_STYLES:
            return ARM_STYLES[name]
    number = int.from_bytes(hashlib.sha256(own.encode()).digest()[:8], "big")
    color, marker = number % len(_SPARE_COLORS), number // len(_SPARE_COLORS) % len(_SPARE_MARKERS)
    return ArmStyle(_SPARE_COLORS[color], _SPARE_MARKERS[marker])


def readable(color: str) -> str:
    """``color`` darkened until text in it has a contrast of 4.5 to 1 against white (WCAG 2, level AA)."""
    rgb = np.array(to_rgb(color))
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb *= 0.95
    return to_hex(rgb)


def _luminance(rgb: np.ndarray) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def set_style() -> None:
    """Set the look of every figure that follows, by the style file ``lab.mplstyle``; a notebook calls it once."""
    sns.set_theme(style="ticks", palette=["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8c8c8c"])
    plt.style.use("dianet_lab.plots.lab")


def own_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax``, or the axes of a new figure of ``width`` by ``height`` inches."""
    if ax is None:
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def legend_above(ax: Axes, handles: Sequence, height: float = 1.0) -> None:
    """A key in one row above the axes; ``height`` is its lower edge, in heights of the axes."""
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, height),
        ncols=len(handles),
        frameon=False,
        borderaxespad=0.2,
        handletextpad=0.5,
        columnspacing=1.8,
    )


def require(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise :class:`DataError` where ``frame`` lacks one of ``columns``."""
    missing = [column for column in columns if column not in frame]
    if missing:
        raise DataError(f"the frame to plot lacks {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")


def baseline_first(frame: pd.DataFrame, arms: Sequence[str] | None = None) -> list[str]:
    """The arms to draw: ``arms`` as given, else in the order of the frame with the baseline at the front."""
    if arms is not None:
        return list(arms)
    names = list(frame["arm"].drop_duplicates())
    baseline = set(frame.loc[frame["is_baseline"].astype(bool), "arm"]) if "is_baseline" in frame else set()
    return sorted(names, key=lambda arm: arm not in baseline)
