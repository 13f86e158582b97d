"""Runs as tasks of a Dask cluster (the extra ``cluster``): for when one machine is not enough.

Workers train and write into the shared store; only small records come back. What a lost worker has begun goes on
elsewhere from its checkpoint. Several studies may use one cluster.
"""

import contextlib
import platform
import queue
import threading
import time
import uuid
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dianet_lab.errors import LabError
from dianet_lab.studies.claims import FOLDER
from dianet_lab.studies.pool import PATIENCE, TELL_EVERY, Told
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.upkeep import writing
from dianet_lab.studies.work import Order, Record, carry_out
from dianet_lab.training.stop import Interrupted, Stop

try:
    import distributed
    from distributed.client import FutureCancelledError
except ImportError as error:
    raise LabError(
        f"--cluster needs Dask ({error}): pip install 'dianet-lab[cluster]', here and for the workers"
    ) from None

CONNECT_WITHIN = "20s"
CLOSING = 20.0
"""Seconds that a worker which is closed waits for its runs to save; the nanny of ``dask worker`` kills it after 8."""

RESUBMIT_AFTER = 1.0
"""Seconds before a run is sent again whose worker was closed."""

GPU = "GPU"
"""The resource that a worker declares, ``--resources GPU=1``, to get one run at a time."""


@dataclass(frozen=True)
class Batch:
    """What the tasks of one study have in common: a name, a file in the store that every worker must see, versions."""

    name: str
    probe: Path
    versions: tuple[str, str]


class Cluster:
    """The engine that sends every order to a Dask scheduler.

    Args:
        address: ``tcp://HOST:8786``, or the path of a scheduler file.

    Raises:
        LabError: no scheduler answers there.
        StoreError: the store can't be written.
    """

    def __init__(self, address: str, store: RunStore, stop: Stop, told: Told):
        where = {"address": address} if "://" in address else {"scheduler_file": address}
        if "scheduler_file" in where and not Path(address).is_file():
            raise LabError(f"--cluster: got {address!r}, expected tcp://HOST:8786 or the file of a scheduler")
        try:
            self._client = distributed.Client(**where, timeout=CONNECT_WITHIN, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise LabError(
                f"no Dask scheduler answers at {address} ({error}): is it running? start: dask scheduler"
            ) from None
        self._stop, self._left, self._done = stop, {}, queue.SimpleQueue()
        name = uuid.uuid4().hex
        self._batch = Batch(name, store.root.resolve() / FOLDER / f".{name}", _versions())
        with writing(store.root):
            self._batch.probe.parent.mkdir(parents=True, exist_ok=True)
            self._batch.probe.touch()
        # A name of its own: a second plugin of the same name would tear the first one down, and stop its runs.
        self._client.register_plugin(SaveBeforeClosing(name), name=name)
        self._client.subscribe_topic(name, lambda event: told(*event[1]))
        self._remarks: set[str] = set()

    def _workers(self) -> list[dict[str, Any]]:
        return list(self._client.scheduler_info(n_workers=-1).get("workers", {}).values())

    def __str__(self) -> str:
        workers = self._workers()
        gpus = sum(GPU in worker["resources"] for worker in workers)
        kinds = f" ({gpus} with a GPU)" if gpus else ""
        remark = "" if workers else ": the runs wait for the first"
        if any(worker["nthreads"] > 1 for worker in workers):
            remark += "; a worker trains one run at a time, whatever its threads: start it with --nthreads 1"
        return f"a cluster of {len(workers)} worker{'' if len(workers) == 1 else 's'}{kinds}{remark}"

    def submit(self, order: Order) -> None:
        """Send an order to the scheduler."""
        resources = {GPU: 1} if any(GPU in worker["resources"] for worker in self._workers()) else None
        key = f"{order.config.run_id}-{uuid.uuid4().hex}"
        future = self._client.submit(on_worker, order, self._batch, key=key, pure=False, resources=resources)
        self._left[key] = future, order
        future.add_done_callback(lambda future: self._done.put(future.key))

    def next(self) -> Record:
        """The record of the next order that ends.

        Raises:
            Interrupted: it was asked to stop.
        """
        while True:
            self._stop.check()
            with contextlib.suppress(queue.Empty):
                record, order = self._record(*self._left.pop(self._done.get(timeout=0.2)))
                if record.status != "interrupted":
                    new = tuple(remark for remark in record.remarks if remark not in self._remarks)
                    self._remarks.update(new)
                    return replace(record, remarks=new)
                time.sleep(RESUBMIT_AFTER)  # its worker was closed, and should be gone when the order comes again
                self.submit(order)

    def _record(self, future: Any, order: Order) -> tuple[Record, Order]:
        try:
            return future.result(), order
        except distributed.KilledWorker as error:
            note = f"{error.allowed_failures + 1} workers died while they had it, the last on {error.last_worker.host}"
            return Record(order.config.run_id, "lost", note, final=True), order
        except Exception as error:
            if self._client.status != "running" or isinstance(error, FutureCancelledError):
                raise LabError(
                    "the Dask scheduler is gone. Runs that its workers had go on from their checkpoints: start it and "
                    "its workers again, then run the same command"
                ) from None
            # From unpickling in a worker, for one.
            return Record(order.config.run_id, "failed", f"{type(error).__name__}: {error}"), order

    def close(self) -> None:
        """Leave the cluster; runs that are still under way save and end first."""
        until = time.monotonic() + PATIENCE
        self._batch.probe.unlink(missing_ok=True)
        with contextlib.suppress(Exception):  # the scheduler may be gone, or a run not end
            if self._left:
                self._client.run(request_stop, self._batch.name, on_error="ignore")
                begun = {key for keys in self._client.processing().values() for key in keys}
                self._client.cancel([future for key, (future, _) in self._left.items() if key not in begun])
                self._left = {key: value for key, value in self._left.items() if key in begun}
            while self._left:
                self._left.pop(self._done.get(timeout=max(0.0, until - time.monotonic())), None)
        with contextlib.suppress(Exception):
            self._client.unregister_worker_plugin(self._batch.name)
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)


