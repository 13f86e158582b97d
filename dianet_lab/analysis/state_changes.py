"""What the state of an image is changed into, whose states are changed, and whose are put in their place."""

import torch
from torch import Tensor

from dianet_lab.data.images import ImageData

RANDOM = {"random": "other class", "random, as zero": "zero", "random, as mean": "mean"}
"""Controls for the size of a change: the state plus a random vector as long as that change's way."""

KINDS = ("zero", "random, as zero", "mean", "random, as mean", "same class", "other class", "random")
"""What the state of an image becomes: zero; the block's mean over training images; that of another image of the same
class or of another one; or as in :data:`RANDOM`."""


def looked_at(images: ImageData, limit: int) -> ImageData:
    """Those of the images that are shown whose states are changed: at most ``limit``, each class with its share."""
    return images.stratified(limit, "images whose states are changed")


def donors(labels: Tensor, same: bool, generator: torch.Generator) -> Tensor:
    """For each image another one of the same class, or one of another class; itself where there is none."""
    chosen = torch.arange(len(labels))
    for label in labels.unique():
        mine, others = (labels == label).nonzero()[:, 0], (labels != label).nonzero()[:, 0]
        count = len(mine)
        if same and count > 1:  # so many places on, round about, but never back at itself
            steps = torch.randint(1, count, (count,), generator=generator)
            chosen[mine] = mine[(torch.arange(count) + steps) % count]
        elif not same and len(others):
            chosen[mine] = others[torch.randint(len(others), (count,), generator=generator)]
    return chosen


def changed_state(
    kind: str, here: dict[str, Tensor], mean: dict[str, Tensor], labels: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """What the state after one block becomes.

    Args:
        kind: of :data:`KINDS`.
        here: its parts, each ``[cells, image, channel]``; ``mean`` likewise ``[cells, 1, channel]``.
    """
    if kind in RANDOM:
        return _as_far(changed_state(RANDOM[kind], here, mean, labels, generator), here, generator)
    if kind == "zero":
        return {name: torch.zeros_like(part) for name, part in here.items()}
    if kind == "mean":
        return {name: mean[name].expand_as(part) for name, part in here.items()}
    order = donors(labels, kind == "same class", generator)
    return {name: part[:, order] for name, part in here.items()}


def _as_far(there: dict[str, Tensor], here: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Each image's state plus a random vector as long as the way from here to there, all parts together."""
    noise = {name: torch.randn(part.shape, generator=generator) for name, part in here.items()}
    way = sum(((there[name] - part) ** 2).sum((0, 2)) for name, part in here.items()).sqrt()
    length = sum((part**2).sum((0, 2)) for part in noise.values()).sqrt()
    return {name: part + noise[name] * (way / length)[:, None] for name, part in here.items()}
