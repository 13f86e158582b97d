"""Intervals and verdicts for few seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dianet_lab.analysis.interval import points, t_interval
from dianet_lab.analysis.statistics import (
    effects,
    paired_difference,
    seeds_needed,
    summarise,
)
from dianet_lab.analysis.verdict import FEWEST
from dianet_lab.errors import ConfigError
from dianet_lab.studies.contrast import Contrast
from tests.frames import AGAINST_PLAIN, frame_of


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.013, "+1.3"), (-0.013, "\N{MINUS SIGN}1.3"), (0.0004, "0.0"), (-0.0004, "0.0"), (0.0, "0.0")],
)
def test_points_have_a_sign_unless_they_round_to_zero(value, text):
    assert points(value) == text


class TestInterval:
    @given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
    def test_is_students(self, values):
        mean, low, high = t_interval(values)
        expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=max(stats.sem(values), 1e-300))
        np.testing.assert_allclose((low, high), expected, atol=1e-9)
        assert mean == pytest.approx(np.mean(values))

    def test_of_one_seed_has_no_ends_and_of_none_no_mean(self):
        assert t_interval([0.5])[0] == 0.5
        assert np.isnan(t_interval([0.5])[1:]).all() and np.isnan(t_interval([])).all()

    @pytest.mark.parametrize("n", [3, 5, 10])
    def test_covers_what_it_says(self, n):
        """Simulated: 4,000 studies of n seeds, nominal 95 %; three standard errors of the simulation are 1.1 points."""
        random = np.random.RandomState(n)
        ends = [t_interval(random.normal(0.3, 1, n))[1:] for _ in range(4000)]
        coverage = np.mean([low <= 0.3 <= high for low, high in ends])
        assert abs(coverage - 0.95) < 0.011


class TestPairing:
    def test_only_seeds_that_all_arms_finished_count(self):
        frame = frame_of({"plain": [0.5, 0.6, 0.7], "DIA": [0.6, 0.6, 0.9]}, lost=[("DIA", 1, "diverged")])
        difference = paired_difference(frame, {"DIA": 1, "plain": -1})
        assert list(difference.index) == [0, 2]
        np.testing.assert_allclose(difference, [0.1, 0.2])

    def test_what_seeds_have_in_common_cancels(self):
        """A spread of 10 points over seeds, the same in both arms, leaves a sharp difference of one point."""
        shared = np.random.RandomState(0).normal(0.7, 0.1, 8)
        noise = np.random.RandomState(1).normal(0, 0.001, 8)
        table = effects(
            frame_of({"plain": shared, "DIA": shared + 0.01 + noise}), [Contrast("d", {"DIA": 1, "plain": -1})]
        )
        assert table.verdict[0] == "better" and table.estimate[0] == pytest.approx(0.01, abs=0.001)

    def test_an_interaction_is_a_difference_of_differences(self):
        arms = {"a": [0.9, 0.8], "b": [0.7, 0.7], "c": [0.6, 0.5], "d": [0.5, 0.6]}
        frame = frame_of(arms, baseline="a")
        difference = paired_difference(frame, {"a": 1, "b": -1, "c": -1, "d": 1})
        np.testing.assert_allclose(difference, [0.9 - 0.7 - 0.6 + 0.5, 0.8 - 0.7 - 0.5 + 0.6])

    def test_weights_that_do_not_sum_to_zero_are_no_contrast(self):
        with pytest.raises(ConfigError, match="sum to 0"):
            Contrast("x", {"a": 1, "b": -0.5})


class TestSeedsNeeded:
    def test_grows_with_the_family(self):
        assert seeds_needed(0.02, 0.015, 8) > seeds_needed(0.02, 0.015)

    def test_finds_a_win_over_all_rivals_as_often_as_it_promises(self):
        """Five rivals, each beaten by exactly what matters, with spreads of their own: all five tests must tell it."""
        random, sd, delta = np.random.default_rng(0), 0.0126, 0.01
        n = seeds_needed(sd, delta, rivals=5)
        seen = random.normal(delta, sd, (1000, 5, n))
        found = (stats.ttest_1samp(seen, 0, axis=-1).pvalue < 0.05).all(axis=-1).mean()
        assert n > seeds_needed(sd, delta) and found > 0.77

    def test_is_never_less_than_a_verdict_takes(self):
        assert seeds_needed(0.00001, 0.01) == FEWEST

    def test_is_the_textbook_number(self):
        """A paired difference of one standard deviation needs 10 pairs for 80 % power at 5 %, two-sided."""
        assert seeds_needed(0.01, 0.01) == 10

    @pytest.mark.parametrize("family", [1, 7])
    def test_gives_the_power_it_promises(self, family):
        n = seeds_needed(0.012, 0.01, family)
        random = np.random.RandomState(family)
        p = stats.ttest_1samp(random.normal(0.01, 0.012, (20000, n)), 0, axis=1).pvalue
        assert 0.78 < (p < 0.05 / family).mean() < 0.88

    def test_grows_with_the_spread_and_the_family(self):
        assert seeds_needed(0.02, 0.01) > seeds_needed(0.01, 0.01) < seeds_needed(0.01, 0.01, 7)


class TestSummary:
    def test_has_a_row_an_arm_with_its_difference_to_the_baseline(self):
        frame = frame_of({"plain": [0.5, 0.6, 0.7], "DIA": [0.6, 0.7, 0.9]})
        table = summarise(frame).set_index("arm")
        assert table.loc["plain", "is_baseline"] and np.isnan(table.loc["plain", "difference"])
        assert table.loc["DIA", "difference"] == pytest.approx(0.4 / 3)
        assert table.loc["DIA", "sd"] == pytest.approx(np.std([0.6, 0.7, 0.9], ddof=1))

    def test_counts_what_was_lost(self):
        frame = frame_of({"plain": [0.5] * 3, "DIA": [0.6] * 3}, lost=[("DIA", 0, "diverged"), ("DIA", 2, "failed")])
        row = summarise(frame).set_index("arm").loc["DIA"]
        assert (row.n, row.diverged, row.failed) == (1, 1, 1)

    def test_one_arm_alone_is_fine(self):
        assert summarise(frame_of({"plain": [0.5, 0.6]})).is_baseline[0]

    def test_an_arm_that_wholly_diverged_is_undecided(self):
        lost = [("DIA", seed, "diverged") for seed in range(3)]
        frame = frame_of({"plain": [0.5] * 3, "DIA": [0.6] * 3}, lost=lost)
        row = summarise(frame).set_index("arm").loc["DIA"]
        assert row.n == 0 and np.isnan(row["mean"]) and effects(frame, AGAINST_PLAIN).verdict[0] == "undecided"
