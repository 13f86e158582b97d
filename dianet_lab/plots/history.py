"""Courses over the epochs of training: losses, accuracies, speeds."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from dianet_lab.plots.labels import label_line_ends
from dianet_lab.plots.style import arm_style, baseline_first, own_axes, require

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
    names, ends, colors = [], [], []
    for arm in baseline_first(history, arms):
        values = history[(history["arm"] == arm) & history[y].notna()]
        if values.empty:
            continue
        band = factor * values.groupby("epoch")[y].agg(["mean", "min", "max"])
        color = arm_style(arm).color
        # Few evaluated epochs would leave it unclear where the values are.
        ax.plot(
            band.index,
            band["mean"],
            color=color,
            label=arm,
            zorder=3,
            linestyle=DASHES[colors.count(color) % len(DASHES)],
            marker="o" if len(band) < 8 else None,
            markersize=4,
        )
        ax.fill_between(band.index, band["min"], band["max"], color=color, alpha=0.16, linewidth=0, zorder=2)
        names.append(arm)
        ends.append(band["mean"].iloc[-1])
        colors.append(color)
    ax.set(xlabel="epoch", ylabel=HISTORY_LABELS.get(y, y))
    ax.set_title("line: mean over seeds; band: lowest to highest seed", fontweight="normal", loc="left", fontsize=10)
    ax.margins(x=0.01)
    ax.set_ylim(ylim)
    label_line_ends(ax, names, ends, colors)
    return ax
