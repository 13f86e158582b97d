"""A rehearsal of a study: every network is built and takes one step, so that no night ends at its first error."""

import json
from collections.abc import Callable

import pandas as pd

from dianet_lab.config import DataConfig
from dianet_lab.data.images import Splits
from dianet_lab.data.stand_in import load_or_stand_in
from dianet_lab.models import count_parameters
from dianet_lab.studies.study import Study
from dianet_lab.training.device import repeatable, resolve_device
from dianet_lab.training.trainer import Training

BATCH = 8
"""Images of the step: enough for a norm's statistics, few enough for the deepest network on a laptop."""


def dry_run(study: Study, device: str = "auto", tell: Callable[[str], None] = lambda arm: None) -> pd.DataFrame:
    """One update of each network of a study: ``arms``, how many train it, the first of them as ``arm``; ``parameters``;
    ``loss`` of the step.

    Arms that differ in learning rate or other training only have one network. Nothing is downloaded or stored.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ...
        tell: called with the arm before its step.

    Raises:
        DataError, ConfigError: data, sizes or a device that don't fit; else whatever the network itself raises.
    """
    place, rows, known = resolve_device(device), [], {}
    drawn: dict[DataConfig, Splits] = {}
    for arm in study.arms:
        config = study.config(arm, study.seeds_of(arm)[0])
        key = json.dumps([config.model.model_dump(mode="json"), config.data.model_dump(mode="json")], default=str)
        if key in known:
            rows[known[key]]["arms"] += 1
            continue
        tell(arm)
        known[key] = len(rows)
        if config.data not in drawn:
            drawn = {config.data: load_or_stand_in(config.data, config.seed)}  # one at a time: they can be large
        with repeatable(place, study.threads, config.seed):
            training = Training(config.override({"train.batch_size": BATCH}), drawn[config.data], place)
            training.model.train()
            loss, _ = training.update(*next(iter(training.stream.epoch(config.seed, 0))))
        rows.append({"arm": arm, "arms": 1, "parameters": count_parameters(training.model), "loss": loss.item()})
    return pd.DataFrame(rows)
