"""Training what the store lacks of a study: here, in a local pool, or on a cluster."""

import os
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace
from typing import Protocol

import pandas as pd

from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError
from dianet_lab.studies.estimate import announce
from dianet_lab.studies.frame import study_frame
from dianet_lab.studies.pool import Alone, Pool, Told, warm_up
from dianet_lab.studies.progress import Reporter, reporter
from dianet_lab.studies.state import mark
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from dianet_lab.studies.upkeep import StoreError
from dianet_lab.studies.work import CHECKPOINT_EVERY, Order, Record
from dianet_lab.training.device import accelerators, resolve_device
from dianet_lab.training.stop import Stop, stop_at_signals

ATTEMPTS = 3
"""How often a run is tried, in one call, whose worker dies or that ends with an error which may pass."""

WAIT = 5.0
"""Seconds that a worker waits for a run of another process before it looks at the next order."""


class Engine(Protocol):
    """Carries out orders somewhere and gives their records back, in whatever order they end."""

    def submit(self, order: Order) -> None: ...

    def next(self) -> Record: ...

    def close(self) -> None: ...


def run_study(
    study: Study,
    store: RunStore | None = None,
    *,
    workers: int | None = None,
    device: str = "auto",
    cluster: str | None = None,
    checkpoint_every: float = CHECKPOINT_EVERY,
    progress: Reporter | None = None,
) -> pd.DataFrame:
    """Train the runs of a study that the store lacks, and return all of them as one tidy frame (one row a run).

    A run that is in the store is never trained again; one that was killed goes on from its checkpoint; one that is
    damaged is moved aside and trained again; one that another process trains is left to it. A run that fails is tried
    again, in the end becomes a row of status ``failed``, and is tried again by the next call; the others go on.
    Ctrl-C and SIGTERM save all runs under way.

    Args:
        study: what to run.
        store: where runs are kept; ``results/runs`` if not given.
        workers: processes; one a core (divided by the study's threads) or one an accelerator if not given.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
        cluster: the address of a Dask scheduler, or its scheduler file; workers and devices are then the cluster's.
        checkpoint_every: seconds between checkpoints of one run.
        progress: who is told of every run that ends; a bar on a terminal, lines elsewhere, if not given.

    Raises:
        DataError: the study's data can't be had; nothing was trained.
        StoreError: the store can't be written; what was finished is in it.
        LabError: no worker, or a cluster that can't be used.
    """
    store, wanted = store or RunStore(), study.configs()
    pending = [(arm, config) for arm, config in wanted if not store.has(config.run_id, **study.keeps(config.seed))]
    if not pending:
        print(f"{study.name}: {len(wanted)} runs, all of them in the store")
        return study_frame(study, store)
    load_data(study.base.data, study.seeds[0])  # so that missing data is told once, before any process starts
    options = {"checkpoint_every": checkpoint_every, "threads": study.threads}
    orders = [(arm, Order.here(config, store, **options, **_kept(study, config))) for arm, config in pending]
    stop, progress = Stop(), progress or reporter()
    with stop_at_signals(stop):
        if cluster:
            from dianet_lab.studies.cluster import Cluster

            engine: Engine = Cluster(cluster, store, stop, progress.epoch)
            print(f"{study.name}: {len(wanted)} runs, {len(pending)} of them not in the store; on {engine}", flush=True)
        else:
            devices = devices_for(device, workers, study.threads, len(pending))
            if len(devices) > 1:
                warm_up()  # while the time that it will take is measured
            engine = _local(announce(study, store, pending, devices), stop, progress.epoch)
        with closing(engine):
            progress.start(study.name, len(pending), sum(config.train.epochs for _, config in pending))
            with closing(progress):
                failures = _carry_out(orders, engine, progress)
    return study_frame(study, store, failures)


def _kept(study: Study, config: RunConfig) -> dict[str, bool]:
    kept = study.keeps(config.seed)
    return {"keep_weights": kept["weights"], "snapshots": kept["snapshots"]}


def _carry_out(orders: list[tuple[str, Order]], engine: Engine, progress: Reporter) -> dict[str, str]:
    """Give all orders to the engine, again where that helps; returns why runs failed, by id.

    Raises:
        StoreError: the store can't be written.
    """
    known = {order.config.run_id: (f"{arm}, seed {order.config.seed}", order) for arm, order in orders}
    attempts: Counter[str] = Counter()
    failures: dict[str, str] = {}
    for _, order in orders:
        engine.submit(order)
    left = set(known)
    while left:
        record = engine.next()
        title, order = known[record.run_id]
        for remark in record.remarks:
            progress.note(remark)
        if record.status == "no store":
            raise StoreError(record.note)
        if record.status == "busy":
            if order.patience == 0:
                progress.note(f"{title} is being trained by {record.note}: it is read here when it is finished")
            known[record.run_id] = title, replace(order, patience=WAIT)
            engine.submit(known[record.run_id][1])
            continue
        if record.status in ("failed", "lost"):
            attempts[record.run_id] += 1
            if not record.final and attempts[record.run_id] < ATTEMPTS:
                progress.note(f"{title}: {record.note}; it is tried again, from its checkpoint if there is one")
                engine.submit(order)
                continue
            failures[record.run_id] = record.note
            progress.note(_given_up(title, record, attempts[record.run_id], order))
        left.discard(record.run_id)
        status = "failed" if record.run_id in failures else record.status
        progress.finished(record.run_id, title, order.config.train.epochs, record.accuracy, status)
    return failures


def _given_up(title: str, record: Record, attempts: int, order: Order) -> str:
    """Says so, and notes it in the store for a run whose worker died and could not do it."""
    if record.status == "lost":
        with suppress(OSError):
            mark(order.root / record.run_id, "failed", record.note, attempts=attempts)
    tried = f" ({attempts} attempts)" if attempts > 1 else ""
    return f"{title} failed: {record.note}{tried}; `dianet-lab runs show {record.run_id}` tells more"


def _local(devices: list[str], stop: Stop, told: Told) -> Engine:
    return Alone(devices[0], stop, told) if len(devices) == 1 else Pool(devices, stop, told)


def devices_for(device: str, workers: int | None, threads: int, runs: int) -> list[str]:
    """The device of each worker: as many workers as are of use."""
    found, kind = accelerators() if device == "auto" else [], resolve_device(device).type
    if workers is not None and workers < 1:
        raise LabError(f"workers: got {workers}, expected at least 1")
    count = workers or len(found) or (max(1, cores() // threads) if kind == "cpu" else 1)
    names = found or [device]
    return [names[index % len(names)] for index in range(min(count, runs))]


def cores() -> int:
    """The cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
