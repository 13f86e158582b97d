"""What a notebook about gates looks into: the networks of a study, or one stored run of whatever origin."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
import yaml

from dianet_lab.analysis import wording
from dianet_lab.analysis.gates import Network, networks, shown_images
from dianet_lab.attention.stage import stage_attentions
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import DataConfig, RunConfig
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.images import ImageData
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError
from dianet_lab.interop.imports import as_trained
from dianet_lab.models import build_model
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study


@dataclass(frozen=True)
class Subject:
    """Networks to look into, and what may be said about them.

    ``pictured`` are those that are drawn, the most interesting one first; ``start`` is where their gates start, about;
    ``networks`` gives all, one after the other; ``runs`` is a table of them, ``test`` the images that they are shown,
    ``contrasts`` what is compared, ``scale`` and ``casualties`` are sentences, ``origin`` is for the provenance.
    """

    pictured: dict[str, ResidualNet]
    start: float
    networks: Callable[[], Iterable[Network]]
    runs: pd.DataFrame
    test: ImageData
    contrasts: list[Contrast]
    scale: str
    casualties: str
    origin: dict[str, Any]

    def two_images(self, position: int) -> tuple[int, int]:
        """A position among the test images, and the first of another class.

        Raises:
            LabError: there is no such position.
        """
        if not 0 <= position < len(self.test):
            raise LabError(f"image: got {position}, expected 0 to {len(self.test) - 1}, a position in the test images")
        others = (self.test.labels != self.test.labels[position]).nonzero()
        return position, int(others[0])


def of_study(study: Study, store: RunStore, frame: pd.DataFrame) -> Subject:
    """The networks of the study ``vectors``: drawn are its first seed's, shared, per block and untrained.

    Args:
        frame: what ``run_study`` gave.
    """
    seed = study.seeds[0]
    shared, single = (study.config(arm, seed) for arm in ("DIA", "per block, carried"))
    test = shown_images(shared)
    untrained = build_model(shared.model, test.in_channels, test.num_classes, seed)
    return Subject(
        {
            "shared": store.load_model(shared.run_id),
            "per block": store.load_model(single.run_id),
            "untrained": untrained,
        },
        _start(untrained),
        lambda: networks(study, store, list(study.arms)),
        frame[["arm", "seed", "status", "test_accuracy", "train_accuracy"]],
        test,
        [
            Contrast("trained - untrained", {"DIA": 1, "DIA, untrained": -1}, primary=False),
            Contrast("shared - per block", {"DIA": 1, "per block, carried": -1}, primary=False),
        ],
        wording.scale_sentence(study, load_data(study.base.data, seed).train),
        wording.casualties_sentence(frame),
        {"configuration": study.base, "seeds": list(study.seeds), "run_ids": list(frame["run_id"])},
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
    test = as_trained(shown_images(config), manifest)
    model = store.load_model(run_id)
    _check_images(run_id, manifest["model"], test)
    accuracy = _accuracy(model, test)
    start = build_model(config.model, test.in_channels, test.num_classes, config.seed)
    which = {"arm": run_id, "seed": config.seed}
    shown = f"{len(test):,} test images of {test.name}"
    return Subject(
        {"this run": model, "untrained": start},
        _start(start),
        lambda: [(which | {"when": "start"}, start, test), (which | {"when": "end"}, model, test)],
        pd.DataFrame([which | {"status": manifest["status"], "test_accuracy": accuracy}]),
        test,
        [Contrast("trained - untrained", {run_id: 1, f"{run_id}, untrained": -1}, primary=False)],
        f"Seen in one network ({run_id}) and {shown}, this says nothing about other networks.",
        f"Its test accuracy on the {shown} is {100 * accuracy:.1f} %.",
        _origin(config, run_id, manifest),
    )


def _check_images(run_id: str, shape: dict[str, int], test: ImageData) -> None:
    expected = (shape["in_channels"], shape["num_classes"])
    if (test.in_channels, test.num_classes) != expected:
        raise LabError(
            f"run {run_id} sees images of {expected[0]} channels and {expected[1]} classes, but {test.name} has "
            f"{test.in_channels} and {test.num_classes}: choose others with the parameter data"
        )


@torch.no_grad()
def _accuracy(model: ResidualNet, data: ImageData) -> float:
    hits = [(model(batch).argmax(1) == labels).sum().item() for batch, labels in evaluation_batches(data, 250)]
    return sum(hits) / len(data)


def _start(model: ResidualNet) -> float:
    """Where the gates of a fresh unit of this network start, about."""
    unit = next(iter(stage_attentions(model).values())).units[0]
    return unit.initial_gate if unit.gate_start is None else unit.gate_start


def _origin(config: RunConfig, run_id: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """For the provenance; of an imported network nobody here knows how it was trained."""
    if manifest["status"] != "imported":
        return {"configuration": config, "run_ids": [run_id]}
    made = manifest["provenance"]
    asked = yaml.safe_dump({"model": config.model.model_dump(mode="json"), "data": config.data.source}, sort_keys=False)
    return {"configuration": asked, "run_ids": [run_id], "weights": f"{made['source']}:{made['name']}"}
