"""The ledger of claims: when a claim is settled, and how it is shown."""

import math
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from dianet_lab.analysis import computed
from dianet_lab.analysis.claim_file import EXPECTATIONS, Claim, Preconditions, read_claims
from dianet_lab.analysis.ledger import (
    COLUMNS,
    CONTRADICTED,
    COUNTED,
    NOT_RUN,
    SUPPORTED,
    TOO_SMALL,
    UNDECIDED,
    Setting,
    direction,
    judged,
    ledger,
    report_of,
    unmet,
)
from dianet_lab.analysis.ledger_table import told
from dianet_lab.cli.app import app
from dianet_lab.config import DataConfig, RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError
from dianet_lab.profiles import PROFILES, get_profile
from dianet_lab.studies.catalog import get_study

CLAIMS = read_claims()


def claim(expects="better", **fields):
    needs = {"data": ("cifar100",)} if fields.get("kind", "accuracy") == "accuracy" else {}
    given = {"id": "one", "claim": "It helps.", "source": "paper", "grade": "seen", "kind": "accuracy"}
    given |= {
        "study": "sharing",
        "contrast": "DIA - plain",
        "expects": expects,
        "preconditions": Preconditions(**needs),
    }
    return Claim(**given | fields)


def setting(profile="paper", **changes):
    return Setting.of(get_profile(profile).base.override(changes), profile)


def result(verdict, estimate=0.02, low=0.015, high=0.025, **others):
    return {"estimate": estimate, "low": low, "high": high, "n": 5, "verdict": verdict, **others}


SMALL = {
    "model.depth": 20, "model.width": 16, "data.train_size": 100, "train.epochs": 100, "train.batch_size": 32,
}  # fmt: skip


class TestSetting:
    def test_is_what_the_configuration_says(self):
        here = setting("paper", **{"data.train_size": None, "data.val_size": 0, "train.batch_size": 128})
        assert (here.data, here.images, here.depth, here.block, here.blocks) == (
            "cifar100",
            50_000,
            164,
            "bottleneck",
            18,
        )
        assert here.updates == here.epochs * 391 and not here.demonstration and here.scale == "CIFAR-100, ResNet-164"

    def test_of_digits_is_small(self):
        assert setting("digits").scale.startswith("8x8 digits, ResNet-")

    def test_says_that_a_demonstration_is_one(self):
        assert setting("quick").demonstration
        assert Setting.of(PROFILES["paper"].base, "paper", demonstration=True).demonstration

    def test_does_not_guess_how_many_images_a_folder_has(self):
        here = Setting.of(RunConfig(data=DataConfig(source="parquet", path="x", fingerprint="y")), "paper")
        jpeg = replace(load_data(DataConfig(train_size=10), 0).train, name="cifar10", jpeg=True)
        known = Setting.of(
            RunConfig(data=DataConfig(source="parquet", path="x", fingerprint="y")), "paper", images=jpeg
        )
        assert known.scale.startswith("JPEG-compressed cifar10, ") and here.scale.startswith("images of a folder, ")
        assert here.images is None and here.updates is None
        assert unmet(Preconditions(min_updates=5), here) == ["updates unknown, needs 5"]

    @pytest.mark.parametrize(
        ("needs", "words"),
        [
            ({"data": ("cifar10", "cifar100")}, "data digits, needs cifar10 or cifar100"),
            ({"block": "bottleneck"}, "basic blocks, needs bottleneck"),
            ({"min_depth": 164}, "depth 20, needs 164"),
            ({"min_blocks": 4}, "blocks a stage 3, needs 4"),
            ({"min_width": 17}, "width 16, needs 17"),
            ({"min_images": 45_000}, "training images 100, needs 45,000"),
            ({"min_epochs": 1000}, "epochs 100, needs 1,000"),
            ({"min_updates": 1000}, "updates 300, needs 1,000"),
        ],
    )
    def test_what_is_not_met_is_said_in_words(self, needs, words):
        here = setting("quick", **SMALL)
        assert unmet(Preconditions(**needs), here) == [words]

    def test_what_is_just_met_is_met(self):
        needs = Preconditions(data=("cifar100",), block="bottleneck", min_depth=164, min_blocks=18, min_epochs=160)
        assert unmet(needs, setting("paper")) == []


