"""Whether the lab's intervals and verdicts err as often as they say: ``python -m tests.calibration`` prints a table.

Simulated are studies of nine arms that share seeds and test images, and the family of eight contrasts against the first
one. Arm ``a`` with seed ``s`` is right on image ``i`` where

    easiness[i] + arm_image[a, i] + arm_seed[a, s] + rest[a, s, i] > 0,

all normal, so that seeds and images both have a part of their own, as between networks. The truth is known in closed
form: for these test images by the probability of each of them, and for new ones it is 0, as all arms are alike.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from dianet_lab.analysis.crossed import crossed_half_width
from dianet_lab.analysis.interval import LEVEL
from dianet_lab.analysis.power import SPREADLESS
from dianet_lab.analysis.verdict import BETTER, EQUIVALENT, NEGLIGIBLE, WORSE, holm, verdict

SEEDS = (3, 5, 10, 24)
ARMS, IMAGES, DELTA = 9, 400, 0.01
CHUNK = 50


class Spread(NamedTuple):
    """Standard deviations of the simulated parts, and the mean easiness, which makes about 90 % right."""

    easiness: float = 1.0
    arm_image: float = 0.4
    arm_seed: float = 0.12
    rest: float = 0.6
    mean: float = 2.0


USUAL = Spread()


class Simulated(NamedTuple):
    """Families of contrasts against the first arm.

    ``seeds [family, contrast, seed]`` are differences of accuracies, ``half [family, contrast]`` half widths of the
    crossed interval, ``truth [family, contrast]`` the true differences for the test images at hand.
    """

    seeds: np.ndarray
    half: np.ndarray
    truth: np.ndarray


def simulate(seeds: int, families: int, spread: Spread = USUAL, start: int = 0) -> Simulated:
    """``families`` studies of so many seeds."""
    random = np.random.default_rng([start, seeds])
    chunks = [_simulate(random, seeds, min(CHUNK, families - done), spread) for done in range(0, families, CHUNK)]
    return Simulated(*(np.concatenate(part) for part in zip(*chunks, strict=True)))


def _simulate(random: np.random.Generator, seeds: int, families: int, spread: Spread) -> Simulated:
    def normal(scale: float, *shape: int) -> np.ndarray:
        return scale * random.standard_normal((families, *shape), dtype=np.float32)

    easy = spread.mean + normal(spread.easiness, 1, 1, IMAGES) + normal(spread.arm_image, ARMS, 1, IMAGES)
    right = easy + normal(spread.arm_seed, ARMS, seeds, 1) + normal(spread.rest, ARMS, seeds, IMAGES) > 0
    differences = right[:, 1:].astype(np.float32) - right[:, :1]
    chance = stats.norm.cdf(easy / np.hypot(spread.arm_seed, spread.rest)).mean((-2, -1))
    return Simulated(differences.mean(-1, dtype=float), crossed_half_width(differences), chance[:, 1:] - chance[:, :1])


def verdicts(differences: np.ndarray, delta: float = DELTA) -> np.ndarray:
    """The verdicts ``[family, contrast]`` of ``differences [family, contrast, seed]``, by the lab's rule."""
    n = differences.shape[-1]
    tied = np.ptp(differences, axis=-1) < SPREADLESS

    def p_value(null: float, alternative: str) -> np.ndarray:
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of ties
            p = stats.ttest_1samp(differences, null, axis=-1, alternative=alternative).pvalue
        return np.where(tied, np.nan, p)

    mean, half, p = differences.mean(-1), half_width(differences), p_value(0, "two-sided")
    equal = np.maximum(p_value(-delta, "greater"), p_value(delta, "less"))
    rows = [
        [
            verdict(*numbers[:3], n, numbers[3])
            for numbers in zip(m - h, m + h, holm(different), holm(same), strict=True)
        ]
        for m, h, different, same in zip(mean, half, p, equal, strict=True)
    ]
    return np.array(rows)


def half_width(differences: np.ndarray) -> np.ndarray:
    """Half of the paired t interval of ``differences [..., seed]``."""
    return stats.t.ppf((1 + LEVEL) / 2, differences.shape[-1] - 1) * stats.sem(differences, axis=-1)


def calibration(families: int = 1000, spread: Spread = USUAL, start: int = 0) -> pd.DataFrame:
    """One row a number of seeds: how often intervals cover the truth, and how often a family has a wrong verdict.

    Columns: ``seeds, nominal``; ``t, these images``, coverage of the paired t interval for the test images at hand;
    ``t, new images`` and ``crossed, new images``, coverage for new seeds and new test images; ``false difference``,
    the share of families with any verdict of a difference where there is none; ``false for new images``, the same where
    there is one for these test images but none for others, which is what the crossed interval is for and why the ledger
    asks it; ``false equivalent``, with any verdict
    of equality where the true difference is delta. Each column but the first two has its Monte Carlo standard error
    beside it, over families, as ``± ...``.
    """
    rows = []
    for n in SEEDS:
        made = simulate(n, families, spread, start)
        mean, half = made.seeds.mean(-1), half_width(made.seeds)
        none = made.seeds - made.truth[..., None]  # the truth moved to 0, for these test images
        found = {
            "t, these images": (np.abs(mean - made.truth) <= half).mean(-1),
            "t, new images": (np.abs(mean) <= half).mean(-1),
            "crossed, new images": (np.abs(mean) <= made.half).mean(-1),
            "false difference": np.isin(verdicts(none), [BETTER, WORSE, NEGLIGIBLE]).any(-1),
            "false for new images": np.isin(verdicts(made.seeds), [BETTER, WORSE, NEGLIGIBLE]).any(-1),
            "false equivalent": np.isin(verdicts(none + DELTA), [EQUIVALENT, NEGLIGIBLE]).any(-1),
        }
        row = {"seeds": n, "nominal": LEVEL}
        for name, values in found.items():
            row |= {name: values.mean(), f"± {name}": values.std(ddof=1) / np.sqrt(families)}
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    for title, spread in (
        ("as between networks", Spread()),
        ("mostly images", Spread(arm_image=1.0, arm_seed=0.03, rest=0.3)),
        ("mostly seeds", Spread(arm_seed=0.5)),
        ("no images", Spread(arm_image=0.0)),
    ):
        print(f"\n{title}: {spread}")
        table = calibration(2000, spread)
        print(table[[name for name in table if "±" not in name]].to_string(index=False, float_format="{:.3f}".format))
    print("\nNominal for false difference and false equivalent: at most 0.05. Monte Carlo standard error: about 0.005.")
