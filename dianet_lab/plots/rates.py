"""Learning rates: what each arm reaches at each of them, and which one was chosen for it."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import ScaledTranslation

from dianet_lab.errors import DataError
from dianet_lab.plots.style import FAINT, INK, arm_style, baseline_first, legend_above, own_axes, require

CHOSEN = "#d55e00"
EMPTY = "#f6f6f6"
HATCH = "////"
SMALL = 8.5
"""Font size of the second line of a cell."""

EDGE = "edge"
"""Beside a row: the best rate may lie beyond those that were tried."""


def plot_rates(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    own: Mapping[str, float] | None = None,
    span: float = 5.0,
) -> Axes:
    """A table of arms by learning rates: in each cell the mean validation accuracy and the lowest and highest seed.

    The closer a mean is to the best of its own arm, the darker: rows are compared by where they are dark. Runs that
    were lost (not finished) are counted in place of the range. ``edge`` says that the chosen rate is the lowest or the
    highest that the arm was tried with.

    Args:
        frame: one row a run: arm, rate, seed, status and val_accuracy (0 to 1; NaN where the run was lost).
        ax: where to draw; a new figure otherwise.
        arms: the rows from top to bottom; the baseline and then the order of the frame otherwise.
        own: arm -> the rate chosen for it, which is framed.
        span: how many points below an arm's best are white.
    """
    require(frame, ["arm", "rate", "seed", "status", "val_accuracy"])
    arms = baseline_first(frame, arms)
    frame = frame[frame["arm"].isin(arms)].assign(rate=frame["rate"].map(_rounded))
    rates = sorted(frame["rate"].unique())
    ax = own_axes(ax, 8.8, 1.5 + 0.44 * len(arms))
    for row, arm in enumerate(arms):
        runs = frame[frame["arm"] == arm]
        best = _finished(runs).groupby("rate")["val_accuracy"].mean().max()
        for rate, cell in runs.groupby("rate"):
            _draw_rate(ax, rates.index(rate), row, cell, best, span)
        if own and arm in own and len(runs):
            _frame_chosen(ax, rates, row, runs, _rounded(own[arm]))
    table_axes(ax, arms, [f"{rate:g}" for rate in rates])
    ax.set_xlabel("learning rate (dimensionless)")
    _key(ax, span, bool(own))
    return ax


def _finished(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[(runs["status"] == "finished") & runs["val_accuracy"].notna()]


def _draw_rate(ax: Axes, column: int, row: int, runs: pd.DataFrame, best: float, span: float) -> None:
    """The cell of one arm and rate; ``best`` (0 to 1) is the best mean of the arm."""
    values = 100 * _finished(runs)["val_accuracy"]
    lost = f"{len(runs) - len(values)} of {len(runs)} lost" if len(values) < len(runs) else ""
    if values.empty:
        draw_cell(ax, column, row, None, note=lost)
        return
    level = max(0.0, 1 - (100 * best - values.mean()) / span)
    extremes = f"{values.min():.1f}–{values.max():.1f}" if len(values) > 1 else ""
    draw_cell(ax, column, row, level, f"{values.mean():.1f}", lost or extremes)


def shade(level: float) -> str:
    """Colour of a cell: white for a level of 0, blue for 1, light enough for dark text; also for the colour-blind."""
    return to_hex(plt.get_cmap("Blues")(0.02 + 0.55 * level))


def draw_cell(ax: Axes, column: int, row: int, level: float | None, text: str = "", note: str = "") -> None:
    """A cell of a table in the :func:`shade` of ``level``, hatched where that is None; a small ``note`` below."""
    color = EMPTY if level is None else shade(level)
    look = {"edgecolor": "white"} if level is not None else {"edgecolor": FAINT, "hatch": HATCH}
    ax.add_patch(
        Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=color, linewidth=1.2, zorder=1, gid="cell", **look)
    )
    ink = {"color": INK, "ha": "center", "va": "center", "zorder": 3}
    paper = {"bbox": {"facecolor": EMPTY, "edgecolor": "none", "pad": 1.5}} if level is None else {}
    if text:
        ax.text(column, row - (0.17 if note else 0), text, **ink, **paper)
    if note:
        ax.text(column, row + (0.22 if text else 0), note, fontsize=SMALL, **ink, **paper)


def table_axes(ax: Axes, arms: Sequence[str], columns: Sequence[str], names: bool = True) -> None:
    """Arms as rows from the top, each with its marker beside its name, and ``columns`` below; no frame."""
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(arms) - 0.5, -0.5))
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(arms)), arms if names else [""] * len(arms))
    ax.tick_params(length=0)
    ax.tick_params(axis="y", pad=18)
    ax.spines[:].set_visible(False)
    beside = ax.get_yaxis_transform() + ScaledTranslation(-9 / 72, 0, ax.figure.dpi_scale_trans)
    for row, arm in enumerate(arms if names else ()):
        color, marker = arm_style(arm)
        ax.plot(
            [0], [row], color=color, marker=marker, markersize=7, transform=beside, clip_on=False, gid=f"mark:{arm}"
        )


def _rounded(rate: float) -> float:
    """0.3 for 3 * 0.1."""
    return float(f"{rate:.6g}")


def _frame_chosen(ax: Axes, rates: Sequence[float], row: int, runs: pd.DataFrame, chosen: float) -> None:
    """A frame around the rate chosen for the arm of ``runs``, and ``edge`` beside the row of one at an end."""
    if chosen not in set(runs["rate"]):
        raise DataError(f"{runs['arm'].iloc[0]} was not tried with its own rate {chosen:g}")
    column, edge = rates.index(chosen), chosen in (runs["rate"].min(), runs["rate"].max())
    look = {"fill": False, "edgecolor": CHOSEN, "linewidth": 2.4, "zorder": 4, "gid": "own"}
    ax.add_patch(Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, **look))
    if edge:
        ax.text(1.01, row, EDGE, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL)


def _key(ax: Axes, span: float, chosen: bool) -> None:
    handles = [
        Patch(facecolor=shade(1), label="best of its row"),
        Patch(facecolor=shade(0), edgecolor=FAINT, label=f"{span:g} points less"),
        Patch(facecolor=EMPTY, edgecolor="#9a9a9a", hatch=HATCH, label="all lost"),
    ]
    if chosen:
        handles.append(Patch(fill=False, edgecolor=CHOSEN, linewidth=2.4, label="chosen"))
    legend_above(ax, handles)
    told = "validation accuracy (%): mean, lowest–highest seed"
    if any(text.get_text() == EDGE for text in ax.texts):  # a line of its own: beside the rest the key is too wide
        told += f"\n{EDGE}: the chosen rate is the lowest or the highest of those tried"
    ax.set_title(told, fontsize=10, fontweight="normal", pad=28)