VERDICTS = ("better", "worse", "equivalent", "different but negligible")
SETTLED = {  # expects -> status by verdict; y supported, n contradicted, ? undecided
    "better": "ynnn",
    "more": "ynnn",
    "worse": "nynn",
    "fewer": "nynn",
    "different": "yynn",
    "equivalent": "??yy",
    "not better": "nyyy",
    "not worse": "ynyy",
}
STATUS = {"y": SUPPORTED, "n": CONTRADICTED, "?": UNDECIDED}


class TestStatus:
    def test_every_expectation_has_a_rule(self):
        assert set(SETTLED) == set(EXPECTATIONS)

    @pytest.mark.parametrize(
        ("expects", "verdict", "status"),
        [(e, v, STATUS[s]) for e, row in SETTLED.items() for v, s in zip(VERDICTS, row, strict=True)],
    )
    def test_follows_the_verdict_where_the_preconditions_are_met(self, expects, verdict, status):
        assert judged(claim(expects), result(verdict), setting("paper"))[0] == status

    @pytest.mark.parametrize("expects", EXPECTATIONS)
    @pytest.mark.parametrize("verdict", ["undecided", "depends on learning rate", "exploratory", "", math.nan])
    def test_is_undecided_for_every_other_verdict(self, expects, verdict):
        assert judged(claim(expects), result(verdict), setting("paper"))[0] == UNDECIDED

    @pytest.mark.parametrize("profile", ["paper", "digits"])
    def test_an_exploratory_contrast_says_that_no_scale_would_decide_it(self, profile):
        assert "decides nothing at any scale" in judged(claim(), result("exploratory"), setting(profile))[1]

    def test_a_gain_that_is_too_small_to_matter_contradicts_a_gain_in_size(self):
        assert judged(claim(), result("different but negligible"), setting("paper"))[1].startswith("in size")

    @pytest.mark.parametrize(
        ("low", "high", "status"),
        [
            (0.011, 0.03, CONTRADICTED),
            (0.009, 0.03, UNDECIDED),
            (-0.03, -0.011, CONTRADICTED),
            (-0.03, -0.009, UNDECIDED),
        ],
    )
    def test_an_equality_is_contradicted_only_by_what_surely_matters(self, low, high, status):
        found = result("better" if low > 0 else "worse", (low + high) / 2, low, high, delta=0.01)
        assert judged(claim("equivalent"), found, setting("paper"))[0] == status

    @pytest.mark.parametrize("found", [{}, {"estimate": math.nan, "n": 0, "lost": 0}])
    def test_without_a_result_it_is_not_yet_run(self, found):
        assert judged(claim(), found, setting("paper")) == (NOT_RUN, "")
        assert "would not settle it: data digits" in judged(claim(), found, setting("digits"))[1]

    def test_with_every_seed_lost_it_is_undecided_and_not_unrun(self):
        found = {"estimate": math.nan, "n": 0, "lost": 5, "verdict": "undecided"}
        assert judged(claim(), found, setting("paper")) == (UNDECIDED, "no seed finished in every arm; 5 seeds lost")
        assert judged(claim(), found | {"reason": "5 of 5 seeds lost"}, setting("paper"))[1] == "5 of 5 seeds lost"

    def test_what_was_run_and_has_nothing_to_compare_is_not_unrun_either(self):
        found = {"estimate": math.nan, "n": 0, "lost": 0, "waiting": 0, "verdict": "exploratory", "reason": "no cell"}
        assert judged(claim(), found, setting("paper")) == (UNDECIDED, "no cell")
        status, why = judged(claim(), found, setting("digits"))
        assert status == TOO_SMALL and why.endswith("; no cell")
        assert judged(claim(), found | {"waiting": 3}, setting("paper"))[0] == NOT_RUN

    @pytest.mark.parametrize("rate", ["", "own_"])
    @pytest.mark.parametrize("verdict", ["better", "worse"])
    @pytest.mark.parametrize("expects", EXPECTATIONS)
    def test_a_difference_for_these_test_images_only_settles_nothing_at_either_rate(self, verdict, expects, rate):
        crossed = {f"{rate}crossed_low": -0.004, f"{rate}crossed_high": 0.044}
        found = result(verdict, crossed_low=0.004, crossed_high=0.044, own_low=0.015, own_high=0.025) | crossed
        status, why = judged(claim(expects), found, setting("paper"))
        assert status == UNDECIDED and "for these test images only" in why
        assert (
            judged(claim(expects), found | {f"{rate}crossed_low": 0.004}, setting("paper"))[0]
            == STATUS[SETTLED[expects][VERDICTS.index(verdict)]]
        )

    def test_lost_and_added_seeds_are_told(self):
        why = judged(claim(), result("better", lost=2, extended=True), setting("paper"))[1]
        assert why == "in direction; extended: seeds were added after looking; 2 seeds lost"
        small = judged(claim(), result("better", lost=1, extended=True), setting("digits"))[1]
        assert small.endswith("extended: seeds were added after looking; 1 seed lost")

    def test_why_there_is_no_verdict_and_where_it_was_counted_are_told(self):
        told = {"reason": "interim: 3 of 5 seeds have run", "where": "in all cells"}
        why = judged(claim(), result("undecided", **told), setting("paper"))[1]
        assert why == "interim: 3 of 5 seeds have run; in all cells"

    def test_what_a_study_has_no_column_for_is_not_told(self):
        """Tables of several studies leave NaN where one lacks a column."""
        gaps = dict.fromkeys(("reason", "where", "extended", "lost", "crossed_low", "crossed_high"), math.nan)
        assert judged(claim(), result("better", **gaps), setting("paper")) == (SUPPORTED, "in direction")

    @pytest.mark.parametrize("verdict", [*VERDICTS, "undecided", "exploratory"])
    def test_a_small_run_settles_nothing(self, verdict):
        status, why = judged(claim(), result(verdict), setting("digits"))
        assert status == TOO_SMALL and "data digits, needs cifar100" in why

    @pytest.mark.parametrize("profile", ["smoke", "quick"])
    def test_a_demonstration_settles_nothing(self, profile):
        mechanism = claim(kind="mechanism")
        assert judged(mechanism, result("better"), setting(profile)) == (
            TOO_SMALL, f"profile {profile} is a demonstration",
        )  # fmt: skip

    def test_a_mechanism_may_be_shown_on_digits(self):
        assert judged(claim(kind="mechanism"), result("better"), setting("digits"))[0] == SUPPORTED


