"""What became of every published claim, on the side that it claimed or on the other."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from dianet_lab.analysis.interval import points
from dianet_lab.errors import DataError
from dianet_lab.plots.clipped import clipped_line, clipped_mark
from dianet_lab.plots.style import INK, legend_above, own_axes, readable, require

DECIDED = ("supported", "contradicted")
ILLUSTRATION = "not testable at this scale"
NOT_RUN = "not yet run"
STATUSES = (*DECIDED, "undecided", ILLUSTRATION, NOT_RUN)
PALE = "#8a8a8a"
"""Of what illustrates a claim and cannot test it."""

CLAIMED = "#dcebf7"
"""Where the effect lies if the claim is true."""


def plot_ledger(
    frame: pd.DataFrame, *, ax: Axes | None = None, xlim: tuple[float, float] = (-8, 8), width: int = 40
) -> Axes:
    """A row a claim: its estimate with interval over the side that is claimed, and beside it the status in words.

    Filled is what is decided; hollow, what is not; pale, what only illustrates the claim at a scale where it cannot be
    tested. No colour stands for yes or no. What lies beyond the axis ends in an arrowhead; its number is written.

    Args:
        frame: one row a claim: claim (short text), contrast, expects (how the contrast comes out if the claim is true,
            as in ``claims.yaml``), status (one of :data:`STATUSES`), estimate, low, high and delta (fractions, NaN
            where there are none; drawn in percentage points), n (number of seeds) and scale (text).
        ax: where to draw; a new figure otherwise.
        xlim: ends of the axis in points.
        width: characters in a line of a claim.

    Raises:
        DataError: a column is missing, or there is no such status.
    """
    require(frame, ["claim", "contrast", "expects", "status", "estimate", "low", "high", "delta", "n", "scale"])
    unknown = set(frame["status"]) - set(STATUSES)
    if unknown:
        raise DataError(f"no status of a claim: {', '.join(sorted(unknown))}; there are {', '.join(STATUSES)}")
    numbers = ["estimate", "low", "high", "delta", "n"]
    frame = frame.assign(**frame[numbers].apply(pd.to_numeric, errors="coerce"))
    ax = own_axes(ax, 10, 1.5 + 0.66 * len(frame))
    ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
    scales = frame.loc[frame["status"] != NOT_RUN, "scale"].dropna().unique()
    for row, (_, item) in enumerate(frame.iterrows()):
        _side(ax, row, item, xlim)
        if item["status"] != NOT_RUN and np.isfinite(item["estimate"]):
            _mark(ax, row, item, xlim)
        _beside(ax, row, item, alone=len(scales) == 1)
    ax.set_yticks(range(len(frame)), [fill(claim, width) for claim in frame["claim"]])
    for label, status in zip(ax.get_yticklabels(), frame["status"], strict=True):
        label.set_color(_ink(status))
    ax.set(xlim=xlim, ylim=(max(len(frame), 1) - 0.5, -0.5), xlabel=_xlabel(frame, scales))
    ax.tick_params(axis="y", length=0, pad=9)
    ax.spines["left"].set_visible(False)
    legend_above(ax, _key(frame))
    return ax


def _xlabel(frame: pd.DataFrame, scales: np.ndarray) -> str:
    told = [str(scales[0])] if len(scales) == 1 else []
    if frame["status"].eq(ILLUSTRATION).any():
        told.append("pale: the claim is about another setting")
    return "\n".join(["effect that this lab's runs found (percentage points of accuracy)", "; ".join(told)]).rstrip()


def _ink(status: str) -> str:
    """The colour of a row's text: pale, but still to be read on white, where nothing was tested."""
    return readable(PALE) if status in (ILLUSTRATION, NOT_RUN) else INK


