"""Words follow the numbers: undecided stays undecided, and nothing is claimed beyond the scale it was seen at."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis import wording
from dianet_lab.analysis.statistics import by_learning_rate, effects
from dianet_lab.data.sources import load_data
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import Runs

STEPS = np.array([0.0, 0.002, -0.001, 0.001, -0.002, 0.0])


def asked(shift: float, seeds: int = 6, primary: bool = True, delta: float = 0.001) -> pd.DataFrame:
    """The effect of one arm that is ``shift`` above another on every seed, give or take 0.2 points."""
    plain = 0.9 + 0.01 * np.arange(seeds)
    values = {"plain": plain, "DIA": plain + shift + STEPS[:seeds]}
    rows = [
        {"arm": arm, "seed": s, "status": "finished", "test_accuracy": v}
        for arm in values
        for s, v in enumerate(values[arm])
    ]
    return effects(pd.DataFrame(rows), [Contrast("DIA - plain", {"DIA": 1, "plain": -1}, delta, primary)])


class TestAnswer:
    def test_says_undecided_where_the_interval_covers_zero(self):
        text = wording.answer("Whether it helps", asked(0.0))
        could = "could be 0.1 worse or 0.1 better; about 18 seeds would find a difference of 0.1 points"
        numbers = f"DIA - plain +0.0 points [−0.1, +0.1] ({could})"
        assert text == f"Whether it helps is undecided here: {numbers} (95 % t intervals over 6 seeds)."

    def test_survivors_are_told_with_those_that_were_lost(self):
        text = wording.answer("It", asked(0.02).assign(lost=4, verdict="undecided", reason="4 of 10 seeds lost"))
        assert "undecided here" in text and "(4 of 10 seeds lost; could be" in text and "6 seeds, up to 4 lost)" in text

    def test_an_interim_look_is_told_as_one(self):
        early = asked(0.02).assign(verdict="undecided", reason="interim: 6 of 20 seeds have run", p_holm=np.nan)
        assert "(interim: 6 of 20 seeds have run; could be" in wording.answer("It", early)

    def test_equivalent_is_explained(self):
        text = wording.answer("Whether it helps", asked(0.0, delta=0.01))
        assert "is decided here: " in text and "(equivalent: equal within ±1 point here, not proved equal)" in text
        text = wording.answer("It", asked(0.004, delta=0.015))
        assert "(different but negligible: within ±1.5 points, p = " in text

    def test_exploratory_contrasts_have_numbers_and_no_verdict(self):
        text = wording.answer("Whether it helps", asked(0.02, primary=False))
        assert text.startswith(
            "Whether it helps is open here (exploratory, no verdict): DIA - plain +2.0 points [+1.9, +2.1] (95"
        )
        both = pd.concat([asked(0.02), asked(0.03, primary=False).assign(contrast="more")])
        text = wording.answer("It", both)
        assert "It is decided here: " in text and "more +3.0 points [+2.9, +3.1] (exploratory, no verdict)" in text

    def test_both_learning_rates_are_told_where_they_disagree(self):
        text = wording.answer("It", by_learning_rate(asked(0.02), asked(0.0, delta=0.01)))
        assert text.startswith("It is dependent on the learning rate here: ")
        assert "better at the common one, equivalent at each arm's own, +0.0 points" in text
        half = wording.answer("It", by_learning_rate(asked(0.02), asked(0.0)))
        assert "undecided here" in half and "(better at the common rate, undecided at each arm's own; could be" in half

    def test_the_hardest_rival_is_named(self):
        assert "DIA - plain (of which SE is the hardest) +2.0" in wording.answer("It", asked(0.02).assign(rival="SE"))

    def test_arms_with_different_seeds_have_a_range(self):
        both = pd.concat([asked(0.02), asked(0.02, seeds=3).assign(contrast="more")])
        assert wording.answer("It", both).endswith("(95 % t intervals over 3 to 6 seeds).")

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
        verdicts = ["undecided", "depends on learning rate", "better"]
        table = pd.DataFrame({"verdict": verdicts, "seeds_needed": [9.0, 31.0, 3.0], "n": 6})
        assert "would be found with 9 to 31 seeds" in wording.seeds_sentence(table)
        assert "no number of seeds" in wording.seeds_sentence(table.assign(seeds_needed=np.nan))
        assert wording.seeds_sentence(table.tail(1)) == "No primary contrast is open here."

    def test_more_seeds_are_not_asked_for_where_there_are_enough(self):
        table = pd.DataFrame({"verdict": ["undecided"], "seeds_needed": [15.0], "n": 20})
        assert wording.seeds_sentence(table).startswith("There are as many seeds as would find")
        own = wording.seeds_sentence(table.assign(own_seeds_needed=28.0))
        assert "would be found with 28 seeds" in own

    def test_verdicts_are_counted_by_name_over_primary_contrasts(self):
        text = wording.verdicts_sentence(asked(0.0))
        assert text.startswith("Of 1 primary contrast named before the run, none is decided; undecided: ")
        assert text.endswith(
            "could be 0.1 worse or 0.1 better and about 18 seeds would find a difference of 0.1 points."
        )
        assert wording.verdicts_sentence(asked(0.02)).endswith("1 decided: DIA - plain (better).")
        more = asked(0.02, primary=False)
        both = wording.verdicts_sentence(pd.concat([asked(0.02), more]))
        assert both.startswith("Of 1 primary contrast") and both.endswith("; 1 more exploratory, without a verdict.")
        assert "All contrasts here are exploratory (1)" in wording.verdicts_sentence(more)
        depends = wording.verdicts_sentence(by_learning_rate(asked(0.02), asked(0.0, delta=0.01)))
        assert depends.endswith("; DIA - plain depends on the learning rate.")

    @pytest.mark.parametrize(
        ("low", "high", "needed", "text"),
        [
            (-0.01, 0.03, 40, "could be 1.0 worse or 3.0 better; about 40 seeds would find a difference of 1 point"),
            (0.002, 0.03, 1234, "could be 0.2 to 3.0 better; about 1,200 seeds would find a difference of 1 point"),
            (-0.03, -0.002, np.nan, "could be 0.2 to 3.0 worse"),
            (-0.01, 0.03, 6, "could be 1.0 worse or 3.0 better"),
            (np.nan, np.nan, np.nan, ""),
        ],
    )
    def test_undecided_is_told_as_what_it_could_be(self, low, high, needed, text):
        effect = {"low": low, "high": high, "seeds_needed": needed, "n": 6, "delta": 0.01}
        assert wording.could_be(pd.Series(effect)) == text

    def test_other_measures_could_be_higher_or_lower_whatever_the_seeds(self):
        effect = pd.Series({"low": -0.01, "high": 0.03, "seeds_needed": 40, "n": 6})
        assert wording.could_be(effect, accuracy=False) == "could be 0.010 lower or 0.030 higher"

    def test_what_holds_for_these_images_only_is_told(self):
        scope = " for new seeds, training draws and test images of this data set."
        unknown, kept = asked(0.02), asked(0.02).assign(crossed_low=0.01, crossed_high=0.03)
        assert wording.crossed_sentence(unknown).startswith("Without predictions") and "nan" not in str(
            unknown.contrast
        )
        assert (
            wording.crossed_sentence(kept)
            == f"Every interval that excludes 0 with these test images (1 of 1) does{scope}"
        )
        none = asked(0.0).assign(crossed_low=-0.01, crossed_high=0.01)
        assert wording.crossed_sentence(none) == f"No interval excludes 0 with these test images, and none{scope}"
        lost = wording.crossed_sentence(kept.assign(crossed_low=-0.01))
        assert lost == f"DIA - plain excludes 0 for these test images only: the interval covers 0{scope}"
        assert all(wording.crossed_sentence(effects).endswith(scope) for effects in (unknown, kept))

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

    def said(self, low: float, high: float, own: tuple[float, float] = (np.nan, np.nan)) -> str:
        rows = [
            {"contrast": "shape x start", "estimate": (low + high) / 2, "low": low, "high": high},
            {"contrast": "tanh - DIA", "estimate": 0.003, "low": -0.002, "high": 0.008},
        ]
        at_own = {"own_low": own[0], "own_high": own[1], "own_estimate": sum(own) / 2}
        table = pd.DataFrame([row | {"rival": "", "delta": 0.01} | at_own for row in rows])
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

    def test_says_so_where_nothing_was_tuned(self):
        assert "No arm" in wording.rates_sentence(Runs(get_study("depth", "quick"), pd.DataFrame()))
