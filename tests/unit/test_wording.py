"""Words follow the numbers: undecided stays undecided, and nothing is claimed beyond the scale it was seen at."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis import wording
from dianet_lab.analysis.statistics import effects
from dianet_lab.data.sources import load_data
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.study import Contrast

STEPS = np.array([0.0, 0.002, -0.001, 0.001, -0.002, 0.0])


def asked(shift: float, seeds: int = 6) -> pd.DataFrame:
    """The effect of one arm that is ``shift`` above another on every seed, give or take 0.2 points."""
    plain = 0.9 + 0.01 * np.arange(seeds)
    values = {"plain": plain, "DIA": plain + shift + STEPS[:seeds]}
    rows = [
        {"arm": arm, "seed": s, "status": "finished", "test_accuracy": v}
        for arm in values
        for s, v in enumerate(values[arm])
    ]
    return effects(pd.DataFrame(rows), [Contrast("DIA - plain", {"DIA": 1, "plain": -1})])


class TestAnswer:
    def test_says_undecided_where_the_interval_covers_zero(self):
        text = wording.answer("Whether it helps", asked(0.0))
        numbers = "DIA - plain +0.0 points [−0.1, +0.1] (95 % t intervals over 6 seeds)"
        assert text == f"Whether it helps is undecided here: {numbers}."

    @pytest.mark.parametrize(("shift", "word", "estimate"), [(0.02, "better", "+2.0"), (-0.02, "worse", "−2.0")])
    def test_gives_a_verdict_with_its_p_value_where_it_does_not(self, shift, word, estimate):
        text = wording.answer("Whether it helps", asked(shift))
        assert f"is decided here: DIA - plain {estimate} points [" in text and f"({word}, p = " in text

    def test_other_measures_are_higher_or_lower_in_their_own_unit(self):
        text = wording.answer("How much it varies", asked(0.02), accuracy=False)
        assert "DIA - plain +0.020 [+0.019, +0.021] (higher, " in text and "points" not in text

    def test_one_seed_gives_no_interval(self):
        text = wording.answer("Whether it helps", asked(0.02, seeds=1))
        assert text == "Whether it helps is undecided here: DIA - plain +2.0 points (too few seeds for an interval)."

    def test_ties_are_no_evidence(self):
        text = wording.answer("It", asked(0.0).assign(low=0.1, high=0.1, estimate=0.1, p_holm=np.nan))
        assert "(ties, no spread to test with)" in text and "nan" not in text

    def test_no_finished_pair_is_unknown(self):
        text = wording.answer("Whether it helps", asked(0.0).assign(estimate=np.nan, n=0))
        assert "DIA - plain unknown" in text

    def test_names_choose_and_order_the_contrasts(self):
        both = pd.concat([asked(0.0), asked(0.02).assign(contrast="other")])
        text = wording.answer("It", both, ["other", "DIA - plain"])
        assert "decided here in part: other" in text and text.index("other") < text.index("DIA - plain")


class TestSentences:
    def test_seeds_needed_name_the_range(self):
        table = pd.DataFrame({"verdict": ["undecided", "undecided", "better"], "seeds_needed": [9.0, 31.0, 3.0]})
        assert "would take 9 to 31 seeds" in wording.seeds_sentence(table)
        assert "no number of seeds" in wording.seeds_sentence(table.assign(seeds_needed=np.nan))

    def test_verdicts_are_counted_by_name(self):
        assert "none is decided" in wording.verdicts_sentence(asked(0.0))
        assert wording.verdicts_sentence(asked(0.02)).endswith("1 decided: DIA - plain (better).")

    def test_losses_are_told(self):
        frame = pd.DataFrame({"arm": ["a", "b", "b"], "status": ["finished", "diverged", "failed"]})
        assert wording.casualties_sentence(frame).endswith("means: b (1 diverged) and b (1 failed).")
        assert wording.casualties_sentence(frame.head(1)) == "All 1 run finished; none diverged or failed."

    @pytest.mark.parametrize(("lowest", "says"), [(1.0, "fits its"), (0.6, "does not fit its")])
    def test_whether_the_runs_fit(self, lowest, says):
        frame = pd.DataFrame({"status": ["finished", "diverged"], "train_accuracy": [lowest, 0.1]})
        assert says in wording.fit_sentence(frame)

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
        assert wording.badge(study, load_data(study.base.data, 0).train) == "8x8 digits, 100 images, 6 seeds"

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