def claimed_side(expects: str, delta: float, xlim: tuple[float, float]) -> list[tuple[float, float]]:
    """The spans of the axis in which the effect lies if the claim is true, all in percentage points.

    A claimed equality is one within ``delta``, the smallest difference that matters; what is "not better" is at most
    that. Without it (NaN) these have no width, or end at 0.
    """
    left, right = xlim
    band = delta if np.isfinite(delta) else 0.0
    return {
        "better": [(0, right)],
        "more": [(0, right)],
        "worse": [(left, 0)],
        "fewer": [(left, 0)],
        "different": [(left, -band), (band, right)],
        "equivalent": [(-band, band)],
        "not better": [(left, band)],
        "not worse": [(-band, right)],
    }[expects]


def _side(ax: Axes, row: int, item: pd.Series, xlim: tuple[float, float]) -> None:
    for left, right in claimed_side(item["expects"], 100 * item["delta"], xlim):
        look = {"color": CLAIMED, "linewidth": 0, "zorder": 0}
        ax.add_patch(Rectangle((left, row - 0.44), right - left, 0.88, gid="claimed", **look))


def _mark(ax: Axes, row: int, item: pd.Series, xlim: tuple[float, float]) -> None:
    color = PALE if item["status"] == ILLUSTRATION else INK
    estimate, *ends = (100 * float(item[name]) for name in ("estimate", "low", "high"))
    width = 2.2 if color == INK else 1.4
    clipped_line(ax, ends, row, xlim, gid="interval", color=color, linewidth=width, zorder=3)
    look = {"marker": "o", "markersize": 8, "markeredgewidth": 1.5, "color": color, "zorder": 4}
    fill_color = color if item["status"] in DECIDED else "white"
    clipped_mark(ax, estimate, row, xlim, gid="estimate", markerfacecolor=fill_color, **look)


def _beside(ax: Axes, row: int, item: pd.Series, alone: bool) -> None:
    look = {"transform": ax.get_yaxis_transform(), "color": _ink(item["status"]), "clip_on": False}
    weight = "bold" if item["status"] in DECIDED else "normal"
    ax.text(1.06, row - 0.13, item["status"], va="bottom", fontweight=weight, gid="status", **look)
    ax.text(1.06, row - 0.09, _numbers(item, alone), va="top", fontsize=9, gid="numbers", linespacing=1.25, **look)


def _numbers(item: pd.Series, alone: bool) -> str:
    """``DIA - plain``, below it ``+0.5 [−0.3, +1.3], n = 24``, without what is unknown or not yet run."""
    parts = []
    if item["status"] != NOT_RUN and np.isfinite(item["estimate"]):
        interval = f" [{points(item['low'])}, {points(item['high'])}]" if np.isfinite(item["low"]) else ""
        parts.append(points(item["estimate"]) + interval)
    if item["status"] != NOT_RUN and pd.notna(item["n"]) and item["n"] > 0:
        parts.append(f"n = {int(item['n'])}")
    scale = "" if alone or pd.isna(item["scale"]) else str(item["scale"])
    told = "; ".join(part for part in (", ".join(parts), scale) if part)
    return f"{item['contrast']}\n{told}".rstrip()


def _key(frame: pd.DataFrame) -> list:
    """What the frame has of: the claimed side, decided, undecided, illustrations."""
    known = frame[frame["estimate"].notna() & (frame["status"] != NOT_RUN)]["status"]
    look = {"marker": "o", "markersize": 7, "markeredgewidth": 1.5}
    handles = [Patch(facecolor=CLAIMED, label="claimed")]
    if known.isin(DECIDED).any():
        handles.append(Line2D([], [], color=INK, linewidth=2.2, label="decided, 95 % interval", **look))
    if known.eq("undecided").any():
        look |= {"markerfacecolor": "white"}
        handles.append(Line2D([], [], color=INK, linewidth=2.2, label="undecided", **look))
    if known.eq(ILLUSTRATION).any():
        look |= {"markerfacecolor": "white"}
        handles.append(Line2D([], [], color=PALE, linewidth=1.4, label="illustration only", **look))
    return handles
