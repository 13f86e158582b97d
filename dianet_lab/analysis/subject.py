"""What a notebook about gates looks into: the networks of a study, one stored run, or a network of the user's own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml
from torch import nn

from dianet_lab.analysis import wording
from dianet_lab.analysis.gates import UNTRAINED, Network, networks, pixels_shuffled, reference_images, shown_images
from dianet_lab.analysis.over_training import along_the_way
from dianet_lab.analysis.own_network import load_own, names_own
from dianet_lab.analysis.points import start_of
from dianet_lab.analysis.under import accuracy, logits_under
from dianet_lab.config import DataConfig, RunConfig
from dianet_lab.data.images import ImageData
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError
from dianet_lab.interop.imports import as_trained
from dianet_lab.models import build_model
from dianet_lab.studies.contrast import Contrast, minus
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

SHUFFLED = "pixels shuffled"
DRAWN = ("DIA", "SE shared", "SE per block")
"""Arms that stand in every figure, with DIA untrained and DIA shown images without a shape."""


class View(NamedTuple):
    """A network as it is drawn, with the images that are shown to it."""

    name: str
    model: nn.Module
    images: ImageData

    @property
    def start(self) -> float:
        """Where the gates of a fresh unit of this network start, about."""
        return start_of(self.model)


@dataclass(frozen=True)
class Subject:
    """Networks to look into, and what may be said about them.

    ``arm`` is the one that it is about; ``views`` are the networks that are drawn, that one first, its controls after
    it; ``networks(arms, when)`` gives all, one after the other, or those of
    some arms; ``runs`` is a table of them with their ``test_accuracy``; ``contrasts`` is what is compared, ``scale``
    and ``casualties`` are sentences, ``origin`` is for the provenance. ``on_the_way()`` gives the drawn networks after
    the epochs of their snapshots, with the epoch in ``which``; none where nobody knows of any.
    """

    arm: str
    views: list[View]
    networks: Callable[..., Iterable[Network]]
    runs: pd.DataFrame
    contrasts: list[Contrast]
    scale: str
    casualties: str
    origin: dict[str, Any]
    on_the_way: Callable[[], Iterable[Network]] = tuple

    @property
    def test(self) -> ImageData:
        """The test images that the first network is shown."""
        return self.views[0].images

    @property
    def start(self) -> float:
        """Where the gates of the first network start, about."""
        return self.views[0].start

    @property
    def arms(self) -> list[str]:
        """All arms that there are networks of."""
        return list(dict.fromkeys(self.runs["arm"]))

    def shuffled(self) -> Iterator[Network]:
        """Its own trained networks, shown images without a shape: their arm ends in ``, pixels shuffled``."""
        for network in self.networks([self.arm], ["end"]):
            which = network.which | {"arm": f"{self.arm}, {SHUFFLED}"}
            yield network._replace(which=which, images=pixels_shuffled(network.images))

    def with_controls(self) -> Iterator[Network]:
        """All networks, untrained and trained, and those of :meth:`shuffled`: whom ``contrasts`` compare."""
        yield from self.networks()
        yield from self.shuffled()

    def one(self, arm: str | None = None, when: str = "end") -> Network:
        """The network of one arm (its own if none is named) and the first seed.

        Raises:
            LabError: there is none, as all runs of the arm have diverged.
        """
        for network in self.networks([arm or self.arm], [when]):
            return network
        raise LabError(f"no run of {arm or self.arm!r} finished, so there is no network to look into")

    def two_images(self, position: int) -> tuple[int, int]:
        """A position among the test images, and the first of another class.

        Raises:
            LabError: there is no such position.
        """
        if not 0 <= position < len(self.test):
            raise LabError(f"image: got {position}, expected 0 to {len(self.test) - 1}, a position in the test images")
        others = (self.test.labels != self.test.labels[position]).nonzero()
        return position, int(others[0])


def look(
    study: Study,
    store: RunStore,
    run: str | None = None,
    data: str | None = None,
    workers: int | None = None,
    device: str = "auto",
) -> Subject:
    """What a notebook's parameters ask for: the study ``vectors``, of which is trained what is missing, or one network.

    Args:
        run: a stored run, or a network of the user's own as ``FILE.py:FUNCTION``; None for the study.
        data: images to show to it, as a notebook's parameter names them; those that it was trained on if not given.
    """
    if run is None:
        return of_study(study, store, run_study(study, store, workers=workers, device=device))
    return of_own(run, data, study.base.data.test_limit) if names_own(run) else of_run(store, run, data)


def of_study(study: Study, store: RunStore, frame: pd.DataFrame) -> Subject:
    """The networks of the study ``vectors``: drawn are those of the first seed at which all that are drawn finished.

    Args:
        frame: what ``run_study`` gave.

    Raises:
        LabError: there is no such seed.
    """
    main, seed = next(iter(study.arms)), _whole_seed(study, frame)
    config = study.config(main, seed)
    test = shown_images(config)
    untrained = build_model(config.model, test.in_channels, test.num_classes, seed).eval()
    trained = {arm: store.load_model(study.config(arm, seed).run_id) for arm in DRAWN}
    views = [View(arm, model, test) for arm, model in trained.items()]
    train = load_data(study.base.data, seed).train
    return Subject(
        main,
        [*views, View(UNTRAINED, untrained, test), View(SHUFFLED, trained[main], pixels_shuffled(test))],
        lambda arms=None, when=("start", "end"): networks(study, store, arms, when),
        frame[["arm", "seed", "status", "test_accuracy", "train_accuracy"]],
        [
            *_against_controls(main),
            *minus(main, *(arm for arm in study.arms if arm != main)),
        ],
        wording.scale_sentence(study, train),
        wording.casualties_sentence(frame),
        {"configuration": study.base, "seeds": list(study.seeds), "run_ids": list(frame["run_id"])},
        lambda: _ways(store, {arm: study.config(arm, seed).run_id for arm in DRAWN}, test),
    )


def _whole_seed(study: Study, frame: pd.DataFrame) -> int:
    finished = frame[frame["status"] == "finished"]
    for seed in study.seeds:
        if set(DRAWN) <= set(finished.loc[finished["seed"] == seed, "arm"]):
            return seed
    raise LabError(
        f"no seed at which {', '.join(DRAWN)} all finished, so they can't be drawn beside each other: see "
        "which diverged or failed with `dianet-lab runs list`, or ask for more seeds"
    )


def of_run(store: RunStore, run_id: str, data: str | None = None) -> Subject:
    """One stored run, trained here or imported, beside a fresh network of the same configuration.

    Args:
        data: images to show to it, as a notebook's parameter names them; those that it was trained on if not given.

    Raises:
        LabError: the run is not in the store, has no weights or no attention, or images of another kind.
    """
    config, manifest = store.config(run_id), store.manifest(run_id)
    if manifest["status"] == "diverged":
        raise LabError(f"run {run_id} diverged: its gates are no numbers")
    if config.model.attention.unit == "none":
        raise LabError(f"run {run_id} is a plain network, without a gate to look at")
    if data is not None:
        config = config.model_copy(update={"data": DataConfig.named(data, val_size=0)})
    test, train = (as_trained(images(config), manifest) for images in (shown_images, reference_images))
    model = store.load_model(run_id)
    _check_images(run_id, manifest["model"], test)
    start = build_model(config.model, test.in_channels, test.num_classes, config.seed).eval()
    origin = _origin(config, run_id, manifest)
    seen = _single(run_id, config.seed, manifest["status"], model, start, test, train, origin)
    return replace(seen, on_the_way=lambda: _ways(store, {seen.views[0].name: run_id}, test))


def of_own(name: str, data: str | None = None, limit: int | None = None) -> Subject:
    """A network of the user's own, beside the same one untrained: see :mod:`~dianet_lab.analysis.own_network`.

    Args:
        name: ``FILE.py:FUNCTION``.
        data: images to show to it; digits if not given.
        limit: how many test images, and training images, at most.
    """
    model, start = load_own(name)
    config = RunConfig(data=DataConfig.named(data or "digits", val_size=0, test_limit=limit))
    test, train = shown_images(config), reference_images(config)
    origin = {"configuration": yaml.safe_dump({"network": name, "data": config.data.source}, sort_keys=False)}
    return _single(name, 0, "own", model, start, test, train, origin, arm=Path(name.rpartition(":")[0]).stem)


def _single(
    name: str,
    seed: int,
    status: str,
    model: nn.Module,
    start: nn.Module,
    test: ImageData,
    train: ImageData,
    origin: dict[str, Any],
    arm: str | None = None,
) -> Subject:
    """One network and itself untrained.

    Args:
        arm: what figures and sentences call it, where its name is too long for them.
    """
    arm = arm or name
    which = {"arm": arm, "seed": seed}
    pair = [
        Network(which | {"when": "start"}, start, test, train),
        Network(which | {"when": "end"}, model, test, train),
    ]
    right = accuracy(logits_under(model, test), test)
    shown = f"{len(test):,} test images of {test.name}"
    return Subject(
        arm,
        [View("this run", model, test), View(UNTRAINED, start, test), View(SHUFFLED, model, pixels_shuffled(test))],
        lambda arms=None, when=("start", "end"): [
            network for network in pair if network.which["when"] in when and (arms is None or arm in arms)
        ],
        pd.DataFrame([which | {"status": status, "test_accuracy": right}]),
        _against_controls(arm),
        f"Seen in one network ({name}) and {shown}, this says nothing about other networks.",
        f"Its test accuracy on the {shown} is {100 * right:.1f} %.",
        origin,
    )


def _against_controls(arm: str) -> list[Contrast]:
    controls = {"trained - untrained": UNTRAINED, f"images - {SHUFFLED}": SHUFFLED}
    return [Contrast(name, {arm: 1, f"{arm}, {end}": -1}, primary=False) for name, end in controls.items()]


def _ways(store: RunStore, run_ids: dict[str, str], test: ImageData) -> Iterator[Network]:
    """Each run along its way, and the first of them shown images without a shape."""
    for arm, run_id in run_ids.items():
        yield from along_the_way(store, run_id, arm, test)
    yield from along_the_way(store, next(iter(run_ids.values())), SHUFFLED, pixels_shuffled(test))


def _check_images(run_id: str, shape: dict[str, int], test: ImageData) -> None:
    expected = (shape["in_channels"], shape["num_classes"])
    if (test.in_channels, test.num_classes) != expected:
        raise LabError(
            f"run {run_id} sees images of {expected[0]} channels and {expected[1]} classes, but {test.name} has "
            f"{test.in_channels} and {test.num_classes}: choose others with the parameter data"
        )


def _origin(config: RunConfig, run_id: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """For the provenance; of an imported network nobody here knows how it was trained."""
    if manifest["status"] != "imported":
        return {"configuration": config, "run_ids": [run_id]}
    made = manifest["provenance"]
    asked = yaml.safe_dump({"model": config.model.model_dump(mode="json"), "data": config.data.source}, sort_keys=False)
    return {"configuration": asked, "run_ids": [run_id], "weights": f"{made['source']}:{made['name']}"}
