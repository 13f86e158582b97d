"""How alike layers are, in tables and sentences: levels with their interval over seeds, of one network without."""

import pandas as pd

from dianet_lab.analysis.gates import UNTRAINED
from dianet_lab.analysis.interval import with_interval
from dianet_lab.analysis.layer_pairs import SHUFFLED, UNSHARED, contrasts
from dianet_lab.analysis.phrases import listed
from dianet_lab.analysis.similarity import MEASURES
from dianet_lab.analysis.statistics import effects
from dianet_lab.analysis.subject import SHUFFLED as NO_SHAPES
from dianet_lab.analysis.subject import Subject

SPOKEN = {
    "pearson": "Pearson, raw",
    "pearson_centred": "Pearson, centred",
    "cosine": "cosine",
    "cosine_centred": "cosine, centred",
    "cka": "linear CKA",
    "kl": "KL of neighbours (nats)",
    "js": "JS of neighbours (nats)",
}
"""What the columns are called in figures and tables."""

MATCHED = "per block, carried"
"""The arm whose units are those of DIA in all but that they are not shared."""

DIGITS = {"kl": 4, "js": 4}


def level(networks: pd.DataFrame, arm: str, measure: str) -> str:
    """``0.48 [0.37, 0.59]``: the mean of a measure over an arm's seeds and its 95 % t interval, if there are two.

    Args:
        networks: of :func:`~dianet_lab.analysis.layer_pairs.per_network`.
    """
    return with_interval(networks.loc[networks["arm"] == arm, measure], DIGITS.get(measure, 2))


def levels(networks: pd.DataFrame) -> pd.DataFrame:
    """One row an arm, all seeds: ``arm, networks`` and the mean of every measure, by its spoken name."""
    groups = networks.groupby("arm", sort=False)
    table = groups[[*MEASURES]].mean().rename(columns=SPOKEN)
    table.insert(0, "networks", groups.size())
    return table.reset_index()


def compared(networks: pd.DataFrame, seen: Subject) -> pd.DataFrame:
    """Every measure by every contrast: the rows of ``effects`` with their ``measure``, all exploratory."""
    tables = [effects(networks, contrasts(seen), value=name).assign(measure=name) for name in MEASURES]
    return pd.concat(tables, ignore_index=True)


def published_sentence(networks: pd.DataFrame, seen: Subject, answers: bool) -> str:
    """Raw Pearson, as it was published, beside what is left of it without the image.

    Args:
        answers: whether the gates answer to the image at all; else nothing is said about a fixed profile.
    """
    unshared = f"{level(networks, UNSHARED, 'pearson')} in {UNSHARED} and " if _has_rival(seen) else ""
    untrained = level(networks, f"{seen.arm}, {UNTRAINED}", "pearson")
    said = (
        "The Pearson correlation between the layers of a stage, published as up to 0.85 on average for units of each "
        f"layer's own (of what exactly, the abstract leaves open), is {unshared}"
        f"{level(networks, seen.arm, 'pearson')} in {seen.arm} ({untrained} untrained)"
    )
    if not answers:
        return f"{said}."
    chance = level(networks, f"{seen.arm}, {SHUFFLED}", "pearson")
    own = level(networks, seen.arm, "pearson").partition(" ")[0]
    return f"{said}; of the {own}, {chance} is left where each layer sees an image of its own: a fixed channel profile."


def image_sentence(networks: pd.DataFrame, seen: Subject) -> str:
    """What layers have in common in their answer to the image: centred Pearson, and CKA, of an arm and its controls."""
    return (
        f"What the image changes correlates between layers by {_told(networks, seen, 'pearson_centred')}; by CKA, to "
        f"which it does not matter which channel is which, layers are alike by {_told(networks, seen, 'cka')}."
    )


def _told(networks: pd.DataFrame, seen: Subject, measure: str) -> str:
    """``0.48 [0.37, 0.59] in DIA (0.10 [0.03, 0.17] untrained, ...)``, beside those controls that there are."""
    ends = {UNTRAINED: "untrained", NO_SHAPES: f"with {NO_SHAPES}", SHUFFLED: "by chance"}
    arms = {f"{seen.arm}, {end}": spoken for end, spoken in ends.items()}
    if _has_rival(seen):
        arms |= {UNSHARED: f"in {UNSHARED}"}
    if seen.arm != MATCHED:
        arms |= {MATCHED: f"in {MATCHED}"}
    known = set(networks["arm"])
    controls = ", ".join(f"{level(networks, arm, measure)} {said}" for arm, said in arms.items() if arm in known)
    return f"{level(networks, seen.arm, measure)} in {seen.arm} ({controls})"


def neighbours_sentence(networks: pd.DataFrame, distances: pd.DataFrame, seen: Subject) -> str:
    """Neighbours against the layers that lie farthest apart, and their divergence.

    Args:
        distances: of :func:`~dianet_lab.analysis.layer_pairs.by_distance`.
    """
    own = distances[(distances["arm"] == seen.arm) & (distances["images"] != SHUFFLED)]
    ends = sorted({own["distance"].min(), own["distance"].max()})
    told = listed(f"{level(own[own['distance'] == at], seen.arm, 'pearson_centred')} (distance {at})" for at in ends)
    if level(networks, seen.arm, "js") == "unknown":
        differs = "Their gates are no distributions, so KL and JS are not defined."
    else:
        differs = (
            "As distributions over channels, the gates of neighbours differ by a Jensen-Shannon divergence (nats) of "
            f"{_told(networks, seen, 'js')}, and by a KL of {level(networks, seen.arm, 'kl')}; equal is 0."
        )
    return f"Centred, the correlation between layers of {seen.arm} is {told}. {differs}"


def undefined_sentence(pairs: pd.DataFrame) -> str:
    """Of which trained networks a measure is not defined, and why; empty where all are."""
    own_images = ~pairs["arm"].str.endswith(f", {NO_SHAPES}")
    trained, parts = pairs[(pairs["when"] == "end") & own_images], []
    shares = trained["pearson_centred"].isna().groupby(trained["arm"], sort=False).mean()
    if still := list(shares.index[shares == 1]):
        parts.append(f"The gates of {listed(still)} vary over no image and have no centred measure.")
    if len(partly := shares[shares.between(0, 1, inclusive="neither")]):
        names = listed(f"{arm} ({100 * share:.0f} % of the pairs)" for arm, share in partly.items())
        parts.append(f"Pairs with a layer that varies over no image are missing from the centred means: {names}.")
    lacking = trained["js"].isna().groupby(trained["arm"], sort=False).any()
    if signed := list(lacking.index[lacking]):
        parts.append(
            f"KL and JS are not defined, in part or as a whole, for {listed(signed)}, with gates below 0 (or all 0), "
            "which are no distribution."
        )
    return " ".join(parts)


def _has_rival(seen: Subject) -> bool:
    return UNSHARED in seen.arms and seen.arm != UNSHARED
