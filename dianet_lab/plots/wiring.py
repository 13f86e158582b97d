"""Schematics of a stage: who owns an attention unit, and whether its state walks on."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from dianet_lab.errors import unknown_name
from dianet_lab.plots.style import INK, arm_style, own_axes, readable

STREAM = "#6b6b6b"
SQUEEZE = "#009e73"
GATE = "#d55e00"
STATE = "#0072b2"

PITCH = 4.1
"""Length of one block in drawing units; everything within a block is measured from its left end."""

UNIT_BOTTOM, UNIT_TOP, STATE_HEIGHT = 2.0, 3.9, 2.62
TAP, PRODUCT, SUM = 2.25, 2.9, 3.65
"""Where in a block the squeeze is taken, the gate multiplies and the shortcut is added."""

USE = (TAP + PRODUCT) / 2

BOTTOM, MARGINS = -2.65, 1.4
"""Lower end of a drawing, and what it is wider than its blocks."""

UNIT_NAMES = {"lstm": "LSTM", "se": "SE"}


def draw_wiring(ax: Axes | None, sharing: str | int, memory: str | None, unit: str = "lstm", blocks: int = 3) -> Axes:
    """One stage as a diagram: blocks from left to right, the attention unit(s) above, the code's names below.

    Args:
        ax: where to draw; a new figure where ``None``.
        sharing: ``stage`` (one unit for all blocks), ``none`` (one a block) or k (one for each k consecutive blocks).
        memory: ``carried`` (the state walks to the next block) or ``none`` (zero state at every block); a unit
            other than the LSTM has no state and ignores it.
        unit: ``lstm``, ``se``, any other unit's name, or ``none`` for the plain backbone.
        blocks: how many blocks.
    """
    if unit == "lstm" and memory not in ("carried", "none"):
        raise unknown_name("memory", memory, ("carried", "none"))
    ax = own_axes(ax, 8.5, 3.9)
    for block in range(blocks):
        _draw_block(ax, block * PITCH, first=block == 0, gated=unit != "none")
    _arrow(ax, (blocks * PITCH - 0.35, 0), (blocks * PITCH + 0.35, 0), STREAM)
    if unit != "none":
        for number, members in enumerate(_owned(blocks, sharing)):
            _draw_unit(ax, members, number, UNIT_NAMES.get(unit, unit), sharing == "stage", stateful=unit == "lstm")
        _draw_gates(ax, blocks)
        if unit == "lstm":
            _draw_states(ax, blocks, sharing, carried=memory == "carried")
    ax.text(
        blocks * PITCH / 2,
        -2.05,
        _code(sharing, memory, unit),
        family="monospace",
        ha="center",
        va="top",
        fontsize=10,
        gid="code",
    )
    top = UNIT_TOP if unit != "none" else 1.1
    ax.set(xlim=(-0.9, blocks * PITCH + 0.5), ylim=(BOTTOM, top + 0.15))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def plot_wirings(panels: Sequence[tuple[str, str | int, str | None, str]], *, blocks: int = 3) -> Figure:
    """Several wirings in one figure, two a row (one where a stage is long), with one key of the arrows below.

    Args:
        panels: ``(title, sharing, memory, unit)`` of each.
        blocks: how many blocks a stage has.
    """
    columns = min(2, len(panels)) if blocks <= 3 else 1
    rows = -(-len(panels) // columns)
    scale = (9 / columns - 0.1) / (blocks * PITCH + MARGINS)  # inches per drawing unit
    size = (9, 0.4 + rows * (0.3 + scale * (UNIT_TOP - BOTTOM)))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax, (title, sharing, memory, unit) in zip(axes.flat, panels, strict=False):
        draw_wiring(ax, sharing, memory, unit, blocks)
        ax.set_title(title, loc="center")
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    keys = [("squeeze (average pool)", SQUEEZE), ("gate", GATE), ("state (h, c)", STATE), ("shortcut", STREAM)]
    stateful = any(unit == "lstm" for *_, unit in panels)
    handles = [
        Line2D([], [], color=color, linewidth=2.2, label=name) for name, color in keys if stateful or color != STATE
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def plot_stage_schematic(*, blocks: int = 3) -> Figure:
    """The idea of DIANet beside the usual one: a unit for each block, and one unit whose state walks down the stage."""
    return plot_wirings(
        [
            ("SENet: every block owns a unit", "none", None, "se"),
            ("DIANet: one unit, its state walks on", "stage", "carried", "lstm"),
        ],
        blocks=blocks,
    )


def _owned(blocks: int, sharing: str | int) -> list[range]:
    """The blocks that each unit serves."""
    size = {"stage": blocks, "none": 1}.get(sharing, sharing)
    return [range(start, min(start + int(size), blocks)) for start in range(0, blocks, int(size))]


def _code(sharing: str | int, memory: str | None, unit: str) -> str:
    """The configuration as one types it."""
    if unit == "none":
        return 'unit="none"'
    owner = f'sharing="{sharing}"' if isinstance(sharing, str) else f"sharing={sharing}"
    return f'{owner}, memory="{memory}"' if unit == "lstm" else f'unit="{unit}", {owner}'


def _draw_block(ax: Axes, left: float, first: bool, gated: bool) -> None:
    """Branch, product with the gate, sum with the shortcut. The names stand at the first block only."""
    _arrow(ax, (left - 0.35, 0), (left + 0.4, 0), STREAM)
    _box(ax, left + 0.4, -0.5, 1.6, 1.0, "#f1f1f1", STREAM, gid="branch")
    ax.text(left + 1.2, 0, "branch", ha="center", va="center", fontsize=9.5)
    if gated:
        _arrow(ax, (left + 2.0, 0), (left + PRODUCT - 0.25, 0), STREAM)
        _node(ax, left + PRODUCT, "×", GATE)
    _arrow(ax, (left + (PRODUCT + 0.25 if gated else 2.0), 0), (left + SUM - 0.25, 0), STREAM)
    _node(ax, left + SUM, "+", STREAM)
    ax.plot(
        [left + 0.1, left + 0.1, left + SUM],
        [0, -1.0, -1.0],
        color=STREAM,
        linewidth=1.4,
        gid="shortcut",
        solid_joinstyle="round",
    )
    _arrow(ax, (left + SUM, -1.0), (left + SUM, -0.25), STREAM)
    if first:
        ax.text(left + 1.7, -0.95, "shortcut", ha="center", va="bottom", fontsize=9.5, color=STREAM)
        _brace(ax, left, left + PITCH - 0.3, -1.35, "block")


def _brace(ax: Axes, left: float, right: float, y: float, name: str) -> None:
    ax.plot([left, left, right, right], [y + 0.12, y, y, y + 0.12], color=INK, linewidth=0.9)
    ax.text((left + right) / 2, y - 0.06, name, ha="center", va="top", fontsize=9.5)


def _draw_unit(ax: Axes, members: range, number: int, name: str, alone: bool, stateful: bool) -> None:
    """One box over the blocks it serves."""
    left, right = members[0] * PITCH + 0.75, members[-1] * PITCH + 3.45
    color = arm_style("DIA").color
    _box(ax, left, UNIT_BOTTOM, right - left, UNIT_TOP - UNIT_BOTTOM, "#dcebf5", color, gid="unit")
    text = f"one {name} unit for all blocks" if alone else f"{name} {number}"
    y = UNIT_TOP - 0.35 if stateful else (UNIT_BOTTOM + UNIT_TOP) / 2
    ax.text((left + right) / 2, y, text, ha="center", va="center", fontsize=9.5, fontweight="bold")


def _draw_gates(ax: Axes, blocks: int) -> None:
    """At every block: the squeeze of the branch goes up into the unit, the gate comes down to the product."""
    for left in (block * PITCH for block in range(blocks)):
        ax.plot([left + TAP], [0], marker="o", markersize=3.5, color=SQUEEZE, zorder=4)
        _arrow(ax, (left + TAP, 0), (left + TAP, UNIT_BOTTOM), SQUEEZE, gid="squeeze")
        _arrow(ax, (left + PRODUCT, UNIT_BOTTOM), (left + PRODUCT, 0.25), GATE, gid="gate")
    ax.text(TAP - 0.15, 1.25, "squeeze\n(average pool)", color=readable(SQUEEZE), ha="right", va="center", fontsize=9.5)
    ax.text(PRODUCT + 0.15, 1.25, "gate", color=readable(GATE), ha="left", va="center", fontsize=9.5)


def _draw_states(ax: Axes, blocks: int, sharing: str | int, carried: bool) -> None:
    """State arrows from one use of a unit to the next; a 0 where a use starts from zero state."""
    for block in range(blocks):
        use = block * PITCH + USE
        ax.plot([use], [STATE_HEIGHT], marker="o", markersize=7, color=STATE, zorder=5, gid="use")
        if block and carried:
            _arrow(ax, (use - PITCH + 0.12, STATE_HEIGHT), (use - 0.12, STATE_HEIGHT), STATE, gid="state", width=2.2)
        else:
            ax.text(
                use - 0.95,
                STATE_HEIGHT,
                "0",
                color=STATE,
                ha="right",
                va="center",
                fontsize=10.5,
                fontweight="bold",
                gid="zero",
            )
            _arrow(ax, (use - 0.88, STATE_HEIGHT), (use - 0.12, STATE_HEIGHT), STATE, gid="zero state")
    if carried and blocks > 1:
        gap = (3.45 + PITCH + 0.75) / 2  # between the boxes of the first two blocks
        for side, va, text in ((0.07, "bottom", "state"), (-0.09, "top", "(h, c)")):
            ax.text(gap, STATE_HEIGHT + side, text, color=STATE, ha="center", va=va, fontsize=9.5, gid="state name")


def _box(ax: Axes, left: float, bottom: float, width: float, height: float, fill: str, edge: str, gid: str) -> None:
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


def _node(ax: Axes, x: float, sign: str, color: str) -> None:
    ax.add_patch(Circle((x, 0), 0.25, facecolor="white", edgecolor=color, linewidth=1.4, zorder=3))
    ax.text(x, -0.015, sign, ha="center", va="center_baseline", fontsize=11, color=color, zorder=4)


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    gid: str | None = None,
    width: float = 1.5,
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
            zorder=4,
            gid=gid,
            joinstyle="miter",
            capstyle="butt",
        )
    )
