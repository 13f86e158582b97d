"""One run from order to record: claim it, go on where it was, train, store; whatever happens, say what became of it."""

import os
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dianet_lab import provenance
from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.paths import home, write_atomically
from dianet_lab.studies.claims import Claim, ClaimLost, Holder
from dianet_lab.studies.manifest import CONFIG
from dianet_lab.studies.state import CHECKPOINT, last_event, mark
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.upkeep import StoreError, move_aside, remove_half_written, writing
from dianet_lab.studies.waiting import wait_for_claim
from dianet_lab.training.checkpoint import BadCheckpoint, Checkpoint
from dianet_lab.training.device import resolve_device
from dianet_lab.training.loop import train
from dianet_lab.training.snapshots import Snapshots, snapshot_epochs
from dianet_lab.training.stop import Interrupted, Stop

CHECKPOINT_EVERY = 30.0
"""Seconds between two checkpoints of one run."""

Row = dict[str, float]


@dataclass(frozen=True)
class Order:
    """What a worker needs to know to train one run.

    Args:
        root: of the store; a cluster's workers see it under the same path.
        threads: CPU threads of the run.
        checkpoint_every: seconds.
        keep_weights: whether the store keeps the trained weights.
        snapshots: whether it keeps those on the way too, after the epochs of
            :func:`~dianet_lab.training.snapshots.snapshot_epochs`.
        patience: seconds to wait for a living process that trains the same run.
        lab: the lab's folder, against which paths of data are resolved.
    """

    config: RunConfig
    root: Path
    threads: int = 1
    checkpoint_every: float = CHECKPOINT_EVERY
    keep_weights: bool = False
    snapshots: bool = False
    patience: float = 0.0
    lab: Path | None = None

    def settle(self) -> None:
        """In a worker: take over the lab's folder, which may be another one than when the worker was started."""
        if self.lab:
            os.environ["DIANET_LAB_HOME"] = str(self.lab)

    @classmethod
    def here(cls, config: RunConfig, store: RunStore, **options: Any) -> "Order":
        """An order for the lab's folder of this process."""
        return cls(config, store.root.resolve(), lab=home(), **options)


@dataclass(frozen=True)
class Record:
    """What became of an order, small enough to be sent around.

    ``status`` is that of the stored run; or ``failed``; ``busy``, if a living process, ``note``, trains it; ``lost``,
    if the worker died; ``no store``, if the store can't be written. ``final`` says that another try would end the same
    way. ``seconds`` is the time of the whole order, ``trained`` whether this order has trained anything.
    """

    run_id: str
    status: str
    note: str = ""
    accuracy: float | None = None
    seconds: float = 0.0
    trained: bool = False
    final: bool = False
    remarks: tuple[str, ...] = ()


_one_at_a_time = (
    threading.Lock()
)  # threads and generators are the process's, so two runs would change each other's bits


def carry_out(
    order: Order, device: str, stop: Stop | None = None, on_epoch: Callable[[Row], None] | None = None
) -> Record:
    """Train one run and store it, or read it if it is there. Every error becomes a record, so that other runs go on.

    Raises:
        Interrupted: it was asked to stop; the run goes on from there next time.
    """
    started, stop = time.monotonic(), stop or Stop()
    remarks: list[str] = []
    status, note, trained, final = "failed", "", False, False
    try:
        with _one_at_a_time:
            holder, trained = _claim_and_train(order, device, stop, on_epoch, remarks)
        if holder:
            status, note = "busy", str(holder)
    except StoreError as error:
        status, note = "no store", str(error)
    except ClaimLost:
        status, note = "busy", "a process that took it over, since this one stood still for too long"
    except BrokenPipeError:  # of whoever is told of the epochs: no fault of the run
        raise
    except Exception as error:
        note, final = _one_line(error), isinstance(error, LabError)
        _mark_failed(order, note)
    accuracy = None
    if not note:
        manifest = RunStore(order.root).manifest(order.config.run_id)
        status, accuracy = manifest["status"], manifest["result"].get("test_accuracy")
    seconds = time.monotonic() - started
    return Record(order.config.run_id, status, note, accuracy, seconds, trained, final, tuple(remarks))


