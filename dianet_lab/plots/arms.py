"""Arms by their accuracies: every run, the mean over seeds and its Student-t interval."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from dianet_lab.analysis.interval import t_interval
from dianet_lab.plots.labels import label_line_ends, label_spans
from dianet_lab.plots.style import FAINT, INK, arm_style, baseline_first, legend_above, own_axes, require

ACCURACIES = {
    "test_accuracy": "last-epoch test accuracy",
    "best_test_accuracy": "best epoch's test accuracy",
    "train_accuracy": "training accuracy",
}

HISTORY_LABELS = {
    "train_loss": "training loss (nats)",
    "train_accuracy": "training accuracy (%)",
    "test_loss": "test loss (nats)",
    "test_accuracy": "test accuracy (%)",
    "lr": "learning rate (dimensionless)",
    "seconds": "time for one epoch (s)",
    "images_per_second": "training images per second (1/s)",
}

SIZE_LABELS = {
    "parameters": "parameters (number)",
    "attention_parameters": "parameters of the attention units (number)",
    "seconds": "training time (s)",
}


def plot_arms(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    value: str = "test_accuracy",
    groups: bool = False,
) -> Axes:
    """One row an arm: a dot a seed, thin lines joining equal seeds, and below the dots the mean with its t interval.

    Args:
        frame: tidy, one row a run, with arm, seed, status and ``value`` (0 to 1); is_baseline orders the rows.
        ax: where to draw; a new figure otherwise.
        arms: the rows from top to bottom, those that the frame has; the baseline and then its order otherwise.
        value: a key of :data:`ACCURACIES`.
        groups: join equal seeds only among arms whose names begin alike (``PreResNet, DIA``): the others differ in more
            than their attention.
    """
    require(frame, ["arm", "seed", "status", value])
    arms = [arm for arm in baseline_first(frame, arms) if arm in set(frame["arm"])]
    ax = own_axes(ax, 8.5, 1.5 + 0.55 * len(arms))
    finished = frame[(frame["status"] == "finished") & frame[value].notna()]
    starts = [arm.partition(", ")[0] if groups else "" for arm in arms]
    for start in dict.fromkeys(starts):
        rows = [row for row, name in enumerate(starts) if name == start]
        join_seeds(ax, finished, [arms[row] for row in rows], rows, value)
    for row, arm in enumerate(arms):
        draw_arm(ax, row, arm, 100 * finished.loc[finished["arm"] == arm, value])
    ax.set(ylim=(len(arms) - 0.4, -0.45), xlabel=f"{ACCURACIES.get(value, value)} (%; the axis does not start at 0)")
    ax.set_yticks(range(len(arms)), [_row_label(arm, frame[frame["arm"] == arm], finished) for arm in arms])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    left, right = ax.get_xlim()
    ax.set_xlim(max(left, -1), min(right, 101))  # a t interval of few seeds knows no bounds, an accuracy does
    _leave_out_far(ax, 100 * finished.set_index("arm")[value], arms)
    legend_above(ax, seed_key())
    return ax


FAR = 5
"""Quartile distances below the lower quartile at which a run is told at the edge, lest it squeeze all others."""


def _leave_out_far(ax: Axes, percent: pd.Series, arms: list[str]) -> None:
    """Let the axis begin where most runs are, and write each run far below at its left edge, with its number."""
    shown = percent[percent.index.isin(arms)]
    if shown.empty:
        return
    low, high = np.quantile(shown, [0.25, 0.75])
    near = shown >= low - FAR * (high - low)
    if near.all():
        return
    left, right = shown[near].min(), ax.get_xlim()[1]
    ax.set_xlim(left - 0.16 * (right - left), right)
    for row, arm in enumerate(arms):
        far = sorted(shown[~near & (shown.index == arm)])
        if far:
            text = "◀ " + ", ".join(f"{value:.1f}" for value in far)
            ax.text(0.005, row, text, transform=ax.get_yaxis_transform(), va="center", color=INK, fontsize=9, gid="far")


def seed_key() -> list[Line2D]:
    """What dots, thin lines and markers mean."""
    return [
        Line2D([], [], color=INK, marker="o", markersize=4.5, alpha=0.6, linestyle="none", label="one seed"),
        Line2D([], [], color=FAINT, linewidth=0.9, label="same seed"),
        Line2D([], [], color=INK, marker="D", markersize=6, linewidth=2, label="mean, 95 % t interval"),
    ]


def join_seeds(ax: Axes, finished: pd.DataFrame, arms: list[str], rows: list[int], value: str) -> None:
    """A faint line from each seed's dot to its dot in the next row; a gap where a run is missing; thin if many."""
    table = finished.pivot_table(index="seed", columns="arm", values=value).reindex(columns=arms)
    look = {"color": FAINT, "linewidth": 0.9 if len(table) <= 10 else 0.5, "zorder": 1}
    for _, accuracies in table.iterrows():
        ax.plot(100 * accuracies.to_numpy(), rows, **look, gid="seed")


