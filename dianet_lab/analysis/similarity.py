"""How alike the gates of a stage's layers are: gates ``[image, block, channel]`` -> a matrix ``[block, block]``.

Three families, which answer to different things:

- Pearson's correlation and the cosine compare channel by channel. Raw, they count a channel profile that is fixed over
  images; *centred*, each channel's mean over images is taken out, so that only what an image changes counts. Channel
  k of one layer is compared with channel k of the other, which blocks of a stage share through the residual stream;
  a unit of its own may still use it in another way.
- Linear CKA (Kornblith et al. 2019, arXiv 1905.00414) is centred by definition and compares which images are alike: it
  does not change when the channels of a layer are rotated, permuted or scaled alike.
- The Kullback-Leibler and Jensen-Shannon divergences take a gate vector as a distribution over channels: 0 is equal,
  and a profile fixed over images counts.

The level of chance is the same measure of :func:`shuffled_pairs`. A layer whose gates vary over no image (within the
rounding of float32) is alike to nothing, NaN, by every centred measure.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.special import entr

from dianet_lab.errors import LabError

Gates = xr.DataArray | np.ndarray

ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""Relative to a gate: what varies less over images is the rounding of a batched forward pass."""

FEWEST = 4
"""Images that the debiased CKA needs at least."""

TINY = float(np.finfo(float).tiny)
"""In place of 0 under a logarithm, where it is multiplied by 0 or the divergence is infinite anyway."""


def layer_correlation(gates: Gates, centred: bool = False) -> np.ndarray:
    """Pearson correlation between the gates of a stage's layers over all (image, channel) pairs: ``[block, block]``.

    Args:
        centred: subtract each channel's mean over images first, so that only what differs between images counts; else
            a fixed profile of the channels that the layers have in common counts too.
    """
    values = deviations(gates) if centred else _gates(gates)
    table = values.swapaxes(0, 1).reshape(values.shape[1], -1)
    if not centred:  # one mean a layer, over everything; a layer of one single value has no deviations
        table = np.where(np.ptp(table, axis=1, keepdims=True) == 0, 0.0, table - table.mean(1, keepdims=True))
    return _normalised(table @ table.T)


def layer_cosine(gates: Gates, centred: bool = False) -> np.ndarray:
    """Cosine between the gate vectors that two layers give to one image, mean over images: ``[block, block]``.

    Positive gates all point into one quadrant, so the raw cosine is close to 1 whatever they do.

    Args:
        centred: of the vectors' deviations from the layer's mean gate over images. An image whose vector has no length
            in one of the two layers is left out.
    """
    values = deviations(gates) if centred else _gates(gates)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = values / np.linalg.norm(values, axis=2, keepdims=True)
    known = ~np.isnan(unit).any(2)
    unit[~known] = 0.0
    flat, seen = unit.swapaxes(0, 1).reshape(unit.shape[1], -1), known.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return flat @ flat.T / (seen.T @ seen)


def layer_cka(gates: Gates, debiased: bool = True) -> np.ndarray:
    """Linear centred kernel alignment between layers, ``[block, block]``; invariant to rotations of the channels.

    Args:
        debiased: estimate HSIC without bias (Song et al. 2012, JMLR 13; as Nguyen et al. 2021, arXiv 2010.15327, do).
            Layers that have nothing in common then give 0 on average, and a single value may lie below 0. The plain
            estimate grows with channels / images: independent noise in as many channels as images gives about 0.5.

    Raises:
        LabError: fewer than four images, which the debiased estimate divides by.
    """
    values = deviations(gates)
    images, blocks, channels = values.shape
    if debiased and images < FEWEST:
        raise LabError(f"debiased CKA needs at least {FEWEST} images, got {images}: show it more of them")
    flat = values.reshape(images, blocks * channels)
    products = ((flat.T @ flat) ** 2).reshape(blocks, channels, blocks, channels).sum((1, 3))
    if debiased:
        # Song's estimator for linear kernels of centred features: their Gram matrices' rows sum to 0, so that all it
        # needs beyond the products are the diagonals, the squared lengths of the gate vectors.
        lengths = (values**2).sum(2)
        total = lengths.sum(0)
        diagonal = lengths.T @ lengths * images / (images - 2)
        products += np.outer(total, total) / ((images - 1) * (images - 2)) - diagonal
    return _normalised(products)


