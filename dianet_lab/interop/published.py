"""Networks of other code by their names, and the download of pytorchcv's published weights."""

import re
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

from filelock import FileLock

from dianet_lab.config import ModelConfig
from dianet_lab.errors import ConfigError, LabError, suggestion, unknown_name
from dianet_lab.model_config import DIANET, PLAIN, SENET
from dianet_lab.paths import in_home
from dianet_lab.profiles import OFFICIAL_MODELS

CLASSES = {"cifar10": 10, "cifar100": 100}

DEPTHS = {
    "20": "basic",
    "56": "basic",
    "110": "basic",
    "164bn": "bottleneck",
    "272bn": "bottleneck",
    "542bn": "bottleneck",
    "1001": "bottleneck",
    "1202": "basic",
}
"""The blocks of pytorchcv's depths, as they stand in its names."""

UNITS = {"dia": DIANET, "se": SENET, "": PLAIN}
"""pytorchcv's attention by the prefix of a name."""

OFFICIAL = {name.replace("wide_resnet", "wrn"): dict(shape) for name, shape in OFFICIAL_MODELS.items()}
"""The official backbones by the names of their files, at their published widths (WRN-d-4; ResNeXt-d, 8x32)."""

NORMALISATION = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}
"""What both recipes subtract from images in 0..1 and divide them by, for CIFAR-10 and CIFAR-100 alike: ``cifar.py`` of
gbup-group/DIANet, ``pytorch/datasets/cifar10_cls_dataset.py`` of osmr/imgclsmob. The lab's own deviation, over all
pixels, is about 0.25."""


class ForeignNetwork(NamedTuple):
    """A network of other code: where it comes from, its name there, our configuration of it, and its data set."""

    source: str
    name: str
    model: ModelConfig
    data: str

    @property
    def classes(self) -> int:
        return CLASSES[self.data]


def find_published(text: str) -> ForeignNetwork:
    """The network that ``pytorchcv:NAME`` or ``official:NAME`` stands for.

    >>> find_published("pytorchcv:diaresnet164bn_cifar100").model.depth
    164

    Raises:
        ConfigError: an unknown name, with the closest one; a data set that the lab does not have.
    """
    source, colon, name = text.partition(":")
    if not colon:
        raise ConfigError(f"got {text!r}, expected SOURCE:NAME, such as pytorchcv:diaresnet164bn_cifar100")
    if source not in FINDERS:
        raise unknown_name("source of weights", source, FINDERS)
    if name.endswith("_svhn"):
        raise ConfigError(f"{name} is a network for SVHN, which the lab has no images of; it has cifar10 and cifar100")
    return FINDERS[source](name)


def _find_pytorchcv(name: str) -> ForeignNetwork:
    found = re.fullmatch(rf"(dia|se|)(pre|)resnet({'|'.join(DEPTHS)})_(cifar10|cifar100)", name)
    if found is None:
        known = [f"{u}{p}resnet{d}_{c}" for u in UNITS for p in ("", "pre") for d in DEPTHS for c in CLASSES]
        raise ConfigError(
            f"unknown network of pytorchcv {name!r}{suggestion(name, known)}: expected dia, se or nothing, resnet or "
            f"preresnet, {', '.join(DEPTHS)}, and _cifar10 or _cifar100, such as diaresnet164bn_cifar100"
        )
    unit, pre, depth, data = found.groups()
    options = {"depth": int(depth.removesuffix("bn")), "block": DEPTHS[depth], "attention": UNITS[unit]}
    if pre:
        options |= {"backbone": "preresnet", "outer_norm": "first" if unit == "se" else "last"}
    return ForeignNetwork("pytorchcv", name, ModelConfig(**options), data)


def _find_official(name: str) -> ForeignNetwork:
    found = re.fullmatch(rf"dia_({'|'.join(OFFICIAL)})(\d+)_(cifar10|cifar100)", name)
    if found is None:
        known = [f"dia_{b}{d}_{c}" for b, d in zip(OFFICIAL, (164, 164, 52, 101), strict=True) for c in CLASSES]
        raise ConfigError(
            f"unknown official network {name!r}{suggestion(name, known)}: expected dia_, {', '.join(OFFICIAL)}, "
            "a depth, and _cifar10 or _cifar100, such as dia_resnet164_cifar100"
        )
    backbone, depth, data = found.groups()
    return ForeignNetwork("official", name, ModelConfig(**OFFICIAL[backbone] | {"depth": int(depth)}), data)


FINDERS: dict[str, Callable[[str], ForeignNetwork]] = {"official": _find_official, "pytorchcv": _find_pytorchcv}


def download(wanted: ForeignNetwork) -> Path:
    """The file with the published weights, downloaded by pytorchcv into ``data/pytorchcv`` unless it is there.

    pytorchcv checks its SHA-1, so half a file of a broken download is downloaded anew. Processes wait for each other.

    Raises:
        LabError: pytorchcv is not installed, it has no such weights, no network, a full disk.
    """
    other = "or get the .pth file otherwise and give it with --file"
    if wanted.source != "pytorchcv":
        raise LabError(f"{wanted.source}:{wanted.name} has no download: give the checkpoint with --file")
    try:
        from pytorchcv.models.common.model_store import get_model_file, get_model_metainfo_dict
    except ImportError:
        raise LabError(f"pytorchcv is not installed: pip install 'dianet-lab[interop]', {other}") from None
    sha1 = get_model_metainfo_dict().get(wanted.name, (0, "NA", "NA", "NA"))[2]
    if sha1 == "NA":
        raise LabError(f"pytorchcv has published no weights of {wanted.name}; give a file of your own with --file")
    folder = in_home("data/pytorchcv")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            return Path(get_model_file(wanted.name, str(folder)))
    except (OSError, HTTPException, RuntimeError, ValueError, BadZipFile) as error:
        raise LabError(
            f"{wanted.name} could not be downloaded into {folder} ({error}): try again with a network, {other}"
        ) from None
