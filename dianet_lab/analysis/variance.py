"""Where the variance of gates lies: with the image, with depth alone, or in a profile of the channels.

The stripe observation (Huang et al., ECCV 2024, arXiv 2304.06345) is that trained channel attention is nearly the same
for all images: a stripe in a picture of images by channels.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr

from dianet_lab.analysis.capture import capture_images
from dianet_lab.analysis.gates import Network

PARTS = {
    "image": "the image",
    "layer": "depth alone",
    "channel": "the channel, in all layers alike",
    "both": "the channel, in each layer its own",
}
"""Parts of a stage's variance, and what they are of."""

STILL = 1e-12
"""A variance below which gates are all equal."""


def variance_parts(gates: xr.DataArray) -> dict[str, float]:
    """The shares of :data:`PARTS` in the variance of one stage's gates over image, block and channel; they add up to 1.

    ``image`` is what varies over images within a channel of a layer; of the rest, the means over images, ``layer`` is
    the variance of the layers' means, ``channel`` that of the channels' means, ``both`` what neither has: a two-way
    analysis of variance without replication. All NaN where the gates are all equal.
    """
    values = gates.astype(np.float64)  # in float32 a constant would seem to vary
    means = values.mean("image")
    found = {
        "image": float(values.var("image").mean()),
        "layer": float(means.mean("channel").var("block")),
        "channel": float(means.mean("block").var("channel")),
    }
    total = float(values.var())
    found["both"] = max(0.0, total - sum(found.values()))
    return {name: part / total if total > STILL else float("nan") for name, part in found.items()}


def image_share(gates: xr.DataArray) -> float:
    """Of the variance of a *layer's* gates, over images and channels, the share that is of the image; mean over layers.

    The rest is a profile of the channels, the same for every image. NaN for a stage whose gates are all equal in each
    layer.
    """
    values = gates.astype(np.float64)
    total = values.var(("image", "channel"))
    shares = (values.var("image").mean("channel") / total.where(total > STILL)).values
    return float(np.nanmean(shares)) if np.isfinite(shares).any() else float("nan")


def gate_variance(networks: Iterable[Network]) -> pd.DataFrame:
    """``arm, seed, stage, share`` and :data:`PARTS`: see :func:`image_share` and :func:`variance_parts`."""
    return pd.DataFrame(
        [
            {"arm": network.name, "seed": network.which["seed"], "stage": stage, "share": image_share(gates)}
            | variance_parts(gates)
            for network in networks
            for stage, gates in enumerate(capture_images(network.model, network.images))
        ]
    )
