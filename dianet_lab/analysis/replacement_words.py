"""What a report may say of gates that were replaced, in sentences made of its numbers."""

import pandas as pd

from dianet_lab.analysis.gates import UNTRAINED
from dianet_lab.analysis.interval import with_interval
from dianet_lab.analysis.phrases import plural
from dianet_lab.analysis.replacement import ANEW, KEPT

OTHER = "other class, another image's"


def change(everywhere: pd.DataFrame, arm: str, kind: str, norms: str, value: str = "points") -> str:
    """``−0.2 [−0.5, +0.1]``: the change of accuracy in points or of the loss in ``nats``, with its 95 % t interval."""
    asked = (everywhere["arm"] == arm) & (everywhere["kind"] == kind) & (everywhere["norms"] == norms)
    return with_interval(everywhere.loc[asked, value], 4 if value == "nats" else 2, sign="+")


def replaced_sentence(everywhere: pd.DataFrame, arm: str) -> str:
    """What the mean gate and another image's gate do to accuracy and loss."""
    told = {
        kind: [change(everywhere, arm, kind, ANEW, value) for value in ("points", "nats")] for kind in ("mean", OTHER)
    }
    kept = " and ".join(change(everywhere, arm, kind, KEPT) for kind in told)
    (points, nats), (other_points, other_nats) = told.values()
    images = int(everywhere.loc[everywhere["arm"] == arm, "images"].min())
    return (
        f"With every gate at its mean over training images, the accuracy of {arm} changes by {points} points and its "
        f"loss by {nats} nats; with the gates of an image of another class by {other_points} points and {other_nats} "
        f"nats ({plural(images, 'test image')}, norms estimated anew; with the norms as they are, accuracy changes by "
        f"{kept} points)."
    )


def share_sentence(shares: pd.DataFrame, arm: str) -> str:
    """How much of what distinguishes the gates of a layer is the image."""
    values = shares[shares["arm"] == arm].groupby("seed")["share"].mean()
    return (
        "Of the variance of a layer's gates over images and channels, "
        f"{with_interval(values, 1, scale=100, unit=' %')} is of the image; the rest is a profile of the channels, the "
        "same for all images."
    )


def worst_block_sentence(layers: pd.DataFrame, arm: str) -> str:
    """What one block at its mean gate costs, on average and where it costs most, beside the untrained network.

    Args:
        layers: ``arm, seed, kind, nats`` of every block.
    """
    of_networks = layers[layers["kind"] == "mean"].groupby(["arm", "seed"], sort=False)["nats"].agg(["mean", "max"])
    average, most = (with_interval(of_networks.loc[arm, name], scale=1000, sign="+") for name in ("mean", "max"))
    beside = ""
    if f"{arm}, {UNTRAINED}" in of_networks.index:
        untrained = with_interval(of_networks.loc[f"{arm}, {UNTRAINED}", "max"], scale=1000, sign="+")
        beside = f"; in the untrained network by {untrained}"
    return (
        f"One block alone at its mean gate changes the loss by {average} thousandths of a nat on average; the one that "
        f"costs most, in each network its own and chosen after looking, by {most}{beside}."
    )
