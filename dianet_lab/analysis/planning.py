"""How many seeds a study needs, from the spread that was measured: before its runs, from those that chose the rates."""

import math
from collections.abc import Mapping

import pandas as pd

from dianet_lab.analysis.conclusions import could_be
from dianet_lab.analysis.power import DETECT, FAMILY, power_seeds
from dianet_lab.analysis.statistics import effects
from dianet_lab.analysis.verdict import DEPENDS, FEWEST, UNDECIDED
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs, stored_runs
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

__all__ = ["DETECT", "FAMILY", "price_table", "spread_table"]


def spread_table(study: Study, store: RunStore) -> pd.DataFrame:
    """For each primary contrast: the spread of its paired difference, and the seeds that would detect 1.5 points.

    Columns: ``contrast``; ``spread``, the standard deviation over seeds (fraction); ``from``, which runs it is of:
    the study's own, else the tuning's at the common rate; ``n`` of them; ``needs``, the seeds that detect
    :data:`DETECT` with 80 % power after Holm over a family of :data:`FAMILY`; ``planned``. NaN where less than three
    seeds have run.
    """
    primary = [contrast for contrast in study.contrasts if contrast.primary]
    runs = stored_runs(study, store)
    rows = []
    for contrast in primary:
        spread, n, source = _spread(runs, contrast)
        row = {"contrast": contrast.name, "spread": spread, "from": source, "n": n}
        rows.append(row | {"needs": power_seeds(spread), "planned": study.planned or len(study.seeds)})
    return pd.DataFrame(rows, columns=["contrast", "spread", "from", "n", "needs", "planned"])


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
    """What it would take to decide each undecided primary contrast, on this machine.

    Columns: ``study``, ``contrast``; ``could be``, the ends of the interval in words; ``seeds``, those there are;
    ``needed``, those that would detect the smallest difference that matters; ``more runs`` of its arms, at the common
    rate and at their own; ``hours`` on one worker, from the median time of their runs.

    Args:
        effects: with a column ``study``, as of ``lab_effects``.
        studies: the runs of each study, by name.
    """
    rows = []
    for _, effect in effects[effects["primary"] & effects["verdict"].isin([UNDECIDED, DEPENDS])].iterrows():
        runs = studies[effect["study"]]
        contrast = next(one for one in runs.study.contrasts if one.name == effect["contrast"])
        more = max(0, effect["seeds_needed"] - effect["n"]) if math.isfinite(effect["seeds_needed"]) else math.nan
        frame = runs.everything()
        seconds = frame.loc[frame["arm"].isin(contrast.arms), "seconds"].median()
        common = runs.study.base.train.lr
        moved = sum((runs.rates or {}).get(arm, common) != common for arm in contrast.arms)
        wanted = more * (len(contrast.arms) + moved)
        row = {"study": effect["study"], "contrast": effect["contrast"], "could be": could_be(effect).split(";")[0]}
        row |= {"seeds": effect["n"], "needed": effect["seeds_needed"], "more runs": wanted}
        rows.append(row | {"hours": wanted * seconds / 3600})
    return pd.DataFrame(rows, columns=["study", "contrast", "could be", "seeds", "needed", "more runs", "hours"])
