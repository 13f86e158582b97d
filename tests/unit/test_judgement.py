"""From runs to verdicts: one family for the whole lab, equality only after an assay, and both learning rates."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from dianet_lab.analysis import judgement
from dianet_lab.analysis.judgement import assay_of, judge, right
from dianet_lab.analysis.lab_results import lab_effects
from dianet_lab.analysis.statistics import effects
from dianet_lab.profiles import get_profile
from dianet_lab.studies import catalog
from dianet_lab.studies.catalog import YARDSTICK
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs, at_own_rates
from dianet_lab.studies.study import Study

get_study = cache(catalog.get_study)
FAMILY = 8
TREND = "trend per doubling of r"
SHAPE = "shape: sigmoid - tanh (main effect)"


@pytest.fixture(autouse=True)
def only_verdicts(monkeypatch):
    """How many seeds need not be told."""
    monkeypatch.setattr("dianet_lab.analysis.statistics.seeds_needed", lambda *_, **__: np.nan)


def frame_of(study: Study, levels=None, good=True, spread=0.004) -> pd.DataFrame:
    """Runs of all arms: test accuracy 0.8 plus ``levels`` of the arm, and a spread over seeds.

    Args:
        good: whether the setting passes its assay: fitted, and the yardstick is three points worse.
    """
    levels = {YARDSTICK: -0.03 if good else 0.0} | (levels or {})
    rows = []
    for number, arm in enumerate(study.arms):
        seeds = study.seeds_of(arm)
        noise = stats.zscore(np.random.RandomState(number).normal(size=max(2, len(seeds))), ddof=1) * spread
        rows += [
            {"arm": arm, "seed": seed, "status": "finished", "run_id": f"{arm}-{seed}", "train_accuracy": 1.0}
            | {"test_accuracy": 0.8 + levels.get(arm, 0.0) + step}
            for seed, step in zip(seeds, noise, strict=False)
        ]
    return pd.DataFrame(rows)


def empty(study: Study) -> Runs:
    frame = frame_of(study)
    return Runs(study, frame.assign(status="pending", test_accuracy=np.nan, train_accuracy=np.nan))


def runs_of(name="reduction", levels=None, own=None, profile="digits", **options) -> Runs:
    """A study with runs at the common rate and, with ``own`` levels, at own rates."""
    made = {key: options.pop(key) for key in ("seeds",) if key in options}
    study = get_study(name, profile, **made)
    frame = frame_of(study, levels, **options)
    if own is None:
        return Runs(study, frame)
    rates = dict.fromkeys(study.tuning.arms, 0.3)
    own_study = at_own_rates(study, rates)
    return Runs(study, frame, None, rates, own_study, frame_of(own_study, own, **options))


@pytest.fixture
def lab(monkeypatch) -> dict[str, Runs]:
    """What the store has of the sister studies, by name; empty ones if not given. No predictions."""
    stored: dict[str, Runs] = {}
    monkeypatch.setattr(judgement, "stored_runs", lambda study, store: stored.get(study.name) or empty(study))
    monkeypatch.setattr(judgement, "right", lambda store, frame: None)
    return stored


def row_of(table: pd.DataFrame, contrast: str) -> pd.Series:
    return table.set_index("contrast").loc[contrast]


STEEP = {"r=1": -0.02, "r=2": -0.01, "r=8": 0.01, "r=16": 0.02}
WEAK = {arm: level / 10 for arm, level in STEEP.items()}


class TestFamily:
    def test_sisters_without_runs_count_as_if_they_had_found_nothing(self, lab, store):
        row = row_of(judge(runs_of(levels=WEAK), store), TREND)
        assert 0 < row.p < 0.05 and row.p_holm == pytest.approx(min(1, FAMILY * row.p))

    @pytest.mark.parametrize("name", get_profile("quick").family)
    def test_all_primary_contrasts_of_all_studies_are_in_it_whichever_is_asked(self, lab, store, name):
        """The smallest p of the family is multiplied by its size; here that is one of the study itself."""
        table = judge(runs_of(name, levels={"DIA": 0.05, "clock": 0.02}), store)
        tested = table[table["primary"]]
        smallest = tested.loc[tested["p"].idxmin()]
        assert smallest.p_holm == pytest.approx(min(1.0, FAMILY * smallest.p))

    def test_sisters_that_found_something_leave_less_to_correct_for(self, lab, store):
        alone = row_of(judge(runs_of(levels=WEAK), store), TREND)
        lab["activation"] = runs_of("activation", {"tanh": -0.1, "tanh(c+0.549)": -0.1})
        lab["sharing"] = runs_of("sharing", {"SE per block": -0.1})
        together = row_of(judge(runs_of(levels=WEAK), store), TREND)
        found = [p for name in lab for p in effects(lab[name].frame, lab[name].study.contrasts).query("primary")["p"]]
        smaller = sum(p < together.p for p in found)
        assert smaller >= 2 and together.p == alone.p
        assert together.p_holm == pytest.approx((FAMILY - smaller) * together.p)
        assert together.p_holm < alone.p_holm

    def test_an_exploratory_contrast_is_no_part_of_it_and_has_no_verdict(self, lab, store):
        table = judge(runs_of(), store)
        explored = table[~table["primary"].astype(bool)]
        assert set(explored["verdict"]) == {"exploratory"} and explored["p_holm"].isna().all()

    @pytest.mark.parametrize("name", ["units", "depth", "networks"])
    def test_a_study_without_primary_contrasts_is_all_exploratory(self, lab, store, name):
        assert set(judge(runs_of(name, profile="quick"), store)["verdict"]) == {"exploratory"}

    def test_own_rates_have_the_family_of_own_rates(self, lab, store):
        """A sister without own rates counts as p = 1 there, whatever it has found at the common one."""
        lab["activation"] = runs_of("activation", {"tanh": -0.1, "tanh(c+0.549)": -0.1})
        alone = row_of(judge(runs_of(levels=WEAK, own=WEAK), store), TREND)
        assert alone.own_p_holm == pytest.approx(FAMILY / (FAMILY - 1) * alone.p_holm)

    def test_a_sister_that_is_not_all_in_counts_as_if_it_had_found_nothing(self, lab, store):
        """Its p-values may still grow, and a verdict that leant on them would have to be taken back."""
        alone = row_of(judge(runs_of(levels=WEAK), store), TREND)
        sister = runs_of("activation", {"tanh": -0.1, "tanh(c+0.549)": -0.1})
        waiting = sister.frame["status"].mask(sister.frame["seed"].eq(19), "pending")
        lab["activation"] = replace(sister, frame=sister.frame.assign(status=waiting))
        assert row_of(judge(runs_of(levels=WEAK), store), TREND).p_holm == alone.p_holm


class TestEquivalence:
    """Arms are called equal only where a difference that is there would have been seen."""

    def test_is_stated_where_the_setting_passes_its_assay(self, lab, store):
        row = row_of(judge(runs_of("activation", spread=0.001), store), SHAPE)
        assert row.verdict == "equivalent" and row.p_equal_holm < 0.05

    @pytest.mark.parametrize("good", [True, False])
    def test_is_never_stated_where_it_does_not(self, lab, store, good):
        runs = runs_of("activation", spread=0.001, good=good)
        assert row_of(judge(runs, store), SHAPE).verdict == ("equivalent" if good else "undecided")

    @pytest.mark.parametrize(
        "bad", [{"train_accuracy": 0.9}, {"test_accuracy": 0.97}], ids=["nothing fits", "there is no room"]
    )
    def test_nor_where_the_networks_do_not_fit_or_have_no_room(self, lab, store, bad):
        runs = runs_of("activation", spread=0.001)
        moved = runs.frame["arm"].eq("plain")
        frame = runs.frame.copy()
        frame.loc[moved, list(bad)] = list(bad.values())
        assert row_of(judge(replace(runs, frame=frame), store), SHAPE).verdict == "undecided"

    def test_nor_at_own_rates(self, lab, store):
        row = row_of(judge(runs_of("activation", own={}, good=False, spread=0.001), store), SHAPE)
        assert (row.verdict, row.verdict_common, row.verdict_own) == ("undecided",) * 3

    def test_different_but_negligible_needs_it_too(self, lab, store):
        """Half a point that is surely there: without an assay it is a difference, and not a negligible one."""
        small = {"tanh": -0.004, "tanh(c+0.549)": -0.004}
        verdicts = [
            row_of(judge(runs_of("activation", small, good=good, spread=0.001), store), SHAPE).verdict
            for good in (True, False)
        ]
        assert verdicts == ["different but negligible", "better"]

    def test_is_never_stated_of_a_users_own_study_which_has_no_assay(self, lab, store, tiny):
        arms = {"one": {}, "two": {"model.attention.cells": 2}}
        study = Study("mine", tiny, arms=arms, seeds=range(20), contrasts=[Contrast("c", {"two": 1, "one": -1})])
        runs = Runs(study, frame_of(study, spread=0.0005))
        assert assay_of(runs) is None
        assert list(judge(runs, store)["verdict"]) == ["undecided"]


class TestAssay:
    def test_is_the_studys_own_and_no_sisters(self, lab, store):
        lab["sharing"] = runs_of("sharing", good=False)
        assert assay_of(runs_of("activation")).accepted
        assert not assay_of(runs_of("activation", good=False)).accepted

    def test_there_is_none_without_core_arms(self, lab, store):
        assert assay_of(runs_of("depth")) is None

    @pytest.mark.parametrize(
        ("where", "verdicts"), [("frame", ("undecided", "equivalent")), ("own", ("equivalent", "undecided"))]
    )
    def test_each_learning_rate_has_its_own(self, lab, store, where, verdicts):
        """A setting that sees a known gap at one rate may be blind at another."""
        runs = runs_of("activation", own={}, spread=0.001)
        frame = getattr(runs, where).assign(train_accuracy=0.9)
        row = row_of(judge(replace(runs, **{where: frame}), store), SHAPE)
        assert (row.verdict_common, row.verdict_own) == verdicts and row.verdict == "undecided"


class TestRates:
    def test_both_are_told_and_agree(self, lab, store):
        row = row_of(judge(runs_of(levels=STEEP, own=STEEP), store), TREND)
        assert (row.verdict, row.verdict_common, row.verdict_own) == ("better",) * 3
        assert row.own_estimate == pytest.approx(row.estimate, abs=0.002) and row.own_n == row.n

    def test_a_verdict_that_differs_between_them_depends_on_the_rate(self, lab, store):
        reverse = {arm: -level for arm, level in STEEP.items()}
        row = row_of(judge(runs_of(levels=STEEP, own=reverse), store), TREND)
        assert row.verdict == "depends on learning rate"
        assert (row.verdict_common, row.verdict_own) == ("better", "worse")

    def test_runs_at_own_rates_that_are_not_all_in_say_nothing_yet(self, lab, store):
        reverse = {arm: -level for arm, level in STEEP.items()}
        runs = runs_of(levels=STEEP, own=reverse)
        last = runs.own["seed"].eq(runs.own["seed"].max())
        own = runs.own.assign(status=runs.own["status"].mask(last, "pending"))
        row = row_of(judge(replace(runs, own=own), store), TREND)
        assert (row.verdict, row.verdict_own) == ("better", "") and np.isnan(row.own_estimate)

    def test_arms_that_kept_the_common_rate_say_the_same_at_both(self, lab, store):
        """Their runs are the same, so a sister without own runs must not make another verdict of them."""
        runs = runs_of(levels=WEAK)
        rates = dict.fromkeys(runs.study.tuning.arms, runs.study.base.train.lr)
        own_study = at_own_rates(runs.study, rates)
        own = runs.frame[runs.frame["arm"].isin(rates)]
        row = row_of(judge(replace(runs, rates=rates, own_study=own_study, own=own), store), TREND)
        assert row.own_p_holm == row.p_holm and row.verdict_own == row.verdict_common

    def test_before_own_rates_are_run_the_common_one_speaks(self, lab, store):
        row = row_of(judge(runs_of(levels=STEEP), store), TREND)
        assert (row.verdict, row.verdict_own) == ("better", "") and np.isnan(row.own_estimate)

    def test_contrasts_over_arms_without_an_own_rate_have_no_own_estimate(self, lab, store):
        table = judge(runs_of(levels=STEEP, own=STEEP), store)
        assert np.isnan(row_of(table, "no bottleneck - DIA").own_estimate)

    def test_a_contrast_that_only_own_rates_would_have_is_not_made_up(self, lab, store):
        """Without a contrast over tuned arms a study falls back to each against the baseline: nobody asked for that."""
        runs = runs_of("units", own={}, profile="quick")
        kept = [contrast for contrast in runs.study.contrasts if "GRU" in contrast.name]
        study = replace(runs.study, contrasts=kept)
        own_study = at_own_rates(study, runs.rates)
        table = judge(replace(runs, study=study, own_study=own_study), store)
        assert list(table["contrast"]) == [contrast.name for contrast in kept] and table["own_estimate"].isna().all()


class TestSeeds:
    @pytest.mark.parametrize(("seeds", "extended"), [(19, False), (20, False), (21, True)])
    def test_more_than_planned_make_an_extended_result(self, lab, store, seeds, extended):
        table = judge(runs_of(seeds=seeds), store)
        assert table["extended"].eq(extended).all() and len(table)

    def test_two_decide_nothing(self, lab, store):
        row = row_of(judge(runs_of(levels=STEEP, seeds=2), store), TREND)
        assert row.verdict == "undecided" and row.n == 2


class TestOneRule:
    def test_the_whole_lab_is_judged_as_each_notebook_judges_its_study(self, lab, store):
        lab |= {
            name: runs_of(name, STEEP | {"DIA": 0.01}, profile="quick") for name in get_profile("quick").family[-2:]
        }
        table = lab_effects(lab, store)
        for name, runs in lab.items():
            mine = table[table["study"] == name].drop(columns="study").reset_index(drop=True)
            pd.testing.assert_frame_equal(mine, judge(runs, store), check_dtype=False)


class TestPredictions:
    class Store:
        """Two runs, whose test images are stored in another order."""

        def __init__(self):
            self.read = []

        def predictions(self, run_id):
            self.read.append(run_id)
            order = torch.tensor([2, 0, 1] if run_id == "b" else [0, 1, 2])
            hits = {"a": [True, False, True], "b": [False, False, True]}[run_id]
            label = torch.tensor([5, 6, 7])
            guess = torch.where(torch.tensor(hits), label, label + 1)
            return {"index": order, "label": label[order], "prediction": guess[order]}

    frame = pd.DataFrame({"arm": ["DIA", "plain"], "seed": [0, 0], "run_id": ["a", "b"]})

    def test_are_right_or_wrong_image_by_image_in_one_order(self):
        read = right(self.Store(), self.frame)
        assert read("DIA", 0).tolist() == [True, False, True] and read("plain", 0).tolist() == [False, False, True]

    def test_of_a_run_are_read_once(self):
        store = self.Store()
        read = right(store, self.frame)
        assert [read("DIA", 0) is read("DIA", 0), store.read] == [True, ["a"]]
