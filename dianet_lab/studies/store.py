"""The store: the folder of all runs, which a study reads and adds to."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import RunConfig
from dianet_lab.data.images import ImageData
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.models import build_model, count_attention_parameters, count_parameters, hidden_widths
from dianet_lab.paths import results_folder, write_atomically
from dianet_lab.studies.manifest import (
    CONFIG,
    HISTORY,
    IMPORTED,
    MANIFEST,
    PREDICTIONS,
    SMALL,
    WEIGHTS,
    DamagedRun,
    file_problem,
    listed,
    read_manifest,
    snapshot_name,
    snapshots_of,
    write_manifest,
)
from dianet_lab.studies.results import kept_weights, predictions_of, result_of, weights_file
from dianet_lab.studies.state import RunState, finished_ids, run_folder, run_state
from dianet_lab.studies.upkeep import move_aside, remove_needless, writing
from dianet_lab.training.loop import Outcome
from dianet_lab.training.snapshots import snapshot_epochs


class RunStore:
    """The runs under ``root`` (default ``results/runs``), one folder each.

    A run is in the store when its manifest is there, which is written last, and the files fit it: see
    :mod:`~dianet_lab.studies.manifest`. Whoever trains a run or repairs it holds its claim:
    :mod:`~dianet_lab.studies.claims`.
    """

    def __init__(self, root: Path | None = None):
        self.root = Path(root) if root else results_folder() / "runs"

    def folder(self, run_id: str) -> Path:
        """The folder of a run.

        Raises:
            LabError: an id that is none, so that no name leaves the store.
        """
        return run_folder(self.root, run_id)

    def state(self, run_id: str) -> RunState:
        """What has become of a run."""
        return run_state(self.root, run_id)

    def __contains__(self, run_id: str) -> bool:
        return self.has(run_id)

    def has(self, run_id: str, weights: bool = False, snapshots: bool = False) -> bool:
        """Whether a run is finished and whole; all files are read, but the weights only if they are asked for.

        Args:
            weights: whether it must have kept its weights; one that diverged needs none.
            snapshots: whether it must have those on its way too, and its weights, which are the last of them.
        """
        manifest = self._manifest(run_id)
        if manifest is None:
            return False
        names = {PREDICTIONS} & manifest["files"].keys()
        if manifest["status"] != "diverged":
            names = names | ({WEIGHTS} if weights or snapshots else set())
            names |= set(map(snapshot_name, snapshot_epochs(manifest["result"]["epochs"]))) if snapshots else set()
        return not any(file_problem(self.folder(run_id), manifest, name) for name in names)

    def _manifest(self, run_id: str) -> dict[str, Any] | None:
        try:
            return read_manifest(self.folder(run_id))
        except DamagedRun:
            return None

    def __iter__(self) -> Iterator[str]:
        """The ids of the finished runs that are whole, sorted."""
        return (run_id for run_id in finished_ids(self.root) if run_id in self)

    def manifest(self, run_id: str) -> dict[str, Any]:
        """What a run yielded and where it was made.

        Raises:
            DamagedRun: something is wrong with its files.
            LabError: the run is not in the store.
        """
        try:
            manifest = read_manifest(self.folder(run_id))
        except DamagedRun as damage:
            raise DamagedRun(f"{damage}; {_remedy(run_id)}") from None
        if manifest is None:
            raise LabError(f"run {run_id} is not in {self.root}, or not finished; {_origin(run_id)}")
        return manifest

    def problem(self, run_id: str) -> str | None:
        """What is wrong with a finished run, after every file was read; None for one that is whole, or unfinished."""
        try:
            manifest = read_manifest(self.folder(run_id))
            if manifest is None:
                return None
            for name in manifest["files"].keys() - set(SMALL):
                if problem := file_problem(self.folder(run_id), manifest, name):
                    return problem
            return None if run_id.startswith(IMPORTED) else _foreign(run_id, self.config(run_id))
        except DamagedRun as damage:
            return str(damage).partition(" is damaged: ")[2]
        except ConfigError as error:
            return f"{CONFIG} is none that this version of the lab can read: {error}"

    def config(self, run_id: str) -> RunConfig:
        """The configuration that a run was asked for."""
        return RunConfig.from_text(self._read(run_id, CONFIG).decode())

    def history(self, run_id: str) -> pd.DataFrame:
        """One row an epoch: losses, accuracies (0 to 1), learning rate, seconds, images/s."""
        return pd.read_csv(io.BytesIO(self._read(run_id, HISTORY)))

    def predictions(self, run_id: str) -> dict[str, torch.Tensor]:
        """For each test image: ``index`` (its id), ``label``, ``prediction`` and ``probability [image, class]``."""
        return self._tensors(run_id, PREDICTIONS)

    def snapshot_epochs(self, run_id: str) -> list[int]:
        """The epochs after which :meth:`load_model` can give the network, in order.

        Those are 0, the initial values; those of the snapshots, if it kept any; and the last, if it kept its weights.
        Of an imported run nobody knows where it began or how long it took, so there are none.
        """
        manifest = self.manifest(run_id)
        if manifest["status"] == "imported":
            return []
        last = [manifest["result"]["epochs"]] if WEIGHTS in manifest["files"] else []
        return [0, *snapshots_of(manifest["files"]), *last]

    def load_model(self, run_id: str, epoch: int | None = None) -> ResidualNet:
        """The trained network on the CPU, in eval mode.

        Args:
            epoch: as it was after this one, of :meth:`snapshot_epochs`; the last if not given.

        Raises:
            LabError: the run is not in the store, kept no weights (of that epoch), or they are damaged.
        """
        manifest, config = self.manifest(run_id), self.config(run_id)
        shape, snapshots = manifest["model"], snapshots_of(manifest["files"])
        model = build_model(config.model, shape["in_channels"], shape["num_classes"], config.seed)
        if epoch is not None and epoch not in (known := self.snapshot_epochs(run_id)):
            raise LabError(
                f"run {run_id} has no weights of epoch {epoch}, only of {', '.join(map(str, known)) or 'the last'}; "
                f"`dianet-lab train {run_id} --snapshots` trains it again and keeps some on the way"
            )
        if epoch != 0:
            model.load_state_dict(self._tensors(run_id, snapshots.get(epoch, WEIGHTS)))
        return model.eval()

    def save(
        self,
        config: RunConfig,
        outcome: Outcome,
        test: ImageData,
        provenance: dict[str, Any],
        *,
        keep_weights: bool = True,
        guard: Callable[[], None] = lambda: None,
    ) -> Path | None:
        """Write a run; its manifest last. The checkpoint is removed.

        Of a run that is stored without its weights, or without snapshots, only these are added, if the weights are
        the ones that the result is of. An outcome's snapshots are kept with the weights.

        Args:
            test: the test images that the outcome's probabilities belong to.
            keep_weights: whether the trained weights, and snapshots, are kept, or only the SHA-256 of the weights.
            guard: called before the manifest is written; raises if it no longer may be.

        Returns:
            where the stored result was moved to, if this one has other bits: it was trained with other threads, on
            another machine, or by another version of PyTorch.

        Raises:
            StoreError: no room or no permission; the run does not count as finished.
        """
        history = pd.DataFrame(outcome.history).to_csv(index=False).encode()
        files = {CONFIG: config.to_json().encode(), HISTORY: history}
        if outcome.test:
            files[PREDICTIONS] = save_tensors(predictions_of(outcome.test, test))
        about = {"status": outcome.status, "result": result_of(outcome), "provenance": provenance}
        shape = test.in_channels, test.num_classes
        kept = kept_weights(outcome.snapshots, outcome.model) if keep_weights else {}
        return self._write(config.run_id, files, kept, outcome.model, shape, about, guard)

    def save_imported(
        self, run_id: str, config: RunConfig, model: ResidualNet, shape: tuple[int, int], provenance: dict[str, Any]
    ) -> None:
        """Write a network that was trained elsewhere: a run without a history, predictions and results.

        Args:
            run_id: begins with :data:`~dianet_lab.studies.manifest.IMPORTED`.
            shape: channels of the images, and classes.
        """
        about = {"status": "imported", "result": {}, "provenance": provenance}
        files = {CONFIG: config.to_json().encode()}
        self._write(run_id, files, kept_weights({}, model), model, shape, about, lambda: None)

    def _write(
        self,
        run_id: str,
        files: dict[str, bytes],
        kept: dict[str, bytes],
        model: ResidualNet,
        shape: tuple[int, int],
        about: dict[str, Any],
        guard: Callable[[], None],
    ) -> Path | None:
        folder = self.folder(run_id)
        digest = listed(kept.get(WEIGHTS) or weights_file(model.state_dict()))["sha256"]
        files |= kept
        entries = {name: listed(content) for name, content in files.items()}
        counts = {
            "in_channels": shape[0],
            "num_classes": shape[1],
            "parameters": count_parameters(model),
            "attention_parameters": count_attention_parameters(model),
            "hidden": hidden_widths(model),
            "weights_sha256": digest,
        }
        target = None
        with writing(self.root):
            guard()
            old = self._manifest(run_id)
            if old and kept and old["model"].get("weights_sha256") == digest:
                # The same run with nothing but weights missing: what else is stored of it stays as it is.
                files, entries = kept, old["files"] | {name: entries[name] for name in kept}
                about = {name: old[name] for name in about}
            elif old:
                target = move_aside(self.root, run_id, [MANIFEST, *old["files"]])
            for name, content in files.items():
                write_atomically(folder / name, content)
            guard()
            write_manifest(folder, about | {"model": counts}, entries)
            remove_needless(folder, {"files": entries})
        return target

    def _read(self, run_id: str, name: str) -> bytes:
        manifest = self.manifest(run_id)
        if name not in manifest["files"]:
            raise LabError(f"run {run_id} has no {name}: {_absence(manifest, name)}")
        try:
            content = (self.folder(run_id) / name).read_bytes()
        except FileNotFoundError:
            content = b""
        if listed(content)["sha256"] != manifest["files"][name]["sha256"]:
            if self.manifest(run_id) != manifest:  # it was stored anew between the two looks
                return self._read(run_id, name)
            raise DamagedRun(f"run {run_id} is damaged: {name} has not the SHA-256 of the manifest; {_remedy(run_id)}")
        return content

    def _tensors(self, run_id: str, name: str) -> dict[str, torch.Tensor]:
        try:
            return load_tensors(self._read(run_id, name))
        except SafetensorError as error:
            raise LabError(f"run {run_id}: {name} can't be read ({error})") from None


def _foreign(run_id: str, config: RunConfig) -> str | None:
    return None if config.run_id == run_id else f"{CONFIG} is that of another run, {config.run_id}"


def _absence(manifest: dict[str, Any], name: str) -> str:
    if manifest["status"] == "imported":
        return "it was imported, not trained here, so there is nothing to read"
    if name == WEIGHTS:
        run_id = manifest["run_id"]
        return f"its study keeps none. `dianet-lab train {run_id} --keep-weights` trains it again and keeps them"
    return "it diverged, so there is nothing to read"


def _origin(run_id: str) -> str:
    return "`dianet-lab import` brings it" if run_id.startswith(IMPORTED) else "its study will train it"


def _remedy(run_id: str) -> str:
    return f"`dianet-lab runs verify {run_id} --aside` moves it aside, then {_origin(run_id)}"
