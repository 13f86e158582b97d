"""Verdicts by one rule: of a primary contrast, after Holm over one family, with ties and losses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dianet_lab.analysis.statistics import effects, holm, paired_difference, verdict
from dianet_lab.errors import ConfigError
from dianet_lab.studies.contrast import Contrast
from tests.frames import AGAINST_PLAIN, frame_of, tied


class TestVerdict:
    @pytest.mark.parametrize(
        ("low", "high", "p", "p_equal", "n", "says"),
        [
            (0.01, 0.02, 0.01, 0.9, 6, "better"),
            (-0.02, -0.01, 0.01, 0.9, 3, "worse"),
            (-0.01, 0.02, 0.3, 0.9, 6, "undecided"),
            (0.01, 0.02, 0.06, 0.9, 6, "undecided"),
            (0.01, 0.02, 0.01, 0.9, 2, "undecided"),
            (-0.01, 0.01, 0.6, 0.01, 2, "undecided"),
            (-0.01, 0.01, 0.6, 0.01, 6, "equivalent"),
            (0.001, 0.002, 0.01, 0.01, 6, "different but negligible"),
            (0.001, 0.002, 0.06, 0.01, 6, "equivalent"),
            (np.nan, np.nan, np.nan, np.nan, 1, "undecided"),
        ],
    )
    def test_needs_the_interval_and_holm_and_three_seeds(self, low, high, p, p_equal, n, says):
        assert verdict(low, high, p, n, p_equal) == says

    @pytest.mark.parametrize(("low", "says"), [(-0.002, "undecided"), (0.001, "better")])
    def test_without_an_assay_nothing_is_equivalent_or_negligible(self, low, says):
        assert verdict(low, 0.002, 0.01, 6, 0.01, equivalence=False) == says

    def test_holm_multiplies_by_the_family_in_which_what_has_no_test_counts(self):
        np.testing.assert_allclose(holm([0.01, 0.04, np.nan, 0.03]), [0.04, 0.09, np.nan, 0.09])
        np.testing.assert_allclose(holm([0.01, 0.04], [np.nan, 0.03]), [0.04, 0.09])
        assert np.isnan(holm([np.nan, np.nan], [0.01])).all() and len(holm([])) == 0

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.lists(st.floats(0, 1), min_size=1, max_size=4))
    def test_what_is_run_later_takes_no_verdict_back(self, own, later):
        assert (holm(own, later) <= holm(own, [np.nan] * len(later)) + 1e-12).all()

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
    def test_holm_is_that_of_statsmodels(self, p_values):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gc.collect", lambda: 0)
            expected = multipletests(p_values, method="holm")[1]
        np.testing.assert_allclose(holm(p_values), expected, atol=1e-12)

    def test_false_alarms_of_a_family_stay_below_five_percent(self):
        """Simulated null: 7 arms and a baseline, 6 seeds; the chance of ANY verdict, with three standard errors."""
        random, alarms, studies = np.random.RandomState(0), 0, 150
        for _ in range(studies):
            arms = {f"arm{k}": random.normal(0.9, 0.01, 6) for k in range(8)}
            family = [Contrast(arm, {arm: 1, "arm0": -1}) for arm in list(arms)[1:]]
            alarms += effects(frame_of(arms), family).verdict.isin(["better", "worse"]).any()
        assert alarms / studies < 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.integers(0, 900), min_size=3, max_size=6), st.integers(0, 100), st.sampled_from([100, 1000]))
    def test_ties_without_spread_are_undecided(self, right, more, images):
        """The same number of further images right on every seed is no evidence of a spread, let alone of p < 1e-6."""
        right = np.minimum(right, images - more)
        table = effects(frame_of({"plain": right / images, "DIA": (right + more) / images}), AGAINST_PLAIN)
        assert table.verdict[0] == "undecided" and np.isnan(table.seeds_needed[0])

    def test_a_sum_of_tied_arms_is_no_spread_either(self):
        values = {"a": [0.87, 0.91, 0.93], "b": [0.87, 0.91, 0.93], "c": [0.87, 0.91, 0.93]}
        table = effects(frame_of(values), [Contrast("trend", {"a": -0.2, "b": 0.1, "c": 0.1}, delta=0.0025)])
        assert table.verdict[0] == "undecided" and np.isnan(table.seeds_needed[0])

    def test_a_contrast_needs_a_difference_that_matters(self):
        with pytest.raises(ConfigError, match="delta must be above 0"):
            Contrast("d", {"a": 1, "b": -1}, delta=0)


class TestEquivalence:
    def test_is_two_one_sided_t_tests_against_what_matters(self):
        row = effects(tied(0.004), AGAINST_PLAIN).iloc[0]
        d = paired_difference(tied(0.004), AGAINST_PLAIN[0].weights)
        p = max(
            stats.ttest_1samp(d, -0.01, alternative="greater").pvalue,
            stats.ttest_1samp(d, 0.01, alternative="less").pvalue,
        )
        assert row.p_equal == pytest.approx(p) and row.p_equal_holm == pytest.approx(p)

    @pytest.mark.parametrize(
        ("shift", "spread", "says"),
        [
            (0.0, 0.002, "equivalent"),
            (0.004, 0.002, "different but negligible"),
            (0.01, 0.002, "better"),
            (0, 0.02, "undecided"),
        ],
    )
    def test_stands_beside_difference(self, shift, spread, says):
        assert effects(tied(shift, spread=spread), AGAINST_PLAIN).verdict[0] == says

    def test_is_not_tested_without_an_assay(self):
        row = effects(tied(0.0), AGAINST_PLAIN, equivalence=False).iloc[0]
        assert row.verdict == "undecided" and np.isnan(row.p_equal) and np.isnan(row.p_equal_holm)


class TestFamily:
    def test_is_that_of_the_whole_lab_whether_it_was_run_or_not(self):
        alone = effects(tied(0.004), AGAINST_PLAIN).iloc[0]
        member = effects(tied(0.004), AGAINST_PLAIN, others=[(np.nan, np.nan)] * 7).iloc[0]
        assert member.p == alone.p and member.p_holm == pytest.approx(8 * alone.p)
        assert member.p_equal_holm == pytest.approx(8 * alone.p_equal)
        assert member.seeds_needed > alone.seeds_needed

    def test_differences_and_equalities_are_corrected_apart(self):
        row = effects(tied(0.004), AGAINST_PLAIN, others=[(1e-9, np.nan)]).iloc[0]
        assert row.p_holm == pytest.approx(row.p) and row.p_equal_holm == pytest.approx(2 * row.p_equal)

    def test_exploratory_contrasts_have_no_verdict_and_no_part_in_it(self):
        asked = [*AGAINST_PLAIN, Contrast("again", {"DIA": 1, "plain": -1}, primary=False)]
        table = effects(tied(0.02), asked).set_index("contrast")
        assert list(table.verdict) == ["better", "exploratory"] and table.loc["again", "p"] == table.p.iloc[0]
        assert table.p_holm.iloc[0] == pytest.approx(table.p.iloc[0])
        assert table.loc["again", ["p_holm", "p_equal_holm"]].isna().all()

    def test_may_be_empty(self):
        assert list(effects(tied(0), []).columns) == list(effects(tied(0), AGAINST_PLAIN).columns)
        explored = [Contrast("x", {"DIA": 1, "plain": -1}, primary=False)]
        assert effects(tied(0.02), explored, others=[(0.5, 0.5)]).verdict[0] == "exploratory"


class TestLost:
    def test_counts_seeds_that_diverged_or_failed_and_not_those_that_nobody_planned(self):
        frame = frame_of(
            {"plain": [0.5] * 6, "DIA": [0.6, 0.61, 0.6]}, lost=[("DIA", 1, "diverged"), ("plain", 4, "failed")]
        )
        frame = pd.concat([frame, frame_of({"other": [0.5]}, lost=[("other", 0, "failed")])])
        row = effects(frame, AGAINST_PLAIN).iloc[0]
        assert (row.n, row.lost) == (2, 1)

    @pytest.mark.parametrize(("lost", "verdict"), [(0, "better"), (2, "better"), (3, "undecided"), (16, "undecided")])
    def test_survivors_get_no_verdict_where_more_than_a_tenth_is_lost(self, lost, verdict):
        frame = tied(0.02, n=20)
        frame.loc[(frame.arm == "DIA") & (frame.seed < lost), "status"] = "diverged"
        row = effects(frame, AGAINST_PLAIN).iloc[0]
        assert (row.n, row.lost, row.verdict) == (20 - lost, lost, verdict)
        assert row.reason == (f"{lost} of 20 seeds lost" if lost > 2 else "")


class TestInterim:
    """A look before all seeds are in decides nothing: looking at every n finds a difference in a fifth of all nulls."""

    @pytest.mark.parametrize("status", ["pending", "running", "interrupted", "damaged"])
    def test_nothing_is_decided_before_all_seeds_are_in(self, status):
        frame = tied(0.02, n=20)
        frame.loc[(frame.arm == "DIA") & (frame.seed >= 4), ["status", "test_accuracy"]] = [status, np.nan]
        row = effects(frame, AGAINST_PLAIN).iloc[0]
        assert (row.n, row.waiting, row.verdict) == (4, 16, "undecided") and np.isnan(row.p_holm)
        assert row.reason == "interim: 4 of 20 seeds have run"

    def test_seeds_that_an_arm_is_not_to_have_are_not_waited_for(self):
        frame = tied(0.02, n=6)
        assert effects(frame[(frame.arm == "plain") | (frame.seed < 3)], AGAINST_PLAIN).waiting[0] == 0

    def test_an_exploratory_contrast_tells_its_estimate(self):
        frame = tied(0.02, n=6)
        frame.loc[frame.seed == 5, "status"] = "pending"
        row = effects(frame, [Contrast("x", {"DIA": 1, "plain": -1}, primary=False)]).iloc[0]
        assert (row.verdict, row.reason, row.waiting) == ("exploratory", "", 1)
