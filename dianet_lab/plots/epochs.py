"""How gates change while a network is trained, stage by stage."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from dianet_lab.plots.style import FAINT, INK, arm_style, require

MEASURES = {
    "mean": "gate: mean",
    "spread": "gate: standard\ndeviation over images",
    "class_share": "share between\nclasses (0 to 1)",
}


def plot_gates_by_epoch(
    course: pd.DataFrame, *, chance: float | None = None, arms: Sequence[str] | None = None
) -> Figure:
    """Mean, deviation over images and class share of the gates after some epochs: a row a measure, a panel a stage.

    The epoch's axis is logarithmic but for its beginning: 0 is before training.

    Args:
        course: one row an arm, stage and epoch, with ``arm``, ``stage``, ``epoch``, ``mean``, ``spread`` and
            ``class_share``.
        chance: the share between classes of gates that ignore the class, a dashed line.
        arms: the lines; all arms otherwise.
    """
    require(course, ["arm", "stage", "epoch", *MEASURES])
    arms = list(course["arm"].drop_duplicates()) if arms is None else list(arms)
    stages = sorted(course["stage"].unique())
    figure, axes = plt.subplots(
        len(MEASURES), len(stages), figsize=(9, 6.2), sharex=True, sharey="row", squeeze=False, layout="constrained"
    )
    for row, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        row[0].set_ylabel(label)
        for ax, stage in zip(row, stages, strict=True):
            for arm in arms:
                part = course[(course["arm"] == arm) & (course["stage"] == stage)].sort_values("epoch")
                ax.plot(part["epoch"], part[measure], **_look(arm), gid=arm)
            if measure == "class_share" and chance is not None:
                ax.axhline(chance, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1, gid="chance")
    for measure, ax in zip(MEASURES, axes[:, 0], strict=True):
        if measure != "mean":  # after all lines are drawn, since it ends the scaling
            ax.set_ylim(bottom=0)
    for ax, stage in zip(axes[0], stages, strict=True):
        ax.set_title(f"stage {stage}")
    for ax in axes.flat:
        _epochs(ax, sorted(course["epoch"].unique()))
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    handles = [Line2D([], [], **_look(arm), label=arm) for arm in arms]
    if chance is not None:
        handles.append(Line2D([], [], color=INK, linewidth=1, linestyle=(0, (4, 3)), label=f"chance: {chance:.2f}"))
    figure.legend(handles=handles, loc="outside upper left", ncols=5, frameon=False, columnspacing=1.5)
    return figure


def _look(arm: str) -> dict:
    color, marker = arm_style(arm)
    return {"color": color, "marker": marker, "markersize": 5, "markeredgecolor": "white", "linewidth": 1.5}


def _epochs(ax: Axes, epochs: list[int]) -> None:
    """A tick at every epoch that was looked at but those that would touch the one before."""
    ax.set_xscale("symlog", linthresh=1, linscale=0.6)
    ticks: list[int] = []
    for epoch in epochs:
        if not ticks or ticks[-1] == 0 or epoch >= 1.6 * ticks[-1] or epoch == epochs[-1]:
            ticks.append(epoch)
    if len(ticks) > 2 and ticks[-1] < 1.6 * ticks[-2]:
        del ticks[-2]
    ax.set_xlim(-0.15, 1.1 * max(epochs))
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    ax.grid(axis="x", color=FAINT, linewidth=0.4)
