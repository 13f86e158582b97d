"""What the lab has found at a scale, as the ledger gets it."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from dianet_lab.analysis.lab_results import by_contrast, lab_effects
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.rates import Runs

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
