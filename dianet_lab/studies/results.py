"""What is stored of an outcome: the numbers of a run, its prediction for each test image, and its weights."""

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save as save_tensors

from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.data.images import ImageData
from dianet_lab.studies.manifest import WEIGHTS, snapshot_name
from dianet_lab.training.evaluation import Evaluation
from dianet_lab.training.loop import Outcome
from dianet_lab.training.snapshots import Weights


def predictions_of(evaluation: Evaluation, test: ImageData) -> dict[str, torch.Tensor]:
    """For each test image: ``index`` (its id), ``label``, ``prediction`` and ``probability [image, class]``."""
    probability = evaluation.probabilities
    return {
        "index": test.index.to(torch.int32),
        "label": test.labels.to(torch.int16),
        "prediction": probability.argmax(1).to(torch.int16),
        "probability": probability.to(torch.float16),
    }


def result_of(outcome: Outcome) -> dict[str, Any]:
    """The numbers of a run: the last epoch's, and the best evaluated epoch's under a name of its own."""
    last = outcome.history[-1]
    result = {"epochs": last["epoch"], "seconds": round(outcome.seconds, 3), "resumed_at": outcome.resumed_at}
    if outcome.test is None:
        return result
    best = max((row for row in outcome.history if "test_accuracy" in row), key=lambda row: row["test_accuracy"])
    return result | {
        "test_accuracy": last["test_accuracy"],
        "test_loss": last["test_loss"],
        "val_accuracy": last.get("val_accuracy"),
        "train_accuracy": outcome.train_accuracy,
        "best_test_accuracy": best["test_accuracy"],
        "best_epoch": best["epoch"],
    }


def weights_file(weights: Weights) -> bytes:
    """Weights as a safetensors file."""
    return save_tensors({name: value.cpu().contiguous() for name, value in weights.items()})


def kept_weights(snapshots: Mapping[int, Weights], model: ResidualNet) -> dict[str, bytes]:
    """The files of a run that keeps its weights: those on its way, and those at its end."""
    files = {snapshot_name(epoch): weights_file(weights) for epoch, weights in snapshots.items()}
    return files | {WEIGHTS: weights_file(model.state_dict())}
