"""Who is training a run: a claim on it, with a heartbeat, that only one process can hold, on one machine or many.

A claim is a file ``claims/RUN_ID.N`` in the store. N is a generation: a process that finds the claim N of a dead
process creates N + 1, which the file system lets only one process do, also on a shared one. Nothing is overwritten, no
lock is held, and clocks of different machines are not compared: the claim of another machine is dead when its heartbeat
has stood still for ``STALE_AFTER`` seconds of the observer's own clock.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import psutil

from dianet_lab.errors import LabError

FOLDER = "claims"
BEAT_EVERY = 5.0
STALE_AFTER = 60.0
"""Seconds without a heartbeat after which a claim is taken over: twelve missed ones."""


LONG_AGO = 3600.0
"""Seconds of silence that no difference between two machines' clocks explains."""


class ClaimLost(LabError):
    """This process stood still for so long that another one has taken its run over."""


@dataclass(frozen=True)
class Holder:
    """The process that made a claim: ``place`` names machine, start of the system and process space."""

    place: str = "an unknown machine"
    pid: int = 0
    started: str = ""
    token: str = ""

    @classmethod
    def this(cls) -> "Holder":
        return cls(_place(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex)

    @property
    def gone(self) -> bool:
        """Whether it surely is no more; False if that can't be told from here."""
        if self.place != _place():
            return False
        return not psutil.pid_exists(self.pid) or _started(self.pid) != self.started

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        return f"process {self.pid} on {self.place.partition(' ')[0]}"


def _place() -> str:
    """Processes of one place see each other's ids; two containers on one machine do not."""
    parts = [platform.node() or "this machine"]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        lambda: os.readlink("/proc/self/ns/pid"),
    ):
        try:
            parts.append(read())
        except OSError:
            parts.append("")
    return " ".join(parts).strip()


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks, since ids are used again; empty for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except OSError:
        return "" if Path("/proc/self/stat").exists() else "unknown"


@dataclass(frozen=True)
class Seen:
    """A claim as it was found: its generation, who holds it, and its last heartbeat (ns, by the file's clock)."""

    path: Path
    generation: int
    holder: Holder
    beat: int


def newest(root: Path, run_id: str) -> Seen | None:
    """The claim on a run that counts, if there is any."""
    return max(_claims(root, run_id), key=lambda seen: seen.generation, default=None)


def claimed(root: Path) -> set[str]:
    """The ids of all runs on which there is a claim, of a living process or a dead one."""
    try:
        return {name.rpartition(".")[0] for name in os.listdir(root / FOLDER)}
    except FileNotFoundError:
        return set()


def _claims(root: Path, run_id: str) -> list[Seen]:
    folder, found = root / FOLDER, []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    for name in names:
        head, _, number = name.rpartition(".")
        if head == run_id and number.isdecimal() and (seen := _look(folder / name, int(number))):
            found.append(seen)
    return found


def _look(path: Path, generation: int) -> Seen | None:
    try:
        beat, text = path.stat().st_mtime_ns, path.read_text()
    except FileNotFoundError:  # given back meanwhile
        return None
    try:
        holder = Holder(**json.loads(text))
    except (ValueError, TypeError):  # its process died while it wrote it: the heartbeat alone decides
        holder = Holder()
    return Seen(path, generation, holder, beat)


class Watch:
    """Tells whether a claim is dead; remembers since when each heartbeat has stood still."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Seen, float]] = {}

    def dead(self, seen: Seen) -> bool:
        """Whether the holder is gone, or its heartbeat has stood still for ``STALE_AFTER`` seconds."""
        known, since = self._known.get(seen.path, (None, 0.0))
        if known != seen:
            since = time.monotonic()
            self._known[seen.path] = seen, since
        # By the clocks of two machines alone nothing is dead; but what is hours old need not be watched for long.
        elsewhere = seen.holder.place != _place() and time.time() - seen.beat / 1e9 > LONG_AGO
        return seen.holder.gone or time.monotonic() - since >= (2 * BEAT_EVERY if elsewhere else STALE_AFTER)


class Claim:
    """The right to train a run and to write into its folder, held inside ``with``.

    Args:
        lost: called, from another thread, when the claim has been taken over.
    """

    def __init__(self, path: Path, run_id: str, holder: Holder, lost: Callable[[], None] = lambda: None):
        self.path, self.run_id, self.holder, self._lost = path, run_id, holder, lost
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Claim":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self.held:
            self.path.unlink(missing_ok=True)

    @property
    def held(self) -> bool:
        """Whether the claim still counts."""
        found = newest(self.path.parent.parent, self.run_id)
        return found is not None and found.holder == self.holder

    def check(self) -> None:
        """Make sure that the claim still counts.

        Raises:
            ClaimLost: it was taken over.
        """
        if not self.held:
            raise ClaimLost(f"run {self.run_id} was taken over, because this process stood still for too long")

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_EVERY):
            try:
                os.utime(self.path)
                self.check()
            except (FileNotFoundError, ClaimLost):
                self._lost()
            except OSError:  # the file system is away; if it stays away, another process takes over
                continue


def try_claim(root: Path, run_id: str, watch: Watch, lost: Callable[[], None] = lambda: None) -> Claim | Holder:
    """Claim a run; returns the living process that holds it if there is one.

    Args:
        root: of the store.
        watch: of this process; a claim of another machine is taken over only after it has been watched for a while.

    Raises:
        OSError: the store can't be written.
    """
    before = _claims(root, run_id)
    seen = max(before, key=lambda seen: seen.generation, default=None)
    if seen and not watch.dead(seen):
        return seen.holder
    generation = seen.generation + 1 if seen else 1
    path = root / FOLDER / f"{run_id}.{generation}"
    holder = Holder.this()
    try:
        _create(path, holder)
    except FileExistsError:
        return Holder()
    # What was judged dead may have been cleared away since, and its number used again by a living process.
    others = [other for other in _claims(root, run_id) if other.generation != generation]
    if any(other.generation > generation or other not in before for other in others):
        path.unlink(missing_ok=True)
        return Holder()
    for other in others:
        other.path.unlink(missing_ok=True)
    return Claim(path, run_id, holder, lost)


def _create(path: Path, holder: Holder) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(json.dumps(asdict(holder)))
    except OSError:
        path.unlink(missing_ok=True)
        raise
