"""Batches for training and evaluation: shuffled, cropped, mirrored and normalised by a few operations on whole tensors.

It does what torchvision's ``RandomCrop(padding=4)``, ``RandomHorizontalFlip``, ``ToTensor`` and ``Normalize`` do image
by image, without worker processes: the images lie in memory, and a batch is one index into a view of all their crops.

On the CPU it is done in NumPy, with one thread: as fast as torch with two, and it does not wait in an OpenMP barrier
for a core that another process holds, which has been seen to slow torch's version down by a factor of 60.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from dianet_lab.data.images import ImageData
from dianet_lab.seeding import digest_of


def steps_per_epoch(images: int, batch_size: int) -> int:
    """How many batches an epoch of ``images`` images has: those that are at least half full, and never none.

    BatchNorm's statistics over a handful of images are noise, so a small rest is left out; the order of every epoch
    decides anew which images that are.
    """
    full, rest = divmod(images, batch_size)
    return max(1, full + (2 * rest >= batch_size))


def crop_padding(size: int) -> int:
    """How far a crop may leave an image of ``size`` pixels: 4 of 32, the usual for CIFAR, in proportion; at least 1."""
    return max(1, round(4 * size / 32))


class TrainingStream:
    """The batches of any epoch, with the padded images kept from one epoch to the next.

    Args:
        data: the training part.
        batch_size: images in a batch; it only cuts an order that does not depend on it.
        augment: random crop out of the zero-padded image, and a horizontal flip where ``data.flip``.
        device: where the images are moved, once, and where batches are made. The random numbers come from the CPU, so
            that all devices see the same epoch.
    """

    def __init__(self, data: ImageData, batch_size: int, augment: bool = True, device: torch.device | str = "cpu"):
        self.batch_size = batch_size
        self.flip = data.flip and augment
        self.labels = data.labels.to(device)
        self.mean, self.std = _channelwise(data, device)
        height, width = data.images.shape[2:]
        y, x = (crop_padding(height), crop_padding(width)) if augment else (0, 0)
        self.offsets = (2 * y + 1, 2 * x + 1)
        # [N, C, 2y + 1, 2x + 1, H, W]: a view, no copy, of every crop of every image.
        self.crops = pad(data.images.to(device), (x, x, y, y)).unfold(2, height, 1).unfold(3, width, 1)

    def __len__(self) -> int:
        return steps_per_epoch(len(self.labels), self.batch_size)

    def draw(self, seed: int, epoch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Order, vertical and horizontal offset of the crop, flip (bool): each ``[N]``, in the epoch's order, on CPU.

        They depend on the seed, the epoch and the number and size of the images only. All are always drawn, so that an
        option that is off does not change what the others draw.
        """
        count = len(self.labels)
        words = digest_of("order and augmentation", seed, epoch)
        generator = torch.Generator().manual_seed(int.from_bytes(words[:7], "little"))
        order = torch.randperm(count, generator=generator)
        flip = torch.rand(count, generator=generator) < 0.5
        dy, dx = (torch.randint(limit, (count,), generator=generator) for limit in self.offsets)
        return order, dy, dx, flip

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Normalised float32 images ``[B, C, H, W]`` and int64 labels ``[B]``, in batches of ``batch_size``.

        Args:
            start: the first batch; those before it are left out.
        """
        device = self.labels.device
        order, dy, dx, flip = (drawn.to(device) for drawn in self.draw(seed, epoch))
        flip &= self.flip
        cut = cut_in_numpy if device.type == "cpu" else cut_in_torch
        for step in range(start, len(self)):
            batch = slice(step * self.batch_size, (step + 1) * self.batch_size)
            images = cut(self.crops, order[batch], dy[batch], dx[batch], flip[batch])
            yield normalise(images, self.mean, self.std), self.labels[order[batch]]


def evaluation_batches(
    data: ImageData, batch_size: int, device: torch.device | str = "cpu"
) -> Iterator[tuple[Tensor, Tensor]]:
    """All images in their order, normalised float32 ``[B, C, H, W]``, with their labels int64 ``[B]``."""
    mean, std = _channelwise(data, device)
    for start in range(0, len(data), batch_size):
        batch = slice(start, start + batch_size)
        yield normalise(data.images[batch].to(device), mean, std), data.labels[batch].to(device)


def cut_in_torch(crops: Tensor, order: Tensor, dy: Tensor, dx: Tensor, flip: Tensor) -> Tensor:
    """The chosen crops, mirrored where ``flip``: uint8 ``[B, C, H, W]`` of ``[N, C, Y, X, H, W]``, on any device."""
    images = crops[order, :, dy, dx]
    return torch.where(flip[:, None, None, None], images.flip(3), images)


def cut_in_numpy(crops: Tensor, order: Tensor, dy: Tensor, dx: Tensor, flip: Tensor) -> Tensor:
    """What :func:`cut_in_torch` does, for the CPU."""
    mirrored = flip.numpy()
    images = crops.numpy()[order.numpy(), :, dy.numpy(), dx.numpy()]
    images[mirrored] = images[mirrored][..., ::-1]
    return torch.from_numpy(images)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """``(images / 255 - mean) / std`` in float32, in torchvision's order and so the same to the last bit."""
    if images.device.type != "cpu":
        return images.float().div_(255).sub_(mean).div_(std)
    values = images.numpy().astype(np.float32)
    values /= 255
    values -= mean.numpy()
    values /= std.numpy()
    return torch.from_numpy(values)


def _channelwise(data: ImageData, device: torch.device | str) -> tuple[Tensor, Tensor]:
    return data.mean.to(device)[:, None, None], data.std.to(device)[:, None, None]
