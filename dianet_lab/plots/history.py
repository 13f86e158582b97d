"""Courses over the epochs of training: losses, accuracies, speeds."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from dianet_lab.plots.labels import label_line_ends
from dianet_lab.plots.style import NOT_FROM_ZERO, arm_style, baseline_first, own_axes, require

HISTORY_LABELS = {
    "train_loss": "training loss (nats)",
    "train_accuracy": "training accuracy (%)",
    "test_loss": "test loss (nats)",
    "test_accuracy": "test accuracy (%)",
    "lr": "learning rate (dimensionless)",
    "seconds": "time for one epoch (s)",
    "images_per_second": "training images per second (1/s)",
}

DASHES = ("-", "--", ":", "-.")
"""Lines of one colour in one figure: one arm on several backbones or at several depths."""


def plot_history(
    history: pd.DataFrame,
    y: str = "test_accuracy",
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    ylim: tuple[float, float] | None = None,
) -> Axes:
    """Course of ``y`` over the epochs: the mean over seeds, and a band from the lowest to the highest seed.

    Losses are drawn on a logarithmic axis, on which their ends can be told apart. Lines of one colour (an arm on
    several backbones or at several depths) are dashed, and a piece of each line stands before its name.

    Args:
        history: tidy, with arm, seed, epoch (from 1) and ``y``; rows where ``y`` is NaN (not evaluated) are left out.
        y: a key of :data:`HISTORY_LABELS`; accuracies are drawn in %.
        ax: where to draw; a new figure otherwise.
        arms: which arms; all otherwise.
        ylim: ends of the y axis in its units, to see the last epochs of arms that end close together.
    """
    require(history, ["arm", "seed", "epoch", y])
    ax = own_axes(ax, 8.5, 4.2)
    factor = 100 if y.endswith("accuracy") else 1
    bands = {}
    for arm in baseline_first(history, arms):
        values = history[(history["arm"] == arm) & history[y].notna()]
        if len(values):
            bands[arm] = factor * values.groupby("epoch")[y].agg(["mean", "min", "max"])
    colors = [arm_style(arm).color for arm in bands]
    dashes = [DASHES[colors[:number].count(color) % len(DASHES)] for number, color in enumerate(colors)]
    for (arm, band), color, dash in zip(bands.items(), colors, dashes, strict=True):
        # Few evaluated epochs would leave it unclear where the values are.
        look = {"linestyle": dash, "marker": "o" if len(band) < 8 else None, "markersize": 4}
        ax.plot(band.index, band["mean"], color=color, label=arm, zorder=3, **look)
        ax.fill_between(band.index, band["min"], band["max"], color=color, alpha=0.16, linewidth=0, zorder=2)
    ax.set_title("line: mean over seeds; band: lowest to highest seed", fontweight="normal", loc="left", fontsize=10)
    ax.margins(x=0.01)
    _scale(ax, y, ylim)
    ends = [band["mean"].iloc[-1] for band in bands.values()]
    label_line_ends(ax, list(bands), ends, colors, dashes if len(set(colors)) < len(colors) else None)
    return ax


def _scale(ax: Axes, y: str, ylim: tuple[float, float] | None) -> None:
    """Name both axes; a loss has a logarithmic axis, anything else one from 0, where that leaves the lines apart."""
    label = HISTORY_LABELS.get(y, y)
    if y.endswith("loss"):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
        label = label.replace(")", "; logarithmic axis)")
    ax.set_ylim(ylim)
    low, high = ax.get_ylim()
    if not y.endswith("loss") and low > 0:
        if ylim is None and low < high / 2:
            ax.set_ylim(0, high)
        else:
            label += f"\n({NOT_FROM_ZERO})"
    ax.set(xlabel="epoch", ylabel=label)
