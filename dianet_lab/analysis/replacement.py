"""Does a network need its gates to answer to the image? They are replaced, and what is lost is counted.

The stripe observation (Huang et al., ECCV 2024, arXiv 2304.06345) is that trained channel attention is nearly the same
for all images. Whether what is left of the image matters, only a replacement tells.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from dianet_lab.analysis.capture import FACTORS, by_position, capture_data, multiplied
from dianet_lab.analysis.interventions import Replace
from dianet_lab.analysis.points import Position, hook_points, start_of
from dianet_lab.analysis.state_changes import donors
from dianet_lab.analysis.under import Make, logits_under, norms_anew
from dianet_lab.data.images import ImageData
from dianet_lab.seeding import seed_of

KINDS = (
    "mean",
    "class mean",
    "another image's",
    "another image's, each layer its own",
    "same class, another image's",
    "other class, another image's",
    "start",
)
"""What a gate becomes: its mean over training images; that over training images of the image's own class (which tells
the class, so it may even help); the gate of another image, the same one for all layers or one for each layer, of
whatever class, of the same, of another; the value at which gates of this kind of unit start."""

FOR_ALL = ("mean", "start")
"""The kinds that are the same for all images."""

MOST_BYTES = 1 << 30
"""That gates may take: of test and training images, as they are and replaced. Spatial gates are maps: those of
ResNet-164 take 8 MB an image."""

COPIES = 4

INTACT = "intact"
KEPT, ANEW = "norms kept", "norms estimated anew"


class Replacement:
    """The gates of one network for its test images, and what may be put in their place.

    A spatial gate is a map, and so is its mean. Where the maps of all images would take more than :data:`MOST_BYTES`,
    the network is asked with fewer of them, test and training images alike, each class with its share.

    Args:
        seed: decides whose gates an image gets.
    """

    def __init__(self, model: nn.Module, images: ImageData, train: ImageData, seed: int = 0):
        self.model, self.seed = model, seed
        self.positions = list(hook_points(model))
        most = MOST_BYTES // (COPIES * _bytes_an_image(model, images))
        self.images, self.train = (
            data.stratified(max(1, most), "images whose gates are kept") for data in (images, train)
        )
        self._gates = {part: _gates(model, data) for part, data in self._parts().items()}
        self._intact = {KEPT: logits_under(model, self.images)}

    def _parts(self) -> dict[str, ImageData]:
        return {"images": self.images, "train": self.train}

    def make(self, kind: str, places: Iterable[Position], part: str = "images") -> Make:
        """Interventions that put gates of a kind in the place of those at ``places``.

        Args:
            part: ``images``, or ``train`` to estimate norms with: a gate of another image is then one of the training.
        """
        new = {place: self._replaced(kind, place, part) for place in places}

        def interventions(images: slice) -> Sequence[Replace]:
            return [
                Replace(stage, block, gate=values[images] if kind not in FOR_ALL else values)
                for (stage, block), values in new.items()
            ]

        return interventions

    def _replaced(self, kind: str, place: Position, part: str) -> Tensor:
        """``[channel]`` of the kinds in :data:`FOR_ALL`, else ``[image, channel]``; of a spatial gate with y and x."""
        own, train = self._gates[part][place], self._gates["train"][place]
        labels = self._parts()[part].labels
        if kind == "start":
            return torch.full_like(train[0], start_of(self.model))
        if kind == "mean":
            return train.mean(0)
        if kind == "class mean":
            known = self.train.labels
            means = [train[known == k].mean(0) if (known == k).any() else train.mean(0) for k in range(self._classes)]
            return torch.stack(means)[labels]
        which = place if kind == "another image's, each layer its own" else "all"
        generator = torch.Generator().manual_seed(seed_of("whose gates", self.seed, part, kind, str(which)))
        if kind in ("same class, another image's", "other class, another image's"):
            return own[donors(labels, kind.startswith("same"), generator)]
        return own[_derangement(len(own), generator)]

    @property
    def _classes(self) -> int:
        return max(self.images.num_classes, self.train.num_classes)

    def intact(self, norms: str = KEPT) -> Tensor:
        """The logits ``[image, class]`` without a replacement; norms that are estimated anew change them too."""
        if norms not in self._intact:
            with norms_anew(self.model, self.train):
                self._intact[norms] = logits_under(self.model, self.images)
        return self._intact[norms]

    def outcome(self, kind: str, places: Iterable[Position], norms: str = KEPT) -> dict[str, float]:
        """``images, accuracy, loss, flips, points, nats`` with the gates at ``places`` replaced.

        Against the intact network with norms of the same kind, ``flips`` is the share of predictions that change,
        ``points`` the change of accuracy in percentage points, ``nats`` that of the loss.
        """
        places, intact = list(places), self.intact(norms)
        if not places:
            return _outcome(intact, intact, self.images.labels)
        make = {part: self.make(kind, places, part) for part in (("images", "train") if norms == ANEW else ("images",))}
        with norms_anew(self.model, self.train, make["train"]) if norms == ANEW else nullcontext():
            found = logits_under(self.model, self.images, make["images"])
        return _outcome(found, intact, self.images.labels)


def _gates(model: nn.Module, data: ImageData) -> dict[Position, Tensor]:
    return by_position(map(multiplied, capture_data(model, data, FACTORS)))


def _bytes_an_image(model: nn.Module, images: ImageData) -> int:
    one = _gates(model, images.select(range(1)))
    return sum(gate.numel() * gate.element_size() for gate in one.values())


def _derangement(count: int, generator: torch.Generator) -> Tensor:
    """For each of ``count`` images another one, and each is taken once."""
    order = torch.randperm(count, generator=generator)
    moved = torch.empty_like(order)
    moved[order] = order.roll(1)
    return moved


def _outcome(logits: Tensor, intact: Tensor, labels: Tensor) -> dict[str, float]:
    accuracy, before = ((found.argmax(1) == labels).double().mean().item() for found in (logits, intact))
    loss, lossless = (nn.functional.cross_entropy(found.double(), labels).item() for found in (logits, intact))
    flips = (logits.argmax(1) != intact.argmax(1)).double().mean().item()
    changes = {"points": 100 * (accuracy - before), "nats": loss - lossless}
    return {"images": len(labels), "accuracy": accuracy, "loss": loss, "flips": flips} | changes
