"""From the runs of a study to its verdicts: one rule for every notebook, the command line and the ledger.

The primary contrasts of all studies are ONE family. A notebook corrects over all of it: with the p-values of the sister
studies where the store has their runs, and else as if those had found nothing, which is the harder case.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from dianet_lab.analysis.assay import Assay, assay
from dianet_lab.analysis.statistics import by_learning_rate, effects
from dianet_lab.studies.catalog import sisters
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs, stored_runs
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

Tests = list[tuple[float, float]]


def judge(runs: Runs, store: RunStore) -> pd.DataFrame:
    """The effects of a study's contrasts, at the common learning rate and at each arm's own, with their verdicts.

    Columns: as of :func:`~dianet_lab.analysis.statistics.effects` and ``by_learning_rate``, and ``extended``, whether
    seeds were added after looking. Nothing is called equivalent unless the setting passes its assay.
    """
    family = [stored_runs(sister, store) for sister in sisters(runs.study)]
    equivalence = allowed(runs, family)
    common = _effects(runs.study.contrasts, runs.frame, store, [_tests(f.study, f.frame) for f in family], equivalence)
    own = None
    if runs.own is not None and (shared := _own_contrasts(runs)):
        others = [_tests(f.study, f.own) for f in family]
        own = _effects(shared, runs.own, store, others, equivalence)
    return by_learning_rate(common, own).assign(extended=runs.study.extended)


def assay_of(runs: Runs, store: RunStore) -> Assay | None:
    """The assay of a study's setting: its own where it has the core arms, else that of a sister's stored runs."""
    if runs.study.tuning is not None:
        return assay(runs)
    return next((assay(stored_runs(sister, store)) for sister in sisters(runs.study)), None)


def allowed(runs: Runs, family: list[Runs]) -> bool:
    """Whether anything of a study may be called equivalent; without core arms, its or a sister's, there is no assay."""
    with_core = [one for one in (runs, *family) if one.study.tuning is not None]
    return bool(with_core) and assay(with_core[0]).accepted


def _effects(
    contrasts: list[Contrast], frame: pd.DataFrame, store: RunStore, others: list[Tests], equivalence: bool
) -> pd.DataFrame:
    members = [pair for tests in others for pair in tests]
    return effects(frame, contrasts, right=right(store, frame), others=members, equivalence=equivalence)


def _own_contrasts(runs: Runs) -> list[Contrast]:
    named = {contrast.name for contrast in runs.study.contrasts}
    return [contrast for contrast in runs.own_study.contrasts if contrast.name in named]


def _tests(study: Study, frame: pd.DataFrame | None) -> Tests:
    """The p-values of a study's primary contrasts, NaN where they are not run yet."""
    primary = [contrast for contrast in study.contrasts if contrast.primary]
    if frame is None:
        return [(np.nan, np.nan)] * len(primary)
    table = effects(frame, primary)
    return list(zip(table["p"], table["p_equal"], strict=True))


def right(store: RunStore, frame: pd.DataFrame) -> Callable[[str, int], np.ndarray]:
    """Which test images a run got right, ``(arm, seed) -> [image]`` of bool, each read once."""
    ids = {(row.arm, row.seed): row.run_id for row in frame.itertuples()}
    known: dict[str, np.ndarray] = {}

    def read(arm: str, seed: int) -> np.ndarray:
        run_id = ids[arm, seed]
        if run_id not in known:
            found = store.predictions(run_id)
            order = found["index"].argsort()  # so that one column is one image in every run
            known[run_id] = (found["prediction"] == found["label"])[order].numpy()
        return known[run_id]

    return read
