"""The tables of a report: percent and points, and no run lost on the way."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis import tables
from dianet_lab.analysis.published import compare_counts
from dianet_lab.analysis.statistics import by_learning_rate, effects
from dianet_lab.studies.catalog import STUDIES, get_study
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs


@pytest.fixture
def frame() -> pd.DataFrame:
    """Two arms, three seeds; DIA is one point above plain on average, and one more DIA run diverged."""
    rows = []
    for arm, values in {"plain": [0.90, 0.91, 0.92, 0.93], "DIA": [0.91, 0.92, 0.93, np.nan]}.items():
        for seed, value in enumerate(values):
            status = "finished" if np.isfinite(value) else "diverged"
            rows.append(
                {"arm": arm, "seed": seed, "status": status, "is_baseline": arm == "plain", "test_accuracy": value}
            )
    extra = {"best_test_accuracy": 0.95, "train_accuracy": 1.0, "parameters": 100, "attention_parameters": 20}
    return pd.DataFrame(rows).assign(**extra, hidden="4/8/16", seconds=2.0)


def test_arms_are_in_percent_and_losses_in_columns(frame):
    table = tables.arm_table(frame).set_index("arm")
    assert table.loc["plain", "test (%)"] == pytest.approx(91.5) and table.loc["DIA", "test (%)"] == pytest.approx(92)
    assert table.loc["DIA", "difference"] == pytest.approx(1.0) and np.isnan(table.loc["plain", "difference"])
    assert list(table["diverged"]) == [0, 1] and list(table["seeds"]) == [4, 3]
    assert "verdict" not in table and "diverged" not in tables.arm_table(frame[frame.seed < 3])
    assert set(tables.ARM_FORMATS) <= {*table.columns}


def test_a_tuned_arm_shows_its_own_learning_rate_and_what_it_reaches_there(frame):
    own = frame.assign(test_accuracy=frame["test_accuracy"].where(frame["arm"] == "plain", 0.95), status="finished")
    frame = pd.concat([frame, frame[frame["arm"] == "DIA"].assign(arm="not tuned")])
    runs = Runs(None, frame, rates={"DIA": 0.3, "plain": 0.1}, own=own)
    table = tables.arm_table(frame, runs).set_index("arm")
    assert list(table["own lr"][:2]) == [0.1, 0.3] and table.loc["DIA", "test at own (%)"] == pytest.approx(95)
    assert table.loc["not tuned", ["own lr", "test at own (%)"]].isna().all()
    assert list(table["test (%)"]) == pytest.approx([91.5, 92, 92])
    assert set(tables.arm_formats(table.reset_index())) == {*tables.ARM_FORMATS, *tables.OWN_ARM_FORMATS}
    assert "own lr" not in tables.arm_table(frame, Runs(None, frame))


def test_contrasts_are_in_points_with_what_matters(frame):
    table = tables.effect_table(effects(frame, [Contrast("d", {"DIA": 1, "plain": -1}, delta=0.005)]))
    assert table["points"][0] == pytest.approx(1.0) and table["matters"][0] == 0.5 and table["seeds"][0] == 3
    assert set(tables.EFFECT_FORMATS) <= {*table.columns} and table["lost"][0] == 1


D = [Contrast("d", {"DIA": 1, "plain": -1}), Contrast("more", {"DIA": 1, "plain": -1}, primary=False)]


def test_effects_have_only_columns_that_say_something(frame):
    frame = frame[frame.seed < 3].assign(test_accuracy=lambda f: f.test_accuracy + 0.001 * f.seed * (f.arm == "DIA"))
    plain = tables.effect_table(effects(frame, D))
    assert list(plain) == ["contrast", "seeds", "points", "±", "p (Holm)", "p (equal)", "verdict", "matters", "needs"]
    assert list(plain["verdict"]) == ["better", "exploratory"] and np.isnan(plain["p (Holm)"][1])
    known = effects(frame, D).assign(crossed_low=-0.01, crossed_high=0.03)
    full = tables.effect_table(by_learning_rate(known, effects(frame, D)))
    assert full["± images too"][0] == pytest.approx(2.0) and full["own rate"][0] == full["points"][0]
    assert set(full) - set(plain) == {"± images too", "own rate", "± own"} and full["± own"][0] == full["±"][0]
    assert "own rate" not in tables.effect_table(by_learning_rate(known, None))
    other = by_learning_rate(known, effects(frame, D).assign(verdict=["undecided", "exploratory"], own_lost=1, lost=2))
    apart = tables.effect_table(other)
    assert list(apart["common / own"]) == ["better / undecided", "–"] and list(apart["lost own"]) == [2, 2]
    assert tables.effect_formats(apart)["lost own"] == tables.COUNT
    for table in (plain, full):
        numbers = {*table} - {"contrast", "seeds", "verdict"}
        assert set(tables.effect_formats(table)) == numbers


def test_the_hardest_rival_is_named(frame):
    asked = [Contrast("best", {"DIA": 1}, best_of=["plain"]), *D]
    assert list(tables.effect_table(effects(frame, asked))["hardest rival"]) == ["plain", "–", "–"]


def test_costs_say_what_share_the_units_have(frame):
    table = tables.cost_table(frame)
    assert list(table["share (%)"]) == [20, 20] and set(tables.COST_FORMATS) <= {*table.columns}


@pytest.mark.parametrize("name", STUDIES)
def test_every_contrast_of_every_study_is_spelled_out(name):
    study = get_study(name, "smoke")
    table = tables.contrast_table(study)
    assert len(table) == len(study.contrasts) and table.ne("").all(axis=None)


def test_contrasts_name_their_weights():
    table = tables.contrast_table(get_study("sharing", "smoke")).set_index("contrast")
    assert table.loc["sharing (main effect)", "plus"] == "0.5 × DIA + 0.5 × shared, no memory"
    assert table.loc["DIA - plain", "minus"] == "plain"


class Asked:
    """As much of a study as its table of contrasts looks at."""

    contrasts = [Contrast("best", {"DIA": 1}, delta=0.07, best_of=["SE", "ECA"]), *D]


def test_contrasts_say_what_kind_they_are_and_what_matters():
    table = tables.contrast_table(Asked).set_index("contrast")
    assert list(table.loc["best"]) == ["DIA", "the best of: SE, ECA", "primary", 7.0]
    assert list(table.loc["more"]) == ["DIA", "plain", "exploratory", 1.0]
    assert set(tables.CONTRAST_FORMATS) <= {*table}


def test_epochs_to_fit_is_the_mean_over_seeds_and_unknown_where_one_never_fits():
    rows = [("a", 0, [0.5, 0.9, 1.0]), ("a", 1, [0.95, 0.8, 1.0]), ("b", 0, [0.1, 0.2, 0.3]), ("b", 1, [0.9, 0.9, 0.9])]
    history = pd.concat(
        pd.DataFrame({"arm": arm, "seed": seed, "epoch": [1, 2, 3], "train_accuracy": values})
        for arm, seed, values in rows
    )
    reached = tables.epochs_to_fit(history)
    assert reached["a"] == 1.5 and np.isnan(reached["b"])


def test_our_parameters_are_those_that_pytorchcv_publishes():
    assert compare_counts()["equal"].eq("yes").all()


def test_seeds_that_were_added_after_looking_mark_every_verdict_but_no_exploratory_row(frame):
    family = [Contrast("d", {"DIA": 1, "plain": -1}), Contrast("e", {"plain": 1, "DIA": -1}, primary=False)]
    found = effects(frame, family)
    assert list(tables.effect_table(found.assign(extended=False))["verdict"]) == ["undecided", "exploratory"]
    assert list(tables.effect_table(found.assign(extended=True))["verdict"]) == ["undecided (extended)", "exploratory"]
