"""The study of stability in tables and sentences."""

from collections.abc import Iterable

import pandas as pd

from dianet_lab.analysis.phrases import plural
from dianet_lab.analysis.stability import (
    CELL,
    LEARNED,
    OUTCOMES,
    PLAIN,
    SELECTED,
    by_cell,
    cells,
    failing,
    largest_rate,
)

SPOKEN = {"finished": "finish", "learned": "learn"}

SUMMARY_FORMATS = {"accuracy (%)": "{:.1f}", "survivors only (%)": "{:.1f}"}


def summary(frame: pd.DataFrame, chance: float = 0.1) -> pd.DataFrame:
    """One row a condition and arm, over all its cells; beside it, at each depth, the largest rate at which 80 % finish.

    ``accuracy (%)`` counts a run that diverged as chance; ``survivors only (%)`` leaves it out, and so is the mean of
    other cells for one arm than for another.

    Args:
        frame, chance: as of :func:`~dianet_lab.analysis.stability.by_cell`.
    """
    runs = by_cell(frame, chance)
    by = ["condition", "arm"]
    columns = {"runs": ("seed", "size"), "finish": ("finished", "sum"), "learn": ("learned", "sum")}
    table = runs.groupby(by, sort=False).agg(**columns, accuracy=("accuracy", "mean"))
    table["accuracy (%)"] = 100 * table.pop("accuracy")
    table["survivors only (%)"] = 100 * runs[runs["finished"]].groupby(by)["accuracy"].mean()
    limits = largest_rate(cells(frame, chance=chance))
    for depth, rows in limits.groupby("depth"):
        table[f"rate, depth {depth}"] = [_limit(row) for _, row in rows.set_index(by).reindex(table.index).iterrows()]
    return table.reset_index()


def reach(table: pd.DataFrame, arms: Iterable[str] = (PLAIN, "DIA")) -> pd.DataFrame:
    """Whether the grid can tell arms apart: one row a condition, ``cells`` and how many have what is needed.

    ``plain does not finish`` and ``plain does not learn``: in at least half of its seeds. ``all learn``: every run of
    each of ``arms`` learns, so that nothing is left to gain; ``none learns``: nothing is left to lose.

    Args:
        table: of :func:`cells`.
    """
    of_arms = table[table["arm"].isin(list(arms))]
    sums = of_arms.groupby(CELL, sort=False)[["runs", LEARNED]].sum()
    rows = []
    for condition, group in sums.groupby("condition", sort=False):
        bad = [sum(cell[0] == condition for cell in failing(table, outcome)) for outcome in OUTCOMES]
        every, none = (group[LEARNED] == group["runs"]).sum(), (group[LEARNED] == 0).sum()
        rows.append((condition, len(group), *bad, every, none))
    names = ["condition", "cells", "plain does not finish", "plain does not learn", "all learn", "none learns"]
    return pd.DataFrame(rows, columns=names)


def limits_sentence(limits: pd.DataFrame, condition: str, arms: Iterable[str], what: str, share: float = 0.8) -> str:
    """The largest rates of some arms in words, at each depth; ``or more`` where no larger one was tried.

    Args:
        limits: of :func:`largest_rate`.
        what: the outcome in words: ``finish``.
    """
    told = []
    for depth, rows in limits[limits["condition"] == condition].groupby("depth"):
        named = rows.set_index("arm")
        rates = [f"{arm} {_limit(named.loc[arm])}" for arm in arms if arm in named.index]
        told.append(f"at depth {depth} {', '.join(rates)}")
    return f"{condition.capitalize()}, largest rate at which {100 * share:g} % of the runs {what}: {'; '.join(told)}."


def _limit(row: pd.Series) -> str:
    return "none" if pd.isna(row["rate"]) else f"{row['rate']:g}" + (" or more" if row["edge"] else "")


def reach_sentence(table: pd.DataFrame) -> str:
    """In how many cells of each condition plain does not learn, and in how many nothing does: there all is chance.

    Args:
        table: of :func:`reach`.
    """
    told = [
        f"{row['condition']} {row['plain does not learn']} (in {row['plain does not finish']} it does not even finish)"
        f" of {row['cells']}, and in {row['none learns']} no arm does"
        for row in table.to_dict("records")
    ]
    return f"Cells in which plain does not learn in at least half of its seeds: {'; '.join(told)}."


def mcnemar_sentence(table: pd.DataFrame, arm: str, outcome: str = LEARNED) -> str:
    """How many cells were tested, and in how many of them the exact p is below 5 %, to which side.

    Args:
        table: of :func:`~dianet_lab.analysis.stability.mcnemar`.
    """
    tested = table[table["p"].notna()]
    if tested.empty:
        return f"Plain fails to {SPOKEN[outcome]} nowhere, so {arm} is tested in no cell."
    low = tested[tested["p"] < 0.05]
    sides = [int((low["only_arm"] > low["only_other"]).sum()), int((low["only_arm"] < low["only_other"]).sum())]
    return (
        f"Of {plural(len(tested), 'cell')} in which plain fails to {SPOKEN[outcome]} in at least half of its seeds, "
        f"{arm} does so more often in {sides[0]} and less often in {sides[1]} (exact McNemar p < 0.05, uncorrected)."
    )


def counts_sentence(frame: pd.DataFrame) -> str:
    """How many runs finished and diverged, and how many say nothing because they failed or are not there.

    Args:
        frame: one row a run, with status.
    """
    finished, diverged = (int((frame["status"] == status).sum()) for status in ("finished", "diverged"))
    left_out = len(frame) - finished - diverged
    text = f"Of {plural(len(frame), 'run')} {finished:,} finished and {diverged:,} diverged"
    return text + (f"; {left_out:,} failed or are missing and are left out." if left_out else ".")


def drawn(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects with contrasts named for a figure: below each the cells that count.

    ``no skip: DIA - plain`` gets a second line, ``where plain fails: 4 of 6 cells`` or ``all 6 cells``.

    Args:
        effects: of :func:`~dianet_lab.analysis.stability.stability_effects`.
    """
    counted = [
        f"where plain fails: {row.cells} of {plural(row.of_cells, 'cell')}"
        if row.where == SELECTED
        else f"all {plural(row.of_cells, 'cell')}"
        for row in effects.itertuples()
    ]
    return effects.assign(contrast=effects["contrast"] + "\n" + pd.Series(counted, index=effects.index, dtype=str))
