"""CIFAR-10 and CIFAR-100 in the layout of torchvision, under ``data/`` of the lab's folder; downloaded where absent."""

import contextlib
import os
import pickle
import sys
from http.client import HTTPException
from pathlib import Path

import torch
from filelock import FileLock
from torchvision.datasets import CIFAR10, CIFAR100
from torchvision.datasets.utils import check_integrity

from dianet_lab.data.images import Source, SourcePart
from dianet_lab.errors import DataError, unknown_name
from dianet_lab.paths import in_home

CIFARS = {"cifar10": CIFAR10, "cifar100": CIFAR100}


def read_cifar(name: str, folder: Path) -> Source:
    """The official training and test part of ``cifar10`` or ``cifar100``, from ``folder`` or downloaded into it.

    An archive that someone has placed in ``folder`` is unpacked. A kernel never downloads: a notebook that pulls
    170 MB without being asked, perhaps on a node without a network, is no good surprise.

    Raises:
        DataError: absent inside a Jupyter kernel, a failed download, files that are damaged.
    """
    kind = CIFARS[name]
    if not (folder / kind.base_folder).is_dir():
        if in_kernel() and not _archive_is_whole(kind, folder):
            raise DataError(
                f"{name} is not in {folder}, and a notebook downloads nothing: run `dianet-lab data {name}` in a "
                f"terminal (about 170 MB), or place {kind.filename} in {folder}"
            )
        download_cifar(name, folder)
    try:
        train, test = (kind(folder, train=train) for train in (True, False))
    # torchvision checks MD5 sums and raises RuntimeError; the others come from files that change while they are read.
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, KeyError, ValueError) as error:
        raise DataError(
            f"the files of {name} in {folder / kind.base_folder} are incomplete or damaged ({error}): "
            f"run `dianet-lab data {name}` to get them anew"
        ) from None
    return Source(name, _as_tensors(train), _as_tensors(test), tuple(train.classes), flip=True)


def _as_tensors(part: CIFAR10) -> SourcePart:
    images = torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()
    return SourcePart(images, torch.tensor(part.targets, dtype=torch.int64), torch.arange(len(images)))


def download_cifar(name: str, folder: Path | None = None) -> Path:
    """Bring ``cifar10`` or ``cifar100`` into ``folder`` (``data/`` of the lab) unless it is there; return the folder.

    An archive in the folder whose MD5 sum is right is unpacked and not downloaded again; half a one from an interrupted
    download is replaced. Processes wait for each other.

    Raises:
        ConfigError: an unknown name.
        DataError: no network, a full disk, an archive that is not the official one.
    """
    if name not in CIFARS:
        raise unknown_name("CIFAR data set", name, CIFARS)
    kind, folder = CIFARS[name], folder or in_home("data")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            if not _is_there(kind, folder):
                if not _archive_is_whole(kind, folder):
                    print(f"Downloading {name} (about 170 MB) to {folder}", flush=True)
                kind(folder, download=True)
    except (OSError, HTTPException, RuntimeError, EOFError) as error:
        raise DataError(
            f"{name} could not be downloaded and unpacked ({error}): place the official archive {kind.filename} "
            f"in {folder} and try again"
        ) from None
    return folder


def _is_there(kind: type[CIFAR10], folder: Path) -> bool:
    with contextlib.suppress(RuntimeError):
        kind(folder)
        return True
    return False


def _archive_is_whole(kind: type[CIFAR10], folder: Path) -> bool:
    return check_integrity(folder / kind.filename, kind.tgz_md5)


def in_kernel() -> bool:
    """Whether this process is a Jupyter kernel, or a worker that one has started."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return "JPY_PARENT_PID" in os.environ or getattr(shell, "kernel", None) is not None
