"""Intervals and verdicts err as often as they say; simulated with the parts of seeds and of images.

``python -m tests.calibration`` prints the table of these numbers, for more kinds of spread.
"""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis.statistics import effects
from dianet_lab.studies.contrast import Contrast
from tests.calibration import DELTA, SEEDS, calibration, simulate, verdicts

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return calibration(1000).set_index("seeds")


def error(table: pd.DataFrame, seeds: int, column: str) -> float:
    """Three Monte Carlo standard errors."""
    return 3 * table.loc[seeds, f"± {column}"]


@pytest.mark.parametrize("seeds", SEEDS)
class TestCalibration:
    def test_the_t_interval_covers_the_difference_on_these_images(self, table, seeds):
        assert abs(table.loc[seeds, "t, these images"] - 0.95) < error(table, seeds, "t, these images")

    def test_the_crossed_interval_covers_the_difference_on_new_images(self, table, seeds):
        """With three seeds it is conservative where images vary little: up to 97.6 % was seen."""
        found, allowed = table.loc[seeds, "crossed, new images"], error(table, seeds, "crossed, new images")
        assert 0.95 - allowed < found < (0.98 if seeds == 3 else 0.96) + allowed

    def test_a_family_without_a_difference_is_given_one_in_at_most_five_percent(self, table, seeds):
        assert table.loc[seeds, "false difference"] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)

    def test_a_difference_that_matters_is_called_equivalent_in_at_most_five_percent(self, table, seeds):
        assert table.loc[seeds, "false equivalent"] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_the_t_interval_says_nothing_about_new_images(table):
    """The reason for the crossed interval: the more seeds, the surer is a statement about the luck of these images."""
    assert table["t, new images"].is_monotonic_decreasing and table.loc[24, "t, new images"] < 0.85


def test_the_simulated_rule_is_that_of_a_study():
    """Verdicts of the simulation are those that ``effects`` gives to a frame of the same differences."""
    for shift in (0.0, 0.03):
        made = simulate(5, 2).seeds + shift
        for family, expected in zip(made, verdicts(made), strict=True):
            values = {"plain": np.full(5, 0.5)} | {f"arm {k}": 0.5 + row for k, row in enumerate(family)}
            runs = [(arm, s, "finished", v) for arm, row in values.items() for s, v in enumerate(row)]
            frame = pd.DataFrame(runs, columns=["arm", "seed", "status", "test_accuracy"])
            asked = [Contrast(arm, {arm: 1, "plain": -1}, DELTA) for arm in list(values)[1:]]
            assert list(effects(frame, asked)["verdict"]) == list(expected)
