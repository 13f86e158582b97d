"""Where the lab's files are, and how one is written so that a reader sees the old content or the new, never a half."""

import os
import uuid
from pathlib import Path

from dianet_lab.errors import LabError

TEMPORARY = ".tmp"
"""How the names of half-written files end; only a process that was killed leaves one behind."""


def home() -> Path:
    """The lab's folder: ``DIANET_LAB_HOME``, else the nearest parent of the current folder with a ``pyproject.toml``.

    A kernel's current folder differs between JupyterLab and papermill, so nothing resolves against it directly.

    Raises:
        LabError: neither is there.
    """
    if given := os.environ.get("DIANET_LAB_HOME"):
        return Path(given).expanduser().resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    raise LabError(
        f"no pyproject.toml in {here} or above it: start from the lab's folder, "
        "or set DIANET_LAB_HOME to the folder that should hold results/"
    )


def results_folder() -> Path:
    """``results/`` of the lab: the runs and, for each profile, the reports."""
    return home() / "results"


def in_home(path: str | Path) -> Path:
    """A path as the user gave it: absolute, or relative to the lab's folder."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else home() / path


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write by a temporary file in the same folder, flush, fsync, rename, and fsync of the folder.

    After a power cut, too, the file is the old one or the new one, and what was written before it is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` last; there is no such call on Windows, where a rename is written through."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
