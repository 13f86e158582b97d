"""Making room: leftovers of killed processes, runs in a certain state, weights that no study needs."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from dianet_lab.errors import ConfigError
from dianet_lab.paths import TEMPORARY
from dianet_lab.studies.claims import Claim, Watch, try_claim
from dianet_lab.studies.manifest import MANIFEST, WEIGHTS, snapshots_of, write_manifest
from dianet_lab.studies.state import ASIDE, CHECKPOINT, EVENT, run_ids, run_state
from dianet_lab.studies.upkeep import OLD_FILES, writing

REMOVABLE = ("failed", "interrupted", "pending", "diverged")


def prune_store(
    root: Path, status: list[str], *, weights: bool, aside: bool, remove: bool
) -> Iterator[tuple[Path, int]]:
    """What is, or would be, removed, with its size in bytes. Runs that a living process trains are left alone.

    Args:
        status: states of runs that go as a whole.
        weights: whether trained weights go, and snapshots; imported runs are nothing else and keep them.
        aside: whether what was moved aside goes.
        remove: do it, and not only tell.

    Raises:
        ConfigError: a state in which runs are never removed.
        StoreError: the store can't be written.
    """
    for name in status:
        if name not in REMOVABLE:
            raise ConfigError(f"--status: got {name!r}, expected one of {', '.join(REMOVABLE)}")
    with writing(root):
        if aside and (root / ASIDE).exists():
            for path in sorted((root / ASIDE).iterdir()):
                yield _take(path, remove)
        for run_id in run_ids(root):
            before = run_state(root, run_id).status
            if before == "running":
                continue
            with _claim(root, run_id) if remove else nullcontext(True) as mine:
                if mine:
                    yield from _prune_run(root, run_id, before, status, weights, remove)


@contextmanager
def _claim(root: Path, run_id: str) -> Iterator[bool]:
    """Whether the run may be touched. On a full disk no claim can be made, and room must be made all the same."""
    try:
        claim = try_claim(root, run_id, Watch())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        yield True
        return
    if not isinstance(claim, Claim):
        yield False
        return
    with claim:
        yield True


def _prune_run(
    root: Path, run_id: str, before: str, status: list[str], weights: bool, remove: bool
) -> Iterator[tuple[Path, int]]:
    folder, state = root / run_id, run_state(root, run_id, mine=True)
    if not folder.exists():
        return
    # A run that a dead process had claimed was interrupted, which its files alone do not tell.
    if state.status in status or (state.status == "pending" and before in status):
        yield _take(folder, remove)
        return
    for path in sorted(folder.glob(f".*{TEMPORARY}")):
        yield _take(path, remove)
    if not state.manifest:
        return
    for name in (CHECKPOINT, EVENT, *OLD_FILES):
        # What is newer than the manifest belongs to a run that is trained again for its weights.
        path, finished = folder / name, (folder / MANIFEST).stat().st_mtime_ns
        if path.exists() and path.stat().st_mtime_ns <= finished:
            yield _take(path, remove)
    names = {WEIGHTS, *snapshots_of(state.manifest["files"]).values()} & state.manifest["files"].keys()
    if weights and names and state.status != "imported":
        if remove:  # the manifest first: it must never list what is not there
            files = {name: entry for name, entry in state.manifest["files"].items() if name not in names}
            entry = state.manifest["files"].get(WEIGHTS)
            known = {"weights_sha256": entry["sha256"]} if entry else {}
            about = {name: state.manifest[name] for name in ("status", "result", "provenance")}
            write_manifest(folder, about | {"model": state.manifest["model"] | known}, files)
        for name in sorted(names):
            yield _take(folder / name, remove)


def _take(path: Path, remove: bool) -> tuple[Path, int]:
    size = (
        sum(part.stat().st_size for part in path.rglob("*") if part.is_file()) if path.is_dir() else path.stat().st_size
    )
    if remove:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return path, size
