"""One set of arms under several recipes."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from dianet_lab.plots.arms import accuracy_limits, draw_arm, finish_rows, join_seeds
from dianet_lab.plots.style import FAINT, NOT_FROM_ZERO, baseline_first, own_axes, require


def plot_recipes(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    arms: Sequence[str] | None = None,
    recipes: Sequence[str] | None = None,
) -> Axes:
    """A group of rows for each recipe, a row an arm: dots for seeds, lines joining equal seeds, mean and t interval.

    What lies beyond the axis is an arrowhead at its edge, as in :func:`~dianet_lab.plots.arms.plot_arms`.

    Args:
        frame: one row a run and recipe: recipe, arm, seed and accuracy (0 to 1, NaN where the run was lost).
        ax: where to draw; a new figure otherwise.
        arms: the rows of each group; the baseline and then the order of the frame otherwise.
        recipes: the groups from top to bottom; the order of the frame otherwise.
    """
    require(frame, ["recipe", "arm", "seed", "accuracy"])
    arms = baseline_first(frame, arms)
    recipes = list(frame["recipe"].drop_duplicates()) if recipes is None else list(recipes)
    known = frame[frame["accuracy"].notna()]
    limits = accuracy_limits({key: 100 * runs["accuracy"] for key, runs in known.groupby(["recipe", "arm"])})
    step = len(arms) + 0.9
    ax = own_axes(ax, 8.5, 1.3 + 0.5 * step * len(recipes))
    ticks = []
    for number, recipe in enumerate(recipes):
        top = number * step
        runs = known[known["recipe"] == recipe]
        rows = [top + row for row in range(len(arms))]
        join_seeds(ax, runs, arms, rows, "accuracy", limits)
        for row, arm in zip(rows, arms, strict=True):
            draw_arm(ax, row, arm, 100 * runs.loc[runs["arm"] == arm, "accuracy"], limits)
        ticks += rows
        ax.text(0.005, top - 0.62, recipe, transform=ax.get_yaxis_transform(), fontweight="bold", va="center")
        if number:
            ax.axhline(top - 1.0, color=FAINT, linewidth=0.8, zorder=0, gid="group")
    ax.set(ylim=(step * len(recipes) - 1.3, -1.0), xlabel=f"test accuracy (%; {NOT_FROM_ZERO})")
    ax.set_yticks(ticks, arms * len(recipes))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    finish_rows(ax, limits)
    return ax
