"""What the lab has found at a scale, as the ledger gets it."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from dianet_lab.analysis import lab_results
from dianet_lab.analysis.lab_results import by_contrast, lab_effects, rate_caution
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.rates import Runs
from dianet_lab.studies.store import RunStore

STORE = SimpleNamespace(manifest=lambda run_id: {"model": {"num_classes": 10}})


def stability(extended=False, **accuracy) -> Runs:
    """The study with every run done: plain learns at the lowest rate only, all else everywhere, unless told."""
    study = replace(get_study("stability", "smoke"), planned=1 if extended else None)
    rows = []
    for arm, config in study.configs():
        name = arm.rpartition(": ")[2]
        good = name != "plain" or config.train.lr == min(study.scale.shaky.rates)
        test = accuracy.get(name, 0.8) if good else 0.1
        rows.append({"arm": arm, "seed": config.seed, "run_id": arm, "status": "finished", "test_accuracy": test})
    return Runs(study, pd.DataFrame(rows).assign(train_accuracy=lambda row: row["test_accuracy"]))


@pytest.mark.parametrize("name", ["networks", "depth", "recipe"])
def test_a_study_of_one_learning_rate_says_what_that_may_do_to_the_gain(name, tmp_path, monkeypatch):
    """By the study of sharing, at the same scale and with the same changes, as far as the store has it."""
    store, study = RunStore(tmp_path), get_study(name, "smoke", epochs=2)
    assert "not known yet" in rate_caution(study, store)
    row = {"contrast": "DIA - plain", "verdict": "exploratory", "low": 0.049, "estimate": 0.063, "high": 0.077}
    own = {"own_low": 0.025, "own_estimate": 0.034, "own_high": 0.044}
    asked = []
    monkeypatch.setattr(lab_results, "judge", lambda runs, _: asked.append(runs.study) or pd.DataFrame([row | own]))
    said = rate_caution(study, store)
    assert "DIA - plain is +6.3 [+4.9, +7.7] at the common" in said and "+3.4 [+2.5, +4.4] at each arm's own" in said
    assert [(one.name, one.base.train.epochs) for one in asked] == [("sharing", 2)]


def test_stability_is_counted_in_all_cells():
    """Chosen ones, in which plain fails, would leave out those in which it is better than DIA."""
    table = lab_effects({"stability": stability(plain=0.9)}, STORE).set_index("contrast")
    row = table.loc["no norm: DIA - plain"]
    rates = len(get_study("stability", "smoke").scale.shaky.rates)
    assert row["cells"] == row["of_cells"] and row["where"] == "in all cells"
    assert row["estimate"] == pytest.approx((-0.1 + (rates - 1) * 0.7) / rates)


@pytest.mark.parametrize("extended", [True, False])
def test_whether_seeds_were_added_is_known_of_every_contrast(extended):
    table = lab_effects({"stability": stability(extended)}, STORE)
    assert set(table["extended"]) == {extended}


def test_only_what_is_still_to_come_is_left_out():
    counts = pd.DataFrame(
        [("none yet", 0, 0, 3), ("some", 2, 0, 1), ("all lost", 0, 3, 0), ("nothing to compare", 0, 0, 0)],
        columns=["contrast", "n", "lost", "waiting"],
    ).assign(study="s")
    assert [name for _, name in by_contrast(counts)] == ["some", "all lost", "nothing to compare"]
