"""From the runs of a study to its verdicts: one rule for every notebook, the command line and the ledger.

The primary contrasts of all studies are ONE family. A notebook corrects over all of it: with the p-values of the sister
studies where the store has their runs, and else as if those had found nothing, which is the harder case.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from dianet_lab.analysis.assay import Assay, assay
from dianet_lab.analysis.statistics import by_learning_rate, effects, shifts
from dianet_lab.studies.catalog import sisters
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs, stored_runs
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

Tests = list[tuple[float, float]]


def judge(runs: Runs, store: RunStore) -> pd.DataFrame:
    """The effects of a study's contrasts, at the common learning rate and at each arm's own, with their verdicts.

    Columns: as of :func:`~dianet_lab.analysis.statistics.effects` and ``by_learning_rate``, and ``extended``, whether
    seeds were added after looking. At a rate at which the setting does not pass its assay nothing is called equivalent.
    """
    family = [stored_runs(sister, store) for sister in sisters(runs.study)]
    checked = assay_of(runs)
    common = _effects(
        runs.study.contrasts, runs.frame, store, [_tests(f.study, f.frame) for f in family],
        checked is not None and checked.at_common,
    )  # fmt: skip
    own = moved = None
    if runs.own is not None and (shared := _own_contrasts(runs)):
        others = [_tests(f.study, f.own) for f in family]
        own = _effects(shared, runs.own, store, others, checked is not None and checked.accepted)
        own = _unless_same(own, common, shared, runs)
        moved = shifts(runs.frame, runs.own, shared)
    size = sum(contrast.primary for study in (runs, *family) for contrast in study.study.contrasts)
    return by_learning_rate(common, own, moved, size).assign(extended=runs.study.extended)


def assay_of(runs: Runs) -> Assay | None:
    """The assay of a study's setting; None for a study without core arms, which may call nothing equivalent."""
    return assay(runs) if runs.study.tuning is not None else None


def _unless_same(own: pd.DataFrame, common: pd.DataFrame, contrasts: list[Contrast], runs: Runs) -> pd.DataFrame:
    """``own``, but as at the common rate for contrasts whose arms all kept it: their runs are the same."""
    kept = {arm for arm, rate in runs.rates.items() if rate == runs.study.base.train.lr}
    same = {contrast.name for contrast in contrasts if set(contrast.arms) <= kept}
    return pd.concat([own[~own["contrast"].isin(same)], common[common["contrast"].isin(same)]], ignore_index=True)


def _effects(
    contrasts: list[Contrast], frame: pd.DataFrame, store: RunStore, others: list[Tests], equivalence: bool
) -> pd.DataFrame:
    members = [pair for tests in others for pair in tests]
    return effects(frame, contrasts, right=right(store, frame), others=members, equivalence=equivalence)


def _own_contrasts(runs: Runs) -> list[Contrast]:
    named = {contrast.name for contrast in runs.study.contrasts}
    return [contrast for contrast in runs.own_study.contrasts if contrast.name in named]


def _tests(study: Study, frame: pd.DataFrame | None) -> Tests:
    """The p-values of a study's primary contrasts, NaN where their runs are not all in: those may still change."""
    primary = [contrast for contrast in study.contrasts if contrast.primary]
    if frame is None:
        return [(np.nan, np.nan)] * len(primary)
    table = effects(frame, primary)
    table.loc[table["reason"].ne(""), ["p", "p_equal"]] = np.nan
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
