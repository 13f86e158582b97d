"""Each arm's own learning rate: chosen on validation images by seeds of its own, and what is trained for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError
from dianet_lab.models import build_model
from dianet_lab.profiles import get_profile
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.manifest import PREDICTIONS
from dianet_lab.studies.rates import (
    at_own_rates,
    further_runs,
    own_rates,
    run_at_rates,
    stored_runs,
    trial_name,
    tuning_study,
)
from dianet_lab.studies.study import Study, Tuning
from dianet_lab.training.evaluation import Evaluation
from dianet_lab.training.loop import Outcome

COMMON = 0.1
RATES = (0.03, COMMON, 0.3)


@pytest.fixture
def study(tiny) -> Study:
    """Three arms, two of them tuned, two seeds (the third arm has one of them), and two contrasts."""
    return Study(
        "s",
        tiny,
        arms={"DIA": {}, "plain": {"model.attention.unit": "none"}, "tanh": {"model.attention.activation": "tanh"}},
        seeds=[0, 1],
        arm_seeds={"tanh": [0]},
        baseline="plain",
        contrasts=[
            Contrast("help", {"DIA": 1, "plain": -1}, 0.02),
            Contrast("shape", {"DIA": 1, "tanh": -1}, primary=False),
        ],
        tuning=Tuning(["DIA", "plain"], RATES, [1000, 1001]),
        planned=2,
        threads=1,
    )


def tried(accuracies, lost=()) -> pd.DataFrame:
    """``{arm: {rate: [validation accuracy of each seed]}}`` as finished trials; ``lost``: (arm, rate, seed, status)."""
    rows = [
        {"arm": arm, "rate": rate, "seed": 1000 + seed, "status": "finished", "val_accuracy": value}
        for arm, rates in accuracies.items()
        for rate, values in rates.items()
        for seed, value in enumerate(values)
    ]
    frame = pd.DataFrame(rows).assign(test_accuracy=0.5)
    for arm, rate, seed, status in lost:
        place = (frame.arm == arm) & (frame.rate == rate) & (frame.seed == 1000 + seed)
        frame.loc[place, ["status", "val_accuracy"]] = [status, np.nan]
    return frame


class TestTrials:
    def test_are_every_tuned_arm_at_every_rate_with_the_tuning_seeds(self, study):
        trying = tuning_study(study)
        assert list(trying.arms) == [trial_name(arm, rate) for arm in ("DIA", "plain") for rate in RATES]
        assert trying.seeds == (1000, 1001) and len(trying.configs()) == 12
        config = trying.config("plain, rate 0.3", 1001)
        assert config == study.config("plain", 0).override({"train.lr": 0.3, "seed": 1001})

    def test_are_no_runs_of_the_study(self, study):
        ids = [{config.run_id for _, config in one.configs()} for one in (study, tuning_study(study))]
        assert not ids[0] & ids[1]

    def test_there_are_none_where_nothing_is_tuned(self, study, store):
        assert tuning_study(replace(study, tuning=None)) is None
        assert further_runs(replace(study, tuning=None), store) == {}

    def test_frame_names_the_arm_and_the_rate(self, study, store):
        frame = stored_runs(study, store).tried
        assert list(zip(frame["arm"], frame["rate"], strict=True))[:3] == [("DIA", rate) for rate in RATES]
        assert set(frame["status"]) == {"pending"}

    @pytest.mark.parametrize("name", get_profile("quick").family)
    def test_an_arm_of_the_catalogue_has_the_same_ones_in_every_study(self, name):
        """So that it has one own rate, and its trials are run once."""
        ids = [{config.run_id for _, config in tuning_study(get_study(one)).configs()} for one in (name, "units")]
        assert ids[1] <= ids[0]


class TestOwnRates:
    def test_is_the_best_mean_accuracy_on_validation_images(self):
        frame = tried({"a": {0.03: [0.7, 0.8], 0.1: [0.6, 0.7], 0.3: [0.5, 0.9]}})
        assert own_rates(frame, COMMON) == {"a": 0.03}

    @pytest.mark.parametrize(("gains", "rate"), [([0.05, 0.06], 0.3), ([0.0, 0.11], COMMON), ([-0.1, 0.3], COMMON)])
    def test_an_arm_leaves_the_common_rate_only_for_a_gain_above_its_standard_error(self, gains, rate):
        accuracies = {0.03: [0.2, 0.2], COMMON: [0.5, 0.6], 0.3: [0.5 + gains[0], 0.6 + gains[1]]}
        assert own_rates(tried({"a": accuracies}), COMMON) == {"a": rate}

    def test_with_one_tuning_seed_it_is_the_best(self):
        assert own_rates(tried({"a": {0.03: [0.6], COMMON: [0.5], 0.3: [0.4]}}), COMMON) == {"a": 0.03}

    def test_arms_to_which_the_rate_is_all_one_mostly_keep_it(self):
        """The best mean of three would leave it in two of three cases."""
        random = np.random.default_rng(0)
        arms = {str(arm): {rate: list(random.normal(0.5, 0.02, 6)) for rate in RATES} for arm in range(400)}
        kept = sum(rate == COMMON for rate in own_rates(tried(arms), COMMON).values())
        assert kept > 0.6 * len(arms)

    def test_a_run_that_diverged_counts_as_0(self):
        accuracies = {"a": {0.03: [0.5, 0.5], 0.1: [0.6, 0.6], 0.3: [0.9, 0.9]}}
        assert own_rates(tried(accuracies), COMMON) == {"a": 0.3}
        assert own_rates(tried(accuracies, [("a", 0.3, 0, "diverged")]), COMMON) == {"a": 0.1}

    def test_of_equals_the_common_rate_is_taken_else_the_lower_one(self):
        equal = {rate: [0.6, 0.8] for rate in RATES}
        assert own_rates(tried({"a": equal}), COMMON) == {"a": COMMON}
        assert own_rates(tried({"a": equal | {COMMON: [0.5, 0.7]}}), COMMON) == {"a": 0.03}

    def test_equal_means_of_other_addends_are_equal(self):
        frame = tried({"a": {0.03: [0.1, 0.2, 0.3], 0.1: [0.3, 0.1, 0.2], 0.3: [0.0, 0.0, 0.0]}})
        assert own_rates(frame, COMMON) == {"a": COMMON}

    def test_where_all_diverged_the_common_rate_stays(self):
        lost = [("a", rate, 0, "diverged") for rate in RATES]
        assert own_rates(tried({"a": {rate: [0.5] for rate in RATES}}, lost), COMMON) == {"a": COMMON}

    @pytest.mark.parametrize("status", ["pending", "running", "interrupted", "failed", "damaged"])
    def test_an_arm_with_a_trial_that_is_not_there_has_none(self, status):
        accuracies = {arm: {0.03: [0.5, 0.7], 0.1: [0.9, 0.9], 0.3: [0.5, 0.6]} for arm in "ab"}
        assert own_rates(tried(accuracies, [("a", 0.3, 1, status)]), COMMON) == {"b": 0.1}

    scores = st.lists(st.integers(0, 20).map(lambda right: right / 20), min_size=2, max_size=2)

    @settings(max_examples=25)
    @given(st.fixed_dictionaries(dict.fromkeys(RATES, scores)), st.data())
    def test_test_images_choose_nothing(self, accuracies, data):
        frame = tried({"a": accuracies})
        other = data.draw(st.lists(st.floats(0, 1), min_size=len(frame), max_size=len(frame)))
        changed = frame.assign(test_accuracy=other, best_test_accuracy=other, test_loss=other, train_accuracy=other)
        assert own_rates(changed, COMMON) == own_rates(frame, COMMON)

    @settings(max_examples=25)
    @given(st.fixed_dictionaries(dict.fromkeys(RATES, scores)), st.permutations(range(6)))
    def test_the_order_of_the_runs_is_all_one(self, accuracies, order):
        frame = tried({"a": accuracies})
        (chosen,) = own_rates(frame, COMMON).values()
        assert np.mean(accuracies[chosen]) >= np.mean(accuracies[COMMON])
        assert own_rates(frame.iloc[list(order)], COMMON) == {"a": chosen}


class TestAtOwnRates:
    def test_keeps_names_seeds_and_the_contrasts_over_tuned_arms(self, study):
        own = at_own_rates(study, {"DIA": 0.3, "plain": COMMON})
        assert list(own.arms) == ["DIA", "plain"] and own.seeds == study.seeds and own.baseline == "plain"
        assert own.contrasts == (study.contrasts[0],) and own.planned == study.planned
        assert own.config("DIA", 1) == study.config("DIA", 1).override({"train.lr": 0.3})

    def test_an_arm_at_the_common_rate_has_the_runs_that_it_has(self, study):
        own = at_own_rates(study, {"DIA": 0.3, "plain": COMMON})
        ids = {arm: own.config(arm, 0).run_id == study.config(arm, 0).run_id for arm in own.arms}
        assert ids == {"DIA": False, "plain": True}

    def test_there_is_none_before_an_arm_has_a_rate(self, study):
        assert at_own_rates(study, {}) is None

    def test_the_baseline_is_another_while_its_own_has_no_rate(self, study):
        assert at_own_rates(study, {"DIA": 0.3}).baseline == "DIA"

    @pytest.mark.parametrize("name", get_profile("quick").family)
    def test_every_primary_contrast_of_the_catalogue_is_asked_there_too(self, name):
        study = get_study(name)
        own = at_own_rates(study, dict.fromkeys(study.tuning.arms, 0.3))
        assert {c for c in map(repr, study.contrasts) if "primary=True" in c} <= set(map(repr, own.contrasts))


class TestRefusals:
    @pytest.mark.parametrize(
        ("tuning", "says"),
        [
            (Tuning(["DIa"], RATES, [9]), "did you mean 'DIA'"),
            (Tuning(["DIA"], RATES, [1, 9]), "seed 1 is for tuning and can't be one of its own"),
            (Tuning([], RATES, [9]), "tuning has arms"),
            (Tuning(["DIA"], [], [9]), "tuning has rates"),
            (Tuning(["DIA"], RATES, []), "tuning has seeds"),
            (Tuning(["DIA"], [0.1, 0.1], [9]), r"rates \[0.1, 0.1\], expected some, each once"),
            (Tuning(["DIA"], RATES, [9, 9]), "each once"),
        ],
    )
    def test_a_tuning_that_can_not_be_run(self, study, tuning, says):
        with pytest.raises(ConfigError, match=says):
            replace(study, tuning=tuning)

    def test_a_tuning_without_validation_images(self, study):
        with pytest.raises(ConfigError, match="arm 'DIA' has none: give data.val_size"):
            replace(study, base=study.base.override({"data.val_size": 0}))


class Trainer:
    """Trains nothing: each run has the validation accuracy that ``accuracy(config)`` says; ``None`` is divergence."""

    def __init__(self):
        self.configs: list[RunConfig] = []
        self.best = {"lstm": 0.3, "none": COMMON}

    def accuracy(self, config: RunConfig) -> float | None:
        return 0.9 if config.train.lr == self.best[config.model.attention.unit] else 0.5

    def __call__(self, config, splits, **_) -> Outcome:
        self.configs.append(config)
        accuracy, model = self.accuracy(config), build_model(config.model, 1, 10, config.seed)
        row = {"epoch": config.train.epochs, "train_loss": 1.0}
        if accuracy is None:
            return Outcome("diverged", model, [row])
        row |= {"test_accuracy": 1 - accuracy, "test_loss": 1.0, "val_accuracy": accuracy}
        probabilities = torch.full((len(splits.test), 10), 0.1)
        return Outcome("finished", model, [row], Evaluation(1.0, 1 - accuracy, probabilities), 1.0)

    def since(self, number: int) -> list[str]:
        return [config.run_id for config in self.configs[number:]]


@pytest.fixture
def trainer(monkeypatch) -> Trainer:
    trainer = Trainer()
    monkeypatch.setattr("dianet_lab.studies.work.train", trainer)
    monkeypatch.setattr("dianet_lab.studies.execute.announce", lambda study, store, pending, devices: devices[:1])
    return trainer


def planned_and_trained(study, store, trainer) -> tuple[int, int]:
    """How many further runs are said to be missing, and how many then are trained beside the study's own."""
    own = {config.run_id for _, config in study.configs()}
    said, before = sum(further_runs(study, store).values()), len(trainer.configs)
    run_at_rates(study, store, workers=1)
    return said, len(set(trainer.since(before)) - own)


