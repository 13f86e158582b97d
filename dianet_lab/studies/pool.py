"""A pool of worker processes on this machine that outlives any of them: what a dead one leaves is done by another."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import ModuleType

from dianet_lab.errors import LabError
from dianet_lab.studies.work import Order, Record, carry_out
from dianet_lab.training.stop import Interrupted, Stop

PATIENCE = 120.0
"""Seconds that a worker has for ending its step and saving, before it is killed."""

TELL_EVERY = 0.5
"""Seconds between two messages of a worker about its epochs."""

START = "forkserver" if sys.platform == "linux" else "spawn"
"""How workers are started; the system libraries of macOS do not bear a fork, and Windows has none."""

READY = True
"""What a worker says first: only then is it given an order."""

IDLE_DEATHS = 10
"""How many workers may die before they get an order, with none that does its work between them."""

Told = Callable[[str, int], None]
"""Told the id of a run and how many of its epochs are done."""


class Alone:
    """The engine that needs no other process: orders are carried out here, one after the other."""

    def __init__(self, device: str, stop: Stop, told: Told):
        self._device, self._stop, self._told = device, stop, told
        self._orders: deque[Order] = deque()

    def submit(self, order: Order) -> None:
        """Put an order at the end of the queue."""
        self._orders.append(order)

    def next(self) -> Record:
        """The record of the next order that ends."""
        order = self._orders.popleft()
        run_id = order.config.run_id
        return carry_out(order, self._device, self._stop, lambda row: self._told(run_id, int(row["epoch"])))

    def close(self) -> None:
        """Nothing is left to end."""


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: connection.Connection
    device: str
    order: Order | None = None
    ready: bool = False


class Pool:
    """The engine of one machine: a process a device, started once and used for all orders.

    A worker that dies (killed, out of memory) yields a record ``lost`` of its run and is replaced; the others go on.
    """

    def __init__(self, devices: list[str], stop: Stop, told: Told):
        self._stop, self._told, self._context = stop, told, warm_up()
        self._orders: deque[Order] = deque()
        self._idle_deaths = 0
        self._workers = [self._start(device) for device in devices]

    def _start(self, device: str, attempts: int = 5) -> _Worker:
        warm_up()  # again, if the fork server was killed
        ours, theirs = self._context.Pipe()
        try:
            with _without_main(), _worker_environment():
                process = self._context.Process(target=_work, args=(theirs, device), daemon=True)
                process.start()
        except (EOFError, OSError):  # the fork server was killed; the next start begins another one
            if not attempts:
                raise LabError("worker processes can't be started: is there memory for them?") from None
            time.sleep(0.2)
            return self._start(device, attempts - 1)
        finally:
            theirs.close()
        return _Worker(process, ours, device)

    def submit(self, order: Order) -> None:
        """Put an order at the end of the queue."""
        self._orders.append(order)

    def next(self) -> Record:
        """The record of the next order that ends.

        Raises:
            Interrupted: it was asked to stop.
        """
        while True:
            self._stop.check()
            self._hand_out()
            ends = {worker.pipe: worker for worker in self._workers if worker.order or not worker.ready}
            ends |= {worker.process.sentinel: worker for worker in self._workers}
            for ready in connection.wait(list(ends), timeout=0.2):
                # One that has been replaced may be ready twice: its pipe, and its end.
                if ends[ready] in self._workers and (record := self._receive(ends[ready])):
                    return record

    def _hand_out(self) -> None:
        for worker in self._workers:
            if self._orders and worker.ready and worker.order is None and worker.process.is_alive():
                worker.order = self._orders.popleft()
                try:
                    worker.pipe.send(worker.order)
                except OSError:  # it has just died: its sentinel tells
                    return

    def _receive(self, worker: _Worker) -> Record | None:
        """A worker's record, or that it was lost; None where it only tells of its epochs."""
        try:
            while worker.pipe.poll():
                message = worker.pipe.recv()
                if message is READY:
                    worker.ready = True
                    return None
                if isinstance(message, Record):
                    worker.order, self._idle_deaths = None, 0
                    return message
                self._told(*message)
        except (EOFError, OSError):
            worker.process.join()
        if worker.process.is_alive():
            return None
        order, code = worker.order, worker.process.exitcode
        worker.pipe.close()
        how = f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"with exit code {code}"
        note = f"its process was ended {how}" + (", perhaps for want of memory" if code == -signal.SIGKILL else "")
        self._idle_deaths += order is None
        if self._idle_deaths > IDLE_DEATHS:
            raise LabError(
                f"worker processes end before they get to work: the last one was ended {how}. Its messages are above"
            )
        self._workers[self._workers.index(worker)] = self._start(worker.device)
        return Record(order.config.run_id, "lost", note) if order else None

    def close(self) -> None:
        """End all workers; those that are training save first."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        until = time.monotonic() + PATIENCE
        for worker in self._workers:
            while worker.process.is_alive() and time.monotonic() < until:
                worker.process.terminate()  # again: one that was just starting may not have heard it
                worker.process.join(0.5)
            worker.process.kill()
            worker.process.join()


def warm_up() -> BaseContext:
    """How workers are started. A fork server, where there is one, begins to load what they need; returns at once.

    A fork server loads PyTorch once for all workers, also for those that replace dead ones. It computes nothing and has
    no accelerator, so that it can be forked, which this process could not: its only threads are idle ones of libraries
    that are prepared for that.
    """
    context = multiprocessing.get_context(START)
    if START == "forkserver":
        from multiprocessing import forkserver

        # An optimiser imports the last of these when it is first made, which takes longer than all else of a short run.
        context.set_forkserver_preload([__name__, "dianet_lab.data.digits", "torch._dynamo"])
        with _worker_environment(), _signals_ignored():
            forkserver.ensure_running()
    return context


_main_lock = threading.Lock()


@contextmanager
def _without_main() -> Iterator[None]:
    """Workers need nothing of the main script, and would run it again where it has no ``if __name__`` guard."""
    with _main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """A fork server that begins inside ignores signals to the whole group: without it, workers could not be waited for.

    It ends with this process. Workers handle signals of their own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


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


def _work(pipe: connection.Connection, device: str) -> None:
    """The life of a worker: it ends when the pool does, or its parent, or when SIGTERM comes, and saves before it."""
    stop = Stop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent decides
    signal.signal(signal.SIGTERM, lambda number, frame: stop.request("SIGTERM"))
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), stop.request("the end of its parent")), daemon=True).start()
    try:
        pipe.send(READY)
        while not stop.reason:
            if pipe.poll(0.2):
                pipe.send(_attempt(pipe.recv(), device, stop, pipe))
    except (EOFError, OSError):  # the pool was closed, or the parent has gone
        return
    except Interrupted:
        pass
    sys.exit(128 + signal.SIGTERM)


def _attempt(order: Order, device: str, stop: Stop, pipe: connection.Connection) -> Record:
    last = float("-inf")

    def on_epoch(row: dict[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY:
            last = time.monotonic()
            try:
                pipe.send((order.config.run_id, int(row["epoch"])))
            except OSError:
                stop.request("the end of its parent")

    order.settle()
    return carry_out(order, device, stop, on_epoch)
