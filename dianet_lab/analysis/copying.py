"""Which layers copy the gates of the layer before, against what the same gates do on other images' pairs."""

import numpy as np
import pandas as pd

from dianet_lab.analysis.similarity import Gates, deviations

PERMUTATIONS = 999


def copies(gates: Gates, generator: np.random.Generator, permutations: int = PERMUTATIONS) -> pd.DataFrame:
    """A permutation test of every layer of a stage against the one before it: ``block, similarity, chance, p``.

    ``block`` is the later of the two. ``similarity`` is their centred Pearson correlation over (image, channel) pairs:
    1 for a copy, also one that is scaled. ``chance`` is its mean over permutations of the images of one of the two, and
    ``p`` the share of permutations, the true order among them, that are at least as alike; not corrected for the number
    of layers. A layer that varies over no image has no similarity (NaN) and p = 1.

    A small p tells that the two layers answer to the image together. That is what a copy does, but so do two layers
    that look at the same image on their own: how close ``similarity`` is to 1 tells a copy. One into other channels,
    as a unit of its own may make, is not seen; :func:`~dianet_lab.analysis.similarity.layer_cka` sees it.

    Args:
        gates: ``[image, block, channel]``.
        permutations: how many; the smallest p is 1 / (permutations + 1).

    Raises:
        LabError: gates of another shape.
    """
    values = deviations(gates)
    numbers = gates["block"].values if hasattr(gates, "coords") and "block" in gates.coords else range(values.shape[1])
    orders = np.stack([generator.permutation(len(values)) for _ in range(permutations)])
    rows = [_compared(values[:, k - 1], values[:, k], orders) for k in range(1, values.shape[1])]
    table = pd.DataFrame(rows, columns=["similarity", "chance", "p"])
    table.insert(0, "block", list(numbers)[1:])
    return table


def _compared(before: np.ndarray, after: np.ndarray, orders: np.ndarray) -> tuple[float, float, float]:
    """Similarity, chance and p of two layers ``[image, channel]``, with orders ``[permutation, image]``."""
    length = np.linalg.norm(before) * np.linalg.norm(after)
    if length == 0:
        return np.nan, np.nan, 1.0
    products = before @ after.T / length  # [image, image]: any pairing of images is a sum of its entries
    similarity = np.trace(products)
    shuffled = products[np.arange(len(before)), orders].sum(1)
    atleast = np.count_nonzero(shuffled >= similarity - 1e-12)
    return float(similarity), float(shuffled.mean()), (1 + atleast) / (1 + len(orders))