_stops: dict[str, Stop] = {}
_under_way: list[str] = []
"""The batch of each run that this worker has, as often as it has runs."""

_lock = threading.Lock()


def _versions() -> tuple[str, str]:
    return version("dianet-lab"), version("torch")


def _stop_of(batch: str) -> Stop:
    with _lock:
        return _stops.setdefault(batch, Stop())


def request_stop(batch: str) -> None:
    """In a worker: let the runs of a batch save and end, also those that have yet to begin."""
    _stop_of(batch).request("its client")


def on_worker(order: Order, batch: Batch) -> Record:
    """In a worker: carry out an order."""
    run_id, host = order.config.run_id, platform.node()
    if not batch.probe.exists():
        note = f"the worker on {host} does not see the store {order.root}: all workers need it under the same path"
        return Record(run_id, "no store", note)
    order.settle()
    last = float("-inf")

    def on_epoch(row: dict[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY:
            last = time.monotonic()
            distributed.get_worker().log_event(batch.name, (run_id, int(row["epoch"])))

    with _lock:
        _under_way.append(batch.name)
    try:
        record = carry_out(order, "auto", _stop_of(batch.name), on_epoch)
    except Interrupted:
        record = Record(run_id, "interrupted")
    finally:
        with _lock:
            _under_way.remove(batch.name)
    if _versions() != batch.versions:
        found, wanted = ("dianet-lab {} with torch {}".format(*pair) for pair in (_versions(), batch.versions))
        record = replace(
            record, remarks=(*record.remarks, f"the worker on {host} has {found}, but here it is {wanted}")
        )
    return record


class SaveBeforeClosing(distributed.WorkerPlugin):
    """A worker that is closed, as by SIGTERM at the end of its job, lets the runs of a batch save first."""

    def __init__(self, batch: str):
        self.batch = batch

    def teardown(self, worker: distributed.Worker) -> None:
        _stop_of(self.batch).request("the end of its worker")
        until = time.monotonic() + CLOSING
        while self.batch in _under_way and time.monotonic() < until:
            time.sleep(0.05)
        _stops.pop(self.batch, None)
