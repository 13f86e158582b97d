"""The computed claims: each check counts for real, and fails where the networks are others."""

import re

import pytest

from dianet_lab.analysis import computed
from dianet_lab.analysis.computed import CHECKS, run_check
from dianet_lab.errors import ConfigError


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_holds_and_says_what_it_found(name):
    outcome = run_check(name)
    assert outcome.holds is True and re.search(r"\d", outcome.found)


def test_explains_an_unknown_check():
    with pytest.raises(ConfigError, match="unknown computed check 'crossover'"):
        run_check("crossover")


def test_the_crossover_is_not_taken_for_granted(monkeypatch):
    """With SE at a quarter of its ratio, DIA is cheaper much earlier, and the check says so."""
    se = computed.SENET.model_copy(update={"reduction": 4})
    monkeypatch.setattr(computed, "ARMS", computed.ARMS | {"SE per block": se})
    assert not computed.cheaper_than_se_from_depth_182().holds


def test_a_unit_per_block_does_depend_on_the_depth(monkeypatch):
    monkeypatch.setattr(computed, "DIANET", computed.SENET)
    assert not computed.same_cost_at_every_depth().holds
    assert not computed.gate_starts_at_a_quarter().holds


def test_the_extra_norm_is_held_against_counts_that_others_published(monkeypatch):
    """With another unit the two networks still differ by the norm, but neither has the published count."""
    monkeypatch.setattr(computed, "DIANET", computed.SENET)
    found = computed.official_dia_has_an_extra_norm()
    assert not found.holds and "1,961,364" not in found.found and "16,128" in found.found


def test_a_count_that_differs_is_found(monkeypatch):
    wrong = [row._replace(parameters="1") for row in computed.PUBLISHED if "-20" in row.network]
    monkeypatch.setattr(computed, "PUBLISHED", wrong)
    assert computed.pytorchcv_counts_are_ours() == (False, "0 of 6 counts are equal to the last parameter")
