"""Against the best of rivals: no rival is chosen after looking, and all that were looked at are paid for."""

import numpy as np
import pytest
from scipy import stats

from dianet_lab.analysis.statistics import effects
from dianet_lab.studies.contrast import Contrast
from tests.frames import frame_of

BEST = [Contrast("DIA - best", {"DIA": 1}, best_of=["a", "b"])]


def rivals(a, b, n=6):
    """DIA is better than rival a by ``a`` on average, and than b by ``b``; each with a spread of 0.2 points."""
    steps = [stats.zscore(np.random.RandomState(seed).normal(size=n), ddof=1) * 0.002 for seed in (0, 1)]
    return frame_of({"DIA": np.full(n, 0.8), "a": 0.8 - a + steps[0], "b": 0.8 - b + steps[1]}, baseline="DIA")


class TestBestOfRivals:
    def test_better_is_better_than_each_and_the_worst_p_counts_uncorrected(self):
        row = effects(rivals(0.02, 0.005), BEST).iloc[0]
        parts = [Contrast(arm, {"DIA": 1, arm: -1}, primary=False) for arm in "ab"]
        single = effects(rivals(0.02, 0.005), parts).set_index("contrast")
        assert row.rival == "b" and row.estimate == pytest.approx(0.005) and row.low == pytest.approx(single.low["b"])
        assert row.p == pytest.approx(single.p.max()) and effects(rivals(0.02, 0.02), BEST).verdict[0] == "better"

    def test_better_than_one_alone_is_not_enough(self):
        assert effects(rivals(0.02, 0.0002), BEST, equivalence=False).verdict[0] == "undecided"

    def test_worse_than_any_is_worse_at_the_price_of_having_looked_at_all(self):
        row = effects(rivals(0.02, -0.02), BEST).iloc[0]
        single = effects(rivals(0.02, -0.02), [Contrast("b", {"DIA": 1, "b": -1})]).iloc[0]
        assert row.verdict == "worse" and row.p == pytest.approx(2 * single.p)

    @pytest.mark.parametrize(
        ("a", "b", "says"), [(0.0, 0.0, "equivalent"), (0.02, 0.0, "equivalent"), (0.0, -0.02, "worse")]
    )
    def test_equal_is_no_rival_far_ahead_and_one_not_far_behind(self, a, b, says):
        assert effects(rivals(a, b), BEST).verdict[0] == says

    def test_looks_at_the_seeds_that_all_rivals_have(self):
        frame = rivals(0.02, 0.01)
        frame.loc[(frame.arm == "a") & (frame.seed == 0), ["status", "test_accuracy"]] = ["diverged", np.nan]
        row = effects(frame, BEST).iloc[0]
        assert (row.rival, row.n, row.lost) == ("b", 5, 1)

    def test_ties_and_single_seeds_have_no_test(self):
        assert np.isnan(effects(frame_of({"DIA": [0.8] * 4, "a": [0.7] * 4, "b": [0.6] * 4}), BEST).p[0])
        assert effects(rivals(0.02, 0.01).query("seed == 0"), BEST).verdict[0] == "undecided"

    def test_false_alarms_stay_below_five_percent(self, monkeypatch):
        """Simulated: the best of two equal rivals is as good as DIA, or only one of the rivals is; 6 seeds."""
        random, studies = np.random.RandomState(0), 200
        alarms = []
        for behind in (0.0, 0.05):
            made = [{"DIA": random.normal(0.8, 0.01, 6), "a": random.normal(0.8, 0.01, 6)} for _ in range(studies)]
            frames = [frame_of(arms | {"b": random.normal(0.8 - behind, 0.01, 6)}) for arms in made]
            monkeypatch.setattr("dianet_lab.analysis.statistics.seeds_needed", lambda *_, **__: np.nan)
            alarms.append(np.mean([effects(f, BEST, equivalence=False).verdict[0] != "undecided" for f in frames]))
        assert max(alarms) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
