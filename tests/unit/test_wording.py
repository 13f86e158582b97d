"""Words follow the numbers: nothing is claimed beyond the scale it was seen at."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis import wording
from dianet_lab.data.sources import load_data
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.rates import Runs


class TestSentences:
    def test_losses_are_told(self):
        frame = pd.DataFrame({"arm": ["a", "b", "b"], "status": ["finished", "diverged", "failed"]})
        assert wording.casualties_sentence(frame).endswith("means: b (1 diverged) and b (1 failed).")
        assert wording.casualties_sentence(frame.head(1)) == "All 1 run finished; none diverged or failed."

    @pytest.mark.parametrize(("lowest", "says"), [(1.0, "fits its"), (0.6, "does not fit its")])
    def test_whether_the_runs_fit(self, lowest, says):
        states = {"arm": ["DIA", "plain"], "status": ["finished", "diverged"]}
        frame = pd.DataFrame(states | {"train_accuracy": [lowest, 0.1]})
        assert says in wording.fit_sentence(frame) and "(DIA: " in wording.fit_sentence(frame)

    @pytest.mark.parametrize(
        ("values", "text"),
        [([0.5], "0.50"), ([0.2, -0.1], "−0.10 to 0.20"), ([np.nan], "unknown"), ([0.001, 0.002], "0.00")],
    )
    def test_spans(self, values, text):
        assert wording.span(values) == text

    @pytest.mark.parametrize(
        ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
    )
    def test_lists(self, names, text):
        assert wording.listed(names) == text


class TestScale:
    def test_the_badge_is_the_scale_in_one_phrase(self):
        study = get_study("sharing", "quick")
        assert wording.badge(study, load_data(study.base.data, 0).train) == (
            f"8x8 digits, 100 images, {len(study.seeds)} seeds"
        )

    @pytest.mark.parametrize(
        ("profile", "options", "called"),
        [
            ("quick", {}, True),
            ("digits", {}, False),
            ("digits", {"seeds": 2}, True),
            ("digits", {"epochs": 5}, True),
            ("digits", {"train_size": 50}, True),
            ("digits", {"seeds": 30, "epochs": 200}, False),
        ],
    )
    def test_what_is_too_small_for_evidence_is_called_a_demonstration(self, profile, options, called):
        study = get_study("sharing", profile, **options)
        text = wording.scale_sentence(study, load_data(study.base.data, 0).train)
        assert study.demonstration is called
        assert ("is a demonstration and says nothing about" in text) is called and "says nothing about" in text

    def test_compressed_images_are_told(self):
        study = get_study("sharing", "smoke")
        train = load_data(study.base.data, 0).train
        lossy = replace(train, jpeg=True)
        assert "8x8 JPEG-compressed digits" in wording.badge(study, lossy) and "JPEG" not in wording.badge(study, train)
        assert wording.scale_sentence(study, lossy).endswith("not comparable with published ones.")


class TestInteraction:
    """A main effect over levels that behave unlike each other is a mean of unlike things, and the report says so."""

    def said(self, low: float, high: float, own: tuple[float, float] = (np.nan, np.nan), **changes) -> str:
        rows = [
            {"contrast": "shape x start", "estimate": (low + high) / 2, "low": low, "high": high},
            {"contrast": "tanh - DIA", "estimate": 0.003, "low": -0.002, "high": 0.008},
        ]
        at_own = {"own_low": own[0], "own_high": own[1], "own_estimate": sum(own) / 2}
        table = pd.DataFrame([row | {"rival": "", "delta": 0.01} | at_own | changes for row in rows])
        return wording.interaction_sentence(table, "shape x start", ["tanh - DIA"])

    def test_that_is_seen_gives_the_simple_effects_of_the_rate_at_which_it_is(self):
        assert "unlike things. Apart: tanh - DIA +0.3 points [−0.2, +0.8]" in self.said(0.01, 0.02)
        own = self.said(-0.01, 0.02, own=(0.03, 0.05))
        assert "at each arm's own learning rate" in own and "Apart: tanh - DIA +4.0 points [+3.0, +5.0]" in own

    def test_that_covers_zero_is_not_said_to_be_none(self):
        for said in (self.said(-0.124, 0.147), self.said(-0.005, 0.005, own=(-0.02, 0.01))):
            assert "can't be told" in said and "tanh - DIA" not in said

    def test_that_is_within_what_matters_at_both_rates_is_too_small(self):
        assert "too small to matter" in self.said(-0.005, 0.005, own=(-0.004, 0.002))

    def test_of_one_seed_nothing_is_known(self):
        assert "too few seeds" in self.said(np.nan, np.nan)

    @pytest.mark.parametrize(("end", "n"), [(0.0, 6), (0.03, 6), (0.004, 2)])
    def test_of_ties_or_two_seeds_nothing_is_known(self, end, n):
        assert "can't be told: too few seeds, or no spread" in self.said(end - 0.003 * (n < 3), end, n=n)

    def test_that_is_seen_at_both_rates_gives_the_simple_effects_of_both(self):
        said = self.said(0.01, 0.02, own=(0.03, 0.05))
        assert "exploratory, suggests" in said and said.count("tanh - DIA") == 2
        assert said.endswith("tanh - DIA +4.0 points [+3.0, +5.0] at each arm's own learning rate.")

    def test_is_told_where_the_simple_effects_of_its_rate_are_not_known(self):
        own = {"own_low": [0.03, np.nan], "own_high": [0.05, np.nan], "own_estimate": [0.04, np.nan]}
        rows = {"contrast": ["x", "simple"], "estimate": 0.0, "low": -0.01, "high": 0.01, "rival": "", "delta": 0.01}
        said = wording.interaction_sentence(pd.DataFrame(rows | own), "x", ["simple"])
        assert "suggests that the factors interact" in said and "Apart" not in said

    def test_is_not_called_small_where_the_setting_may_call_nothing_equal(self):
        said = self.said(-0.005, 0.005, p_equal=np.nan)
        assert "can't be told" in said and "nothing here may be called equal" in said

    @pytest.mark.parametrize("change", [{"lost": 5}, {"waiting": 5}])
    def test_is_not_called_small_by_survivors_or_before_all_seeds_have_run(self, change):
        said = self.said(-0.005, 0.005, n=15, **change)
        assert "can't be told" in said and "too small" not in said


class TestRates:
    """A rate that few trials chose among near equals was chosen by chance in part, and the report says for how many."""

    def test_counts_the_arms_whose_trials_can_not_tell(self):
        study = get_study("sharing", "quick")
        scores = {("DIA", 0.1): [0.90, 0.91, 0.92], ("DIA", 0.3): [0.91, 0.90, 0.94]}
        scores |= {("plain", 0.1): [0.80, 0.81, 0.83], ("plain", 0.3): [0.90, 0.91, 0.92]}
        rows = [
            {"arm": arm, "rate": rate, "seed": seed, "status": "finished", "val_accuracy": value}
            for (arm, rate), values in scores.items()
            for seed, value in enumerate(values)
        ]
        runs = Runs(study, pd.DataFrame(), pd.DataFrame(rows), {"DIA": 0.3, "plain": 0.3, "static per block": 0.1})
        said = wording.rates_sentence(runs)
        assert "Of 3 tuned arms, 2 took another rate than the common 0.1; for 1 of these" in said
        lowest, highest = (end(row["rate"] for row in rows) for end in (min, max))
        edge = sum(rate in (lowest, highest) for rate in runs.rates.values())
        assert said.endswith(
            f"{edge} of 3 took the lowest or the highest rate tried ({lowest:g} and {highest:g}): their "
            "best may lie beyond."
        )

    def test_says_so_where_nothing_was_tuned(self):
        assert "No arm" in wording.rates_sentence(Runs(get_study("depth", "quick"), pd.DataFrame()))
