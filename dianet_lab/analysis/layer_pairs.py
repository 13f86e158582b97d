"""How alike the layers of many networks are, pair by pair, beside the same with the images of each layer shuffled."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from dianet_lab.analysis.capture import capture_images
from dianet_lab.analysis.gates import UNTRAINED, Network
from dianet_lab.analysis.similarity import DIVERGENCES, MEASURES, Gates, shuffled_pairs
from dianet_lab.analysis.subject import Subject
from dianet_lab.errors import LabError
from dianet_lab.seeding import seed_of
from dianet_lab.studies.contrast import Contrast

TOGETHER, SHUFFLED = "together", "pairs shuffled"
"""Two layers looked at on one image each time, or on an image of its own for each layer."""

SHUFFLES = 2
"""The level of chance is a mean of so many; it is one over all pairs of layers too, so few are enough."""

UNSHARED = "SE per block"
"""The published similarity was seen in units that are not shared; this arm is the plainest of them."""


def layer_pairs(networks: Iterable[Network], shuffles: int = SHUFFLES) -> pd.DataFrame:
    """One row a pair of layers of one stage: ``arm, when, seed, images, stage, first, second, distance`` and

    every one of :data:`~dianet_lab.analysis.similarity.MEASURES`. ``images`` is :data:`TOGETHER` or :data:`SHUFFLED`,
    ``first`` and ``second`` are block numbers, ``distance`` counts layers; ``kl`` is KL(first || second). A measure is
    NaN where it is not defined: a gate that varies over no image has no correlation with another, gates below 0 are no
    distribution.

    Raises:
        LabError: no stage has two layers.
    """
    frames = []
    for which, model, images, _ in networks:
        generator = np.random.default_rng(seed_of("pairs shuffled", which["seed"]))
        for stage, gates in enumerate(capture_images(model, images)):
            keys = which | {"stage": stage}
            frames.append(stage_pairs(gates).assign(**keys, images=TOGETHER))
            shuffled = [stage_pairs(_like(gates, shuffled_pairs(gates, generator))) for _ in range(shuffles)]
            frames.append((sum(shuffled) / shuffles).assign(**keys, images=SHUFFLED))
    pairs = pd.concat(frames, ignore_index=True)
    if pairs.empty:
        raise LabError("no stage of these networks has two layers with a gate, so there is nothing to compare")
    whole = dict.fromkeys(("first", "second", "distance"), int)
    return pairs.astype(whole)[["arm", "when", "seed", "images", "stage", *whole, *MEASURES]]


def stage_pairs(gates: Gates) -> pd.DataFrame:
    """``first, second, distance`` and every measure of one stage's gates ``[image, block, channel]``, a row a pair."""
    blocks = gates["block"].values
    first, second = np.triu_indices(len(blocks), 1)
    table = pd.DataFrame({"first": blocks[first], "second": blocks[second], "distance": second - first})
    for name in MEASURES:
        table[name] = measured(name, gates)[first, second]
    return table


def measured(name: str, gates: Gates) -> np.ndarray:
    """A measure by its name, ``[block, block]``; NaN everywhere where these gates have none, as signed ones no KL."""
    try:
        return MEASURES[name](gates)
    except LabError:
        if name not in DIVERGENCES:
            raise
        return np.full((gates.shape[1],) * 2, np.nan)


def _like(gates: Gates, values: np.ndarray) -> Gates:
    return gates.transpose("image", "block", "channel").copy(data=values)


def _named(pairs: pd.DataFrame) -> pd.DataFrame:
    """The arm of an untrained network ends in ``, untrained``; what is infinite (KL to a closed gate) is unknown."""
    trained = pairs["when"] == "end"
    arms = pairs["arm"].where(trained, pairs["arm"] + f", {UNTRAINED}")
    finite = pairs[[*MEASURES]].replace([np.inf, -np.inf], np.nan)
    return pairs.assign(arm=arms, **finite)


def per_network(pairs: pd.DataFrame) -> pd.DataFrame:
    """One row a network: every measure, mean over pairs, then over stages, shaped so that ``effects`` can compare them.

    Of the divergences it is the mean over neighbours alone. Arms end in ``, untrained`` and in ``, pairs shuffled``.
    """
    named = _named(pairs)
    named.loc[named["distance"] > 1, [*DIVERGENCES]] = np.nan
    together = named["images"] == TOGETHER
    named["arm"] = named["arm"].where(together, named["arm"] + f", {SHUFFLED}")
    frame = _mean(named, ["arm", "seed", "stage"])
    return _mean(frame, ["arm", "seed"]).assign(status="finished")


def by_distance(pairs: pd.DataFrame) -> pd.DataFrame:
    """``arm, images, seed, distance`` and every measure: mean over pairs of layers at a distance, then over stages."""
    frame = _mean(_named(pairs), ["arm", "images", "seed", "stage", "distance"])
    return _mean(frame, ["arm", "images", "seed", "distance"])


def neighbours(pairs: pd.DataFrame) -> pd.DataFrame:
    """``arm, images, stage, second`` and every measure of a layer and the one before it: mean over seeds."""
    frame = _named(pairs)
    return _mean(frame[frame["distance"] == 1], ["arm", "images", "stage", "second"])


def _mean(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return frame.groupby(keys, sort=False)[[*MEASURES]].mean().reset_index()


def contrasts(seen: Subject) -> list[Contrast]:
    """What a subject compares, all exploratory; first each against chance: it, it untrained, and the published case."""
    alone, untrained = len(seen.arms) == 1, f"{seen.arm}, {UNTRAINED}"
    names = {seen.arm: "trained" if alone else seen.arm, untrained: UNTRAINED if alone else untrained}
    if UNSHARED in seen.arms and not alone:
        names[UNSHARED] = UNSHARED
    chance = [
        Contrast(f"{name} - {SHUFFLED}", {arm: 1, f"{arm}, {SHUFFLED}": -1}, primary=False)
        for arm, name in names.items()
    ]
    return [*chance, *seen.contrasts]