def draw_arm(ax: Axes, row: int, arm: str, percent: pd.Series) -> None:
    """The dots of one arm at height ``row`` and its mean with interval a little below."""
    color, marker = arm_style(arm)
    below = row + 0.24
    mean, low, high = t_interval(percent)
    mark = {"color": color, "marker": marker, "markersize": 8.5}
    ax.scatter(percent, np.full(len(percent), row), s=24, color=color, alpha=0.65, linewidths=0, zorder=3, gid=arm)
    ax.plot([low, high], [below, below], color=color, linewidth=2.4, zorder=4, gid=f"interval:{arm}")
    ax.plot([mean], [below], **mark, markeredgecolor="white", markeredgewidth=0.8, zorder=5)
    text = f"{mean:.2f} %, n = {len(percent)}" if len(percent) else "n = 0"
    ax.text(1.015, row, text, transform=ax.get_yaxis_transform(), va="center")


def _row_label(arm: str, runs: pd.DataFrame, finished: pd.DataFrame) -> str:
    """The arm's name, and what is missing: ``DIA (5 of 6; 1 diverged)``."""
    done = int((finished["arm"] == arm).sum())
    lost = [
        f"{(runs['status'] == status).sum()} {status}"
        for status in ("diverged", "failed")
        if (runs["status"] == status).any()
    ]
    return f"{arm} ({done} of {len(runs)}; {', '.join(lost)})" if lost else arm


DASHES = ("-", "--", ":", "-.")
"""Lines of one colour in one figure: one arm on several backbones or at several depths."""


def plot_history(
    history: pd.DataFrame,
    y: str = "test_accuracy",
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    ylim: tuple[float, float] | None = None,
) -> Axes:
    """Course of ``y`` over the epochs: the mean over seeds, and a band from the lowest to the highest seed.

    Args:
        history: tidy, with arm, seed, epoch (from 1) and ``y``; rows where ``y`` is NaN (not evaluated) are left out.
        y: a key of :data:`HISTORY_LABELS`; accuracies are drawn in %.
        ax: where to draw; a new figure otherwise.
        arms: which arms; all otherwise.
        ylim: ends of the y axis in its units, to see the last epochs of arms that end close together.
    """
    require(history, ["arm", "seed", "epoch", y])
    ax = own_axes(ax, 8.5, 4.2)
    factor = 100 if y.endswith("accuracy") else 1
    names, ends, colors = [], [], []
    for arm in baseline_first(history, arms):
        values = history[(history["arm"] == arm) & history[y].notna()]
        if values.empty:
            continue
        band = factor * values.groupby("epoch")[y].agg(["mean", "min", "max"])
        color = arm_style(arm).color
        # Few evaluated epochs would leave it unclear where the values are.
        ax.plot(
            band.index,
            band["mean"],
            color=color,
            label=arm,
            zorder=3,
            linestyle=DASHES[colors.count(color) % len(DASHES)],
            marker="o" if len(band) < 8 else None,
            markersize=4,
        )
        ax.fill_between(band.index, band["min"], band["max"], color=color, alpha=0.16, linewidth=0, zorder=2)
        names.append(arm)
        ends.append(band["mean"].iloc[-1])
        colors.append(color)
    ax.set(xlabel="epoch", ylabel=HISTORY_LABELS.get(y, y))
    ax.set_title("line: mean over seeds; band: lowest to highest seed", fontweight="normal", loc="left", fontsize=10)
    ax.margins(x=0.01)
    ax.set_ylim(ylim)
    label_line_ends(ax, names, ends, colors)
    return ax


