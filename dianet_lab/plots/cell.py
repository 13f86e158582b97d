"""The DIA-LSTM cell as a flow diagram."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon

from dianet_lab.plots.style import INK, own_axes

LINE = "#6b6b6b"
STATE = "#0072b2"

DIFFERENT = "#d55e00"
"""What a standard LSTM does otherwise."""

CELL_Y, SUM_Y, OUT_Y = 5.8, 2.65, 0.9
"""Heights of the cell state's line, of the sum of the two maps and of the output gate, in drawing units."""


def plot_cell_diagram(*, ax: Axes | None = None) -> Axes:
    """From the squeeze x and the state (h, c) of the block before to the gate h' and the new state.

    Orange marks the two places where the DIA-LSTM differs from a standard LSTM: the bottlenecks in its two maps and
    the sigmoid on its output.
    """
    ax = own_axes(ax, 9, 4.5)
    _draw_maps(ax)
    _draw_gates(ax)
    _draw_cell_state(ax)
    _draw_output(ax)
    ax.text(
        0,
        -0.25,
        "orange: unlike the standard LSTM, which has plain linear maps C → 4C and h′ = o · tanh(c′)",
        color=DIFFERENT,
        fontsize=10,
        va="top",
        gid="note",
    )
    ax.set(xlim=(-0.1, 15.9), ylim=(-0.75, 6.75))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _draw_maps(ax: Axes) -> None:
    """Both inputs through their bottleneck maps into the sum."""
    inputs = (("x", "squeeze of\nthe branch", LINE, 3.85, 0.28), ("h", "from the\nblock before", STATE, 1.45, -0.28))
    for name, origin, color, y, side in inputs:
        _name(ax, 0, y, name, origin, color)
        _arrow(ax, [(0.5, y), (2.3, y)], color)
        # Narrow in the middle, as the map is: C -> C/r -> 4C.
        shape = [(2.3, y - 0.5), (3.3, y - 0.2), (4.7, y - 0.8), (4.7, y + 0.8), (3.3, y + 0.2), (2.3, y + 0.5)]
        ax.add_patch(Polygon(shape, facecolor="#fdece0", edgecolor=DIFFERENT, linewidth=1.4, gid="bottleneck"))
        ax.text(2.55, y, "C", ha="center", va="center", fontsize=10)
        ax.text(3.3, y + 0.45, "C/r, ReLU", ha="center", va="bottom", fontsize=10, color=DIFFERENT)
        ax.text(4.35, y, "4C", ha="center", va="center", fontsize=10)
        _arrow(ax, [(4.7, y), (5.4, y), (5.4, SUM_Y + side)], LINE)
    _node(ax, 5.4, SUM_Y, "+")


def _draw_gates(ax: Axes) -> None:
    """The sum cut into four parts: f, i, g and o."""
    gates = (("f", "σ", 4.5), ("i", "σ", 3.35), ("g", "tanh", 2.2), ("o", "σ", OUT_Y))
    ax.plot([5.68, 6.3], [SUM_Y, SUM_Y], color=LINE, linewidth=1.5)
    ax.plot([6.3, 6.3], [OUT_Y, 4.5], color=LINE, linewidth=1.5)
    for name, function, y in gates:
        _arrow(ax, [(6.3, y), (6.9, y)], LINE)
        _box(ax, 6.9, y - 0.38, 1.25, 0.76, function, "#f1f1f1", LINE)
        ax.text(8.45, y + 0.1, name, ha="center", va="bottom", fontsize=11.5, fontstyle="italic")


def _draw_cell_state(ax: Axes) -> None:
    """c' = f * c + i * g along the upper line."""
    _name(ax, 0, CELL_Y, "c", "from the\nblock before", STATE)
    _arrow(ax, [(0.5, CELL_Y), (8.92, CELL_Y)], STATE)
    _arrow(ax, [(8.15, 4.5), (9.2, 4.5), (9.2, CELL_Y - 0.28)], LINE)
    _node(ax, 9.2, CELL_Y, "×")
    middle = (3.35 + 2.2) / 2
    _arrow(ax, [(8.15, 3.35), (9.8, 3.35), (9.8, middle + 0.28)], LINE)
    _arrow(ax, [(8.15, 2.2), (9.8, 2.2), (9.8, middle - 0.28)], LINE)
    _node(ax, 9.8, middle, "×")
    _arrow(ax, [(10.08, middle), (10.8, middle), (10.8, CELL_Y - 0.28)], LINE)
    _arrow(ax, [(9.48, CELL_Y), (10.52, CELL_Y)], STATE)
    _node(ax, 10.8, CELL_Y, "+")
    _arrow(ax, [(11.08, CELL_Y), (13.6, CELL_Y)], STATE)
    _name(ax, 13.75, CELL_Y, "c′", "to the next\nblock", STATE)
    ax.text(10.0, CELL_Y + 0.42, "c′ = f · c + i · g", ha="center", va="bottom", fontsize=10.5, gid="equation")


def _draw_output(ax: Axes) -> None:
    """h' = o * sigmoid(c'), which is the gate of this block and the state of the next one."""
    _arrow(ax, [(12.1, CELL_Y), (12.1, 4.0)], STATE)
    _box(ax, 11.5, 3.25, 1.2, 0.75, "σ", "#fdece0", DIFFERENT)
    _arrow(ax, [(12.1, 3.25), (12.1, OUT_Y + 0.28)], LINE)
    _arrow(ax, [(8.15, OUT_Y), (11.82, OUT_Y)], LINE)
    _node(ax, 12.1, OUT_Y, "×")
    _arrow(ax, [(12.38, OUT_Y), (13.6, OUT_Y)], STATE)
    _name(ax, 13.75, OUT_Y, "h′", "the gate, and\nto the next block", STATE)
    ax.text(12.35, 1.95, "h′ = o · σ(c′)", ha="left", va="center", fontsize=10.5, gid="equation")


def _name(ax: Axes, x: float, y: float, name: str, origin: str, color: str) -> None:
    """An input or output in bold with a small note of where it comes from or goes to."""
    ax.text(x, y, name, color=color, fontsize=14, fontweight="bold", fontstyle="italic", va="center")
    ax.text(x, y - 0.32, origin, color=INK, fontsize=9.5, va="top", linespacing=1.1)


def _box(ax: Axes, left: float, bottom: float, width: float, height: float, text: str, fill: str, edge: str) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (left, bottom),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=fill,
            edgecolor=edge,
            linewidth=1.3,
            zorder=3,
        )
    )
    ax.text(left + width / 2, bottom + height / 2, text, ha="center", va="center", fontsize=11, zorder=4)


def _node(ax: Axes, x: float, y: float, sign: str) -> None:
    ax.add_patch(Circle((x, y), 0.28, facecolor="white", edgecolor=LINE, linewidth=1.4, zorder=3))
    ax.text(x, y - 0.015, sign, ha="center", va="center_baseline", fontsize=12, zorder=4)


def _arrow(ax: Axes, points: Sequence[tuple[float, float]], color: str) -> None:
    """A line through ``points`` with a head at the last one."""
    for start, end in zip(points[:-2], points[1:-1], strict=True):
        ax.plot(*zip(start, end, strict=True), color=color, linewidth=1.5, solid_capstyle="projecting", zorder=2)
    ax.add_patch(
        FancyArrowPatch(
            points[-2],
            points[-1],
            arrowstyle="-|>",
            mutation_scale=10,
            shrinkA=0,
            shrinkB=0,
            color=color,
            linewidth=1.5,
            zorder=2,
            joinstyle="miter",
            capstyle="butt",
        )
    )
