"""What attributions allow to say, in sentences made of their numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dianet_lab.analysis.attribution import LARGE
from dianet_lab.analysis.attribution_summary import MOST, refused
from dianet_lab.analysis.gates import UNTRAINED
from dianet_lab.analysis.interval import t_interval, with_interval, written
from dianet_lab.analysis.phrases import listed, plural

ALIKE = 0.5
"""A mean correlation between seeds below which a map is said to be one network's."""


def spoken(table: pd.DataFrame, by: Sequence[str], columns: dict[str, int]) -> pd.DataFrame:
    """A table of :func:`~dianet_lab.analysis.interval.with_interval`, one row a group of ``by``.

    Args:
        columns: which, with how many digits.
    """
    groups = table.groupby(list(by), sort=False)
    return groups.agg(
        {name: lambda values, n=digits: with_interval(values, n) for name, digits in columns.items()}
    ).reset_index()


def explained_sentence(table: pd.DataFrame, own: str, images: pd.DataFrame) -> str:
    """By how much the gates' answers move the own class's logit, and what they are in size, beside every control.

    Args:
        table: of :func:`~dianet_lab.analysis.attribution_summary.measures`.
        own: whose networks it is about.
        images: of which some may not have converged.
    """
    if own in refused(images):
        return f"No statement about {own}: fewer than {100 * MOST:.0f} % of its attributions add up; take more steps."
    table = trusted(table, images)
    explained = table.loc[table["arm"] == own, "explained"]
    moved, total = (_beside(table, value, own) for value in ("explained", "total"))
    _, low, high = t_interval(explained)
    open_ = " Whether this is above or below 0 is open: the interval covers it." if low <= 0 <= high else ""
    return (
        f"Against the mean gate, the gates that {own} gives to an image move its class's logit, less the mean logit, "
        f"by {moved} ({how(explained)}).{open_} In size alone, where layers and images can't cancel each other, the "
        f"layers' attributions add up to {total}."
    )


def trusted(table: pd.DataFrame, images: pd.DataFrame, key: str = "arm") -> pd.DataFrame:
    """The rows of a table whose names, in the column ``key``, are not refused for attributions that do not add up."""
    return table[~table[key].isin(refused(images))]


def _beside(table: pd.DataFrame, value: str, own: str) -> str:
    """``0.36 [0.17, 0.54] logits``, and behind it what the others have."""
    said = {name: with_interval(each, _digits(each)) for name, each in table.groupby("arm", sort=False)[value]}
    others = "; ".join(f"{name} {level}" for name, level in said.items() if name != own)
    return f"{said[own]} logits" + (f"; {others}" if others else "")


def layers_sentence(table: pd.DataFrame, stages: pd.DataFrame, own: str, count: int) -> str:
    """How the attributions of one name spread over stages and layers, and whether ablation ranks layers alike.

    Args:
        table: of ``measures``.
        stages: of ``by_stage``.
        count: how many layers there are.
    """
    rows, mine = stages[stages["name"] == own], table[table["arm"] == own]
    if mine.empty:
        return ""
    shares = listed(
        f"stage {stage} {with_interval(100 * group, 0)} %" for stage, group in rows.groupby("stage")["share"]
    )
    spread, start = (with_interval(table.loc[table["arm"] == name, "layers"], 1) for name in (own, UNTRAINED))
    untrained = "" if start == "unknown" else f" (those of the untrained network as over {start})"
    ranked = with_interval(table.loc[table["arm"] == UNTRAINED, "agreement"], 3)
    alike = "" if ranked == "unknown" else f", untrained {ranked}"
    return (
        f"In {own} the attributions lie in {shares}, spread as over {spread} of {count} layers{untrained}; "
        f"ablating one layer's gate at a time ranks the layers of an image with a correlation of "
        f"{with_interval(mine['agreement'], 3)} to it{alike} ({how(mine['layers'])})."
    )


def seeds_sentence(between: pd.DataFrame, own: str) -> str:
    """Whether the networks of other seeds use the same layers, and the same ones for a class."""
    if own not in set(between["name"]):
        return ""
    row = between.set_index("name").loc[own]
    if row["pairs"] == 0 or not np.isfinite(row["layers"]):
        return "Of one network alone it can't be told whether another one would use the same layers."
    parts, start = [], between.set_index("name").reindex([UNTRAINED]).iloc[0]
    told = {"layers": "the sizes of the layers' attributions correlate", "map": "the maps of class by layer"}
    for key, what in told.items():
        if np.isfinite(row[key]):
            mean, low, high = (written(row[f"{key}{end}"], 2) for end in ("", ", lowest", ", highest"))
            untrained = f"; untrained {written(start[key], 2)}" if np.isfinite(start[key]) else ""
            parts.append(f"{what} by {mean} (lowest to highest pair {low} to {high}{untrained})")
    said = f"Between two seeds of {own} ({plural(int(row['pairs']), 'pair')}), {listed(parts)}"
    return f"{said}: a map of class by layer is one network's." if row["map"] < ALIKE else f"{said}."


def convergence_sentence(images: pd.DataFrame) -> str:
    """In how many images the attributions add up, and of which names nothing is said because they do not."""
    share, count = images["converged"].mean(), int((~images["converged"]).sum())
    said = (
        f"The attributions of {100 * share:.1f} % of {plural(len(images), 'explanation')} add up to the explained "
        f"difference within {100 * LARGE:.0f} % or rounding; "
        f"{'none is' if count == 0 else f'the other {count} are'} left out."
    )
    names = refused(images)
    return f"{said} No statement about {listed(names)}: too few of its images converge." if names else said


def how(values: Sequence[float]) -> str:
    """``means over 5 networks, 95 % t intervals, exploratory``, or that there is only one."""
    count = int(np.isfinite(np.asarray(values, float)).sum())
    return f"means over {count} networks, 95 % t intervals, exploratory" if count > 1 else "one network, no interval"


def _digits(values: Sequence[float]) -> int:
    """Two digits, or four where the values would be 0.00."""
    return 2 if np.nanmax(np.abs(np.asarray(values, float)), initial=0.0) >= 0.01 else 4
