"""The ledger as a reader sees it, and what deciding the rest would cost."""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis.claim_file import read_claims
from dianet_lab.analysis.ledger import STATUSES, Setting, ledger
from dianet_lab.analysis.ledger_table import ledger_sentence, ledger_table, told
from dianet_lab.analysis.planning import price_table
from dianet_lab.profiles import get_profile
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.rates import Runs

FOUND = {"estimate": 0.012, "low": -0.001, "high": 0.025, "n": 20, "verdict": "undecided", "delta": 0.01}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    results = {("sharing", "DIA - best of plain and its starts"): FOUND}
    return ledger(read_claims(), results, Setting.of(get_profile("digits").base, "digits"))


def test_every_claim_has_a_row_grouped_by_its_status(rows):
    table = ledger_table(rows)
    order = [list(STATUSES).index(status) for status in table["status"]]
    assert len(table) == len(rows) and order == sorted(order)


def test_what_was_found_is_told_in_points_with_its_interval_and_seeds(rows):
    found = [text for text in ledger_table(rows)["found here"] if text]
    assert found and all("+1.2 [−0.1, +2.5], n = 20" in text for text in found)


def test_without_a_result_nothing_is_found():
    assert told({"estimate": np.nan, "low": np.nan, "high": np.nan, "n": 0, "verdict": ""}) == ""


def test_the_sentence_counts_every_claim_once_and_confirms_nothing(rows):
    sentence = ledger_sentence(rows)
    counts = [int(word) for word in sentence.replace(",", " ").split() if word.isdigit()]
    assert counts[0] == sum(counts[1:]) == len(rows)
    assert "none is a confirmation or a refutation" in sentence


class TestPrice:
    @pytest.fixture
    def runs(self) -> Runs:
        study = get_study("cell", "digits")
        rows = [
            {"arm": arm, "seed": seed, "run_id": f"{arm}-{seed}", "status": "finished", "seconds": 36.0}
            for arm in study.arms
            for seed in study.seeds_of(arm)
        ]
        return Runs(study, pd.DataFrame(rows), rates={"DIA": 0.1, "clock": 0.3})

    def effects(self, **changes):
        row = {"study": "cell", "contrast": "carried - clock", "primary": True, "verdict": "undecided", "n": 20}
        row |= {"low": -0.01, "high": 0.03, "seeds_needed": 30.0, "delta": 0.01} | changes
        return pd.DataFrame([row])

    def test_is_the_missing_seeds_of_its_arms_and_of_those_with_a_rate_of_their_own(self, runs):
        """Ten more seeds of two arms, one of which runs at its own rate too: 30 runs of 36 s are 0.3 hours."""
        price = price_table(self.effects(), {"cell": runs}).iloc[0]
        assert price["more runs"] == 30 and price["hours"] == pytest.approx(0.3)
        assert price["could be"] == "could be 1.0 worse or 3.0 better"

    def test_is_unknown_where_the_spread_is(self, runs):
        price = price_table(self.effects(seeds_needed=np.nan), {"cell": runs}).iloc[0]
        assert np.isnan(price["hours"]) and price["note"] == "spread not known"

    def test_no_number_of_runs_is_a_price_where_the_power_is_there_already(self, runs):
        """What is open with enough seeds is smaller than what matters; to call that free would be wrong."""
        price = price_table(self.effects(seeds_needed=17.0), {"cell": runs}).iloc[0]
        assert np.isnan(price["more runs"]) and np.isnan(price["hours"]) and price["needed"] == 17
        assert price["note"] == "this power is reached"

    def test_no_number_of_runs_is_a_price_where_an_assay_is_wanting(self, runs):
        blind = self.effects(low=-0.004, high=0.003, p_holm=1.0, p_equal=np.nan)
        price = price_table(blind, {"cell": runs}).iloc[0]
        assert np.isnan(price["more runs"]) and price["note"] == "too small to matter, but the assay fails"

    @pytest.mark.parametrize("where", ["", "own_"])
    def test_no_number_of_runs_is_a_price_where_seeds_are_lost(self, runs, where):
        lossy = self.effects(**{f"{where}n": 15, f"{where}lost": 5})
        price = price_table(lossy, {"cell": runs}).iloc[0]
        assert np.isnan(price["more runs"]) and price["note"] == "too many seeds lost"

    def test_of_an_interim_look_is_that_of_all_planned_seeds_at_least(self, runs):
        """Nothing is decided before the sixteen missing seeds are in, though seven would find what matters."""
        price = price_table(self.effects(n=4, waiting=16, seeds_needed=7.0), {"cell": runs}).iloc[0]
        assert price["more runs"] == 16 * 3 and price["note"] == ""

    def test_of_what_is_open_at_the_own_rates_tells_their_interval(self, runs):
        verdicts = {"verdict_common": "better", "verdict_own": "undecided"}
        own = {"own_estimate": 0.0, "own_low": -0.02, "own_high": 0.02, "own_n": 20}
        price = price_table(self.effects(**verdicts, **own), {"cell": runs}).iloc[0]
        assert price["could be"] == "could be 2.0 worse or 2.0 better at each arm's own learning rate"

    def test_is_that_of_the_wider_spread_of_both_rates(self, runs):
        price = price_table(self.effects(seeds_needed=17.0, own_seeds_needed=30.0), {"cell": runs}).iloc[0]
        assert price["more runs"] == 30 and price["needed"] == 30

    @pytest.mark.parametrize("change", [{"verdict": "better"}, {"primary": False}])
    def test_is_asked_for_open_primary_contrasts_only(self, runs, change):
        assert price_table(self.effects(**change), {"cell": runs}).empty
