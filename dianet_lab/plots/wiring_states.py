"""What a recurrent unit starts from at each block of a schematic: its memory, and a layer embedding."""

from matplotlib.axes import Axes

from dianet_lab.plots.style import INK, readable
from dianet_lab.plots.wiring_parts import (
    CLOCK,
    NAME_SIZE,
    PITCH,
    SQUEEZE,
    STATE,
    STATE_HEIGHT,
    UNIT_LEFT,
    UNIT_RIGHT,
    USE,
    arrow,
    box,
)

MEMORIES = ("carried", "detached", "clock", "none")
"""The memories that are drawn; the names are those of the configuration."""

CLOCK_HEIGHT = 4.15
"""Of the clock's own row, which leaves room for a layer embedding below it."""

GAP = (UNIT_RIGHT + PITCH + UNIT_LEFT) / 2
"""The middle between the units of the first two blocks, where each has its own."""

MIDDLE = USE + PITCH / 2
"""The middle between the first two uses."""

EMBEDDING, EMBEDDING_FILL, MEAN_FILL = "#8a6d00", "#fff2bf", "#d9f2e8"


def unit_top(memory: str | None, layer_embedding: bool) -> float:
    """Upper end of a unit's box: as high as what is drawn in it."""
    if memory == "clock":
        return CLOCK_HEIGHT + 1.9
    return 4.5 if layer_embedding or memory == "detached" else 3.9


def draw_states(ax: Axes, blocks: int, memory: str, layer_embedding: bool, roomy: bool) -> None:
    """Every use of a unit, the state it starts from, and what is added to its gates.

    Args:
        ax: where to draw.
        blocks: how many blocks.
        memory: one of :data:`MEMORIES`.
        layer_embedding: whether each block adds a learned vector.
        roomy: whether the first two blocks are in one box, so that words fit between them.
    """
    words = roomy and not layer_embedding  # a memory's words and the vectors would be in each other's way
    for block in range(blocks):
        use = block * PITCH + USE
        ax.plot([use], [STATE_HEIGHT], marker="o", markersize=7, color=STATE, zorder=5, gid="use")
        if not block or memory == "none":
            _zero(ax, use, STATE_HEIGHT, STATE)
        elif memory != "clock":
            _carry(ax, use, STATE_HEIGHT, STATE, "state")
        if block and memory == "detached":
            _stop_gradient(ax, block)
        if layer_embedding:
            _add(ax, use, STATE_HEIGHT, f"$e_{{{block + 1}}}$", EMBEDDING, EMBEDDING_FILL, "embedding")
    if memory == "clock":
        _draw_clock(ax, blocks, layer_embedding, words)
    if layer_embedding and roomy and memory == "none":
        _name(ax, USE + 0.5, STATE_HEIGHT + 0.72, "learned", EMBEDDING, "embedding name", ha="left", va="center")
    if blocks > 1 and memory in ("carried", "detached"):
        _name_states(ax, memory, words)


def _name_states(ax: Axes, memory: str, words: bool) -> None:
    if memory == "carried":
        _name(ax, GAP, STATE_HEIGHT + 0.07, "state", STATE, "state name", va="bottom")
        _name(ax, GAP, STATE_HEIGHT - 0.09, "(h, c)", STATE, "state name", va="top")
        return
    # The gradient's arrow is above the state's, so both words of the state's go below.
    _name(ax, MIDDLE if words else GAP, STATE_HEIGHT - 0.09, "state (h, c)" if words else "state", STATE, "state name")
    if words:
        _name(ax, MIDDLE, STATE_HEIGHT + 0.6, "gradient stops", INK, "gradient name", va="bottom")


def _stop_gradient(ax: Axes, block: int) -> None:
    """Above a state arrow, which passes: the gradient's way back, and the bar where it ends."""
    use, y = block * PITCH + USE, STATE_HEIGHT + 0.34
    bar = (block - 1) * PITCH + GAP
    arrow(ax, (use - 0.12, y), (bar + 0.06, y), INK, gid="gradient", style=(0, (3, 1.6)))
    ax.plot([bar, bar], [y - 0.2, y + 0.2], color=INK, linewidth=2.8, solid_capstyle="butt", zorder=5, gid="stop")


def _draw_clock(ax: Axes, blocks: int, layer_embedding: bool, words: bool) -> None:
    """A second row of uses of the same unit: on mean squeezes. Its states are what both rows start from."""
    for block in range(blocks):
        use = block * PITCH + USE
        ax.plot([use], [CLOCK_HEIGHT], marker="o", markersize=7, color=CLOCK, zorder=5, gid="clock use")
        mean = rf"$\bar{{x}}_{{{block + 1}}}$" + (rf", $e_{{{block + 1}}}$" if layer_embedding else "")
        _add(ax, use, CLOCK_HEIGHT, mean, SQUEEZE, MEAN_FILL, "mean", 1.5 if layer_embedding else 0.66)
        if not block:
            _zero(ax, use, CLOCK_HEIGHT, CLOCK)
            continue
        _carry(ax, use, CLOCK_HEIGHT, CLOCK, "clock state")
        turn = use - 1.0
        ax.plot([turn, turn], [CLOCK_HEIGHT, STATE_HEIGHT], color=CLOCK, linewidth=2.2, zorder=3, gid="tick")
        arrow(ax, (turn, STATE_HEIGHT), (use - 0.12, STATE_HEIGHT), CLOCK, gid="state", width=2.2)
    if words:
        _name(ax, USE + 0.5, CLOCK_HEIGHT + 0.72, "batch mean", SQUEEZE, "mean name", ha="left", va="center")
        _name(ax, MIDDLE - 0.45, CLOCK_HEIGHT - 0.12, "the same for\nall images", CLOCK, "state name")
        _name(ax, USE + 0.32, STATE_HEIGHT, "each image", STATE, "image name", ha="left", va="center")


def _carry(ax: Axes, use: float, y: float, color: str, gid: str) -> None:
    """A state from the block before."""
    arrow(ax, (use - PITCH + 0.12, y), (use - 0.12, y), color, gid=gid, width=2.2)


def _zero(ax: Axes, use: float, y: float, color: str) -> None:
    """A start from zero state."""
    style = {"ha": "right", "va": "center", "fontsize": 10.5, "fontweight": "bold", "gid": "zero"}
    ax.text(use - 0.95, y, "0", color=color, **style)
    arrow(ax, (use - 0.88, y), (use - 0.12, y), color, gid="zero state")


def _add(ax: Axes, use: float, y: float, symbol: str, edge: str, fill: str, gid: str, width: float = 0.66) -> None:
    """A small box above a use at the height ``y``, with an arrow down into it."""
    box(ax, use - width / 2, y + 0.44, width, 0.58, fill, edge, gid=gid)
    ax.text(use, y + 0.71, symbol, ha="center", va="center", fontsize=10, zorder=4)
    arrow(ax, (use, y + 0.44), (use, y + 0.1), edge)


def _name(ax: Axes, x: float, y: float, text: str, color: str, gid: str, ha: str = "center", va: str = "top") -> None:
    ax.text(x, y, text, color=readable(color), ha=ha, va=va, fontsize=NAME_SIZE, linespacing=1.05, gid=gid)
