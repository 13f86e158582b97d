"""Published or foreign weights as a run of the store, for the notebooks that look into a trained network."""

import dataclasses
import hashlib
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from dianet_lab import provenance
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import DataConfig, RunConfig
from dianet_lab.data.images import ImageData
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.interop.loading import LOADERS
from dianet_lab.interop.published import NORMALISATION, ForeignNetwork, download, find_published
from dianet_lab.models import build_model
from dianet_lab.studies.manifest import IMPORTED
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.waiting import claim_on

IN_CHANNELS = 3


def import_run(source: str, name: str, file: Path | None = None, store: RunStore | None = None) -> tuple[str, bool]:
    """Store weights of other code as the run ``imported-NAME``.

    Args:
        source: ``pytorchcv:NAME`` or ``official:NAME``.
        name: lower-case letters, digits and underscores.
        file: the weights; None downloads those that pytorchcv publishes.

    Returns:
        The run's id, and whether it is new: False where the store had the very same.

    Raises:
        LabError: an unknown name, a failed download, weights that can't be read or don't fit, another run of that name.
    """
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ConfigError(f"--name: got {name!r}, expected lower-case letters, digits and underscores")
    wanted, run_id, store = find_published(source), IMPORTED + name, store or RunStore()
    config = RunConfig(model=wanted.model, data=DataConfig(source=wanted.data, val_size=0))
    path = Path(file).expanduser() if file else download(wanted)
    model = build_model(wanted.model, IN_CHANNELS, wanted.classes)
    LOADERS[wanted.source](model, path)
    with claim_on(store, run_id):
        if run_id not in store:
            store.save_imported(run_id, config, model, (IN_CHANNELS, wanted.classes), _provenance(wanted, path))
            return run_id, True
        if store.config(run_id) == config and _equal(store.load_model(run_id), model):
            return run_id, False
    raise LabError(
        f"{run_id} is in the store with other weights: choose another --name, or delete {store.folder(run_id)}"
    )


def as_trained(images: ImageData, manifest: dict[str, Any]) -> ImageData:
    """``images`` normalised as the network of a run was trained: an imported one brings its own mean and deviation.

    Args:
        manifest: of the run; one that the lab has trained leaves the images as they are.
    """
    given = manifest["provenance"].get("normalisation")
    if given is None:
        return images
    return dataclasses.replace(images, mean=torch.tensor(given["mean"]), std=torch.tensor(given["std"]))


def _provenance(wanted: ForeignNetwork, path: Path) -> dict[str, Any]:
    """Where the weights come from; of the file only its name, since a folder would name a machine."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "source": wanted.source,
        "name": wanted.name,
        "file": path.name,
        "sha256": digest,
        "normalisation": NORMALISATION,
        "time": provenance.now(),
        "commit": provenance.commit(),
        "versions": provenance.versions() | {"pytorchcv": _pytorchcv_version()},
    }


def _pytorchcv_version() -> str:
    try:
        return version("pytorchcv")
    except PackageNotFoundError:
        return "not installed"


def _equal(one: ResidualNet, other: ResidualNet) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
