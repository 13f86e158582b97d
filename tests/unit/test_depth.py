"""Depth: names taken apart, gains by depth, and where a shared unit becomes the cheaper one."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis.cost import crossover
from dianet_lab.analysis.depth import by_depth, crossing_sentence, gain_table, gains, units_like
from dianet_lab.analysis.statistics import effects
from dianet_lab.errors import DataError
from dianet_lab.model_config import ARMS, ModelConfig
from dianet_lab.profiles import OFFICIAL_MODELS
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.catalog.depth import GROWS, SHOWN
from tests.frames import frame_of

RIVALS = {arm: ARMS[arm] for arm in ("DIA", "SE per block")}


@pytest.fixture
def study():
    return get_study("depth", "smoke")


@pytest.fixture
def frame(study):
    """DIA beats plain by 2 points at the lower depth and by 3 at the higher one, give or take a tenth with the seed."""
    low, high = study.scale.depths
    levels = {arm: [0.80, 0.80] for arm in study.arms}
    levels[f"depth {low}: DIA"], levels[f"depth {high}: DIA"] = [0.819, 0.821], [0.829, 0.831]
    return frame_of(levels, baseline=study.baseline)


class TestByDepth:
    def test_every_arm_of_the_study_is_called_as_elsewhere(self, frame, study):
        split = by_depth(frame)
        assert set(split["arm"]) == set(SHOWN) and set(split["depth"]) == set(study.scale.depths)
        assert len(split) == len(frame) and split["test_accuracy"].equals(frame["test_accuracy"])

    def test_the_baseline_is_one_at_every_depth(self, frame):
        split = by_depth(frame)
        assert (split["is_baseline"] == (split["arm"] == "plain")).all()

    def test_a_depth_that_the_frame_has_already_is_the_same(self, frame, study):
        asked = frame.assign(depth=[study.config(arm, 0).model.depth for arm in frame["arm"]])
        assert (by_depth(asked)["depth"] == asked["depth"]).all()

    def test_another_study_is_refused_by_name(self):
        with pytest.raises(DataError, match="'plain': expected a name like 'depth 56: DIA'"):
            by_depth(frame_of({"plain": [0.8]}))


class TestGains:
    def test_are_those_of_one_depth(self, frame, study):
        found = gains(effects(frame, study.contrasts))
        assert len(found) == 3 * len(study.scale.depths) == len(study.contrasts) - 1
        assert GROWS not in set(found["gain"]) and found["depth"].dtype.kind == "i"
        by = found.set_index(["depth", "gain"])["estimate"]
        low, high = study.scale.depths
        assert by[low, "DIA - plain"] == pytest.approx(0.02) and by[high, "DIA - plain, gain 0.25"] == pytest.approx(
            0.03
        )

    def test_are_told_with_their_intervals(self, frame, study):
        table = gain_table(effects(frame, study.contrasts))
        assert list(table) == ["depth", "DIA - plain", "DIA - plain, gain 0.25", "DIA - SE per block"]
        # 2 points; t(1) = 12.706 times 0.1 points, the standard error of two seeds.
        assert table["DIA - plain"].iloc[0] == "+2.0 [+0.7, +3.3]"

    def test_without_an_interval_or_without_a_run_say_so(self, frame, study):
        one = frame[frame["seed"] == 0].copy()
        lost = one["arm"] == f"depth {study.scale.depths[1]}: DIA"
        one.loc[lost, ["status", "test_accuracy"]] = ["diverged", np.nan]
        assert list(gain_table(effects(one, study.contrasts))["DIA - plain"]) == ["+1.9", "–"]


class TestCrossing:
    def test_of_the_published_network_is_at_20_blocks_a_stage(self):
        """By hand: DIA's cells have 218,848 parameters at any depth, SE's units 11,228 a block of each stage."""
        costs = units_like(ModelConfig(**OFFICIAL_MODELS["resnet"]), RIVALS, most=21)
        assert crossover(costs, "DIA", "SE per block") == 9 * 20 + 2
        assert set(costs.loc[costs["arm"] == "DIA", "parameters"]) == {218_848}
        by = costs[costs["arm"] == "SE per block"].set_index("blocks")["parameters"]
        assert by[20] == 20 * 11_228 and by.index.min() == 2

    def test_of_basic_blocks_is_just_above_pytorchcvs_deepest(self):
        """pytorchcv's SE-ResNet-110 has 154 parameters fewer than its DIA-ResNet-110: one block more turns it."""
        costs = units_like(ModelConfig(depth=20), RIVALS, most=20)
        assert "from depth 116 on" in crossing_sentence(costs, "DIA", "SE per block", "basic ResNets")

    def test_that_never_comes_is_told_with_how_far_was_looked(self):
        costs = pd.DataFrame(
            [
                {"depth": depth, "arm": arm, "parameters": size}
                for depth in (8, 14)
                for arm, size in (("DIA", 9), ("SE per block", 1))
            ]
        )
        assert crossing_sentence(costs, "DIA", "SE per block", "small ones").endswith("SE per block up to depth 14.")
