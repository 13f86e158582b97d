"""Keeping the store in order: errors of the disk explained, leftovers removed, damaged runs moved aside."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dianet_lab.errors import LabError
from dianet_lab.paths import TEMPORARY
from dianet_lab.studies.manifest import MANIFEST, PREDICTIONS, WEIGHTS, DamagedRun, read_manifest
from dianet_lab.studies.state import ASIDE, CHECKPOINT, EVENT

OLD_FILES = (".lock", "checkpoint.pt")
"""Of versions before format 2."""


class StoreError(LabError):
    """The store can't be written: no room, or no permission. No run can be stored until that is mended."""


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Inside, a write that fails is explained.

    Raises:
        StoreError: no room, no permission, or the folder is gone.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise StoreError(
            f"the store {root} can't be written: {error.strerror or error}{where}. What was finished is whole; "
            "make room or give permission there, then run the same command again"
        ) from None


def tidy(folder: Path) -> list[Path]:
    """Remove what a killed process left half-written, and of a finished run what it needs no more; its claim is held.

    Returns:
        what was removed.
    """
    names = [path.name for path in folder.glob(f".*{TEMPORARY}")]
    try:
        if manifest := read_manifest(folder):
            names += {CHECKPOINT, EVENT, WEIGHTS, PREDICTIONS, *OLD_FILES} - manifest["files"].keys()
    except DamagedRun:
        pass
    paths = [folder / name for name in names if (folder / name).exists()]
    for path in paths:
        path.unlink(missing_ok=True)
    return paths


def move_aside(root: Path, run_id: str, names: list[str] | None = None) -> Path:
    """Move files of a run (all if none are named) into ``damaged/`` of the store; its claim is held.

    Returns:
        where they are now.
    """
    folder, number = root / run_id, 1
    while (target := root / ASIDE / f"{run_id}.{number}").exists():
        number += 1
    with writing(root):
        target.mkdir(parents=True)
        # The manifest first: without it, whatever remains does not count as finished.
        for path in sorted(folder.iterdir(), key=lambda path: path.name != MANIFEST):
            if names is None or path.name in names:
                shutil.move(path, target / path.name)
    return target
