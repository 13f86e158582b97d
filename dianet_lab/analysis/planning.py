"""How many seeds a study needs, from the spread that was measured: before its runs, from those that chose the rates."""

import math

import pandas as pd

from dianet_lab.analysis.power import DETECT, FAMILY, power_seeds
from dianet_lab.analysis.statistics import effects
from dianet_lab.analysis.verdict import FEWEST
from dianet_lab.studies.rates import Runs, stored_runs
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

__all__ = ["DETECT", "FAMILY", "spread_table"]


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


def _spread(runs: Runs, contrast) -> tuple[float, int, str]:
    common = runs.study.base.train.lr
    frames = {"its own runs": runs.frame}
    if runs.tried is not None:
        frames["tuning runs"] = runs.tried[runs.tried["rate"] == common]
    for source, frame in frames.items():
        found = effects(frame, [contrast]).iloc[0]
        if found["n"] >= FEWEST:
            return float(found["sd"]), int(found["n"]), source
    return math.nan, 0, "no runs yet"
