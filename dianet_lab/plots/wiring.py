"""Schematics of a stage: who owns an attention unit, and what of its state walks on."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dianet_lab.errors import ConfigError, unknown_name
from dianet_lab.plots.style import INK, own_axes
from dianet_lab.plots.wiring_parts import (
    CLOCK,
    GATE,
    PITCH,
    SHORTCUT,
    SQUEEZE,
    STATE,
    STREAM,
    arrow,
    draw_block,
    draw_gates,
    draw_unit,
)
from dianet_lab.plots.wiring_states import EMBEDDING, EMBEDDING_FILL, MEAN_FILL, MEMORIES, draw_states, unit_top

BOTTOM, PLAIN_TOP, MARGINS = -2.65, 1.1, 1.4
"""Lower end of a drawing, upper end of one without units, and what a drawing is wider than its blocks."""

UNIT_NAMES = {"lstm": "LSTM", "se": "SE"}

Panel = tuple[str, str | int, str | None, str] | tuple[str, str | int, str | None, str, bool]
"""``(title, sharing, memory, unit)``, and where there may be one, ``layer_embedding``."""


def draw_wiring(
    ax: Axes | None,
    sharing: str | int,
    memory: str | None,
    unit: str = "lstm",
    blocks: int = 3,
    layer_embedding: bool = False,
) -> Axes:
    """One stage as a diagram: blocks from left to right, the attention unit(s) above, the code's names below.

    Args:
        ax: where to draw; a new figure where ``None``.
        sharing: ``stage`` (one unit for all blocks), ``none`` (one a block) or k (one for each k consecutive blocks).
        memory: ``carried`` (the state walks to the next block), ``detached`` (it walks on, its gradient does not come
            back), ``clock`` (the state of the same unit run on the batch's mean squeezes) or ``none`` (zero state at
            every block). Ignored where ``unit`` is not ``lstm``: no other unit's state is drawn.
        unit: ``lstm``, ``se``, any other unit's name, or ``none`` for the plain backbone.
        blocks: how many blocks.
        layer_embedding: whether each block adds a learned vector to the pre-activations of the LSTM's gates.

    Raises:
        ConfigError: an unknown memory, or a layer embedding of another unit than the LSTM.
    """
    stateful = unit == "lstm"
    _check(memory, unit, layer_embedding)
    ax = own_axes(ax, 8.5, 3.9)
    for block in range(blocks):
        draw_block(ax, block * PITCH, first=block == 0, gated=unit != "none")
    arrow(ax, (blocks * PITCH - 0.35, 0), (blocks * PITCH + 0.35, 0), STREAM)
    top = _top(memory, unit, layer_embedding)
    if unit != "none":
        owned = _owned(blocks, sharing)
        for number, members in enumerate(owned):
            draw_unit(ax, members, number, UNIT_NAMES.get(unit, unit), sharing == "stage", stateful, top)
        draw_gates(ax, blocks)
        if stateful:
            draw_states(ax, blocks, memory, layer_embedding, roomy=len(owned[0]) > 1)
    _write_code(ax, blocks * PITCH / 2, _code(sharing, memory, unit, layer_embedding))
    ax.set(xlim=(-0.9, blocks * PITCH + 0.5), ylim=(BOTTOM, top + 0.15))
    ax.set_aspect("equal", anchor="S")
    ax.axis("off")
    return ax


def plot_wirings(panels: Sequence[Panel], *, blocks: int = 3) -> Figure:
    """Several wirings in one figure, two a row (one where a stage is long), with one key for all.

    The key is below, or in the last place of the grid where it is long and that place is free.

    Args:
        panels: ``(title, sharing, memory, unit)`` of each, or ``(title, sharing, memory, unit, layer_embedding)``.
        blocks: how many blocks a stage has.
    """
    columns = min(2, len(panels)) if blocks <= 3 else 1
    tops = [max(_top(*panel[2:]), _top("none", "lstm")) for panel in panels]
    heights = [max(tops[start : start + columns]) - BOTTOM for start in range(0, len(panels), columns)]
    handles = _key(panels)
    free = len(panels) % columns and len(handles) > 4
    scale = (9 / columns - 0.1) / (blocks * PITCH + MARGINS)  # inches per drawing unit
    key_columns = len(handles) if len(handles) <= 4 else 2
    key = 0.1 if free else 0.16 + 0.24 * -(-len(handles) // key_columns)
    size = (9, key + 0.3 * len(heights) + scale * sum(heights))
    figure, axes = plt.subplots(
        len(heights), columns, figsize=size, squeeze=False, layout="constrained", height_ratios=heights
    )
    for ax, (title, sharing, memory, unit, *embedding) in zip(axes.flat, panels, strict=False):
        draw_wiring(ax, sharing, memory, unit, blocks, *embedding)
        ax.set_title(title, loc="center")
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    if free:
        axes.flat[-1].legend(handles=handles, loc="center", frameon=False, labelspacing=0.7)
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=key_columns, frameon=False)
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


def _check(memory: str | None, unit: str, layer_embedding: bool) -> None:
    if unit == "lstm" and memory not in MEMORIES:
        raise unknown_name("memory", memory, MEMORIES)
    if unit != "lstm" and layer_embedding:
        raise ConfigError(f"layer_embedding: got True, but only that of unit 'lstm' is drawn, and unit is {unit!r}")


def _top(memory: str | None, unit: str, layer_embedding: bool = False) -> float:
    """Upper end of what is drawn, in drawing units."""
    if unit == "none":
        return PLAIN_TOP
    return unit_top(memory, layer_embedding) if unit == "lstm" else unit_top(None, False)


def _code(sharing: str | int, memory: str | None, unit: str, layer_embedding: bool) -> str:
    """The configuration as one types it."""
    if unit == "none":
        return 'unit="none"'
    owner = f'sharing="{sharing}"' if isinstance(sharing, str) else f"sharing={sharing}"
    if unit != "lstm":
        return f'unit="{unit}", {owner}'
    return f'{owner}, memory="{memory}"' + (", layer_embedding=True" if layer_embedding else "")


def _write_code(ax: Axes, x: float, code: str) -> None:
    """Below the drawing; a long one is smaller, so that it stays within one of two panels."""
    style = {"family": "monospace", "fontsize": min(10, 470 / len(code)), "gid": "code"}
    ax.text(x, -2.05, code, ha="center", va="top", **style)


def _key(panels: Sequence[Panel]) -> list[Artist]:
    """What the colours and signs of these panels mean."""
    recurrent = [panel for panel in panels if panel[3] == "lstm"]
    memories = {panel[2] for panel in recurrent}
    lines = [("squeeze (average pool)", SQUEEZE, "-"), ("gate", GATE, "-")]
    lines += [("state (h, c)", STATE, "-")] if recurrent else []
    lines += [("shortcut", SHORTCUT, "-")]
    lines += (
        [("state of the mean squeezes: the same\nfor all images, no single one is in it", CLOCK, "-")]
        if "clock" in memories
        else []
    )
    lines += [("gradient, stopped at the bar", INK, (0, (3, 1.6)))] if "detached" in memories else []
    handles = [Line2D([], [], color=color, linewidth=2.2, linestyle=style, label=name) for name, color, style in lines]
    boxes = []
    if "clock" in memories:
        boxes.append((r"$\bar{x}_t$: mean squeeze of the batch at block t", SQUEEZE, MEAN_FILL))
    if any(panel[4:] == (True,) for panel in recurrent):
        boxes.append(
            (
                "$e_t$: learned vector of block t, added to\nthe pre-activations of the unit's gates",
                EMBEDDING,
                EMBEDDING_FILL,
            )
        )
    return handles + [Patch(edgecolor=edge, facecolor=fill, label=name) for name, edge, fill in boxes]