class TestLedger:
    def test_tells_the_effect_of_a_claim_that_is_not_testable_as_an_illustration(self):
        key = ("sharing", "DIA - plain")
        row = ledger([claim()], {key: result("worse", -0.02, -0.03, -0.01)}, setting("digits")).iloc[0]
        assert row["status"] == TOO_SMALL and row["direction"] == "−" and row["scale"].startswith("8x8 digits")
        assert (row["estimate"], row["low"], row["high"], row["n"]) == (-0.02, -0.03, -0.01, 5)
        assert row["link"] == "01_sharing.html" and row["grade"] == "seen"

    def test_carries_what_a_status_is_to_be_read_with(self):
        found = result("better", crossed_low=-0.004, crossed_high=0.044, own_estimate=0.01, lost=2, extended=True)
        row = ledger([claim()], {("sharing", "DIA - plain"): found}, setting("paper")).iloc[0]
        names = ["status", "crossed_low", "crossed_high", "own_estimate", "lost", "extended"]
        assert row[names].tolist() == [UNDECIDED, -0.004, 0.044, 0.01, 2, True]

    def test_has_a_row_a_claim_in_their_order_even_with_no_result(self, monkeypatch):
        monkeypatch.setattr("dianet_lab.analysis.ledger.run_check", lambda name: computed.Computed(True, name))
        rows = ledger(CLAIMS, {}, setting("paper"))
        assert tuple(rows.columns) == COLUMNS and list(rows["id"]) == [one.id for one in CLAIMS]
        assert set(rows["status"]) == {NOT_RUN, COUNTED}
        assert (rows.loc[rows["status"] == COUNTED, "study"] == "computed").all()
        assert rows["estimate"].isna().all() and (rows["direction"] == "").all()

    def test_of_no_claims_has_the_columns(self):
        assert tuple(ledger([], {}, setting()).columns) == COLUMNS

    @pytest.mark.parametrize(("holds", "status"), [(True, COUNTED), (False, CONTRADICTED)])
    def test_a_computation_settles_its_claim_at_any_scale(self, monkeypatch, holds, status):
        monkeypatch.setattr("dianet_lab.analysis.ledger.run_check", lambda name: computed.Computed(holds, "12 of 12"))
        one = claim(kind="cost", study=None, contrast=None, expects=None, computed="check")
        row = ledger([one], {}, setting("smoke")).iloc[0]
        assert (row["status"], row["why"], row["contrast"]) == (status, "12 of 12", "check")

    @pytest.mark.parametrize(("estimate", "sign"), [(0.1, "+"), (-0.1, "−"), (0.0, "0"), (math.nan, "")])
    def test_a_direction_is_a_sign(self, estimate, sign):
        assert direction(estimate) == sign

    def test_a_study_without_a_notebook_has_no_link(self):
        assert report_of("nothing") == ""


