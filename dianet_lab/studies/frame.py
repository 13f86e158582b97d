"""The result of a study as tidy frames."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dianet_lab.config import RunConfig
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

RESULTS = ("test_accuracy", "test_loss", "best_test_accuracy", "best_epoch", "val_accuracy", "train_accuracy")


def study_frame(study: Study, store: RunStore, failures: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row a run of the study: arm, seed, status, what was asked, what came out, what it cost.

    ``test_accuracy`` is the last epoch's; the best evaluated epoch's stands beside it. Accuracies are 0 to 1, of
    ``train_accuracy`` in eval mode on training images without augmentation. A run that diverged or failed has its
    status and no accuracy; a run that is not finished has the state in which it is in the store, or ``failed`` if
    ``failures`` (run id -> message) has it.
    """
    rows = []
    for arm, config in study.configs():
        row = {"study": study.name, "arm": arm, "is_baseline": arm == study.baseline, "seed": config.seed}
        state = store.state(config.run_id)
        row |= {"run_id": config.run_id, "status": state.status, "error": ""} | _asked(config)
        if manifest := state.manifest:
            row |= manifest["result"]
            row |= {key: manifest["model"][key] for key in ("parameters", "attention_parameters", "hidden")}
        else:
            row["error"] = state.note
        if failures and config.run_id in failures:
            row |= {"status": "failed", "error": failures[config.run_id]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    wanted = [*RESULTS, "seconds", "parameters", "attention_parameters", "hidden"]
    return frame.reindex(columns=list(dict.fromkeys([*frame.columns, *wanted])))


def study_history(study: Study, store: RunStore) -> pd.DataFrame:
    """The histories of a study's stored runs in one frame: ``arm, seed, epoch, ...``."""
    parts = [
        store.history(config.run_id).assign(arm=arm, seed=config.seed)
        for arm, config in study.configs()
        if config.run_id in store
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["arm", "seed", "epoch"])


def _asked(config: RunConfig) -> dict[str, Any]:
    """The fields that arms differ in, one column each: of the network, the learning rate and the augmentation."""
    model = config.model.model_dump(exclude={"attention"})
    training = {"lr": config.train.lr, "augment": config.data.augment}
    return model | config.model.attention.model_dump() | training