def plot_accuracy_against(
    frame: pd.DataFrame,
    x: str = "parameters",
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    ladder: Sequence[str] | None = None,
    value: str = "test_accuracy",
) -> Axes:
    """Mean accuracy of each arm with its 95 % t interval against what the arm costs.

    The x axis is logarithmic where the values span more than a factor of 3. Arms without a finished run are left out.

    Args:
        frame: tidy, one row a run, with arm, status, ``x`` and ``value`` (0 to 1).
        x: a column such as parameters or seconds; the mean over the runs of an arm is drawn.
        ax: where to draw; a new figure otherwise.
        arms: which arms; all otherwise.
        ladder: arms to join by a line, in this order (one family at several reductions or depths).
        value: a key of :data:`ACCURACIES`.
    """
    require(frame, ["arm", "status", x, value])
    ax = own_axes(ax, 8.5, 4.6)
    points = {}
    for arm in baseline_first(frame, arms):
        runs = frame[(frame["arm"] == arm) & (frame["status"] == "finished") & frame[value].notna()]
        if len(runs):
            points[arm] = (float(runs[x].mean()), *t_interval(100 * runs[value]))
    steps = np.array([points[arm][:2] for arm in ladder or () if arm in points])
    if len(steps):
        ax.plot(steps[:, 0], steps[:, 1], color=FAINT, linewidth=1.4, zorder=1, gid="ladder")
    for arm, (at, mean, low, high) in points.items():
        color, marker = arm_style(arm)
        ax.plot([at, at], [low, high], color=color, linewidth=2, zorder=3, gid=f"interval:{arm}")
        ax.plot([at], [mean], color=color, marker=marker, markersize=8, markeredgecolor="white", zorder=4, label=arm)
    accuracy = ACCURACIES.get(value, value)
    ax.set(xlabel=SIZE_LABELS.get(x, x), ylabel=f"{accuracy} (%)\nmean and 95 % t interval over seeds")
    if points:
        _scale_size_axis(ax, [at for at, *_ in points.values()])
        _label_arms(ax, points, steps)
    return ax


def _scale_size_axis(ax: Axes, sizes: list[float]) -> None:
    """A logarithmic x axis with ticks at 1, 2, 3 and 5 where the sizes span more than a factor of 3; thousands as k."""
    if min(sizes) > 0 and max(sizes) > 3 * min(sizes):
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
    if len(set(sizes)) == 1:
        ax.xaxis.set_major_locator(FixedLocator(sizes[:1]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: short_number(size)))
    ax.margins(x=0.12, y=0.1)


def short_number(size: float) -> str:
    """``1.95 M``, ``20 k``, ``250``."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if abs(size) >= unit:
            return f"{size / unit:.3g}{name}"
    return f"{size:.3g}"


def _label_arms(ax: Axes, points: dict[str, tuple], steps: np.ndarray) -> None:
    """Names beside the intervals, clear of the points, the intervals and the ladder."""
    spans = np.array(
        [(at, mean, *(mean if np.isnan(end) else end for end in ends)) for at, mean, *ends in points.values()]
    )
    bars = [(at, y) for at, _, low, high in spans for y in np.linspace(low, high, 40)]
    rungs = [a + (b - a) * t for a, b in zip(steps[:-1], steps[1:], strict=True) for t in np.linspace(0, 1, 40)]
    label_spans(ax, list(points), spans, np.array([*bars, *rungs]), [arm_style(arm).color for arm in points])
