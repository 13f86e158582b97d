"""What a report may say of gates that were replaced, in sentences made of its numbers."""

import pandas as pd

from dianet_lab.analysis.interval import with_interval, written
from dianet_lab.analysis.replacement import ANEW, KEPT

OTHER = "other class, another image's"


def change_points(everywhere: pd.DataFrame, arm: str, kind: str, norms: str) -> str:
    """``−0.2 [−0.5, +0.1]``: the change of accuracy in points, mean over seeds with its 95 % t interval."""
    asked = (everywhere["arm"] == arm) & (everywhere["kind"] == kind) & (everywhere["norms"] == norms)
    return with_interval(everywhere.loc[asked, "points"], sign="+")


def replaced_sentence(everywhere: pd.DataFrame, arm: str) -> str:
    """What the mean gate and another image's gate do to the accuracy."""
    asked = [(kind, norms) for kind in ("mean", OTHER) for norms in (KEPT, ANEW)]
    mean, mean_anew, other, other_anew = (change_points(everywhere, arm, *each) for each in asked)
    anew = "with the norms' statistics estimated anew"
    return (
        f"With every gate at its mean over training images, the accuracy of {arm} changes by {mean} points "
        f"({mean_anew} {anew}), with the gates of an image of another class by {other} ({other_anew})."
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
    """The block whose mean gate costs most, against what single blocks cost on average."""
    mine = layers[(layers["arm"] == arm) & (layers["kind"] == "mean")]
    means = mine.groupby(["stage", "block"])["points"].mean()
    stage, block = means.idxmin()
    average, worst = (written(value, 2, "+") for value in (means.mean(), means.min()))
    return (
        f"One block alone at its mean gate changes the accuracy by {average} points on average, the one that costs "
        f"most (stage {stage}, block {block}; chosen after looking) by {worst}."
    )
