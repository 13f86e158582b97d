"""What stands beside the paired t interval: the crossed interval, and the same contrasts at other learning rates."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis.statistics import by_learning_rate, effects, shifts
from dianet_lab.errors import DataError
from dianet_lab.studies.contrast import Contrast
from tests.frames import AGAINST_PLAIN, frame_of, tied


class TestCrossed:
    @staticmethod
    def judged(n=4, images=500):
        """Right and wrong of two arms on the same images, and the frame of their accuracies."""
        random = np.random.RandomState(0)
        easy = random.normal(1, 1, images)
        right = {
            (arm, s): easy + random.normal(0.1 * (arm == "DIA"), 1, images) > 0
            for arm in ("plain", "DIA")
            for s in range(n)
        }
        return right, frame_of({arm: [right[arm, s].mean() for s in range(n)] for arm in ("plain", "DIA")})

    def test_is_wider_than_the_t_interval_and_around_the_same_estimate(self):
        right, frame = self.judged()
        row = effects(frame, AGAINST_PLAIN, right=lambda arm, seed: right[arm, seed]).iloc[0]
        assert row.crossed_low <= row.low < row.high <= row.crossed_high
        assert row.crossed_low + row.crossed_high == pytest.approx(2 * row.estimate)

    def test_is_unknown_without_predictions_or_a_second_seed(self):
        right, frame = self.judged()
        assert np.isnan(effects(frame, AGAINST_PLAIN).crossed_low[0])
        one = effects(frame[frame.seed == 0], AGAINST_PLAIN, right=lambda arm, seed: right[arm, seed])
        assert np.isnan(one.crossed_low[0])

    def test_refuses_predictions_of_other_runs(self):
        right, frame = self.judged()
        with pytest.raises(DataError, match="the predictions give a difference of"):
            effects(frame, AGAINST_PLAIN, right=lambda arm, seed: right["plain", seed])

    def test_asks_for_the_predictions_of_a_run_once(self):
        right, frame = self.judged()
        asked = []
        effects(frame, AGAINST_PLAIN * 2, right=lambda arm, seed: asked.append((arm, seed)) or right[arm, seed])
        assert len(asked) == len(set(asked)) == 8


class TestLearningRate:
    def test_two_rates_that_disagree_are_told(self):
        table = by_learning_rate(effects(tied(0.02), AGAINST_PLAIN), effects(tied(0.0), AGAINST_PLAIN))
        row = table.iloc[0]
        assert (row.verdict, row.verdict_common, row.verdict_own) == (
            "depends on learning rate",
            "better",
            "equivalent",
        )
        assert row.estimate == pytest.approx(0.02) and row.own_estimate == pytest.approx(0) and row.own_n == 6
        assert row.own_low < row.own_estimate < row.own_high and 0 < row.own_p_holm <= 1
        assert row.own_p_equal < 0.05 < row.p_equal

    @pytest.mark.parametrize("own", [None, effects(tied(0.0), []), effects(tied(0.0, n=1).iloc[:0], AGAINST_PLAIN)])
    def test_what_is_not_known_at_its_own_rate_keeps_its_verdict(self, own):
        row = by_learning_rate(effects(tied(0.02), AGAINST_PLAIN), own).iloc[0]
        assert (row.verdict, row.verdict_common, row.verdict_own) == ("better", "better", "") and np.isnan(
            row.own_estimate
        )

    @pytest.mark.parametrize(
        ("p", "verdict", "reason"),
        [
            (0.3, "undecided", "better at the common rate, undecided at each arm's own"),
            (0.001, "depends on learning rate", ""),
        ],
    )
    def test_a_verdict_at_one_rate_only_is_undecided_unless_the_shift_is_told(self, p, verdict, reason):
        """That a test finds nothing at one rate is no finding about the rate."""
        own = effects(tied(0.02), AGAINST_PLAIN).assign(verdict="undecided")
        moved = pd.DataFrame(
            {"contrast": own["contrast"], "shift": 0.0, "shift_low": -1, "shift_high": 1, "shift_p": p}
        )
        row = by_learning_rate(effects(tied(0.02), AGAINST_PLAIN), own, moved, family=8).iloc[0]
        assert (row.verdict, row.reason) == (verdict, reason)
        assert row.shift_p_holm == pytest.approx(min(1, 8 * p))

    @pytest.mark.parametrize(
        ("common", "own", "both"),
        [
            ("better", "worse", "depends on learning rate"),
            ("worse", "equivalent", "depends on learning rate"),
            ("equivalent", "different but negligible", "equivalent"),
            ("better", "different but negligible", "undecided"),
            ("undecided", "undecided", "undecided"),
        ],
    )
    def test_verdicts_that_cannot_both_hold_depend_on_the_rate(self, common, own, both):
        tables = [effects(tied(0.02), AGAINST_PLAIN).assign(verdict=verdict) for verdict in (common, own)]
        assert by_learning_rate(*tables).verdict[0] == both

    def test_shift_is_own_minus_common_paired_by_seed(self):
        common, own = (
            frame_of({"plain": [0.5, 0.6], "DIA": [0.6, 0.7]}),
            frame_of({"plain": [0.5, 0.6], "DIA": [0.7, 0.9]}),
        )
        row = shifts(common, own, AGAINST_PLAIN).iloc[0]
        assert row["shift"] == pytest.approx(0.15) and row.shift_p == pytest.approx(0.2048, abs=1e-3)
        assert row.shift_low < 0 < row.shift_high

    def test_shift_against_the_best_is_that_against_the_hardest_rival_at_each_rate(self):
        best = [Contrast("best", {"DIA": 1}, best_of=["a", "b"])]
        common = frame_of({"DIA": [0.6, 0.6], "a": [0.5, 0.5], "b": [0.4, 0.4]})
        own = frame_of({"DIA": [0.6, 0.7], "a": [0.5, 0.5], "b": [0.7, 0.7]})
        assert shifts(common, own, best)["shift"][0] == pytest.approx(-0.05 - 0.1)

    def test_exploratory_rows_stay_so(self):
        explored = [Contrast("DIA - plain", {"DIA": 1, "plain": -1}, primary=False)]
        table = by_learning_rate(effects(tied(0.02), explored), effects(tied(0.0), AGAINST_PLAIN))
        assert table.verdict[0] == "exploratory" and table.own_estimate.notna().all()
