"""What a study will cost, before anything long starts: parameters, operations, hours on this machine, disk."""

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import pandas as pd
import torch

from dianet_lab.config import DataConfig, RunConfig
from dianet_lab.data.images import ImageData, Splits
from dianet_lab.data.stand_in import load_or_stand_in
from dianet_lab.models import assemble, count_macs, count_parameters
from dianet_lab.studies.pace import Pace, measure_pace
from dianet_lab.studies.study import Study
from dianet_lab.training.snapshots import snapshot_epochs

MB = 1e6
FLOAT, HALF, INDEX_LABEL_PREDICTION = 4, 2, 8
"""Bytes of a momentum, of a stored probability, and of what else is stored of a test image."""

HISTORY_ROW = 150
"""Bytes of an epoch in the history."""

SMALL_FILES = 4_000
"""Bytes of a run's configuration, manifest and notes."""

COLUMNS = ("arm", "runs", "missing", "parameters", "MACs", "epoch_seconds", "hours", "training_mb", "kept_mb")


class Total(NamedTuple):
    """What all missing runs of a study cost together.

    Attributes:
        missing: how many there are.
        hours: of wall-clock time on so many workers; never less than the longest run takes alone.
        mb: disk at the most: what the runs leave, and the checkpoints of those that are trained at one time.
    """

    missing: int
    hours: float
    mb: float


def plan(
    study: Study,
    missing: Collection[str],
    device: str = "auto",
    tell: Callable[[str], None] = lambda arm: None,
    further: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """What the missing runs of a study will cost, one row an arm. Nothing is downloaded, and CIFAR is not read.

    Columns: ``arm``; ``runs``, and how many are ``missing``; ``parameters``; ``MACs`` of one image's forward pass;
    ``epoch_seconds``, with its share of the evaluations, NaN where no run is missing; ``hours`` of the missing runs,
    one after the other; ``training_mb``, the most that the checkpoints of one run take while it is trained;
    ``kept_mb``, what the missing runs leave in the store. MB are 10^6 bytes. Times are measured here on a few steps,
    once for each network that does not differ in initial values only, and while nothing else runs: workers that share
    memory are slower.

    Args:
        missing: ids of the runs that are not in the store; others than the study's do not matter.
        device: ``auto``, ``cpu``, ``cuda``, ...
        tell: called with the arm before one is timed, which takes about ten seconds for a network of the paper.
        further: arm -> runs at other learning rates that are missing too.

    Raises:
        DataError: data that can't be had, or sizes that do not fit.
        ConfigError: a device that is not there.
    """
    lacking = Counter(arm for arm, config in study.configs() if config.run_id in missing)
    drawn: dict[DataConfig, Splits] = {}
    paces: dict[str, Pace] = {}
    rows = []
    for arm in study.arms:
        config, more = study.config(arm, study.seeds[0]), (further or {}).get(arm, 0)
        count = lacking[arm] + more
        if config.data not in drawn:
            drawn = {config.data: load_or_stand_in(config.data, config.seed)}  # one at a time: they can be large
        splits, seconds = drawn[config.data], math.nan
        if count:
            key = _what_sets_the_pace(config, splits.train)
            if key not in paces:
                tell(arm)
                paces[key] = measure_pace(config, splits, device, study.threads)
            seconds = paces[key].of_run(config, splits)
        row = {"arm": arm, "runs": len(study.seeds_of(arm)) + more, "missing": count}
        row |= _sizes(config, splits) | {"epoch_seconds": seconds / config.train.epochs}
        runs, with_snapshots = _keeping(study, arm, missing)
        keeping = runs + more * study.keep_weights, with_snapshots
        on_disk = _on_disk(row.pop("weights_mb"), keeping, config.train.epochs)
        row["training_mb"] += on_disk.training
        kept = count * row["kept_mb"] + on_disk.kept
        rows.append(row | {"hours": count and count * seconds / 3600, "kept_mb": kept})
    return pd.DataFrame(rows)[list(COLUMNS)]


def totals(table: pd.DataFrame, workers: int) -> Total:
    """What the rows of :func:`plan` come to on so many workers, each of which trains one run at a time.

    The hours are the sum over the workers, or the longest run's if that is more: workers that slow each other down take
    longer.
    """
    rows = table[table["missing"] > 0]
    if rows.empty:
        return Total(0, 0.0, 0.0)
    longest = (rows["hours"] / rows["missing"]).max()
    at_work = rows["training_mb"].repeat(rows["missing"]).nlargest(workers).sum()
    return Total(
        int(rows["missing"].sum()),
        float(max(rows["hours"].sum() / workers, longest)),
        float(rows["kept_mb"].sum() + at_work),
    )


def _what_sets_the_pace(config: RunConfig, train: ImageData) -> str:
    model = config.model.model_dump(mode="json", exclude={"branch_gain"})  # an initial value
    shape = *train.images.shape[1:], train.num_classes
    return json.dumps([model, shape, config.train.batch_size, config.train.precision])


class _Weights(NamedTuple):
    """Megabytes that kept weights add to the checkpoints of one run, and to what all missing runs leave."""

    training: float
    kept: float


def _keeping(study: Study, arm: str, missing: Collection[str]) -> tuple[int, int]:
    """How many missing runs of an arm keep their weights, and how many of them those on the way too."""
    kept = [study.keeps(seed) for seed in study.seeds_of(arm) if study.config(arm, seed).run_id in missing]
    return sum(keeps["weights"] for keeps in kept), sum(keeps["snapshots"] for keeps in kept)


def _on_disk(weights: float, keeping: tuple[int, int], epochs: int) -> _Weights:
    """Snapshots are in a run's checkpoint until it is stored."""
    runs, with_snapshots = keeping
    on_the_way = len(snapshot_epochs(epochs)) * weights
    return _Weights(2 * on_the_way if with_snapshots else 0.0, runs * weights + with_snapshots * on_the_way)


def _sizes(config: RunConfig, splits: Splits) -> dict[str, Any]:
    """Of one run: what its network is, and what it takes on disk while it is trained and, without weights, after it."""
    train, test = splits.train, splits.test
    with torch.device("meta"):  # counted, never run
        model = assemble(config.model, train.in_channels, train.num_classes)
    parameters = count_parameters(model)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    momentum = FLOAT * parameters if config.train.momentum else 0
    predictions = len(test) * (test.num_classes * HALF + INDEX_LABEL_PREDICTION)
    kept = predictions + config.train.epochs * HISTORY_ROW + SMALL_FILES
    return {
        "parameters": parameters,
        "MACs": count_macs(model, train.in_channels, train.images.shape[-1]),
        "training_mb": 2 * (weights + momentum) / MB,  # a checkpoint is written beside the one that it replaces
        "kept_mb": kept / MB,
        "weights_mb": weights / MB,
    }
