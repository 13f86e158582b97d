"""A labelled set of images in memory, and the three parts that a run sees of it."""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dianet_lab.data.draw import stratified_order
from dianet_lab.seeding import digest_of


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images of one size as one tensor. Parts are cached and shared between runs: read the tensors, don't write them.

    Attributes:
        name: of the data set.
        images: uint8 ``[N, C, H, W]``, 0..255.
        labels: int64 ``[N]``, 0..num_classes - 1.
        class_names: one name a class.
        mean: float32 ``[C]`` in 0..1 units, of the TRAINING part, shared by all three parts.
        std: as ``mean``; the population standard deviation over all pixels, at least 1 / 255.
        flip: whether a mirrored image still is an image of its class.
        index: int64 ``[N]``, the position of each image in its source part: the image's id.
        jpeg: whether images were stored with JPEG's losses: accuracies are not those of the uncompressed data set then.
    """

    name: str
    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    mean: Tensor
    std: Tensor
    flip: bool
    index: Tensor
    jpeg: bool = False

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def in_channels(self) -> int:
        return self.images.shape[1]

    def select(self, indices: Tensor) -> "ImageData":
        """The images at ``indices`` (positions in this part, or a mask), in that order, with mean and std as here."""
        indices = torch.as_tensor(indices)
        picked = {name: getattr(self, name)[indices] for name in ("images", "labels", "index")}
        return dataclasses.replace(self, **picked)

    def stratified(self, count: int, draw: str) -> "ImageData":
        """At most ``count`` of the images, each class with its share, in the order of this part.

        Args:
            draw: what they are for, which decides which ones: the same at every call.
        """
        if count >= len(self):
            return self
        return self.select(np.sort(stratified_order(self.labels.numpy(), digest_of(draw))[:count]))


class Splits(NamedTuple):
    """What a run trains on, what it may choose by, and what it reports."""

    train: ImageData
    val: ImageData
    test: ImageData


class SourcePart(NamedTuple):
    """A part of a data set as it was published: uint8 ``[N, C, H, W]``, int64 ``[N]`` and the images' ids ``[N]``."""

    images: Tensor
    labels: Tensor
    index: Tensor


class Source(NamedTuple):
    """A whole data set before the seed draws from it. ``train`` also holds the images for validation."""

    name: str
    train: SourcePart
    test: SourcePart
    class_names: tuple[str, ...]
    flip: bool
    jpeg: bool = False


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, float32 ``[C]`` in 0..1 units, of uint8 ``[N, C, H, W]``.

    They come from a histogram, so no order of summation and no number of threads changes a bit. A channel without
    contrast gets a deviation of one grey level, 1 / 255, so that it can be divided by.
    """
    histogram = torch.stack([torch.bincount(channel.reshape(-1), minlength=256) for channel in images.unbind(1)])
    share = histogram.double() / histogram.sum(1, keepdim=True)
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = (share * levels).sum(1)
    variance = (share * (levels - mean[:, None]).square()).sum(1)
    return mean.float(), variance.sqrt().clamp_min(1 / 255).float()