def _claim_and_train(
    order: Order, device: str, stop: Stop, on_epoch: Callable[[Row], None] | None, remarks: list[str]
) -> tuple[Holder | None, bool]:
    """The living process that has the run, if there is one; and whether this one has trained it."""
    store, run_id = RunStore(order.root), order.config.run_id
    lost = Stop()
    with ExitStack() as stack:
        kept = {"weights": order.keep_weights, "snapshots": order.snapshots}
        claim = wait_for_claim(store, run_id, order.patience, stop, **kept, lost=lambda: lost.request("lost"))
        if claim is None:
            return None, False
        if isinstance(claim, Holder):
            return claim, False
        stack.enter_context(claim)
        with writing(store.root):
            if store.has(run_id, **kept):
                return None, False
        _prepare(store, run_id, remarks)
        _train(order, store, claim, device, _Either(stop, lost, claim), on_epoch, remarks)
    return None, True


class _Either(Stop):
    """Stops when ``stop`` does, and gives up when the claim is lost."""

    def __init__(self, stop: Stop, lost: Stop, claim: Claim):
        super().__init__()
        self._stop, self._lost, self._claim = stop, lost, claim

    def check(self) -> None:
        if self._lost.reason:
            self._claim.check()
        self._stop.check()


def _prepare(store: RunStore, run_id: str, remarks: list[str]) -> None:
    """Clear away what a killed process left, and move a damaged run aside."""
    folder = store.folder(run_id)
    with writing(store.root):
        folder.mkdir(parents=True, exist_ok=True)
        remove_half_written(folder)
        problem = store.problem(run_id)
    if problem:
        target = move_aside(store.root, run_id)
        remarks.append(f"run {run_id} was damaged: {problem}. It is moved to {target} and trained again")


def _train(
    order: Order,
    store: RunStore,
    claim: Claim,
    device: str,
    stop: Stop,
    on_epoch: Callable[[Row], None] | None,
    remarks: list[str],
) -> None:
    config, folder = order.config, store.folder(order.config.run_id)
    with writing(store.root):
        if not store.has(config.run_id):  # else it is trained again for its weights, and its files stay as they are
            write_atomically(folder / CONFIG, config.to_json())
        if event := last_event(folder):  # no more than how often it was tried is true of it from now on
            mark(folder, "started", "", attempts=event.get("attempts", 0))
    splits = load_data(config.data, config.seed)
    place = resolve_device(device)
    made = _made() | {"time": provenance.now(), "device": str(place), "threads": order.threads}
    made |= {"keep_weights": order.keep_weights, "snapshots": order.snapshots}
    checkpoint = Checkpoint(folder / CHECKPOINT, config, order.checkpoint_every, claim.check, made)
    options = {"device": place, "threads": order.threads, "checkpoint": checkpoint, "stop": stop, "on_epoch": on_epoch}
    options["snapshots"] = Snapshots(snapshot_epochs(config.train.epochs) if order.snapshots else [])
    try:
        try:
            outcome = train(config, splits, **options)
        except (BadCheckpoint, ConfigError) as error:
            if not checkpoint.path.exists():
                raise
            target = move_aside(store.root, config.run_id, [CHECKPOINT])
            remarks.append(f"{error}. It is moved to {target}; the run starts anew")
            outcome = train(config, splits, **options)
    except Interrupted as stopped:
        with suppress(OSError):  # on a full disk the stop must not become an error
            mark(folder, "interrupted", f"stopped by {stopped.reason} {checkpoint.position}".rstrip())
        raise
    if checkpoint.earlier:
        made["earlier_parts"] = checkpoint.earlier
    made |= {"time": provenance.now(), "checkpoint_seconds": round(checkpoint.seconds, 3)}
    keep = order.keep_weights or order.snapshots
    old = store.save(config, outcome, splits.test, made, keep_weights=keep, guard=claim.check)
    if old:
        remarks.append(
            f"run {config.run_id} has other bits than before (threads, machine, versions): that one is in {old}"
        )


@cache
def _made() -> dict[str, Any]:
    """What is the same for all runs of a process: its code was read once."""
    return {"commit": provenance.commit(), "versions": provenance.versions(), "machine": provenance.machine()}


def _mark_failed(order: Order, note: str) -> None:
    folder = RunStore(order.root).folder(order.config.run_id)
    attempts = last_event(folder).get("attempts", 0) + 1
    with suppress(OSError):  # then the record alone tells of it
        mark(folder, "failed", note, attempts=attempts, traceback=traceback.format_exc())


def _one_line(error: Exception) -> str:
    """The lab's own errors are sentences; of others the type matters too."""
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, LabError) else f"{type(error).__name__}: {text}"
