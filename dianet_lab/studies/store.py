"""The folder of finished runs: one folder a run, each file written atomically, the manifest last."""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import RunConfig
from dianet_lab.data.images import ImageData
from dianet_lab.errors import LabError
from dianet_lab.models import build_model, count_attention_parameters, count_parameters, hidden_widths
from dianet_lab.paths import results_folder, write_atomically
from dianet_lab.training.checkpoint import Checkpoint
from dianet_lab.training.loop import Outcome

FORMAT = 1
MANIFEST = "manifest.json"
IMPORTED = "imported-"
"""What the ids of runs begin with that were not trained here."""


class RunStore:
    """Finished runs under ``root`` (default ``results/runs``).

    A run is in the store when its manifest is there and every file that the manifest lists has the listed size; the
    manifest is written last. Contents are checked against their SHA-256 when they are read.
    """

    def __init__(self, root: Path | None = None):
        self.root = Path(root) if root else results_folder() / "runs"

    def folder(self, run_id: str) -> Path:
        """The folder of a run.

        Raises:
            LabError: an id that is none, so that no name leaves the store.
        """
        if not re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)+", run_id):
            raise LabError(f"{run_id!r} is no run id: expected something like resnet20-lstm-s0-2386afe046abb7b5")
        return self.root / run_id

    def __contains__(self, run_id: str) -> bool:
        return self._whole(run_id) is not None

    def _whole(self, run_id: str) -> dict[str, Any] | None:
        """The manifest of a run that is in the store; None for one that is not, or not wholly."""
        folder = self.folder(run_id)
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            files = manifest["files"].items()
            whole = all((folder / name).stat().st_size == listed["bytes"] for name, listed in files)
            return manifest if whole and manifest["format"] == FORMAT else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def __iter__(self) -> Iterator[str]:
        """The ids of the finished runs, sorted."""
        folders = sorted(path.parent.name for path in self.root.glob(f"*/{MANIFEST}"))
        return (name for name in folders if name in self)

    def manifest(self, run_id: str) -> dict[str, Any]:
        """What a run yielded and where it was made.

        Raises:
            LabError: the run is not in the store.
        """
        manifest = self._whole(run_id)
        if manifest is None:
            raise LabError(f"run {run_id} is not in {self.root}, or is incomplete; {_remedy(run_id)}")
        return manifest

    def config(self, run_id: str) -> RunConfig:
        """The configuration that a run was asked for."""
        return RunConfig.from_text(self._read(run_id, "config.json").decode())

    def history(self, run_id: str) -> pd.DataFrame:
        """One row an epoch: losses, accuracies (0 to 1), learning rate, seconds, images/s."""
        return pd.read_csv(io.BytesIO(self._read(run_id, "history.csv")))

    def predictions(self, run_id: str) -> dict[str, torch.Tensor]:
        """For each test image: ``index`` (its id), ``label``, ``prediction`` and ``probability [image, class]``."""
        return self._tensors(run_id, "predictions.safetensors")

    def load_model(self, run_id: str) -> ResidualNet:
        """The trained network on the CPU, in eval mode."""
        shape = self.manifest(run_id)["model"]
        model = build_model(self.config(run_id).model, shape["in_channels"], shape["num_classes"])
        model.load_state_dict(self._tensors(run_id, "weights.safetensors"))
        return model.eval()

    def lock(self, run_id: str) -> FileLock:
        """Held while a run is trained: a second process that wants the same run waits, then reads."""
        folder = self.folder(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock")

    def checkpoint(self, run_id: str, every: float) -> Checkpoint:
        """The checkpoint file of a run that is being trained."""
        return Checkpoint(self.folder(run_id) / "checkpoint.pt", run_id, every)

    def save(self, config: RunConfig, outcome: Outcome, test: ImageData, provenance: dict[str, Any]) -> None:
        """Write a run; its manifest last. The checkpoint is removed.

        Args:
            test: the test images that the outcome's probabilities belong to.
        """
        run_id = config.run_id
        files = {"history.csv": pd.DataFrame(outcome.history).to_csv(index=False).encode()}
        if outcome.test:
            files["predictions.safetensors"] = save_tensors(_predictions(outcome, test))
        about = {"status": outcome.status, "result": _result(outcome), "provenance": provenance}
        self._write(run_id, config, outcome.model, (test.in_channels, test.num_classes), files, about)
        (self.folder(run_id) / "checkpoint.pt").unlink(missing_ok=True)

    def save_imported(
        self, run_id: str, config: RunConfig, model: ResidualNet, shape: tuple[int, int], provenance: dict[str, Any]
    ) -> None:
        """Write a network that was trained elsewhere: a run without a history, predictions and results.

        Args:
            run_id: begins with :data:`IMPORTED`.
            shape: channels of the images, and classes.
        """
        self._write(run_id, config, model, shape, {}, {"status": "imported", "result": {}, "provenance": provenance})

    def _write(
        self,
        run_id: str,
        config: RunConfig,
        model: ResidualNet,
        shape: tuple[int, int],
        files: dict[str, bytes],
        about: dict[str, Any],
    ) -> None:
        weights = save_tensors({name: value.cpu().contiguous() for name, value in model.state_dict().items()})
        files = {"config.json": config.to_json().encode(), "weights.safetensors": weights} | files
        for name, content in files.items():
            write_atomically(self.folder(run_id) / name, content)
        counts = {
            "in_channels": shape[0],
            "num_classes": shape[1],
            "parameters": count_parameters(model),
            "attention_parameters": count_attention_parameters(model),
            "hidden": hidden_widths(model),
        }
        manifest = {"format": FORMAT, "run_id": run_id, **about, "model": counts}
        manifest["files"] = {name: {"sha256": _sha256(data), "bytes": len(data)} for name, data in files.items()}
        write_atomically(self.folder(run_id) / MANIFEST, json.dumps(manifest, indent=2))

    def _read(self, run_id: str, name: str) -> bytes:
        manifest = self.manifest(run_id)
        listed = manifest["files"].get(name)
        if listed is None:
            why = "it was imported, not trained here" if manifest["status"] == "imported" else "it diverged"
            raise LabError(f"run {run_id} has no {name}: {why}, so there is nothing to read")
        content = (self.folder(run_id) / name).read_bytes()
        if _sha256(content) != listed["sha256"]:
            raise LabError(
                f"run {run_id}: {name} is damaged (its SHA-256 is not the one in the manifest); "
                f"delete the folder {self.folder(run_id)}, then {_remedy(run_id)}"
            )
        return content

    def _tensors(self, run_id: str, name: str) -> dict[str, torch.Tensor]:
        try:
            return load_tensors(self._read(run_id, name))
        except SafetensorError as error:
            raise LabError(f"run {run_id}: {name} can't be read ({error})") from None


def _remedy(run_id: str) -> str:
    return "`dianet-lab import` brings it" if run_id.startswith(IMPORTED) else "its study will train it"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _predictions(outcome: Outcome, test: ImageData) -> dict[str, torch.Tensor]:
    probability = outcome.test.probabilities
    return {
        "index": test.index.to(torch.int32),
        "label": test.labels.to(torch.int16),
        "prediction": probability.argmax(1).to(torch.int16),
        "probability": probability.to(torch.float16),
    }


def _result(outcome: Outcome) -> dict[str, Any]:
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
