"""What stands beside the paired t interval: the crossed interval, and the same contrasts at other learning rates."""

import numpy as np
import pytest

from dianet_lab.analysis.statistics import by_learning_rate, effects
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

    @pytest.mark.parametrize("own", [None, effects(tied(0.0), []), effects(tied(0.0, n=1).iloc[:0], AGAINST_PLAIN)])
    def test_what_is_not_known_at_its_own_rate_keeps_its_verdict(self, own):
        row = by_learning_rate(effects(tied(0.02), AGAINST_PLAIN), own).iloc[0]
        assert (row.verdict, row.verdict_common, row.verdict_own) == ("better", "better", "") and np.isnan(
            row.own_estimate
        )

    def test_exploratory_rows_stay_so(self):
        explored = [Contrast("DIA - plain", {"DIA": 1, "plain": -1}, primary=False)]
        table = by_learning_rate(effects(tied(0.02), explored), effects(tied(0.0), AGAINST_PLAIN))
        assert table.verdict[0] == "exploratory" and table.own_estimate.notna().all()
