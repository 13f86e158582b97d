"""How many seeds a study needs, from the spread that was measured: before its runs, from those that chose the rates."""

import math
from collections.abc import Mapping

import pandas as pd

from dianet_lab.analysis.estimates import all_needed, could_be, losing, more_seeds, unassayed
from dianet_lab.analysis.power import DETECT, FAMILY, seeds_needed
from dianet_lab.analysis.statistics import effects
from dianet_lab.analysis.verdict import DEPENDS, FEWEST, UNDECIDED
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs, stored_runs
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

__all__ = ["DETECT", "FAMILY", "price_table", "spread_table"]


def spread_table(study: Study, store: RunStore) -> pd.DataFrame:
    """For each primary contrast: the spread of its paired difference, and the seeds that would detect enough.

    Columns: ``contrast``; ``spread``, the standard deviation over seeds (fraction); ``from``, which runs it is of:
    the study's own, else the tuning's at the common rate; ``n`` of them; ``detects``, the difference that is sized for
    (fraction): :data:`DETECT` times what matters, so 1.5 points where 1 point does; ``needs``, the seeds that detect it
    with 80 % power after Holm over a family of :data:`FAMILY`; ``planned``. NaN where less than three seeds have run.
    """
    primary = [contrast for contrast in study.contrasts if contrast.primary]
    runs = stored_runs(study, store)
    rows = []
    for contrast in primary:
        spread, n, source = _spread(runs, contrast)
        size = DETECT * contrast.delta
        row = {"contrast": contrast.name, "spread": spread, "from": source, "n": n, "detects": size}
        needs = seeds_needed(spread, size, FAMILY, rivals=len(contrast.parts()))
        rows.append(row | {"needs": needs, "planned": study.planned or len(study.seeds)})
    return pd.DataFrame(rows, columns=["contrast", "spread", "from", "n", "detects", "needs", "planned"])


def _spread(runs: Runs, contrast: Contrast) -> tuple[float, int, str]:
    common = runs.study.base.train.lr
    frames = {"its own runs": runs.frame}
    if runs.tried is not None:
        frames["tuning runs"] = runs.tried[runs.tried["rate"] == common]
    for source, frame in frames.items():
        found = effects(frame, [contrast]).iloc[0]
        if found["n"] >= FEWEST:
            return float(found["sd"]), int(found["n"]), source
    return math.nan, 0, "no runs yet"


def price_table(effects: pd.DataFrame, studies: Mapping[str, Runs]) -> pd.DataFrame:
    """What it would take to find the smallest difference that matters, where a primary contrast is open.

    Columns: ``study``, ``contrast``; ``could be``, the ends of the interval in words; ``seeds``, those there are;
    ``needed``, those that would find it, from the larger of the spreads at the common rate and at the own ones;
    ``more runs`` of its arms, at the common rate and at their own, until those and all planned seeds are there;
    ``hours`` on one worker, from the median time of their runs; ``note``, why more runs are no price, where they are
    none and both are NaN: where there are as many seeds already, what is open is most likely smaller than what matters,
    or another at each rate; and where too many are lost, so would be further ones.

    Args:
        effects: with a column ``study``, as of ``lab_effects``.
        studies: the runs of each study, by name.
    """
    still_open = effects[effects["primary"].astype(bool) & effects["verdict"].isin([UNDECIDED, DEPENDS])]
    rows = [_price(effect, studies[effect["study"]]) for _, effect in still_open.iterrows()]
    return pd.DataFrame(
        rows, columns=["study", "contrast", "could be", "seeds", "needed", "more runs", "hours", "note"]
    )


def _price(effect: pd.Series, runs: Runs) -> dict[str, object]:
    contrast = next(one for one in runs.study.contrasts if one.name == effect["contrast"])
    needed, more = all_needed(effect), more_seeds(effect)
    frame = runs.everything()
    seconds = frame.loc[frame["arm"].isin(contrast.arms), "seconds"].median()
    common = runs.study.base.train.lr
    moved = sum((runs.rates or {}).get(arm, common) != common for arm in contrast.arms)
    wanted = more * (len(contrast.arms) + moved)
    row = {"study": effect["study"], "contrast": effect["contrast"], "could be": could_be(effect).split(";")[0]}
    row |= {"seeds": effect["n"], "needed": needed, "more runs": wanted}
    return row | {"hours": wanted * seconds / 3600, "note": _why_no_price(effect, needed, more)}


def _why_no_price(effect: pd.Series, needed: float, more: float) -> str:
    if math.isfinite(more):
        return ""
    if losing(effect):
        return "too many seeds lost"
    if unassayed(effect):
        return "too small to matter, but the assay fails"
    return "this power is reached" if math.isfinite(needed) else "spread not known"
