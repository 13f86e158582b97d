"""What the schematics of a stage are drawn with: its blocks, its units, their squeezes and gates, and plain shapes."""

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from dianet_lab.plots.style import INK, arm_style, readable

STREAM = "#6b6b6b"
SHORTCUT, SHORTCUT_WIDTH = INK, 2.4
"""Darker and wider than the way through the branch, with which it shares every block."""

SQUEEZE = "#009e73"
GATE = "#d55e00"
STATE = "#0072b2"

CLOCK = "#8e3a8e"
"""The state with no image in it."""

PITCH = 4.1
"""Length of one block in drawing units; everything within a block is measured from its left end."""

UNIT_LEFT, UNIT_RIGHT = 0.75, 3.45
UNIT_BOTTOM, STATE_HEIGHT = 2.0, 2.62
TAP, PRODUCT, SUM = 2.25, 2.9, 3.65
"""Where in a block the squeeze is taken, the gate multiplies and the shortcut is added."""

USE = (TAP + PRODUCT) / 2
"""Where in a block its unit is used."""

NAME_SIZE = 9.5
"""Of the words in a drawing, in points."""


def draw_block(ax: Axes, left: float, first: bool, gated: bool) -> None:
    """Branch, product with the gate, sum with the shortcut. The names stand at the first block only."""
    arrow(ax, (left - 0.35, 0), (left + 0.4, 0), STREAM)
    box(ax, left + 0.4, -0.5, 1.6, 1.0, "#f1f1f1", STREAM, gid="branch")
    ax.text(left + 1.2, 0, "branch", ha="center", va="center", fontsize=NAME_SIZE)
    if gated:
        arrow(ax, (left + 2.0, 0), (left + PRODUCT - 0.25, 0), STREAM)
        node(ax, left + PRODUCT, "×", GATE)
    arrow(ax, (left + (PRODUCT + 0.25 if gated else 2.0), 0), (left + SUM - 0.25, 0), STREAM)
    node(ax, left + SUM, "+", STREAM)
    ax.plot(
        [left + 0.1, left + 0.1, left + SUM],
        [0, -1.0, -1.0],
        color=SHORTCUT,
        linewidth=SHORTCUT_WIDTH,
        gid="shortcut",
        solid_joinstyle="round",
    )
    arrow(ax, (left + SUM, -1.0), (left + SUM, -0.25), SHORTCUT, gid="shortcut end", width=SHORTCUT_WIDTH)
    if first:
        ax.text(left + 1.7, -0.95, "shortcut", ha="center", va="bottom", fontsize=NAME_SIZE, color=SHORTCUT)
        _brace(ax, left, left + PITCH - 0.3, -1.35, "block")


def _brace(ax: Axes, left: float, right: float, y: float, name: str) -> None:
    ax.plot([left, left, right, right], [y + 0.12, y, y, y + 0.12], color=INK, linewidth=0.9)
    ax.text((left + right) / 2, y - 0.06, name, ha="center", va="top", fontsize=NAME_SIZE)


def draw_unit(ax: Axes, members: range, number: int, name: str, alone: bool, stateful: bool, top: float) -> None:
    """One box over the blocks it serves, up to ``top``."""
    left, right = members[0] * PITCH + UNIT_LEFT, members[-1] * PITCH + UNIT_RIGHT
    box(ax, left, UNIT_BOTTOM, right - left, top - UNIT_BOTTOM, "#dcebf5", arm_style("DIA").color, gid="unit")
    text = f"one {name} unit for all blocks" if alone else f"{name} {number}"
    y = top - 0.35 if stateful else (UNIT_BOTTOM + top) / 2
    ax.text((left + right) / 2, y, text, ha="center", va="center", fontsize=NAME_SIZE, fontweight="bold")


def draw_gates(ax: Axes, blocks: int) -> None:
    """At every block: the squeeze of the branch goes up into the unit, the gate comes down to the product."""
    for left in (block * PITCH for block in range(blocks)):
        ax.plot([left + TAP], [0], marker="o", markersize=3.5, color=SQUEEZE, zorder=4)
        arrow(ax, (left + TAP, 0), (left + TAP, UNIT_BOTTOM), SQUEEZE, gid="squeeze")
        arrow(ax, (left + PRODUCT, UNIT_BOTTOM), (left + PRODUCT, 0.25), GATE, gid="gate")
    ax.text(
        TAP - 0.15,
        1.25,
        "squeeze\n(average pool)",
        color=readable(SQUEEZE),
        ha="right",
        va="center",
        fontsize=NAME_SIZE,
    )
    ax.text(PRODUCT + 0.15, 1.25, "gate", color=readable(GATE), ha="left", va="center", fontsize=NAME_SIZE)


def box(ax: Axes, left: float, bottom: float, width: float, height: float, fill: str, edge: str, gid: str) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (left, bottom),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.15",
            facecolor=fill,
            edgecolor=edge,
            linewidth=1.3,
            zorder=2,
            gid=gid,
        )
    )


def node(ax: Axes, x: float, sign: str, color: str) -> None:
    ax.add_patch(Circle((x, 0), 0.25, facecolor="white", edgecolor=color, linewidth=1.4, zorder=3))
    ax.text(x, -0.015, sign, ha="center", va="center_baseline", fontsize=11, color=color, zorder=4)


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    gid: str | None = None,
    width: float = 1.5,
    style: str = "-",
) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            shrinkA=0,
            shrinkB=0,
            color=color,
            linewidth=width,
            linestyle=style,
            zorder=4,
            gid=gid,
            joinstyle="miter",
            capstyle="butt",
        )
    )
