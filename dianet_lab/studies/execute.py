"""Training what the store lacks: alone, in a local pool, or one run a device."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dianet_lab import provenance
from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError
from dianet_lab.studies.estimate import announce
from dianet_lab.studies.frame import study_frame
from dianet_lab.studies.progress import Reporter, reporter
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from dianet_lab.training.device import accelerators, resolve_device
from dianet_lab.training.loop import train

CHECKPOINT_EVERY = 30.0
"""Seconds between two checkpoints of one run."""


@dataclass(frozen=True)
class Order:
    """What a worker needs to know to train one run."""

    config: RunConfig
    root: Path
    threads: int
    checkpoint_every: float = CHECKPOINT_EVERY


def run_study(
    study: Study,
    store: RunStore | None = None,
    *,
    workers: int | None = None,
    device: str = "auto",
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: Reporter | None = None,
) -> pd.DataFrame:
    """Train the runs of a study that the store lacks, and return all of them as one tidy frame (one row a run).

    A run that is in the store is never trained again; one that was killed goes on from its checkpoint; one that fails
    with an error is a row of status ``failed`` and is tried again next time.

    Args:
        study: what to run.
        store: where runs are kept; ``results/runs`` if not given.
        workers: processes; one a core (divided by the study's threads) or one an accelerator if not given.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
        checkpoint_every: seconds between checkpoints of one run.
        progress: who is told of every run that ends; a bar on a terminal, lines elsewhere, if not given.

    Raises:
        DataError: the study's data can't be had; nothing was trained.
        LabError: a worker died; what was finished is in the store.
    """
    store = store or RunStore()
    pending = [(arm, config) for arm, config in study.configs() if config.run_id not in store]
    failures: dict[str, str] = {}
    if not pending:
        print(f"{study.name}: {len(study.configs())} runs, all of them in the store")
    else:
        load_data(study.base.data, study.seeds[0])  # so that missing data is told once, before any process starts
        devices = announce(study, store, pending, _devices(device, workers, study.threads, len(pending)))
        progress = progress or reporter()
        progress.start(study.name, len(pending))
        try:
            orders = [Order(config, store.root, study.threads, checkpoint_every) for _, config in pending]
            for index, error in _execute(orders, devices):
                arm, config = pending[index]
                if error:
                    failures[config.run_id] = error
                _tell(progress, store, arm, config, error)
        finally:
            progress.close()
    return study_frame(study, store, failures)


def _tell(progress: Reporter, store: RunStore, arm: str, config: RunConfig, error: str | None) -> None:
    manifest = {"status": "failed", "result": {}} if error else store.manifest(config.run_id)
    progress.finished(arm, config.seed, manifest["result"].get("test_accuracy"), manifest["status"])
    if error:
        print(f"{arm}, seed {config.seed} failed: {error}", flush=True)


def train_into_store(order: Order, device: str, on_epoch: Callable[[dict[str, float]], None] | None = None) -> None:
    """Train one run and store it, or wait for the process that is training it and leave it at that."""
    config, store = order.config, RunStore(order.root)
    with store.lock(config.run_id):
        if config.run_id in store:
            return
        splits = load_data(config.data, config.seed)
        checkpoint = store.checkpoint(config.run_id, order.checkpoint_every)
        place = resolve_device(device)
        outcome = train(config, splits, device=place, threads=order.threads, checkpoint=checkpoint, on_epoch=on_epoch)
        made = {"time": provenance.now(), "commit": provenance.commit(), "versions": provenance.versions()}
        made |= {"machine": provenance.machine(), "device": str(place), "threads": order.threads}
        store.save(config, outcome, splits.test, made)


def _devices(device: str, workers: int | None, threads: int, runs: int) -> list[str]:
    """The device of each worker: as many workers as are of use."""
    found = accelerators() if device == "auto" else []
    if workers is not None and workers < 1:
        raise LabError(f"workers: got {workers}, expected at least 1")
    count = workers or len(found) or (max(1, cores() // threads) if resolve_device(device).type == "cpu" else 1)
    names = found or [device]
    return [names[index % len(names)] for index in range(min(count, runs))]


def cores() -> int:
    """The cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _execute(orders: list[Order], devices: list[str]) -> Iterator[tuple[int, str | None]]:
    """Carry the orders out; yields ``(index, error or None)`` as each one ends."""
    if len(devices) == 1:
        for index, order in enumerate(orders):
            yield index, _attempt(order, devices[0])
        return
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    for name in devices:
        queue.put(name)
    with _worker_environment():
        pool = ProcessPoolExecutor(len(devices), context, _start_worker, (queue,))
        try:
            futures = {pool.submit(_attempt, order): index for index, order in enumerate(orders)}
            while futures:
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    yield futures.pop(future), future.result()
        except BrokenProcessPool:
            raise LabError(
                "a worker process died (killed, or out of memory). What was finished is stored: run the same command "
                "again to go on, with fewer workers if memory was short"
            ) from None
        finally:
            _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop a pool at once: on Ctrl-C its workers would otherwise train their runs to the end."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Environment that workers inherit: glibc keeps freed memory, which spares page faults at every step."""
    added = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
    added = {name: value for name, value in added.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


_worker_device = "cpu"


def _start_worker(queue: Any) -> None:
    """Take a device for this process's life, and end when the parent does: a killed parent can't end its workers."""
    global _worker_device
    _worker_device = queue.get()
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _attempt(order: Order, device: str | None = None) -> str | None:
    """Train one run; an error becomes its one-line message, so that the other runs go on."""
    try:
        train_into_store(order, device or _worker_device)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
    return None
