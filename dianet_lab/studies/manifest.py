"""The manifest of a finished run: written last, it lists every file with its size and SHA-256."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dianet_lab.errors import LabError
from dianet_lab.studies.signed import read_signed, write_signed

MANIFEST = "manifest.json"
CONFIG, HISTORY, PREDICTIONS, WEIGHTS = "config.json", "history.csv", "predictions.safetensors", "weights.safetensors"
SMALL = (CONFIG, HISTORY)
"""Files whose content is checked whenever a run is opened; that of the others when it is loaded."""

SNAPSHOT = re.compile(r"snapshot-(\d{5,9})\.safetensors")
"""Weights after an earlier epoch, which its name says; a run has as many as it was asked for."""

FORMAT = 3
READABLE = (1, 2, 3)
"""Format 1 had no signature, and kept the weights of every run. Format 3 may list snapshots; a run without them is
written as format 2, so that older versions of the lab can read it."""

_FILES = {CONFIG, HISTORY, PREDICTIONS, WEIGHTS}
_NEEDED = {"finished": (HISTORY, PREDICTIONS), "diverged": (HISTORY,), "imported": (WEIGHTS,)}

IMPORTED = "imported-"
"""What the ids of runs begin with that were not trained here."""


class DamagedRun(LabError):
    """A run that was finished and of which something is missing, cut, changed, foreign or of a newer format."""


def write_manifest(folder: Path, about: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
    """Write a manifest that lists ``files``, as :func:`listed` describes them; they must be there."""
    form = FORMAT if any(map(SNAPSHOT.fullmatch, files)) else FORMAT - 1
    write_signed(folder / MANIFEST, {"format": form, "run_id": folder.name, **about, "files": files})


def snapshot_name(epoch: int) -> str:
    """``snapshot-00004.safetensors``."""
    return f"snapshot-{epoch:05d}.safetensors"


def snapshots_of(files: Iterable[str]) -> dict[int, str]:
    """The snapshots among files: epoch -> name, in order."""
    found = ((match, name) for name in files if (match := SNAPSHOT.fullmatch(name)))
    return dict(sorted((int(match[1]), name) for match, name in found))


def listed(content: bytes) -> dict[str, Any]:
    """What a manifest says of a file."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a finished run, after a look at its small files and the sizes of the others; None if unfinished.

    Raises:
        DamagedRun: something is wrong with the run; says what.
        OSError: the files can't be read now, which says nothing about them.
    """
    try:
        manifest = read_signed(folder / MANIFEST, older=lambda values: values.get("format") == 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise DamagedRun(f"run {folder.name} is damaged: {error}") from None
    if problem := _problem(folder, manifest):
        raise DamagedRun(f"run {folder.name} is damaged: {problem}")
    return manifest


def _problem(folder: Path, manifest: dict[str, Any]) -> str | None:
    found = manifest.get("format")
    if isinstance(found, int) and found > FORMAT:
        return f"its format is {found}, made by a newer version of the lab; this one reads up to {FORMAT}: update it"
    files = manifest.get("files")
    needed = _NEEDED.get(str(manifest.get("status")))
    whole = needed and isinstance(files, dict) and {CONFIG, *needed} <= files.keys() and all(map(_known, files))
    if found not in READABLE or not whole or not isinstance(manifest.get("model"), dict):
        return f"{MANIFEST} is incomplete"
    if manifest.get("run_id") != folder.name:
        return f"{MANIFEST} is that of another run, {manifest.get('run_id')}"
    for name in files:
        if problem := file_problem(folder, manifest, name, content=name in SMALL):
            return problem
    return None


def _known(name: str) -> bool:
    return name in _FILES or bool(SNAPSHOT.fullmatch(name))


def file_problem(folder: Path, manifest: dict[str, Any], name: str, content: bool = True) -> str | None:
    """What is wrong with a listed file, if anything.

    Args:
        content: whether to read it; else only its size is looked at.
    """
    try:
        entry, path = manifest["files"][name], folder / name
        size, expected = path.stat().st_size, entry["bytes"]
        if size != expected:
            return f"{name} has {size:,} bytes instead of {expected:,}"
        if content and listed(path.read_bytes())["sha256"] != entry["sha256"]:
            return f"{name} was changed: it has not the SHA-256 of the manifest"
    except FileNotFoundError:
        return f"{name} is missing"
    except (KeyError, TypeError):
        return f"{MANIFEST} is incomplete"
    return None
