"""Keeping the store in order: errors of the disk explained, leftovers removed, damaged runs moved aside."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dianet_lab.errors import LabError
from dianet_lab.paths import TEMPORARY
from dianet_lab.studies.manifest import MANIFEST, PREDICTIONS, WEIGHTS, snapshots_of
from dianet_lab.studies.state import ASIDE, CHECKPOINT, EVENT

OLD_FILES = (".lock", "checkpoint.pt")
"""Of versions before format 2."""


class StoreError(LabError):
    """The store can't be used: no room, no permission, a disk that is away. No run is stored until that is mended."""


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Inside, a file that can't be written or read is explained.

    Raises:
        StoreError: no room, no permission, or the folder is gone.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise StoreError(
            f"the store {root} can't be used: {error.strerror or error}{where}. What was finished is whole; "
            "make room or give permission there, then run the same command again"
        ) from None


def remove_half_written(folder: Path) -> None:
    """Remove what a killed process left half-written in a run's folder; its claim is held."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def remove_needless(folder: Path, manifest: dict[str, Any]) -> None:
    """Remove of a run that has just been finished what it needs no more; its claim is held."""
    remove_half_written(folder)
    snapshots = snapshots_of(path.name for path in folder.iterdir()).values()
    for name in {CHECKPOINT, EVENT, WEIGHTS, PREDICTIONS, *snapshots, *OLD_FILES} - manifest["files"].keys():
        (folder / name).unlink(missing_ok=True)


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
