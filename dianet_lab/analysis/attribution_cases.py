"""Which networks notebook 15 explains, with which images and from which baseline: those of a subject, and controls."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from dianet_lab.analysis.attribution import STEPS, Attributions, attribute, joined, mean_gates
from dianet_lab.analysis.gates import UNTRAINED, Network
from dianet_lab.analysis.subject import SHUFFLED, Subject
from dianet_lab.analysis.under import logits_under
from dianet_lab.data.images import ImageData
from dianet_lab.studies.contrast import Contrast, minus

COUNT = 100
"""Test images that are explained in each network."""


class Case(NamedTuple):
    """A network that is explained, under the name that its figures have: an arm's or a control's."""

    name: str
    seed: int
    model: nn.Module
    images: ImageData
    train: ImageData


def some_images(data: ImageData, count: int = COUNT) -> ImageData:
    """At most ``count`` images, each class with its share: the same ones for all networks that are shown ``data``."""
    return data.stratified(count, "images that are explained")


def cases(seen: Subject, count: int = COUNT, controls_only: bool = False) -> Iterator[Case]:
    """Every trained network, and of the subject's own arm for every seed: untrained, and trained with pixels shuffled.

    Args:
        controls_only: leave out the other arms.
    """
    own = name_of(seen)
    for arm in [seen.arm] if controls_only else seen.arms:
        for network in seen.networks([arm], ["end"]):
            yield _case(own if arm == seen.arm else arm, network, some_images(network.images, count))
    for network in seen.networks([seen.arm], ["start"]):
        yield _case(UNTRAINED, network, some_images(network.images, count))
    for network in seen.shuffled():
        yield _case(SHUFFLED, network, some_images(network.images, count))


def name_of(seen: Subject) -> str:
    """What the subject's own networks are called in figures: its arm, or ``this run``."""
    return seen.views[0].name


def contrasts_of(seen: Subject) -> list[Contrast]:
    """The subject's own networks minus every other case, exploratory."""
    others = [arm for arm in seen.arms if arm != seen.arm]
    return minus(name_of(seen), *others, UNTRAINED, SHUFFLED)


def attribute_cases(
    seen: Subject, count: int = COUNT, steps: int = STEPS, baseline: float | None = None
) -> Attributions:
    """:func:`~dianet_lab.analysis.attribution.attribute` for every case, its frames with ``name`` and ``seed``.

    Only the image's own class is asked about.

    Args:
        count: images of each network.
        baseline: one number for all gates, of the subject's own arm and its controls only, since units of other kinds
            start elsewhere; None for each network's mean gates over its training images.
    """
    parts = []
    for case in cases(seen, count, controls_only=baseline is not None):
        start = mean_gates(case.model, case.train) if baseline is None else baseline
        parts.append(_named(attribute(case.model, case.images, start, steps, mistakes=False), case.name, case.seed))
    return joined(parts)


def attribute_mistakes(seen: Subject, count: int = COUNT, steps: int = STEPS) -> Attributions | None:
    """The same for test images that the subject's own networks take for another class, asked about that class too.

    Mistakes are few: they are looked for among all test images that are shown, of each network at most ``count``.
    None if there is none.
    """
    parts = []
    for network in seen.networks([seen.arm], ["end"]):
        wrong = (logits_under(network.model, network.images).argmax(1) != network.images.labels).nonzero()[:count, 0]
        if len(wrong):
            images = network.images.select(wrong)
            found = attribute(network.model, images, mean_gates(network.model, network.train), steps)
            parts.append(_named(found, name_of(seen), network.which["seed"]))
    return joined(parts) if parts else None


def _named(found: Attributions, name: str, seed: int) -> Attributions:
    return Attributions(*(frame.assign(name=name, seed=seed) for frame in found))


def _case(name: str, network: Network, images: ImageData) -> Case:
    return Case(name, network.which["seed"], network.model, images, network.train)
