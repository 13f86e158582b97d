"""Names of arms written beside what they name, pushed or placed so that they do not overlap."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from dianet_lab.plots.style import readable

LINE_HEIGHT = 1.25
"""Height of a line of text in font sizes."""


def label_line_ends(
    ax: Axes,
    names: Sequence[str],
    ends: Sequence[float],
    colors: Sequence[str],
    dashes: Sequence[str] | None = None,
) -> None:
    """Write each name at the right margin, at the height ``ends`` (data units) of its line's last value.

    Names that would overlap are pushed apart, in the order of the ends; a thin line leads back to the end, or to the
    edge beyond which it lies. With ``dashes`` (matplotlib's line styles) a piece of the line stands before each name,
    where colours do not tell apart.
    """
    if not names:
        return
    size = plt.rcParams["xtick.labelsize"]
    size = size if isinstance(size, int | float) else plt.rcParams["font.size"]
    to_axes = ax.transScale + ax.transLimits
    at = to_axes.transform([(ax.get_xlim()[1], end) for end in ends])[:, 1].clip(0, 1)
    step = LINE_HEIGHT * size / (72 * ax.figure.bbox.height / ax.figure.dpi * ax.get_position().height)
    order = np.argsort(at, kind="stable")
    placed = _spread(at[order], step)
    free = {"transform": ax.transAxes, "clip_on": False}
    begin = 1.025 if dashes is None else 1.09
    for position, index in zip(placed, order, strict=True):
        color = colors[index]
        ax.plot([1.0, 1.02], [at[index], position], color=color, linewidth=0.8, gid="leader", **free)
        if dashes is not None:
            sample = {"color": color, "linestyle": dashes[index], "gid": f"sample:{names[index]}"}
            ax.plot([1.025, begin - 0.01], [position] * 2, **sample, **free)
        look = {"color": readable(color), "fontsize": size, "va": "center"}
        ax.text(begin, position, names[index], transform=ax.transAxes, **look)


def _spread(at: np.ndarray, step: float) -> np.ndarray:
    """Sorted positions in 0 to 1, moved as little as possible (least squares) until neighbours are ``step`` apart."""
    # Without the step each name owns, it is an isotonic regression: pool neighbours that are out of order.
    ramp = step * np.arange(len(at))
    groups: list[tuple[float, int]] = []
    for value in at - ramp:
        groups.append((value, 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (a, n), (b, m) = groups[-2:]
            groups[-2:] = [((a * n + b * m) / (n + m), n + m)]
    pooled = np.concatenate([np.full(n, value) for value, n in groups])
    return np.clip(pooled, 0, max(0, 1 - ramp[-1])) + ramp


def label_spans(
    ax: Axes, names: Sequence[str], spans: np.ndarray, obstacles: np.ndarray, colors: Sequence[str]
) -> None:
    """Write each name beside its vertical interval, at the first of ten places that hides nothing.

    Args:
        names: n names.
        spans: ``[n, 4]``: x, mean, low and high in data units.
        obstacles: ``[m, 2]``: points in data units that no name should cover, those of the intervals among them.
        colors: n colours.
    """
    root = ax.figure.canvas.figure
    root.draw_without_rendering()  # settles the layout: from here on pixels mean something
    size = plt.rcParams["font.size"]
    pixel = root.dpi / 72
    blocked = ax.transData.transform(np.asarray(obstacles, float))
    frame = ax.get_window_extent()
    taken: list[Box] = []
    for name, (x, *heights), color in zip(names, spans, colors, strict=True):
        # The width of a name, and of a letter between two, is estimated: not every canvas has a renderer to measure it.
        shape = (0.6 * size * pixel * (len(name) + 1), LINE_HEIGHT * size * pixel)
        anchors = [(x, heights[end]) for end, *_ in PLACES]
        boxes = [
            _box(ax.transData.transform(anchor), shape, right, up, GAP * pixel, lines)
            for anchor, (_, right, up, lines) in zip(anchors, PLACES, strict=True)
        ]
        best = int(np.argmin([_cost(box, blocked, taken, frame, PAD * pixel) for box in boxes]))
        taken.append(boxes[best])
        _, right, up, lines = PLACES[best]
        ax.annotate(
            name,
            anchors[best],
            xytext=(GAP * right, (GAP + lines * LINE_HEIGHT * size) * up),
            textcoords="offset points",
            fontsize=size,
            color=readable(color),
            ha=("center", "left", "right")[right],
            va=("center", "bottom", "top")[up],
        )


Box = tuple[float, float, float, float]
"""Left, bottom, right and top in pixels."""

GAP = 8
"""Points between a name and what it names."""

PAD = 6
"""Points that the middle of a mark must keep away from a name: half of it, and a little."""

MEAN, LOW, HIGH = 0, 1, 2
PLACES = (
    (MEAN, 1, 0, 0),
    (MEAN, -1, 0, 0),
    (HIGH, 0, 1, 0),
    (LOW, 0, -1, 0),
    (HIGH, 1, 0, 0),
    (LOW, 1, 0, 0),
    (HIGH, -1, 0, 0),
    (LOW, -1, 0, 0),
    (HIGH, 0, 1, 1),
    (LOW, 0, -1, 1),
)
"""Where a name may stand: at which height of the interval, to which side: (1 right, -1 left), (1 up, -1 down), and
how many lines further away."""


def _box(anchor: np.ndarray, shape: tuple[float, float], right: int, up: int, gap: float, lines: int) -> Box:
    """The place of a text of ``shape`` (width, height) to one side of ``anchor``, all in pixels."""
    left = anchor[0] + right * gap - shape[0] * (1 - right) / 2
    bottom = anchor[1] + up * (gap + lines * shape[1]) - shape[1] * (1 - up) / 2
    return left, bottom, left + shape[0], bottom + shape[1]


def _cost(box: Box, blocked: np.ndarray, taken: Sequence[Box], frame: Bbox, pad: float) -> float:
    """How much a box hides: points inside it, names it overlaps (worse), parts outside the axes (worst)."""
    left, bottom, right, top = box
    x, y = blocked.T
    inside = (x > left - pad) & (x < right + pad) & (y > bottom - pad) & (y < top + pad)
    overlaps = sum(left < r and right > le and bottom < t and top > b for le, b, r, t in taken)
    outside = left < frame.x0 or right > frame.x1 or bottom < frame.y0 or top > frame.y1
    return inside.sum() + 50 * overlaps + 200 * outside
