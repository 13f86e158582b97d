"""Training seen from inside: how gates move, and what gradient reaches each block."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from dianet_lab.plots.labels import label_line_ends
from dianet_lab.plots.style import FAINT, INK, arm_style, baseline_first, legend_above, own_axes, readable, require

QUANTILES = ("q05", "q25", "q50", "q75", "q95")
WIDE, NARROW = 0.16, 0.34
"""Strengths of the two bands."""


def plot_gate_training(
    frame: pd.DataFrame, *, arms: Sequence[str] | None = None, columns: int = 3, neutral: float | None = 1.0
) -> Figure:
    """The distribution of the gate over training, a panel an arm: the median and the ranges of 50 and 90 % of gates.

    Args:
        frame: one row an arm and epoch (0: untrained), or one for each seed too, whose quantiles are averaged: arm,
            epoch, q05, q25, q50, q75 and q95 (quantiles over images, blocks and channels, dimensionless).
        arms: the panels; all arms otherwise.
        columns: how many panels stand side by side.
        neutral: the gate that changes nothing, a thin line; None for no line.
    """
    require(frame, ["arm", "epoch", *QUANTILES])
    arms = baseline_first(frame, arms)
    columns = min(columns, max(len(arms), 1))
    rows = max(-(-len(arms) // columns), 1)
    figure, axes = plt.subplots(
        rows, columns, figsize=(9, 0.9 + 1.9 * rows), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for ax, arm in zip(axes.flat, arms, strict=False):
        _gate_panel(ax, arm, frame.loc[frame["arm"] == arm, ["epoch", *QUANTILES]].groupby("epoch").mean(), neutral)
    for ax in axes.flat[len(arms) :]:
        ax.set_visible(False)
    for ax in axes.flat[max(len(arms) - columns, 0) : len(arms)]:
        ax.tick_params(labelbottom=True)
    figure.supxlabel("epoch", fontsize=10.5, color=INK)
    figure.supylabel("gate (dimensionless)", fontsize=10.5, color=INK)
    figure.legend(handles=_gate_key(neutral), loc="outside upper left", ncols=4, frameon=False, columnspacing=1.8)
    return figure


def _gate_panel(ax: Axes, arm: str, course: pd.DataFrame, neutral: float | None) -> None:
    color = arm_style(arm).color
    if neutral is not None:
        ax.axhline(neutral, color="#9a9a9a", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1, gid="neutral")
    for (low, high), strength in ((("q05", "q95"), WIDE), (("q25", "q75"), NARROW)):
        band = {"color": color, "alpha": strength, "linewidth": 0, "zorder": 2, "gid": f"{low}-{high}"}
        ax.fill_between(course.index, course[low], course[high], **band)
    ax.plot(course.index, course["q50"], color=color, zorder=3, label=arm, gid="median")
    ax.set_title(arm, color=readable(color), fontsize=10.5)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.margins(x=0.01)


def _gate_key(neutral: float | None) -> list:
    handles = [
        Line2D([], [], color=INK, linewidth=1.8, label="median gate"),
        Patch(color=INK, alpha=NARROW + WIDE, linewidth=0, label="25 to 75 %"),
        Patch(color=INK, alpha=WIDE, linewidth=0, label="5 to 95 %"),
    ]
    if neutral is not None:
        look = {"color": "#9a9a9a", "linewidth": 0.9, "linestyle": (0, (4, 3))}
        handles.append(Line2D([], [], **look, label=f"{neutral:g}: nothing changed"))
    return handles


def plot_gradients(frame: pd.DataFrame, *, ax: Axes | None = None, arms: Sequence[str] | None = None) -> Axes:
    """The norm of the gradient at each block, a line an arm on a logarithmic axis, with borders between stages.

    Later arms have gaps, in which a line below can be seen. With several seeds the line is their geometric mean and the
    band reaches from the lowest to the highest. A norm that is no finite number is a triangle at the upper edge, one of
    zero a triangle at the lower.

    Args:
        frame: one row an arm and block: arm, block (from 0, over the whole network), stage and norm (not negative);
            seed where there are several.
        ax: where to draw; a new figure otherwise.
        arms: which arms; all otherwise.
    """
    require(frame, ["arm", "block", "stage", "norm"])
    ax = own_axes(ax, 8.8, 4.4)
    ax.set_yscale("log")
    arms = baseline_first(frame, arms)
    lines = ((arm, number, frame[frame["arm"] == arm]) for number, arm in enumerate(arms))
    drawn = [arm for arm, number, rows in lines if _gradient_line(ax, arm, rows, number, len(arms))]
    _mark_stages(ax, frame.drop_duplicates("block").sort_values("block"))
    if "seed" in frame and frame["seed"].nunique() > 1:
        ax.set_xlabel(f"{ax.get_xlabel()}\nline: geometric mean over seeds; band: lowest to highest seed")
    ax.set_ylabel("norm of the gradient of the block's weights\n(nats per unit of weight, logarithmic)")
    _key_of_odd_norms(ax)
    _name_ends(ax, drawn)
    return ax


def _gradient_line(ax: Axes, arm: str, rows: pd.DataFrame, number: int, of: int) -> bool:
    """Draw one arm, the marks ``number`` of ``of`` blocks further on: lines that lie on each other all show theirs.

    Returns:
        Whether it has any norm to draw a line through.
    """
    color, marker = arm_style(arm)
    usable = np.isfinite(rows["norm"]) & (rows["norm"] > 0)
    for odd, height, shape in ((~np.isfinite(rows["norm"]), 0.99, "^"), (rows["norm"] == 0, 0.01, "v")):
        at = rows.loc[odd, "block"].unique()
        look = {"color": color, "marker": shape, "linestyle": "none", "markersize": 7, "gid": f"off:{arm}"}
        if len(at):  # an empty line would count as one at the figure's corner when the figure is laid out
            ax.plot(at, [height] * len(at), transform=ax.get_xaxis_transform(), clip_on=False, **look)
    if not usable.any():
        return False
    logs = np.log(rows.loc[usable].set_index("block")["norm"]).groupby("block").agg(["mean", "min", "max"])
    norms = np.exp(logs).reindex(sorted(rows["block"].unique()))
    ax.fill_between(norms.index, norms["min"], norms["max"], color=color, alpha=0.16, linewidth=0, zorder=2)
    every = max(of, len(norms) // 9)
    look = {"marker": marker, "markersize": 6.5, "markevery": (number % len(norms), every), "markeredgecolor": "white"}
    dashes = (0, (6 * (of - number), 6 * number)) if number else "-"  # what lies below shows in the gaps
    ax.plot(norms.index, norms["mean"], color=color, linestyle=dashes, label=arm, zorder=3, gid="norm", **look)
    return True


def _key_of_odd_norms(ax: Axes) -> None:
    """Explain the triangles, where there are any."""
    shapes = {line.get_marker() for line in ax.get_lines() if str(line.get_gid()).startswith("off:")}
    meanings = (("^", "not a finite number"), ("v", "zero"))
    look = {"color": INK, "linestyle": "none", "markersize": 7}
    handles = [Line2D([], [], marker=shape, label=text, **look) for shape, text in meanings if shape in shapes]
    if handles:
        legend_above(ax, handles, 1.07)


def _mark_stages(ax: Axes, blocks: pd.DataFrame) -> None:
    """A line between stages and their names above the axes."""
    for number, (stage, rows) in enumerate(blocks.groupby("stage", sort=False)):
        first, last = rows["block"].min(), rows["block"].max()
        ax.text((first + last) / 2, 1.02, f"stage {stage}", transform=ax.get_xaxis_transform(), ha="center")
        if number:
            ax.axvline(first - 0.5, color=FAINT, linewidth=1.0, zorder=0, gid="border")
    ax.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    ax.set(xlabel="block in forward order (index over the whole network)", xlim=(-0.6, blocks["block"].max() + 0.6))


def _name_ends(ax: Axes, arms: Sequence[str]) -> None:
    lines = {line.get_label(): line for line in ax.get_lines() if line.get_gid() == "norm"}
    ends = [np.asarray(lines[arm].get_ydata())[np.isfinite(lines[arm].get_ydata())][-1] for arm in arms]
    label_line_ends(ax, arms, ends, [lines[arm].get_color() for arm in arms])
