"""A run that is killed while it writes: nothing half-written counts, and what comes out is the unbroken run's."""

import pytest

from dianet_lab.studies import claims
from tests.reliability.kills import EPOCHS, POINTS, kill_at, kill_at_random
from tests.reliability.tiny import tiny, unbroken


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return unbroken(tiny(EPOCHS), tmp_path_factory.mktemp("unbroken"))


@pytest.mark.heavy
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_write_it_goes_on_to_the_same_bits(point, tmp_path, expected, monkeypatch):
    monkeypatch.setattr(claims, "STALE_AFTER", 0.5)  # of the half-written claim nobody can tell whose it was
    outcome = kill_at(point, tmp_path / "runs", expected)
    assert outcome.killed and outcome.identical and not outcome.left, outcome


@pytest.mark.heavy
def test_killed_at_a_random_moment_it_goes_on_to_the_same_bits(tmp_path):
    shares, alive, identical = kill_at_random(5, tmp_path)
    assert alive >= 3 and identical == 5
