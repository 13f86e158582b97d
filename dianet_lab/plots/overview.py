"""Overviews: one set of arms under several recipes, and what became of every claim."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dianet_lab.analysis.interval import points
from dianet_lab.errors import DataError
from dianet_lab.plots.arms import draw_arm, join_seeds, seed_key
from dianet_lab.plots.style import FAINT, INK, baseline_first, legend_above, own_axes, readable, require

DECIDED = ("supported", "contradicted")
ILLUSTRATION = "not testable at this scale"
NOT_RUN = "not yet run"
STATUSES = (*DECIDED, "undecided", ILLUSTRATION, NOT_RUN)
PALE = "#8a8a8a"
"""Of what illustrates a claim and cannot test it."""


def plot_recipes(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    recipes: Sequence[str] | None = None,
) -> Axes:
    """A group of rows for each recipe, a row an arm: dots for seeds, lines joining equal seeds, mean and t interval.

    Args:
        frame: one row a run and recipe: recipe, arm, seed and accuracy (0 to 1, NaN where the run was lost).
        ax: where to draw; a new figure otherwise.
        arms: the rows of each group; the baseline and then the order of the frame otherwise.
        recipes: the groups from top to bottom; the order of the frame otherwise.
    """
    require(frame, ["recipe", "arm", "seed", "accuracy"])
    arms = baseline_first(frame, arms)
    recipes = list(frame["recipe"].drop_duplicates()) if recipes is None else list(recipes)
    step = len(arms) + 0.9
    ax = own_axes(ax, 8.5, 1.3 + 0.5 * step * len(recipes))
    ticks = []
    for number, recipe in enumerate(recipes):
        top = number * step
        runs = frame[(frame["recipe"] == recipe) & frame["accuracy"].notna()]
        rows = [top + row for row in range(len(arms))]
        join_seeds(ax, runs, arms, rows, "accuracy")
        for row, arm in zip(rows, arms, strict=True):
            draw_arm(ax, row, arm, 100 * runs.loc[runs["arm"] == arm, "accuracy"])
        ticks += rows
        ax.text(0.005, top - 0.62, recipe, transform=ax.get_yaxis_transform(), fontweight="bold", va="center")
        if number:
            ax.axhline(top - 1.0, color=FAINT, linewidth=0.8, zorder=0, gid="group")
    ax.set(ylim=(step * len(recipes) - 1.3, -1.0), xlabel="test accuracy (%; the axis does not start at 0)")
    ax.set_yticks(ticks, arms * len(recipes))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    legend_above(ax, seed_key())
    return ax


def plot_ledger(
    frame: pd.DataFrame, *, ax: Axes | None = None, xlim: tuple[float, float] | None = None, width: int = 40
) -> Axes:
    """A row a claim: its estimate with interval, and beside it the status in words, the numbers, n and the scale.

    Filled is what is decided; hollow, what is not; pale, what only illustrates the claim at a scale where it cannot be
    tested. No colour stands for yes or no.

    Args:
        frame: one row a claim: claim (short text), status (one of :data:`STATUSES`), estimate, low and high (fractions,
            NaN where there are none; drawn in percentage points), n (number of seeds) and scale (text).
        ax: where to draw; a new figure otherwise.
        xlim: ends of the axis in points; what lies beyond is an arrow at the edge, its number is still written.
        width: characters in a line of a claim.
    """
    require(frame, ["claim", "status", "estimate", "low", "high", "n", "scale"])
    unknown = set(frame["status"]) - set(STATUSES)
    if unknown:
        raise DataError(f"no status of a claim: {', '.join(sorted(unknown))}; there are {', '.join(STATUSES)}")
    numbers = ["estimate", "low", "high", "n"]
    frame = frame.assign(**frame[numbers].apply(pd.to_numeric, errors="coerce"))
    ax = own_axes(ax, 9, 1.3 + 0.57 * len(frame))
    ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
    if xlim is not None:
        ax.set_xlim(xlim)
    for row, (_, item) in enumerate(frame.iterrows()):
        _ledger_row(ax, row, item, xlim)
        if row:
            ax.axhline(row - 0.5, color="#ececec", linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(frame)), [fill(claim, width) for claim in frame["claim"]])
    for label, status in zip(ax.get_yticklabels(), frame["status"], strict=True):
        label.set_color(_ink(status))
    ax.set(ylim=(max(len(frame), 1) - 0.5, -0.5), xlabel="estimate (percentage points)")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    legend_above(ax, _ledger_key())
    return ax


def _ink(status: str) -> str:
    """The colour of a row's text: pale, but still to be read on white, where nothing was tested."""
    return readable(PALE) if status in (ILLUSTRATION, NOT_RUN) else INK


def _ledger_row(ax: Axes, row: int, item: pd.Series, xlim: tuple[float, float] | None) -> None:
    status, mark = item["status"], PALE if item["status"] == ILLUSTRATION else INK
    estimate, low, high = (100 * float(item[name]) for name in ("estimate", "low", "high"))
    if status != NOT_RUN and np.isfinite(estimate):
        inside = (lambda x: float(np.clip(x, *xlim))) if xlim is not None else float
        shape = "o" if inside(estimate) == estimate else "<" if estimate < inside(estimate) else ">"
        look = {"color": mark, "zorder": 3, "clip_on": False}
        ax.plot([inside(low), inside(high)], [row, row], linewidth=2.2 if mark == INK else 1.4, gid="interval", **look)
        fill_color = mark if status in DECIDED else "white"
        look |= {"zorder": 4, "markerfacecolor": fill_color, "markeredgewidth": 1.5}
        ax.plot([inside(estimate)], [row], marker=shape, markersize=8, gid="estimate", **look)
    beside = {"transform": ax.get_yaxis_transform(), "color": _ink(status), "clip_on": False}
    weight = "bold" if status in DECIDED else "normal"
    ax.text(1.06, row - 0.03, status, va="bottom", fontweight=weight, gid="status", **beside)
    ax.text(1.06, row + 0.03, _numbers(item), va="top", fontsize=9, gid="numbers", **beside)


def _numbers(item: pd.Series) -> str:
    """``+0.5 [−0.3, +1.3], n = 24; CIFAR-10, depth 20``, without what is unknown or not yet run."""
    parts = []
    if item["status"] != NOT_RUN and np.isfinite(item["estimate"]):
        interval = f" [{points(item['low'])}, {points(item['high'])}]" if np.isfinite(item["low"]) else ""
        parts.append(points(item["estimate"]) + interval)
    if item["status"] != NOT_RUN and pd.notna(item["n"]) and item["n"] > 0:
        parts.append(f"n = {int(item['n'])}")
    scale = str(item["scale"]) if pd.notna(item["scale"]) else ""
    return "; ".join(part for part in (", ".join(parts), scale) if part)


def _ledger_key() -> list:
    look = {"marker": "o", "markersize": 7, "markeredgewidth": 1.5}
    return [
        Line2D([], [], color=INK, linewidth=2.2, label="decided, 95 % interval", **look),
        Line2D([], [], color=INK, linewidth=2.2, markerfacecolor="white", label="undecided", **look),
        Line2D([], [], color=PALE, linewidth=1.4, markerfacecolor="white", label="illustration only", **look),
    ]
