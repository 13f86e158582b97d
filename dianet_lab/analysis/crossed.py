"""The interval of a difference for new seeds and new test images: both are samples, and they are crossed.

A paired t interval over seeds holds for the test images at hand. Every run is judged by the same ones, so their luck
does not average out over seeds. With one difference for each seed and image (0, or 1 where one arm is right and the
other is not) both variances can be told apart: a two-way layout without replication, both factors random.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from dianet_lab.analysis.interval import LEVEL


class MeanSquares(NamedTuple):
    """Mean squares of differences ``[..., seed, image]``, each ``[...]``, with the numbers of seeds and images."""

    seed: np.ndarray
    image: np.ndarray
    rest: np.ndarray
    seeds: int
    images: int


def mean_squares(differences: np.ndarray) -> MeanSquares:
    """The analysis of variance of ``differences [..., seed, image]``; at least two of either."""
    differences = np.asarray(differences, dtype=float)
    n, images = differences.shape[-2:]
    centred = differences - differences.mean((-2, -1), keepdims=True)
    by_seed = images * (centred.mean(-1) ** 2).sum(-1)
    by_image = n * (centred.mean(-2) ** 2).sum(-1)
    rest = np.maximum((centred**2).sum((-2, -1)) - by_seed - by_image, 0)  # below 0 only by rounding
    return MeanSquares(by_seed / (n - 1), by_image / (images - 1), rest / ((n - 1) * (images - 1)), n, images)


def crossed_variance(differences: np.ndarray) -> np.ndarray:
    """The variance of the mean of ``differences [..., seed, image]`` for new seeds and new images, ``[...]``.

    ``s2_seed / n + s2_image / N - s2_rest / (n N)`` with the variance of the n seed means, that of the N image means,
    and the residual mean square, which is in both and must count once. The part of the images is floored at 0, so that
    the result is never below ``s2_seed / n``, the variance for the test images at hand.
    """
    return _variance(mean_squares(differences))


def crossed_half_width(differences: np.ndarray) -> np.ndarray:
    """Half of the 95 % interval of the mean of ``differences [..., seed, image]``, ``[...]``.

    Student's t with Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946) over the three mean squares.
    It is never below that of the paired t interval: with three seeds a large share of the images lifts the degrees of
    freedom, and a statement about new images would look sharper than one about these. Simulated coverage:
    ``python -m tests.calibration``.
    """
    squares = mean_squares(differences)
    variance, cells = _variance(squares), squares.seeds * squares.images
    uncertainty = (
        squares.seed**2 / (squares.seeds - 1)
        + squares.image**2 / (squares.images - 1)
        + squares.rest**2 / ((squares.seeds - 1) * (squares.images - 1))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (variance * cells) ** 2 / uncertainty
    # The t interval's own, where there is no variance at all or next to none.
    freedom = np.where(np.isfinite(freedom), np.maximum(freedom, 1), squares.seeds - 1)
    crossed = stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(variance)
    paired = stats.t.ppf((1 + LEVEL) / 2, squares.seeds - 1) * np.sqrt(squares.seed / cells)
    return np.maximum(crossed, paired)


def _variance(squares: MeanSquares) -> np.ndarray:
    return (squares.seed + np.maximum(squares.image - squares.rest, 0)) / (squares.seeds * squares.images)