class TestRuns:
    def test_are_those_at_the_common_rate_the_trials_and_those_at_own_rates(self, study, store, trainer):
        runs = run_at_rates(study, store, workers=1)
        assert runs.rates == {"DIA": 0.3, "plain": COMMON}
        assert len(runs.frame) == 5 and len(runs.tried) == 12 and len(runs.own) == 4
        assert runs.own.set_index("arm")["lr"].to_dict() == runs.rates
        assert runs.own_study.contrasts == (study.contrasts[0],)

    def test_none_is_trained_twice(self, study, store, trainer):
        runs = run_at_rates(study, store, workers=1)
        assert len(trainer.configs) == len(set(trainer.since(0))) == 5 + 12 + 2
        assert sorted(runs.run_ids) == sorted(trainer.since(0)) == sorted(runs.everything()["run_id"])
        run_at_rates(study, store, workers=1)
        assert len(trainer.configs) == 19

    def test_reading_trains_nothing_and_gives_the_same(self, study, store, trainer):
        trained = run_at_rates(study, store, workers=1)
        before = len(trainer.configs)
        read = stored_runs(study, store)
        assert len(trainer.configs) == before and read.rates == trained.rates
        for name in ("frame", "tried", "own"):
            pd.testing.assert_frame_equal(getattr(read, name), getattr(trained, name))

    def test_reading_an_empty_store_shows_what_is_pending(self, study, store, trainer):
        runs = stored_runs(study, store)
        assert not trainer.configs and runs.rates == {} and runs.own is None and runs.own_study is None
        assert set(runs.everything()["status"]) == {"pending"} and len(runs.run_ids) == 17

    def test_of_a_study_without_tuning_are_its_own_only(self, study, store, trainer):
        runs = run_at_rates(replace(study, tuning=None), store, workers=1)
        assert (runs.tried, runs.rates, runs.own) == (None, None, None) and len(trainer.configs) == 5

    def test_test_accuracy_is_no_reason_to_choose_a_rate(self, study, store, trainer):
        """The trainer's test accuracy is worst where its validation accuracy is best."""
        assert run_at_rates(study, store, workers=1).rates["DIA"] == 0.3

    def test_a_trial_that_fails_leaves_its_arm_without_a_rate(self, study, store, trainer):
        def breaks(config):
            if config.model.attention.unit == "none" and config.seed == 1001:
                raise ValueError("bad")
            return 0.5

        trainer.accuracy = breaks
        runs = run_at_rates(study, store, workers=1)
        assert runs.rates == {"DIA": COMMON} and list(runs.own_study.arms) == ["DIA"]
        assert (runs.everything()["status"] == "failed").sum() == 3


