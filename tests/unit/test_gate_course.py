"""The gate over training: looked at from the start to the last epoch, on a training that is the stored run's."""

import numpy as np
import pytest
import torch

from dianet_lab.analysis.capture import capture_images
from dianet_lab.analysis.gate_course import OUTPUT_GATE, activation_starts, gate_course
from dianet_lab.analysis.gates import QUANTILES, shown_images
from dianet_lab.attention.recurrent import ACTIVATIONS
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.study import Study


@pytest.fixture
def study(tiny) -> Study:
    arms = {"DIA": {}, "tanh": {"model.attention.activation": "tanh"}}
    return Study("s", tiny, arms=arms, seeds=[0], keep_weights=True)


class TestStarts:
    @pytest.mark.parametrize("name", ACTIVATIONS)
    def test_slope_is_that_of_a_small_step_of_the_state(self, tiny, name):
        study = Study("s", tiny, arms={"a": {"model.attention.activation": name}})
        row, function = activation_starts(study, ["a"]).iloc[0], ACTIVATIONS[name]
        zero, step = torch.zeros((), dtype=torch.float64), 1e-6
        assert row["function"] == name and row["gate"] == OUTPUT_GATE * function(zero).item()
        if name != "relu":  # its slope at 0 is a convention
            slope = OUTPUT_GATE * (function(zero + step) - function(zero - step)).item() / (2 * step)
            assert row["slope"] == pytest.approx(slope, rel=1e-6)


class TestCourse:
    def test_is_one_row_an_arm_and_look_with_ordered_quantiles(self, study):
        course = gate_course(study, list(study.arms), 0, "cpu")
        assert list(zip(course["arm"], course["epoch"], strict=True)) == [
            (arm, epoch) for arm in study.arms for epoch in (0, 1, 2)
        ]
        assert (np.diff(course[list(QUANTILES)].to_numpy(), axis=1) >= 0).all()
        assert course["mean"].between(course["q05"], course["q95"]).all()

    def test_starts_where_the_functions_start(self, study):
        fresh = gate_course(study, list(study.arms), 0, "cpu").query("epoch == 0").set_index("arm")
        starts = activation_starts(study, list(study.arms)).set_index("arm")["gate"]
        for arm in study.arms:
            assert fresh.loc[arm, "q50"] == pytest.approx(starts[arm], abs=0.05)

    def test_ends_with_the_gates_of_the_stored_run(self, study, store):
        run_study(study, store, workers=1, device="cpu")
        last = gate_course(study, ["DIA"], 0, "cpu").iloc[-1]
        config = study.config("DIA", 0)
        model = store.load_model(config.run_id)
        values = np.concatenate([gates.values.ravel() for gates in capture_images(model, shown_images(config))])
        assert last["q50"] == pytest.approx(np.median(values), abs=1e-7)
        assert last["mean"] == pytest.approx(values.mean(), abs=1e-6)

    def test_a_training_that_diverges_ends_there(self, tiny):
        wild = {"train.lr": 1e12, "train.momentum": 0.0, "train.epochs": 6}
        study = Study("s", tiny, arms={"wild": wild, "tame": {}}, seeds=[0])
        course = gate_course(study, ["wild", "tame"], 0, "cpu")
        epochs = {arm: list(rows["epoch"]) for arm, rows in course.groupby("arm")}
        assert epochs["wild"][0] == 0 and epochs["wild"] < [0, 1, 2, 3, 4, 5, 6] and epochs["tame"] == [0, 1, 2]
        assert np.isfinite(course[list(QUANTILES)].to_numpy()).all()
