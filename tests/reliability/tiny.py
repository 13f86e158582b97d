"""Runs small enough to be killed a hundred times, what must come out of them, and processes to train them in."""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dianet_lab.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from dianet_lab.studies.claims import FOLDER
from dianet_lab.studies.pool import _without_main, warm_up
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.work import Order, carry_out
from dianet_lab.training.stop import Stop, stop_at_signals

TIMES = ["seconds", "images_per_second"]


def tiny(epochs: int = 2, **changes: Any) -> RunConfig:
    """Two steps an epoch on 40 digits; two stacked cells, so that dropout's generator counts too."""
    base = RunConfig(
        model=ModelConfig(depth=14, width=4),
        data=DataConfig(train_size=40, val_size=20, test_limit=50),
        train=TrainConfig(epochs=epochs, batch_size=20, lr=0.02),
    )
    return base.override({"model.attention.cells": 2, **changes})


def bits(store: RunStore, run_id: str) -> tuple[str, str, str]:
    """What must not depend on how often a run was killed: weights, history without times, predictions."""
    manifest = store.manifest(run_id)
    history = store.history(run_id).drop(columns=TIMES)
    return (
        manifest["model"]["weights_sha256"],
        history.to_csv(index=False, float_format="%.17g"),
        manifest["files"]["predictions.safetensors"]["sha256"],
    )


def unbroken(config: RunConfig, root: Path) -> tuple[str, str, str]:
    """The bits of a run that nobody disturbs."""
    store = RunStore(root)
    record = carry_out(Order.here(config, store, keep_weights=True), "cpu")
    assert record.status == "finished", record
    return bits(store, config.run_id)


def leftovers(store: RunStore) -> list[str]:
    """Half-written files and claims, of which nothing may be left when all is done."""
    claims = list((store.root / FOLDER).glob("*"))
    return [str(path) for path in [*store.root.rglob(".*.tmp"), *claims]]


def _begin(work: Callable[..., Any], *arguments: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which the fork server ignores
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work(*arguments)


def in_process(work: Callable[..., Any], *arguments: Any, daemon: bool = True) -> BaseProcess:
    """Start ``work`` in a process of its own, which has everything imported already.

    Args:
        daemon: whether it ends with this process; such a one can start no workers.
    """
    with _without_main():
        process = warm_up().Process(target=_begin, args=(work, *arguments), daemon=daemon)
        process.start()
    return process


def train_one(order: Order, prepare: Callable[..., None] | None = None, *arguments: Any) -> None:
    """In a process: carry an order out, and stop at SIGTERM as a command does."""
    if prepare:
        prepare(*arguments)
    stop = Stop()
    with stop_at_signals(stop):
        record = carry_out(order, "cpu", stop)
    if record.status != "finished":
        raise SystemExit(str(record))


def kill(process: BaseProcess) -> None:
    """SIGKILL, and wait for the end."""
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that must come true.

    Raises:
        TimeoutError: it did not.
    """
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.01)