class TestCommand:
    @pytest.fixture
    def shown(self, monkeypatch):
        """The output of the command for given results."""

        def run(results, *options):
            fake = SimpleNamespace(lab_results=lambda profile, store, data: results)
            monkeypatch.setitem(sys.modules, "dianet_lab.analysis.lab_results", fake)
            monkeypatch.setattr("dianet_lab.analysis.ledger.run_check", lambda name: computed.Computed(True, name))
            return CliRunner().invoke(app, ["claims", *options])

        return run

    def test_groups_the_claims_and_says_how_to_read_them(self, shown):
        text = shown({("sharing", "DIA - plain"): result("better")}).output
        titles = re.findall(r"^(\w[\w ]+): (\d+) of (\d+) *$", text, re.MULTILINE)
        assert [title for title, _, _ in titles] == [TOO_SMALL, NOT_RUN, COUNTED]
        assert sum(int(count) for _, count, _ in titles) == len(CLAIMS)
        assert "no confirmation of the paper" in text and "8x8 digits" in text

    def test_shows_the_effect_with_its_interval(self, shown):
        assert told(result("better")) == "+2.0 [+1.5, +2.5], n = 5, better"
        both = result("better", own_estimate=0.001, lost=2)
        assert told(both) == "+2.0 [+1.5, +2.5], +0.1 at own rates, n = 5, 2 lost, better"
        assert "[+1.5, +2.5], with new images [−0.4, +4.4], n" in told(
            result("better", crossed_low=-0.004, crossed_high=0.044)
        )
        assert told(result("", low=math.nan, high=math.nan)) == "+2.0, n = 5"
        assert told(result("", estimate=math.nan)) == ""

    def test_says_which_claims_that_were_not_run_could_be_settled_here(self, shown):
        """At the paper's scale all primary ones; on digits none; the others are told only, at any scale."""
        texts = [shown({}, "--profile", name).output for name in ("paper", "digits")]
        tested = [one for one in CLAIMS if one.study is not None]
        primary = {
            (study, contrast.name)
            for study in {one.study for one in tested}
            for contrast in get_study(study, "paper").contrasts
            if contrast.primary
        }
        verdicts = sum((one.study, one.contrast) in primary for one in tested)
        assert verdicts > 0
        assert [text.count("no: another scale") for text in texts] == [0, verdicts]
        assert [text.count("told only") for text in texts] == [len(tested) - verdicts] * 2
        assert "This store has no run of profile paper" in texts[0]

    def test_a_contrast_that_another_study_ran_is_not_called_not_yet_run(self, monkeypatch):
        """The eight arms on photographs stand in the study of cells, and answer what is asked of sharing."""
        helps = next(one for one in CLAIMS if one.id == "shared-attention-helps")
        row = ledger([helps], {("cell", helps.contrast): result("undecided")}, setting("digits")).iloc[0]
        assert (row["study"], row["status"], row["link"]) == ("cell", TOO_SMALL, "04_cell.html")
        own = {("cell", helps.contrast): result("worse"), ("sharing", helps.contrast): result("better")}
        assert ledger([helps], own, setting("digits")).iloc[0]["verdict"] == "better"

    def test_explains_an_unknown_profile(self, shown):
        with pytest.raises(ConfigError, match="did you mean 'digits'"):
            raise shown({}, "--profile", "digit").exception
