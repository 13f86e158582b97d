"""Linear regression of one layer's states on others', scored on images that it has not seen."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score

PENALTIES = np.logspace(-5, 3, 5)
"""Ridge penalties to choose from, for inputs of unit variance; chosen on the training images alone."""

LEADING = 12
"""Components whose products let a linear model bend: 78 products, a tenth of the images that there are to fit."""

FAR = 3.0
"""Standard deviations beyond which a component is bent back, so that no product extrapolates far."""

STILL = 1e-6
"""A standard deviation below which float32 states count as constant."""


class Split(NamedTuple):
    """The same columns ``[image, column]`` for the training images and for those held out."""

    train: np.ndarray
    test: np.ndarray

    @classmethod
    def beside(cls, parts: Sequence["Split"]) -> "Split":
        """The columns of several, side by side."""
        return cls(*(np.hstack([part[which] for part in parts]) for which in (0, 1)))


def varies(values: np.ndarray) -> bool:
    """Whether ``[image, channel]`` differs between images by more than float32 rounds."""
    return bool(np.sqrt(values.var(0).mean()) > STILL)


def explained(truth: np.ndarray, predicted: np.ndarray) -> float:
    """R² on the images given, each channel weighted by its variance: 1 is perfect, 0 what the channels' means give.

    It falls below 0 for predictions that are worse than the mean. NaN where no channel varies.
    """
    if not varies(truth):
        return float("nan")
    return float(r2_score(truth, predicted, multioutput="variance_weighted"))


def scaled(layer: Split) -> Split:
    """Centred, and divided by one number for the whole layer, so that a penalty means the same for every layer."""
    mean, sd = layer.train.mean(0), np.sqrt(layer.train.var(0).mean()) if varies(layer.train) else 1.0
    return Split(*((part - mean) / sd for part in layer))


def bends(inputs: Split) -> Split:
    """All products of two of the :data:`LEADING` principal components of the inputs, found on the training images.

    With them a linear model can follow the curvature of a gate's sigmoids.
    """
    mean = inputs.train.mean(0)
    _, sizes, axes = np.linalg.svd(inputs.train - mean, full_matrices=False)
    kept = min(LEADING, int((sizes > 1e-6 * sizes[0]).sum()) if sizes[0] > 0 else 0)
    spread = sizes[:kept] / np.sqrt(len(inputs.train))
    first, second = np.triu_indices(kept)
    turned = (FAR * np.tanh((part - mean) @ axes[:kept].T / spread / FAR) for part in inputs)
    return Split(*(part[:, first] * part[:, second] for part in turned))


def ridge(inputs: Split, target: np.ndarray) -> RidgeCV:
    """Ridge regression of ``target`` ``[training image, channel]``; the penalty by leave-one-out, in closed form."""
    return RidgeCV(PENALTIES).fit(inputs.train, target)


def within_reach(predicted: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Predictions held in the range that each channel has on the training images, as a forest's are by nature.

    Without this, one image far from all others decides the R² of a layer that hardly varies.
    """
    return np.clip(predicted, seen.min(0), seen.max(0))


def ridge_score(inputs: Split, target: Split) -> float:
    """:func:`explained` by a ridge regression, on the images held out."""
    predicted = ridge(inputs, target.train).predict(inputs.test).reshape(target.test.shape)
    return explained(target.test, within_reach(predicted, target.train))
