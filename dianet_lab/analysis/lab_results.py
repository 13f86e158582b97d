"""What the whole lab has found at a scale, read from the store: for the ledger, the summary and the plan."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dianet_lab.analysis.estimates import AT_COMMON, AT_OWN, at_rates
from dianet_lab.analysis.interval import points
from dianet_lab.analysis.judgement import judge
from dianet_lab.analysis.recipes import recipe_effects
from dianet_lab.analysis.stability import stability_effects
from dianet_lab.studies.catalog import STUDIES, get_study, sisters
from dianet_lab.studies.rates import Runs, stored_runs
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

GAIN = "DIA - plain"


def lab_runs(profile: str, store: RunStore, **changes: Any) -> dict[str, Runs]:
    """The runs of every study that the store has any of, by the study's name.

    Args:
        changes: ``seeds``, ``epochs``, ``data``, ``train_size``, as of ``get_study``.
    """
    found = {name: stored_runs(get_study(name, profile, **changes), store) for name in STUDIES}
    return {name: runs for name, runs in found.items() if _stored(runs).any()}


def lab_effects(studies: Mapping[str, Runs], store: RunStore) -> pd.DataFrame:
    """Every contrast of these studies, with a column ``study``; see ``judge`` for the rest."""
    tables = [_judged(runs, store).assign(study=name) for name, runs in studies.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["study", "contrast", "primary"])


def lab_results(profile: str, store: RunStore, **changes: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The effects by ``(study, contrast)``, without contrasts whose runs are all still to come."""
    return by_contrast(lab_effects(lab_runs(profile, store, **changes), store))


def by_contrast(table: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of :func:`lab_effects` by ``(study, contrast)``, without those whose runs are all still to come."""
    rows = table.to_dict("records")
    return {(row["study"], row["contrast"]): row for row in rows if row["n"] or row["lost"] or not row["waiting"]}


def rate_caution(study: Study, store: RunStore) -> str:
    """What the common learning rate may do to DIA's gain, for a study that has no other: told by the study of sharing.

    There each core arm has its own rate too; read are its runs in the store, trained is nothing.
    """
    here = "All arms run at one learning rate here, which may suit one better than another."
    sharing = next((sister for sister in sisters(study) if sister.name == "sharing"), None)
    if sharing is None:
        return here
    table = judge(stored_runs(sharing, store), store).set_index("contrast")
    common, *own = at_rates(table.loc[GAIN])
    if not own or not math.isfinite(common["low"]):
        return f"{here} What each arm's own rate does to {GAIN} is not known yet: the study of sharing has not run."
    told = " and ".join(
        f"{points(rate['estimate'])} [{points(rate['low'])}, {points(rate['high'])}] {where}"
        for rate, where in ((common, AT_COMMON), (own[0], AT_OWN))
    )
    return f"{here} In the study of sharing {GAIN} is {told}, in points."


def _judged(runs: Runs, store: RunStore) -> pd.DataFrame:
    if runs.study.name == "stability":
        classes = store.manifest(runs.frame.loc[_stored(runs), "run_id"].iloc[0])["model"]["num_classes"]
        # Over all cells: those that are chosen for plain's failures flatter whatever is compared with plain.
        table = stability_effects(runs.frame, 1 / classes, runs.study.scale.delta, everywhere=True)
        return table.assign(extended=runs.study.extended)
    table = judge(runs, store)
    if runs.study.name == "recipe":
        table = pd.concat([table, recipe_effects(runs.frame, runs.study.contrasts[0].delta)], ignore_index=True)
    return table.assign(extended=runs.study.extended)


def _stored(runs: Runs) -> pd.Series:
    return runs.frame["status"].isin(["finished", "diverged"])
