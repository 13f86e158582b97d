"""Many processes, one store, random kills: every run is finished once, and none is lost."""

import os
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dianet_lab.studies import claims
from dianet_lab.studies.claims import FOLDER
from dianet_lab.studies.state import run_state
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.waiting import claim_on
from dianet_lab.studies.work import Order, carry_out
from tests.reliability.tiny import bits, in_process, kill, leftovers, tiny, unbroken, wait_until


@dataclass(frozen=True)
class Outcome:
    """What came of it: runs finished, trained twice, kills, kills while a run was claimed, wrong bits, leftovers."""

    runs: int
    finished: int
    twice: int
    kills: int
    claimed: int
    different: int
    left: int
    seconds: float


def work_through(orders: list[Order], log: Path) -> None:
    """In a process: go through all runs until all are in the store; note in the log what was trained here."""
    draw, left = random.Random(os.getpid()), list(orders)
    while left:
        draw.shuffle(left)
        for order in list(left):
            record = carry_out(order, "cpu")
            if record.trained:
                with log.open("a") as stream:
                    stream.write(f"{record.run_id}\n")
            if record.status == "finished":
                left.remove(order)


def crowd(processes: int, runs: int, folder: Path, every: float = 0.5, seed: int = 0) -> Outcome:
    """Let processes compete for runs while one of them is killed and replaced every so many seconds."""
    store, log, draw = RunStore(folder / "runs"), folder / "log", random.Random(seed)
    configs = [tiny(seed=number) for number in range(runs)]
    orders = [Order.here(config, store, checkpoint_every=0.0) for config in configs]
    began, kills, claimed = time.monotonic(), 0, 0
    workers = [in_process(work_through, orders, log) for _ in range(processes)]
    while any(worker.is_alive() for worker in workers):
        time.sleep(every * draw.uniform(0.5, 1.5))
        index = draw.randrange(processes)
        if workers[index].is_alive():
            kill(workers[index])
            kills += 1
            claimed += any(f'"pid": {workers[index].pid},' in text for text in _claims(store).values())
            workers[index] = in_process(work_through, orders, log)
    trained = Counter(log.read_text().split())
    shown = draw.sample(configs, min(10, runs))
    different = sum(bits(store, c.run_id) != unbroken(c, folder / "unbroken") for c in shown)
    finished = sum(config.run_id in store for config in configs)
    twice = sum(count > 1 for count in trained.values())
    seconds = time.monotonic() - began
    return Outcome(runs, finished, twice, kills, claimed, different, len(leftovers(store)), seconds)


def _claims(store: RunStore) -> dict[Path, str]:
    found = {}
    for path in (store.root / FOLDER).glob("*"):
        with suppress(FileNotFoundError):  # given back meanwhile
            found[path] = path.read_text()
    return found


def _hold(order: Order) -> None:
    with claim_on(RunStore(order.root), order.config.run_id):
        time.sleep(3600)


def time_to_take_over(folder: Path, elsewhere: bool = False) -> float:
    """Seconds from the death of a process to the moment at which another has its run.

    Args:
        elsewhere: as if it had been on another machine, of whose processes nothing is known here.
    """
    config, store = tiny(), RunStore(folder)
    order = Order.here(config, store)
    holder = in_process(_hold, order)
    wait_until(lambda: run_state(store.root, config.run_id).status == "running")
    if elsewhere:
        (path,) = _claims(store)
        path.write_text(
            path.read_text().replace(f'"pid": {holder.pid}', '"pid": 1').replace('"place": "', '"place": "far ')
        )
    kill(holder)
    began = time.monotonic()
    record = carry_out(replace(order, patience=3 * claims.STALE_AFTER), "cpu")
    assert record.status == "finished", record
    return time.monotonic() - began - store.manifest(config.run_id)["result"]["seconds"]
