"""How gates ``[image, block, channel]`` vary: over images, over classes and over layers."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import nn

from dianet_lab.analysis.capture import capture_images
from dianet_lab.analysis.similarity import layer_correlation, mean_off_diagonal
from dianet_lab.config import RunConfig
from dianet_lab.data.images import ImageData
from dianet_lab.data.sources import load_data
from dianet_lab.models import build_model
from dianet_lab.seeding import seed_of
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

SHOWN = 1000
"""Test images that gates are looked at with: enough for any quantile, and a gigabyte less than all of CIFAR's."""

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def image_spread(stages: Sequence[xr.DataArray]) -> pd.DataFrame:
    """How much a channel's gate varies over images: ``stage, block, spread`` (mean over channels of the sd)."""
    rows = []
    for stage, gates in enumerate(stages):
        spread = gates.astype(np.float64).std("image").mean("channel")  # in float32 a constant would seem to vary
        rows += [
            {"stage": stage, "block": int(b), "spread": float(v)} for b, v in zip(gates.block, spread, strict=True)
        ]
    return pd.DataFrame(rows)


def class_share(gates: xr.DataArray) -> xr.DataArray:
    """The share of a gate's variance over images that lies between classes, ``[block]``, 0 to 1.

    Sums of squares are added over channels first. With k classes and n images, gates that ignore the class give about
    (k - 1) / (n - 1). NaN where no gate varies.
    """
    gates = gates.astype(np.float64)  # untrained gates hardly vary: in float32 the sums would be noise
    overall = gates.mean("image")
    total = ((gates - overall) ** 2).sum(("image", "channel"))
    means = gates.groupby("label").mean("image")
    counts = gates["label"].groupby("label").count()
    between = (counts * (means - overall) ** 2).sum(("label", "channel"))
    return (between / total.where(total > 0)).rename("class share")


def chance_share(data: ImageData) -> float:
    """About the :func:`class_share` of gates that ignore the class: ``(k - 1) / (n - 1)``."""
    return (len(data.labels.unique()) - 1) / (len(data) - 1)


def shown_images(config: RunConfig) -> ImageData:
    """The images that a network's gates are looked at with: of its test images at most :data:`SHOWN`.

    A stratified subset that is the same for all seeds; normalised by the training images of the run's own seed.
    """
    limit = _limit(config)
    test = load_data(config.data, config.seed).test
    return (
        test
        if len(test) <= limit
        else load_data(config.data.model_copy(update={"test_limit": limit}), config.seed).test
    )


def _limit(config: RunConfig) -> int:
    return min(SHOWN, config.data.test_limit or SHOWN)


UNTRAINED = "untrained"


class Network(NamedTuple):
    """A network to look into.

    ``which`` is ``{"arm", "seed", "when"}``, where ``when`` is ``start`` (the seed's initial values) or ``end``;
    ``images`` are test images to show to it, ``train`` those that it was trained on (of at most as many).
    """

    which: dict[str, Any]
    model: nn.Module
    images: ImageData
    train: ImageData

    @property
    def name(self) -> str:
        """The arm, which ends in ``, untrained`` where the network is."""
        return self.which["arm"] if self.which["when"] == "end" else f"{self.which['arm']}, {UNTRAINED}"


def networks(
    study: Study, store: RunStore, arms: Sequence[str] | None = None, when: Sequence[str] = ("start", "end")
) -> Iterator[Network]:
    """The networks of a study's finished runs, each untrained and trained, with the images to show to it.

    Args:
        arms: all if not given.
    """
    for arm in study.arms if arms is None else arms:
        for seed in study.seeds:
            config = study.config(arm, seed)
            if config.run_id not in store or store.manifest(config.run_id)["status"] != "finished":
                continue
            which, images, train = {"arm": arm, "seed": seed}, shown_images(config), reference_images(config)
            if "start" in when:
                start = build_model(config.model, images.in_channels, images.num_classes, seed)
                yield Network(which | {"when": "start"}, start.eval(), images, train)
            if "end" in when:
                yield Network(which | {"when": "end"}, store.load_model(config.run_id), images, train)


def reference_images(config: RunConfig) -> ImageData:
    """Those of a run's own training images that means and norms are estimated on: at most as many as are shown.

    Each class has its share, also of images that are sorted by class.
    """
    return load_data(config.data, config.seed).train.stratified(_limit(config), "reference images")


def pixels_shuffled(data: ImageData) -> ImageData:
    """The images with the pixels of each in an order of its own: as much ink as before, and nothing to recognise."""
    size, generator = data.images[0, 0].numel(), torch.Generator().manual_seed(seed_of("shuffled pixels"))
    order = torch.rand(len(data), 1, size, generator=generator).argsort(2)
    flat = data.images.flatten(2)
    shuffled = flat.gather(2, order.expand_as(flat)).view_as(data.images)
    return dataclasses.replace(data, images=shuffled)


def gate_ranges(networks: Iterable[Network]) -> pd.DataFrame:
    """Quantiles of all gate values at the start and the end of training: ``arm, when, seed, mean, q05, ..., q95``."""
    rows = []
    for which, model, images, _ in networks:
        values = np.concatenate([gates.values.ravel() for gates in capture_images(model, images)])
        ends = np.quantile(values, list(QUANTILES.values()))
        rows.append(which | {"mean": float(values.mean())} | dict(zip(QUANTILES, map(float, ends), strict=True)))
    return pd.DataFrame(rows)


def gate_measures(networks: Iterable[Network]) -> pd.DataFrame:
    """What the gates of each stage are like, one row a network and stage: ``arm, when, seed, stage`` and

    ``mean`` (over everything), ``spread`` (standard deviation over images, mean over channels and blocks), ``relative``
    (``spread`` over the mean size of a gate, without its sign: units differ in it), ``class_share`` (mean over blocks)
    and ``correlation`` (between different layers of the stage, each channel's mean over images taken out).
    """
    return pd.DataFrame(
        [
            which | {"stage": stage} | values
            for which, model, images, _ in networks
            for stage, values in enumerate(stage_measures(capture_images(model, images)))
        ]
    )


def stage_measures(stages: Sequence[xr.DataArray]) -> list[dict[str, float]]:
    """Of each stage's gates what :func:`gate_measures` tells of them, by name."""
    spread = image_spread(stages).groupby("stage")["spread"].mean()
    return [
        {
            "mean": float(gates.mean()),
            "spread": float(spread[stage]),
            "relative": _ratio(float(spread[stage]), float(abs(gates).mean())),
            "class_share": float(class_share(gates).mean()),
            "correlation": mean_off_diagonal(layer_correlation(gates, centred=True)),
        }
        for stage, gates in enumerate(stages)
    ]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def per_network(measures: pd.DataFrame) -> pd.DataFrame:
    """One row a network: its :func:`gate_measures`, mean over the stages, shaped so that ``effects`` can compare them.

    The arm of an untrained network ends in ``, untrained``.
    """
    names = ["mean", "spread", "relative", "class_share", "correlation"]
    frame = measures.groupby(["arm", "when", "seed"], sort=False)[names].mean().reset_index()
    frame["arm"] = frame["arm"].where(frame["when"] == "end", frame["arm"] + f", {UNTRAINED}")
    return frame.assign(status="finished")
