"""What the methods of the notebooks 11 to 14 find in cells of which it is known: detections and false alarms."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd
import torch
from scipy.stats import binomtest

from dianet_lab.analysis.interval import written
from dianet_lab.analysis.phrases import listed
from dianet_lab.analysis.planted import TRUTHS, planted
from dianet_lab.analysis.planted_methods import METHODS, PAIRS, Trial
from dianet_lab.data.images import ImageData

FIRST_SEED = 100
"""Of the planted networks in the table: the rules were set on others."""


def planted_trials(
    images: ImageData,
    train: ImageData,
    seeds: int,
    shares: Sequence[float] = (0.5,),
    scenarios: Sequence[str] = tuple(TRUTHS),
    methods: Sequence[str] = tuple(METHODS),
    pairs: int = PAIRS,
) -> pd.DataFrame:
    """Every method on every scenario that it can see: ``method, scenario, share, seed, item, there, found``.

    Args:
        seeds: planted networks of each scenario.
        shares: of the channels that take part in a dependence: see :func:`~dianet_lab.analysis.planted.planted`.
        pairs: that ``integration`` looks at: see :data:`~dianet_lab.analysis.planted_methods.PAIRS`.
    """
    rows = []
    with torch.no_grad():
        for scenario, share, seed in itertools.product(scenarios, shares, range(FIRST_SEED, FIRST_SEED + seeds)):
            trial = Trial(planted(scenario, seed, share), images, train, seed, pairs)
            which = {"scenario": scenario, "share": share, "seed": seed}
            for name, method in ((name, METHODS[name]) for name in methods):
                for item, found in method.look(trial) if scenario not in method.blind else ():
                    there = method.there(TRUTHS[scenario], item)
                    rows.append({"method": name} | which | {"item": str(item), "there": there, "found": found})
    return pd.DataFrame(rows)


def _bounds(count: int, of: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper and Pearson, Biometrika 26, 1934); NaN of nothing."""
    return tuple(binomtest(count, of).proportion_ci(method="exact")) if of else (float("nan"), float("nan"))


def rates(trials: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Counts of what is there and was detected, and of what is absent and was found all the same.

    Columns: ``method`` (and ``by``), ``there, detected, at least (%)``, ``absent, false alarms, at most (%)``; the
    shares are ends of exact 95 % intervals, as if items of one network were independent.
    """
    rows = []
    for key, part in trials.groupby(["method", *by], sort=False):
        there, absent = part[part["there"]], part[~part["there"]]
        counts = {"there": len(there), "detected": int(there["found"].sum())}
        counts |= {"at least (%)": 100 * _bounds(counts["detected"], counts["there"])[0]}
        counts |= {"absent": len(absent), "false alarms": int(absent["found"].sum())}
        counts |= {"at most (%)": 100 * _bounds(counts["false alarms"], counts["absent"])[1]}
        rows.append(dict(zip(["method", *by], key, strict=True)) | counts)
    return pd.DataFrame(rows)


def rates_sentence(found: pd.DataFrame) -> tuple[str, str]:
    """What all methods detect of what is there, and how often they find what is absent, with the ends of intervals."""
    caught = [
        f"{row.method} {row.detected} of {row.there}{_end(row.least, 'least') if row.detected else ''}"
        for row in _spoken(found, "there")
    ]
    alarms = [f"{row.method} {row.alarms} of {row.absent}{_end(row.most, 'most')}" for row in _spoken(found, "absent")]
    return f"Detected of what was planted: {listed(caught)}.", f"Found where nothing is: {listed(alarms)}."


def _spoken(found: pd.DataFrame, counted: str) -> Iterator[NamedTuple]:
    names = {"false alarms": "alarms", "at least (%)": "least", "at most (%)": "most"}
    return found[found[counted] > 0].rename(columns=names).itertuples()


def _end(percent: float, which: str) -> str:
    return f" (at {which} {written(percent, 1)} %)"


def weakest_sentence(there: pd.DataFrame) -> str:
    """Down to which share of channels each method still detects at least four of five.

    Args:
        there: :func:`rates` by share, of items that are there.
    """
    least = {method: _least(part) for method, part in there.groupby("method", sort=False)}
    fewest, said = {there["share"].min(): " (the fewest tried)"}, []
    for share in sorted({share for share in least.values() if share}):
        names = listed(method for method, enough in least.items() if enough == share)
        said.append(f"with {100 * share:g} % of the channels{fewest.get(share, '')} by {names}")
    if nowhere := [method for method, share in least.items() if not share]:
        said.append(f"with no share tried by {listed(nowhere)}")
    return f"Of what was planted, four of five are still detected {', '.join(said)}."


def _least(part: pd.DataFrame) -> float:
    """The smallest share down to which, from the largest on, four of five are detected; 0 if not even there."""
    enough = 0.0
    for row in part.sort_values("share", ascending=False).itertuples():
        if row.detected < 0.8 * row.there:
            break
        enough = row.share
    return enough
