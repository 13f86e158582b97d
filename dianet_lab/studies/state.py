"""What has become of a run, told from its files and the claim on it; without PyTorch, so that lists are quick."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dianet_lab.errors import LabError
from dianet_lab.studies.claims import STALE_AFTER, claimed, newest
from dianet_lab.studies.manifest import MANIFEST, DamagedRun, read_manifest
from dianet_lab.studies.signed import read_signed, write_signed

CHECKPOINT, EVENT = "checkpoint.bin", "event.json"
ASIDE = "damaged"
"""The folder in the store into which damaged runs are moved; no run id is called so."""

RUN_ID = re.compile(r"[a-z0-9_]+(-[a-z0-9_]+)+")

STATES = {
    "pending": "wanted, and nothing of it is saved yet",
    "running": "a living process trains it",
    "interrupted": "stopped or killed; goes on from its checkpoint",
    "finished": "trained to the end",
    "diverged": "its loss became NaN or infinite: a result",
    "failed": "ended with an error; is tried again next time",
    "damaged": "finished, but something is wrong with its files",
    "imported": "trained elsewhere",
}


@dataclass(frozen=True)
class RunState:
    """A run's status, one of :data:`STATES`, a note for people, and its manifest if it is finished."""

    run_id: str
    status: str
    note: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)


def run_folder(root: Path, run_id: str) -> Path:
    """The folder of a run.

    Raises:
        LabError: an id that is none, so that no name leaves the store.
    """
    if not RUN_ID.fullmatch(run_id):
        raise LabError(f"{run_id!r} is no run id: expected something like resnet20-lstm-s0-2386afe046abb7b5")
    return root / run_id


def mark(folder: Path, status: str, note: str, **more: Any) -> None:
    """Note in a run's folder that it was ``interrupted``, ``failed``, or ``started`` again after that."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    write_signed(folder / EVENT, {"run_id": folder.name, "status": status, "note": note, "time": moment, **more})


def last_event(folder: Path) -> dict[str, Any]:
    """What was noted last; nothing where there is nothing that can be believed."""
    return {} if event_problem(folder) else read_signed(folder / EVENT)


def event_problem(folder: Path) -> str | None:
    """What is wrong with the note of the last event; also that there is none."""
    try:
        event = read_signed(folder / EVENT)
    except (OSError, ValueError) as error:
        return str(error)
    return None if event.get("run_id") == folder.name else f"{EVENT} is that of another run, {event.get('run_id')}"


def run_state(root: Path, run_id: str, mine: bool = False) -> RunState:
    """What has become of a run; ``pending`` also where the store has never heard of it.

    Args:
        mine: whether this process holds the claim, and asks what there was before it.
    """
    folder = run_folder(root, run_id)
    try:
        if manifest := read_manifest(folder):
            return RunState(run_id, manifest["status"], manifest=manifest)
    except DamagedRun as damage:
        return RunState(run_id, "damaged", str(damage).partition(" is damaged: ")[2])
    except OSError as error:
        return RunState(run_id, "damaged", f"it can't be read now: {error.strerror or error} ({error.filename})")
    if claim := None if mine else newest(root, run_id):
        silent = time.time() - claim.beat / 1e9
        if not claim.holder.gone and silent < STALE_AFTER:
            return RunState(run_id, "running", f"{claim.holder}, heartbeat {max(0, silent):.0f} s ago")
    if (event := last_event(folder)) and event["status"] in ("interrupted", "failed"):
        return RunState(run_id, event["status"], f"{event['note']}, {event['time']}")
    if (folder / CHECKPOINT).exists():
        return RunState(run_id, "interrupted", "its process was killed; there is a checkpoint")
    killed = claim or event
    return RunState(
        run_id, *(("interrupted", "its process was killed before a checkpoint") if killed else ("pending",))
    )


def run_ids(root: Path) -> list[str]:
    """The ids of all runs of which the store has anything, sorted."""
    try:
        folders = {path.name for path in root.iterdir() if RUN_ID.fullmatch(path.name) and path.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(folders | {name for name in claimed(root) if RUN_ID.fullmatch(name)})


def run_states(root: Path) -> Iterator[RunState]:
    """The states of all runs of which the store has anything."""
    return (run_state(root, run_id) for run_id in run_ids(root))


def finished_ids(root: Path) -> list[str]:
    """The ids of all runs that have a manifest, sorted; whether it is right is not looked at."""
    return [run_id for run_id in run_ids(root) if (root / run_id / MANIFEST).exists()]
