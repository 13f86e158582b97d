"""Frames of runs as a study gives them, for tests of statistics."""

import numpy as np
import pandas as pd
from scipy import stats

from dianet_lab.studies.contrast import Contrast

AGAINST_PLAIN = [Contrast("DIA - plain", {"DIA": 1, "plain": -1})]


def frame_of(accuracies, baseline="plain", lost=()):
    """``{arm: [accuracy of seed 0, 1, ...]}``; ``lost`` names (arm, seed, status)."""
    rows = [
        {"arm": arm, "seed": seed, "test_accuracy": value, "status": "finished", "is_baseline": arm == baseline}
        | {"parameters": 10}
        for arm, values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    frame = pd.DataFrame(rows)
    for arm, seed, status in lost:
        frame.loc[(frame.arm == arm) & (frame.seed == seed), ["status", "test_accuracy"]] = [status, np.nan]
    return frame


def tied(shift, n=6, spread=0.002):
    """plain, and DIA that is ``shift`` better on average, with a standard deviation of ``spread`` over seeds."""
    steps = stats.zscore(np.random.RandomState(n).normal(size=n), ddof=1) * spread
    return frame_of({"plain": np.full(n, 0.8), "DIA": 0.8 + shift + steps})