class TestFurtherRuns:
    def test_are_at_most_counted_before_the_trials(self, study, store, trainer):
        assert further_runs(study, store) == {"DIA": 6 + 2, "plain": 6 + 2}
        said, trained = planned_and_trained(study, store, trainer)
        assert (said, trained) == (16, 14)  # plain keeps the common rate

    def test_are_exactly_counted_after_the_trials(self, study, store, trainer):
        from dianet_lab.studies.execute import run_study

        run_study(tuning_study(study), store, workers=1)
        assert further_runs(study, store) == {"DIA": 2, "plain": 0}
        assert planned_and_trained(study, store, trainer) == (2, 2)
        assert planned_and_trained(study, store, trainer) == (0, 0)

    def test_count_a_diverged_trial_as_done(self, study, store, trainer):
        trainer.accuracy = lambda config: None if config.train.lr == 0.3 else 0.5
        run_at_rates(study, store, workers=1)
        assert planned_and_trained(study, store, trainer) == (0, 0)

    def test_count_a_damaged_one_again(self, study, store, trainer):
        runs = run_at_rates(study, store, workers=1)
        lost = [runs.tried["run_id"][0], runs.own.query("arm == 'DIA'")["run_id"].iloc[0]]
        for run_id in lost:
            file = store.folder(run_id) / PREDICTIONS
            file.write_bytes(bytes(reversed(file.read_bytes())))
        assert planned_and_trained(study, store, trainer) == (2, 2)

    def test_count_those_whose_weights_are_to_be_kept_and_were_not(self, study, store, trainer):
        run_at_rates(study, store, workers=1)
        assert planned_and_trained(replace(study, keep_weights=True), store, trainer) == (2, 2)

    def test_do_not_count_what_another_study_has_trained(self, study, store, trainer):
        run_at_rates(study, store, workers=1)
        more = replace(study, name="t", arms={**study.arms, "cells": {"model.attention.cells": 2}}, contrasts=())
        assert planned_and_trained(more, store, trainer) == (0, 0)
