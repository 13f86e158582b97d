"""Undecided stays undecided, with its reason, and no number of seeds is promised to bring a verdict."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis import wording
from dianet_lab.analysis.estimates import more_seeds
from dianet_lab.analysis.statistics import by_learning_rate, effects
from dianet_lab.studies.contrast import Contrast

OPEN = {"contrast": "a", "verdict": "undecided", "seeds_needed": 15.0, "n": 20, "waiting": 0, "lost": 0}
"""What seeds are told of: undecided with more of them than would find what matters."""

STEPS = np.array([0.0, 0.002, -0.001, 0.001, -0.002, 0.0])


def asked(shift: float, seeds: int = 6, primary: bool = True, delta: float = 0.001, assay: bool = True) -> pd.DataFrame:
    """The effect of one arm that is ``shift`` above another on every seed, give or take 0.2 points."""
    plain = 0.9 + 0.01 * np.arange(seeds)
    values = {"plain": plain, "DIA": plain + shift + STEPS[:seeds]}
    rows = [
        {"arm": arm, "seed": s, "status": "finished", "test_accuracy": v}
        for arm in values
        for s, v in enumerate(values[arm])
    ]
    contrasts = [Contrast("DIA - plain", {"DIA": 1, "plain": -1}, delta, primary)]
    return effects(pd.DataFrame(rows), contrasts, equivalence=assay)


class TestAnswer:
    def test_says_undecided_where_the_interval_covers_zero(self):
        text = wording.answer("Whether it helps", asked(0.0))
        could = "could be 0.1 worse or 0.1 better; about 18 seeds would find a difference of 0.1 points"
        numbers = f"DIA - plain 0.0 points [−0.1, +0.1] ({could})"
        assert text == f"Whether it helps is undecided here: {numbers} (95 % t intervals over 6 seeds)."

    def test_survivors_are_told_with_those_that_were_lost(self):
        text = wording.answer("It", asked(0.02).assign(lost=4, verdict="undecided", reason="4 of 10 seeds lost"))
        assert "undecided here" in text and "(4 of 10 seeds lost; could be" in text and text.count("lost") == 1

    def test_losses_are_told_of_the_contrast_that_has_them_whatever_its_verdict(self):
        for row, said in ((asked(0.02), "(1 of 7 seeds lost; better"), (asked(0.02, primary=False), "(1 of 7 seeds")):
            text = wording.answer("It", pd.concat([row.assign(lost=1), asked(0.02).assign(contrast="more")]))
            assert said in text and text.count("lost") == 1
        own = by_learning_rate(asked(0.02), asked(0.0, delta=0.01)).assign(own_lost=16, own_n=4)
        assert "(16 of 20 seeds lost at each arm's own learning rate; depends on" in wording.answer("It", own)

    def test_an_interim_look_is_told_as_one(self):
        early = asked(0.02).assign(verdict="undecided", reason="interim: 6 of 20 seeds have run", p_holm=np.nan)
        assert "(interim: 6 of 20 seeds have run; could be" in wording.answer("It", early)

    def test_equivalent_is_explained(self):
        text = wording.answer("Whether it helps", asked(0.0, delta=0.01))
        assert "is decided here: " in text and "(equivalent: equal within ±1 point here, not proved equal)" in text
        text = wording.answer("It", asked(0.004, delta=0.015))
        assert "(different but negligible: within ±1.5 points, p = " in text

    def test_without_an_assay_what_lies_in_the_band_is_undecided_and_says_why(self):
        text = wording.answer("Whether it helps", asked(0.0, delta=0.01, assay=False))
        assert "undecided here" in text and "seeds would find" not in text
        assert "(could be 0.1 worse or 0.1 better; within ±1 point, but the assay fails at the" in text
        assert "assay" not in wording.answer("Whether it helps", asked(0.0, delta=0.001, assay=False))
        assert "assay" not in wording.answer("Whether it helps", asked(0.0, seeds=2, delta=0.01, assay=False))

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
        assert "better at the common one, equivalent at each arm's own, 0.0 points" in text
        half = wording.answer("It", by_learning_rate(asked(0.02), asked(0.0)))
        assert "undecided here" in half and "(better at the common rate, undecided at each arm's own; could be" in half

    def test_what_is_open_at_the_own_rates_alone_is_told_from_their_interval(self):
        half = wording.answer("It", by_learning_rate(asked(0.02), asked(0.0)))
        assert "+2.0 points [+1.9, +2.1]" in half
        assert "could be 0.1 worse or 0.1 better at each arm's own learning rate; about 18 seeds would" in half

    def test_the_hardest_rival_is_named(self):
        assert "DIA - plain (of which SE is the hardest) +2.0" in wording.answer("It", asked(0.02).assign(rival="SE"))

    def test_the_interval_is_that_to_the_hardest_rival(self):
        """It was picked after looking, so this is no interval of the difference to the best."""
        text = wording.answer("It", asked(0.0).assign(rival="SE"))
        assert "[−0.1, +0.1] to SE (could be 0.1 worse or 0.1 better than SE; about" in text

    def test_the_seeds_are_those_of_the_wider_spread_of_both_rates(self):
        """The sentence, the table, the figure and the price give one number."""
        both = asked(0.0).assign(seeds_needed=40.0, own_seeds_needed=70.0)
        assert "about 70 seeds would find" in wording.could_be(both.iloc[0])

    def test_the_hardest_rival_at_the_own_rates_may_be_another(self):
        half = by_learning_rate(asked(0.02).assign(rival="SE"), asked(0.0).assign(rival="clock"))
        assert "better than clock at each arm's own learning rate" in wording.could_be(half.iloc[0])

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
        table = pd.DataFrame({"contrast": list("abc"), "verdict": verdicts, "seeds_needed": [9.0, 31.0, 3.0], "n": 6})
        assert "would be found with 9 to 31 seeds" in wording.seeds_sentence(table)
        assert "no number of seeds" in wording.seeds_sentence(table.assign(seeds_needed=np.nan))
        assert wording.seeds_sentence(table.tail(1)) == "No primary contrast is open here."

    def test_more_seeds_are_not_asked_for_where_an_assay_is_wanting(self):
        blind = asked(0.0, delta=0.01, assay=False).assign(seeds_needed=40.0)
        assert "learning rate the assay fails" in wording.seeds_sentence(blind)
        assert "40" not in wording.seeds_sentence(blind) and np.isnan(more_seeds(blind.iloc[0]))
        assert more_seeds(blind.assign(waiting=2).iloc[0]) == 2

    def test_more_seeds_are_not_asked_for_where_there_are_enough(self):
        table = pd.DataFrame([OPEN])
        said = wording.seeds_sentence(table)
        assert said.startswith("The 80 % power to find what matters is reached for a: ") and "15" not in said
        assert "between 0 and the smallest difference that matters" in said
        own = wording.seeds_sentence(table.assign(own_seeds_needed=28.0))
        assert "would be found with 28 seeds" in own and "if there is one" in own

    def test_each_open_contrast_has_its_own_reason_for_its_seeds(self):
        changes = {"b": {"seeds_needed": 40.0}, "c": {"n": 16, "waiting": 4}, "d": {"n": 15, "lost": 5}}
        changes |= {"e": {"own_n": 4, "own_lost": 16}, "f": {"seeds_needed": np.nan}}
        rows = [OPEN, *(OPEN | {"contrast": name} | change for name, change in changes.items())]
        said = wording.seeds_sentence(pd.DataFrame(rows))
        assert "found with 40 seeds" in said and "is reached for a: " in said
        assert "not run yet for c." in said and "lost for d and e," in said and "not known for f." in said

    def test_a_contrast_that_depends_on_the_rate_is_open(self):
        table = pd.DataFrame([OPEN | {"verdict": "depends on learning rate"}])
        assert "No primary contrast is" not in wording.seeds_sentence(table)

    def test_verdicts_are_counted_by_name_over_primary_contrasts(self):
        text = wording.verdicts_sentence(asked(0.0))
        assert text.startswith("Of 1 primary contrast named before the run, none is decided; undecided: ")
        assert text.endswith(
            "DIA - plain (could be 0.1 worse or 0.1 better; about 18 seeds would find a difference of 0.1 points)."
        )
        assert wording.verdicts_sentence(asked(0.02)).endswith("1 decided: DIA - plain (better).")
        more = asked(0.02, primary=False)
        both = wording.verdicts_sentence(pd.concat([asked(0.02), more]))
        assert both.startswith("Of 1 primary contrast") and both.endswith("; 1 more exploratory, without a verdict.")
        assert "All contrasts here are exploratory (1)" in wording.verdicts_sentence(more)
        depends = wording.verdicts_sentence(by_learning_rate(asked(0.02), asked(0.0, delta=0.01)))
        why = "DIA - plain (better at the common one, equivalent at each arm's own)."
        assert depends.endswith(f"; dependent on the learning rate: {why}")

    @pytest.mark.parametrize(
        ("seeds", "change", "why"),
        [
            (6, {"reason": "interim: 6 of 20 seeds have run"}, "interim: 6 of 20 seeds have run; could be 1.9 to"),
            (6, {"reason": "4 of 10 seeds lost", "lost": 4}, "4 of 10 seeds lost; could be"),
            (6, {"p_holm": np.nan}, "ties, no spread to test with)"),
            (
                6,
                {"p_holm": 0.07},
                "could be 1.9 to 2.1 better; about 18 seeds would find a difference of 0.1 points; p = 0.07 after",
            ),
            (2, {}, "too few seeds for a verdict; could be"),
            (1, {}, "too few seeds)"),
            (1, {"estimate": np.nan, "n": 0}, "no seed that finished in all its arms)"),
        ],
    )
    def test_each_undecided_contrast_is_told_with_its_reason(self, seeds, change, why):
        text = wording.verdicts_sentence(asked(0.02, seeds=seeds).assign(verdict="undecided", **change))
        assert f"none is decided; undecided: DIA - plain ({why}" in text and "nan" not in text
        assert text.count("lost") == ("lost" in change)

    def test_only_the_contrasts_of_an_extended_study_are_called_so(self):
        both = pd.concat([asked(0.02).assign(extended=True), asked(0.02).assign(contrast="b", extended=False)])
        assert wording.verdicts_sentence(both).endswith("planned before any run: DIA - plain.")
        assert "extended" not in wording.verdicts_sentence(both.tail(1))

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

    @pytest.mark.parametrize("start", ["", "own_"])
    def test_no_number_of_seeds_is_promised_to_survivors(self, start):
        effect = {"low": -0.01, "high": 0.03, "seeds_needed": 40, "n": 15, "delta": 0.01}
        lossy = pd.Series(effect | {f"{start}n": 15, f"{start}lost": 5})
        assert wording.could_be(lossy) == "could be 1.0 worse or 3.0 better"

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
