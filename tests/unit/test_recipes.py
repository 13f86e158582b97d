"""Recipes as they are reported: the best epoch of the official one, the last of both."""

import numpy as np
import pytest

from dianet_lab.analysis.recipes import (
    BEST,
    LAST,
    RECIPES,
    STRONG,
    WEAKNESS,
    _contrasts,
    as_reported,
    recipe_effects,
)
from dianet_lab.errors import DataError
from dianet_lab.studies.catalog import get_study
from tests.frames import frame_of

ARMS = {
    "official: plain": [0.70, 0.72, 0.71],
    "official: DIA": [0.75, 0.76, 0.74],
    "strong: plain": [0.78, 0.79, 0.80],
    "strong: DIA": [0.79, 0.80, 0.81],
}


@pytest.fixture
def frame():
    """The best epoch is a point above the last without DIA, two points with it."""
    table = frame_of(ARMS, baseline="official: plain")
    return table.assign(best_test_accuracy=table["test_accuracy"] + 0.01 + 0.01 * table["arm"].str.endswith("DIA"))


class TestAsReported:
    def test_an_official_run_has_two_rows_and_a_strong_one_has_one(self, frame):
        long = as_reported(frame)
        assert list(dict.fromkeys(long["recipe"])) == list(RECIPES) and len(long) == 3 * 2 * 3
        value = long.set_index(["recipe", "arm", "seed"])["accuracy"]
        assert value[BEST, "plain", 1] == pytest.approx(0.73) and value[LAST, "plain", 1] == pytest.approx(0.72)
        assert value[STRONG, "DIA", 2] == pytest.approx(0.81)

    def test_a_lost_run_has_no_accuracy(self, frame):
        frame.loc[0, ["status", "test_accuracy"]] = ["diverged", np.nan]
        long = as_reported(frame).set_index(["recipe", "arm", "seed"])["accuracy"]
        assert long.loc[[(BEST, "plain", 0), (LAST, "plain", 0)]].isna().all()

    def test_another_study_is_refused_by_name(self):
        with pytest.raises(DataError, match="'plain': expected a name like 'official: DIA'"):
            as_reported(frame_of({"plain": [0.8]}))

    def test_the_official_runs_of_the_study_look_at_every_epoch(self):
        study = get_study("recipe", "digits")
        assert all(study.config(arm, 0).train.eval_every == 1 for arm in study.arms if arm.startswith("official"))
        long = as_reported(frame_of({arm: [0.5] for arm in study.arms}).assign(best_test_accuracy=0.6))
        assert set(long["recipe"]) == set(RECIPES)


class TestEffects:
    def test_are_the_gains_as_reported(self, frame):
        found = recipe_effects(frame, 0.01).set_index("contrast")["estimate"]
        assert found["gain of DIA: official best epoch"] == pytest.approx(0.05)
        assert found["gain of DIA: official last epoch"] == pytest.approx(0.04)
        assert found["gain of DIA: strong last epoch"] == pytest.approx(0.01)
        assert found[WEAKNESS] == pytest.approx(0.04)
        assert found["best epoch - last epoch (plain)"] == pytest.approx(0.01)
        assert found["best epoch - last epoch (DIA)"] == pytest.approx(0.02)

    def test_are_paired_and_exploratory(self, frame):
        table = recipe_effects(frame, 0.005).set_index("contrast")
        assert (
            set(table["verdict"]) == {"exploratory"} and not table["primary"].any() and set(table["delta"]) == {0.005}
        )
        assert (table["n"] == 3).all() and table["p_holm"].isna().all() and table["crossed_low"].isna().all()

    def test_repeat_no_contrast_of_the_study(self, frame):
        """A quantity under two names would be two findings; the study's own were named before the runs."""
        here = {tuple(sorted(weights.items())) for weights in self.in_runs()}
        study = {tuple(sorted(contrast.weights.items())) for contrast in get_study("recipe", "digits").contrasts}
        gains = {"official: DIA - plain", "strong: DIA - plain"}  # shown beside the best epoch's
        named = {tuple(sorted(c.weights.items())) for c in get_study("recipe", "digits").contrasts if c.name in gains}
        assert here & study == named

    @staticmethod
    def in_runs():
        """The weights of the contrasts that look at last epochs only, over the arms of the study."""
        for contrast in _contrasts(0.01):
            if not any(arm.startswith(BEST) for arm in contrast.weights):
                yield {arm.replace(", last epoch", ""): weight for arm, weight in contrast.weights.items()}

    def test_lost_seeds_are_counted_and_left_out(self, frame):
        frame.loc[frame["arm"].eq("strong: DIA") & frame["seed"].eq(0), ["status", "test_accuracy"]] = [
            "diverged", np.nan,
        ]  # fmt: skip
        table = recipe_effects(frame, 0.01).set_index("contrast")
        assert table.loc[WEAKNESS, ["n", "lost"]].tolist() == [2, 1]
        assert table.loc["best epoch - last epoch (plain)", ["n", "lost"]].tolist() == [3, 0]

    def test_of_runs_that_are_not_there_have_no_numbers(self, frame):
        table = recipe_effects(frame.assign(status="pending"), 0.01)
        assert (table["n"] == 0).all() and table["estimate"].isna().all()
