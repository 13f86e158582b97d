"""The states of a stage's layers over training and over held-out images, ready for regression on each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from torch import nn

from dianet_lab.analysis.capture import capture_data
from dianet_lab.analysis.regression import Split
from dianet_lab.data.images import ImageData
from dianet_lab.errors import DataError


@dataclass(frozen=True)
class LayerStates:
    """What the layers of one stage hand on, for the images that a regression is fitted on and for those held out.

    Args:
        stage: its number, from 0.
        blocks: the numbers of its blocks that have a gate.
        states: ``[image, block, channel]`` each: the hidden state h, or the gate where a unit has no state.
        squeezes: what the units saw, in the same shape; None where a unit sees more than the squeeze.
        labels: ``[image]`` each, the class of every image.
        quantity: ``h`` or ``gate``.
    """

    stage: int
    blocks: Sequence[int]
    states: Split
    squeezes: Split | None
    labels: Split
    quantity: str = "h"

    def __post_init__(self):
        for part, labels in zip(self.states, self.labels, strict=True):
            if part.ndim != 3 or part.shape[1] != len(self.blocks) or len(part) != len(labels):
                raise DataError(
                    f"states of stage {self.stage} have shape {part.shape}; expected [image, block, channel] of "
                    f"{len(labels)} images and {len(self.blocks)} blocks"
                )

    def layer(self, index: int) -> Split:
        """The states ``[image, channel]`` of the layer at a position in ``blocks``."""
        return Split(self.states.train[:, index], self.states.test[:, index])

    def squeeze(self, index: int) -> Split:
        """What the unit saw at this position, ``[image, channel]``."""
        return Split(self.squeezes.train[:, index], self.squeezes.test[:, index])

    def class_centred(self) -> "LayerStates":
        """Without the class: each class's mean over the TRAINING images is taken from all images of the class.

        A class that the training images lack has their overall mean taken.
        """
        return replace(
            self,
            states=_centred(self.states, self.labels),
            squeezes=self.squeezes and _centred(self.squeezes, self.labels),
        )


def _centred(values: Split, labels: Split) -> Split:
    overall = values.train.mean(0)
    means = {label: values.train[labels.train == label].mean(0) for label in np.unique(labels.train)}
    parts = zip(values, labels, strict=True)
    return Split(*(part - np.stack([means.get(label, overall) for label in known]) for part, known in parts))


def layer_states(model: nn.Module, train: ImageData, test: ImageData) -> list[LayerStates]:
    """Captured from a network, one a stage; a unit without a hidden state gives its gates in place of it.

    Args:
        train: images to fit regressions on; ``test``: images held out.
    """
    names = ("h", "gate", "squeeze")
    seen = [capture_data(model, data, names) for data in (train, test)]
    return [of_captured(*pair) for pair in zip(*seen, strict=True)]


def of_captured(train: xr.Dataset, test: xr.Dataset) -> LayerStates:
    """The same of what :func:`~dianet_lab.analysis.capture.capture_data` gave for one stage."""
    name = "h" if "h" in train else "gate"

    def values(of: str) -> Split:
        return Split(*(part[of].transpose("image", "block", "channel").values.astype(float) for part in (train, test)))

    labels = Split(*(part["label"].values for part in (train, test)))
    squeezes = values("squeeze") if "squeeze" in train else None
    return LayerStates(train.attrs["stage"], [int(b) for b in train["block"]], values(name), squeezes, labels, name)
