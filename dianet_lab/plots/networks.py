"""Networks: what the blocks of each backbone are made of, and what attention costs as they grow deeper."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dianet_lab.plots.costs import short_number
from dianet_lab.plots.labels import label_line_ends
from dianet_lab.plots.style import FAINT, INK, arm_style, legend_above, own_axes, require

CONV, NORM, OTHER = "#dce9f5", "#f1f1f1", "#ffffff"
GATE = "#d55e00"

# From the input at the bottom to the gate at the top; "?" marks what is optional.
BLOCKS: dict[str, list[str]] = {
    "ResNet\n(bottleneck)": ["conv 1x1", "norm, ReLU", "conv 3x3", "norm, ReLU", "conv 1x1, ×4", "norm"],
    "ResNeXt": ["conv 1x1", "norm, ReLU", "conv 3x3, grouped", "norm, ReLU", "conv 1x1", "norm"],
    "PreResNet\n(bottleneck)": [
        "norm, ReLU",
        "conv 1x1",
        "norm, ReLU",
        "conv 3x3",
        "norm, ReLU",
        "conv 1x1, ×4",
        "norm?",
    ],
    "Wide ResNet": ["norm, ReLU", "conv 3x3", "norm, ReLU", "dropout?", "conv 3x3", "norm?"],
}
AFTER = {"ResNet\n(bottleneck)": "ReLU", "ResNeXt": "ReLU"}
READING = (
    "From the input (bottom) to the output (top); conv: its kernel in pixels; ×4: into four times the channels.\n"
    "Orange ×: the branch times its gate, one number a channel. White +: the shortcut (right) is added.\n"
    "Dashed: optional, in some versions of the network only."
)
"""What the marks of a block mean."""

GATE_HEIGHT, ADD_HEIGHT, AFTER_HEIGHT = 7.6, 8.6, 9.6


def plot_blocks(*, ax: Axes | None = None) -> Axes:
    """One block of each backbone, from its input up: the branch on the left, the shortcut on the right, the gate."""
    ax = own_axes(ax, 9, 6.0)
    for column, (title, layers) in enumerate(BLOCKS.items()):
        _block(ax, 2.6 * column, title, layers)
    ax.text(-0.9, -1.7, READING, va="top", linespacing=1.5, gid="key")
    ax.set(xlim=(-1.0, 2.6 * len(BLOCKS) - 1.35), ylim=(-3.7, 11.4))
    ax.axis("off")
    return ax


def _block(ax: Axes, x: float, title: str, layers: list[str]) -> None:
    side = x + 1.15
    ax.text(x + 0.3, 10.5, title, ha="center", va="bottom", fontweight="bold")
    _line(ax, [x, x], [-0.9, 10.3])
    _line(ax, [x, side, side, x], [-0.55, -0.55, ADD_HEIGHT, ADD_HEIGHT])
    for row, layer in enumerate(layers):
        _box(ax, x, 1.05 * row, layer)
    ax.plot(x, GATE_HEIGHT, "o", color=GATE, markersize=19, zorder=3)
    ax.text(x, GATE_HEIGHT, "×", color="white", ha="center", va="center", fontsize=15, zorder=4)
    ax.text(x - 0.3, GATE_HEIGHT, "gate", color=GATE, ha="right", va="center", fontweight="bold")
    ax.plot(x, ADD_HEIGHT, "o", color="white", markeredgecolor=INK, markersize=16, zorder=3)
    ax.text(x, ADD_HEIGHT, "+", ha="center", va="center", fontsize=14, zorder=4)
    if title in AFTER:
        _box(ax, x, AFTER_HEIGHT - 0.37, AFTER[title])


def _line(ax: Axes, xs: list[float], ys: list[float]) -> None:
    ax.plot(xs, ys, color=INK, linewidth=1.3, zorder=1, solid_joinstyle="round")


def _box(ax: Axes, x: float, y: float, text: str) -> None:
    optional = text.endswith("?")
    color = CONV if "conv" in text else NORM if "norm" in text else OTHER
    style = {"facecolor": color, "edgecolor": INK, "linewidth": 0.9, "linestyle": "--" if optional else "-"}
    ax.add_patch(FancyBboxPatch((x - 0.85, y), 1.7, 0.74, boxstyle="round,pad=0.02", zorder=2, **style))
    ax.text(x, y + 0.36, text.removesuffix("?"), ha="center", va="center", fontsize=9.5, zorder=3)


def plot_fine_tuning(history: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """The training loss of every update, a line an arm.

    Args:
        history: one row an arm and update: arm, step, loss (nats).
    """
    require(history, ["arm", "step", "loss"])
    ax = own_axes(ax, 8.5, 3.6)
    for arm, rows in history.groupby("arm", sort=False):
        color, marker = arm_style(arm)
        ax.plot(rows["step"], rows["loss"], color=color, marker=marker, markersize=5, label=arm)
    ax.set(xlabel="update (number)", ylabel="training loss (nats)", ylim=(0, None))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(ax, ax.get_lines())
    return ax


def plot_units_by_depth(costs: pd.DataFrame, *, ax: Axes | None = None, crossover: int | None = None) -> Axes:
    """Parameters of all attention units against the depth of the network, a line an arm; both axes linear, y from 0.

    Args:
        costs: one row for each depth and arm: depth, arm, parameters.
        ax: where to draw; a new figure otherwise.
        crossover: the first depth at which the arm that is smallest at the greatest depth is the smallest.
    """
    require(costs, ["depth", "arm", "parameters"])
    ax = own_axes(ax, 8.5, 3.8)
    for arm, rows in costs.groupby("arm", sort=False):
        color, marker = arm_style(arm)
        ax.plot(rows["depth"], rows["parameters"], color=color, marker=marker, markersize=5, label=arm, gid="line")
    ax.set(xlabel="depth of the network (layers)", ylabel="parameters of all its units (number)", ylim=(0, None))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda size, _: short_number(size)))
    lines = [line for line in ax.get_lines() if line.get_gid() == "line"]
    names, colors = [line.get_label() for line in lines], [line.get_color() for line in lines]
    label_line_ends(ax, names, [line.get_ydata()[-1] for line in lines], colors)
    if crossover is not None:
        deepest = costs[costs["depth"] == costs["depth"].max()]
        smallest = deepest.loc[deepest["parameters"].idxmin(), "arm"]
        ax.axvline(crossover, color=FAINT, linewidth=1.2, zorder=0, gid="crossover")
        # Lines that grow with depth leave the upper left free.
        told = f"from depth {crossover} on\n{smallest} has the fewest"
        where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top", "ha": "right"}
        ax.annotate(told, (crossover, 0.97), xytext=(-6, 0), **where)
    return ax
