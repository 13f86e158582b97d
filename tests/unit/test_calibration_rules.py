"""The rules over several tests (the best of rivals, two learning rates) err no more often than a single one.

Accuracies are normal here: a part of the seed that all arms share, and one of each run.
"""

import numpy as np
import pandas as pd
import pytest

from dianet_lab.analysis.statistics import by_learning_rate, effects, shifts
from dianet_lab.analysis.verdict import BETTER, DEPENDS, EQUIVALENT, NEGLIGIBLE, WORSE
from dianet_lab.studies.contrast import Contrast

pytestmark = pytest.mark.heavy

STUDIES, SEEDS, DELTA = 150, 6, 0.01
ALLOWED = 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)
RIVALS = ("a", "b", "c", "d", "e")
BEST = [Contrast("DIA - best", {"DIA": 1}, DELTA, best_of=list(RIVALS))]
TWO = [Contrast(f"DIA - {rival}", {"DIA": 1, rival: -1}, DELTA) for rival in RIVALS[:2]]


def study(random: np.random.Generator, means: dict[str, float]) -> pd.DataFrame:
    """One row a run, with so many accuracies an arm around its mean."""
    shared = random.normal(0.8, 0.01, SEEDS)
    rows = [
        (arm, seed, "finished", mean + shared[seed] + random.normal(0, 0.01))
        for arm, mean in means.items()
        for seed in range(SEEDS)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "status", "test_accuracy"])


def share(verdicts: list[str], wrong: tuple[str, ...]) -> float:
    return float(np.mean([verdict in wrong for verdict in verdicts]))


@pytest.mark.parametrize(
    ("means", "wrong"),
    [
        (dict.fromkeys(RIVALS, 0.0), (BETTER, WORSE, NEGLIGIBLE)),
        (dict.fromkeys(RIVALS, -0.1) | {"a": 0.0}, (BETTER, WORSE, NEGLIGIBLE)),
        (dict.fromkeys(RIVALS, -0.1) | {"a": DELTA}, (EQUIVALENT, NEGLIGIBLE)),
    ],
    ids=["all alike", "one alike", "one ahead"],
)
def test_a_verdict_against_the_best_of_rivals_is_wrong_in_at_most_five_percent(means, wrong):
    random = np.random.default_rng(0)
    found = [effects(study(random, {"DIA": 0.0} | means), BEST)["verdict"][0] for _ in range(STUDIES)]
    assert share(found, wrong) < ALLOWED


def test_two_learning_rates_of_a_null_rarely_make_a_verdict():
    """No more than 5 % each of a false difference at either rate, and of a dependence on the rate that is not there."""
    random, alike = np.random.default_rng(1), dict.fromkeys(("DIA", *RIVALS[:2]), 0.0)
    found = []
    for _ in range(STUDIES):
        common, own = study(random, alike), study(random, alike)
        tables = (effects(frame, TWO, equivalence=False) for frame in (common, own))
        found.append(set(by_learning_rate(*tables, shifts(common, own, TWO))["verdict"]))
    assert np.mean([bool(said & {BETTER, WORSE, NEGLIGIBLE}) for said in found]) < ALLOWED
    assert np.mean([DEPENDS in said for said in found]) < ALLOWED


def test_a_dependence_on_the_learning_rate_that_is_there_is_found():
    random, found = np.random.default_rng(2), []
    for _ in range(STUDIES // 10):
        common, own = study(random, {"DIA": 0.05, "a": 0, "b": 0}), study(random, {"DIA": -0.05, "a": 0, "b": 0})
        tables = (effects(frame, TWO, equivalence=False) for frame in (common, own))
        found.extend(by_learning_rate(*tables, shifts(common, own, TWO))["verdict"])
    assert share(found, (DEPENDS,)) > 0.9
