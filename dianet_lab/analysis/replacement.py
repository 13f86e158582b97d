"""Does a network need its gates to answer to the image? They are replaced, and what is lost is counted.

The stripe observation (Huang et al., ECCV 2024, arXiv 2304.06345) is that trained channel attention is nearly the same
for all images. Whether what is left of the image matters, only a replacement tells.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dianet_lab.analysis.capture import by_position, capture_images
from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.interventions import Replace
from dianet_lab.analysis.memory import donors
from dianet_lab.analysis.points import Position, hook_points
from dianet_lab.analysis.under import Make, logits_under, reestimated
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
whatever class, of the same, of another; the value at which gates start."""

INTACT = "intact"
KEPT, ANEW = "norms kept", "norms estimated anew"
EVERYWHERE = -1
"""As ``stage``: every stage at once."""


class Replacement:
    """The gates of one network for its test images, and what may be put in their place.

    Args:
        start: the value of the kind ``start``.
        seed: decides whose gates an image gets.
    """

    def __init__(self, model: nn.Module, images: ImageData, train: ImageData, start: float, seed: int = 0):
        self.model, self.images, self.train, self.start, self.seed = model, images, train, start, seed
        self.positions = list(hook_points(model))
        self._gates = {part: by_position(capture_images(model, data)) for part, data in self._parts().items()}
        self._intact = {KEPT: logits_under(model, images)}

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
                Replace(stage, block, gate=values if values.dim() == 1 else values[images])
                for (stage, block), values in new.items()
            ]

        return interventions

    def _replaced(self, kind: str, place: Position, part: str) -> Tensor:
        """``[channel]`` or ``[image, channel]``."""
        own, train = self._gates[part][place], self._gates["train"][place]
        labels = self._parts()[part].labels
        if kind == "start":
            return torch.full_like(train[0], self.start)
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
            self._intact[norms] = logits_under(reestimated(self.model, self.train), self.images)
        return self._intact[norms]

    def outcome(self, kind: str, places: Iterable[Position], norms: str = KEPT) -> dict[str, float]:
        """``accuracy, loss, flips`` with the gates at ``places`` replaced; ``flips`` is of predictions that change.

        They change against the intact network with norms of the same kind.
        """
        places, model = list(places), self.model
        if not places:
            return _outcome(self.intact(norms), self.intact(norms), self.images.labels)
        if norms == ANEW:
            model = reestimated(model, self.train, self.make(kind, places, "train"))
        found = logits_under(model, self.images, self.make(kind, places))
        return _outcome(found, self.intact(norms), self.images.labels)


def _derangement(count: int, generator: torch.Generator) -> Tensor:
    """For each of ``count`` images another one, and each is taken once."""
    order = torch.randperm(count, generator=generator)
    moved = torch.empty_like(order)
    moved[order] = order.roll(1)
    return moved


def _outcome(logits: Tensor, intact: Tensor, labels: Tensor) -> dict[str, float]:
    chosen = logits.argmax(1)
    return {
        "accuracy": (chosen == labels).double().mean().item(),
        "loss": nn.functional.cross_entropy(logits.double(), labels).item(),
        "flips": (chosen != intact.argmax(1)).double().mean().item(),
    }


def _named(network: Network) -> dict[str, str | int]:
    return {"arm": network.name, "seed": network.which["seed"]}


def replace_gates(networks: Iterable[Network], start: float, by_stage: str | None = None) -> pd.DataFrame:
    """Every kind of replacement in each network, everywhere at once, with the norms as they are and estimated anew.

    Args:
        start: see :class:`Replacement`.
        by_stage: an arm in whose trained networks each stage is replaced alone too.

    Returns:
        ``arm, seed, stage, kind, norms, accuracy, loss, flips``; kind ``intact`` is no replacement.
    """
    rows = []
    for network in networks:
        which, each = _named(network), Replacement(*network[1:], start, network.which["seed"])
        stages = sorted({stage for stage, _ in each.positions})
        scopes = {EVERYWHERE: each.positions}
        if which["arm"] == by_stage:
            scopes |= {stage: [place for place in each.positions if place[0] == stage] for stage in stages}
        for stage, places in scopes.items():
            for norms in (KEPT, ANEW):
                for kind in (INTACT, *KINDS):
                    found = each.outcome(kind, places if kind != INTACT else [], norms)
                    rows.append(which | {"stage": stage, "kind": kind, "norms": norms} | found)
    return pd.DataFrame(rows)


def changes(replaced: pd.DataFrame) -> pd.DataFrame:
    """Against the intact network with norms of the same kind: the frame of :func:`replace_gates` without it."""
    keys, values = ["arm", "seed", "stage", "norms"], ["accuracy", "loss"]
    intact = replaced[replaced["kind"] == INTACT].set_index(keys)[values]
    others = replaced[replaced["kind"] != INTACT]
    return others.assign(**{name: others[name].to_numpy() - intact.loc[_keys(others, keys), name].to_numpy()
                            for name in values})  # fmt: skip


def _keys(frame: pd.DataFrame, names: list[str]) -> list[tuple]:
    return list(frame[names].itertuples(index=False, name=None))


def leave_one_out(networks: Iterable[Network], start: float, norms: str = ANEW) -> pd.DataFrame:
    """One block after the other does not listen: its gate is its mean over training images.

    Returns:
        ``arm, seed, stage, block, accuracy, loss, flips`` as changes against the intact network.
    """
    rows = []
    for network in networks:
        each = Replacement(*network[1:], start, network.which["seed"])
        intact = each.outcome(INTACT, [], norms)
        for stage, block in each.positions:
            found = each.outcome("mean", [(stage, block)], norms)
            changes = {name: found[name] - intact[name] for name in found}
            rows.append(_named(network) | {"stage": stage, "block": block} | changes)
    return pd.DataFrame(rows)


def random_masks(
    networks: Iterable[Network],
    start: float,
    fractions: Sequence[float] = (0, 0.25, 0.5, 0.75, 1),
    draws: int = 3,
    norms: str = ANEW,
) -> pd.DataFrame:
    """Only a random part of the blocks listens; the gates of the others are their means over training images.

    Returns:
        ``arm, seed, fraction, draw, accuracy, loss, flips``; of none and of all blocks there is one draw.
    """
    rows = []
    for network in networks:
        each = Replacement(*network[1:], start, network.which["seed"])
        generator = torch.Generator().manual_seed(seed_of("masks", network.which["seed"]))
        for fraction in fractions:
            deaf = round((1 - fraction) * len(each.positions))
            for draw in range(draws if 0 < deaf < len(each.positions) else 1):
                chosen = torch.randperm(len(each.positions), generator=generator)[:deaf]
                found = each.outcome("mean", [each.positions[index] for index in chosen], norms)
                rows.append(_named(network) | {"fraction": fraction, "draw": draw} | found)
    return pd.DataFrame(rows)


def image_share(networks: Iterable[Network]) -> pd.DataFrame:
    """How much of the variance of a layer's gates, over images and channels, is of the image: ``arm, seed, share``.

    The rest is a fixed profile of the channels, a stripe in a picture of images by channels. Mean over layers; NaN for
    a layer whose gates are all equal.
    """
    rows = []
    for network in networks:
        shares = []
        for stage in capture_images(network.model, network.images):
            gates = stage.astype(np.float64)
            within, total = gates.var("image").mean("channel"), gates.var(("image", "channel"))
            shares += (within / total.where(total > 1e-12)).values.tolist()
        rows.append(_named(network) | {"share": float(np.nanmean(shares)) if np.isfinite(shares).any() else np.nan})
    return pd.DataFrame(rows)