def layer_kl(gates: Gates) -> np.ndarray:
    """Kullback-Leibler divergence KL(row || column) of the layers' :func:`distributions`, mean over images, in nats.

    Not symmetric; infinite where a channel that the row's layer leaves open is closed (exactly 0) by the column's.
    """
    p = distributions(gates)
    flat = p.swapaxes(0, 1).reshape(p.shape[1], -1)
    cross = -flat @ np.log(np.maximum(flat, TINY)).T / len(p)
    closed = (flat > 0).astype(float) @ (flat == 0).astype(float).T > 0
    return np.where(closed, np.inf, np.maximum(cross - np.diag(cross)[:, None], 0.0))


def layer_js(gates: Gates) -> np.ndarray:
    """Jensen-Shannon divergence between the layers' :func:`distributions`, mean over images, in nats: 0 to ln 2."""
    p = distributions(gates)
    blocks = p.shape[1]
    entropies = entr(p).sum(2).mean(0)
    found = np.zeros((blocks, blocks))
    for a, b in zip(*np.triu_indices(blocks, 1), strict=True):
        middle = entr((p[:, a] + p[:, b]) / 2).sum(1).mean()
        found[a, b] = found[b, a] = max(0.0, middle - (entropies[a] + entropies[b]) / 2)
    return found


def distributions(gates: Gates) -> np.ndarray:
    """Each image's gate vector of each layer divided by its sum over channels: ``[image, block, channel]``.

    How open a layer is as a whole is lost; how it divides that over its channels stays.

    Raises:
        LabError: gates below 0, as tanh's, or a vector of zeros: neither is a distribution.
    """
    values = _gates(gates)
    if (values < 0).any():
        raise LabError(
            "gates below 0 are no distribution over channels, so KL and JS are not defined; use the correlation or CKA"
        )
    total = values.sum(2, keepdims=True)
    if (total == 0).any():
        raise LabError(
            "a layer closes all its channels for an image, which is no distribution: KL and JS are undefined"
        )
    return values / total


MEASURES: dict[str, Callable[[Gates], np.ndarray]] = {
    "pearson": layer_correlation,
    "pearson_centred": lambda gates: layer_correlation(gates, centred=True),
    "cosine": layer_cosine,
    "cosine_centred": lambda gates: layer_cosine(gates, centred=True),
    "cka": layer_cka,
    "kl": layer_kl,
    "js": layer_js,
}
"""Every measure by the name of its column. Larger is more alike, except for :data:`DIVERGENCES`."""

DIVERGENCES = ("kl", "js")


def shuffled_pairs(gates: Gates, generator: np.random.Generator) -> np.ndarray:
    """The gates with the images of each layer in an order of its own: ``[image, block, channel]``.

    Every layer keeps its gates, and so its channel profile and its spread. What is gone is that two layers are looked
    at on one image: whatever stays alike owes nothing to the image.
    """
    values = _gates(gates)
    orders = [generator.permutation(len(values)) for _ in range(values.shape[1])]
    return np.stack([values[order, block] for block, order in enumerate(orders)], axis=1)


def mean_off_diagonal(matrix: np.ndarray) -> float:
    """The mean of a measure between different layers; NaN for one layer."""
    different = ~np.eye(len(matrix), dtype=bool)
    known = matrix[different & ~np.isnan(matrix)]  # a gate that never varies correlates with nothing
    return float(known.mean()) if len(known) else float("nan")


def _gates(gates: Gates) -> np.ndarray:
    """``[image, block, channel]`` in float64: untrained gates hardly vary, and in float32 sums would be noise."""
    values = gates.transpose("image", "block", "channel").values if isinstance(gates, xr.DataArray) else gates
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 3 or not values.size:
        raise LabError(f"gates have shape {values.shape}, expected [image, block, channel] with something in it")
    return values


def deviations(gates: Gates) -> np.ndarray:
    """Gates minus each channel's mean over images; exactly 0 where a channel varies by no more than rounding."""
    values = _gates(gates)
    still = np.ptp(values, axis=0) <= ROUNDING * np.abs(values).max(0)
    return np.where(still, 0.0, values - values.mean(0))


def _normalised(products: np.ndarray) -> np.ndarray:
    """Inner products ``[block, block]`` divided by the lengths; NaN where one is 0."""
    lengths = np.sqrt(np.where(np.diag(products) > 0, np.diag(products), np.nan))
    return products / np.outer(lengths, lengths)
