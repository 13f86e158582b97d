"""A run from its start, or from its checkpoint, to its end or to a stop."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import RunConfig
from dianet_lab.data.images import Splits
from dianet_lab.seeding import seed_of
from dianet_lab.training.checkpoint import Checkpoint
from dianet_lab.training.device import repeatable
from dianet_lab.training.evaluation import Evaluation, evaluate
from dianet_lab.training.snapshots import Snapshots, Weights
from dianet_lab.training.stop import Interrupted, Stop
from dianet_lab.training.trainer import Training

FIT_LIMIT = 10_000
"""How many training images the final, un-augmented training accuracy is measured on."""


@dataclass
class Outcome:
    """What a run yields. ``status`` is ``finished`` or ``diverged`` (a NaN or infinite loss: a result, not a crash).

    ``snapshots`` are the weights after earlier epochs, where they were asked for.
    """

    status: str
    model: ResidualNet
    history: list[dict[str, float]]
    test: Evaluation | None = None
    train_accuracy: float = math.nan
    resumed_at: int = 0
    seconds: float = 0.0
    snapshots: dict[int, Weights] = field(default_factory=dict)


def train(
    config: RunConfig,
    splits: Splits,
    *,
    device: torch.device,
    threads: int = 1,
    checkpoint: Checkpoint | None = None,
    stop: Stop | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    snapshots: Snapshots | None = None,
) -> Outcome:
    """Train a configuration from its start, or from its checkpoint, to its end.

    The same configuration on the same machine with the same thread count gives bit-identical weights and history,
    in one go or continued.

    Args:
        splits: the images drawn for ``config.seed``.
        threads: CPU threads while it runs.
        checkpoint: where to go on from and what to write to.
        stop: looked at after every step.
        on_epoch: called with the history's newest row after each epoch.
        snapshots: called with the epoch and the model after each epoch; keeps the weights of some.

    Raises:
        Interrupted: a stop was requested; the checkpoint has all that was done.
        BadCheckpoint, ConfigError: there is a checkpoint, but not one to go on from.
    """
    clock, before = time.perf_counter(), 0.0
    with repeatable(device, threads, seed_of("run", config.seed)):
        training = Training(config, splits, device)
        snapshots = snapshots or Snapshots([])
        if checkpoint and (saved := checkpoint.load()):
            snapshots.go_on(saved["epoch"], saved.get("snapshots", {}))
            training.load(saved)
            before = saved["seconds"]

        def state() -> dict[str, Any]:
            seconds = before + time.perf_counter() - clock
            return training.state() | {"seconds": seconds, "snapshots": snapshots.taken}

        resumed_at = training.epoch
        with _saving(checkpoint, state):
            while training.epoch < config.train.epochs and not training.diverged:
                training.run_epoch(lambda: _pause(checkpoint, stop, state, within_epoch=True))
                snapshots(training.epoch, training.model)
                if on_epoch:
                    on_epoch(training.history[-1])
                if training.epoch < config.train.epochs:
                    _pause(checkpoint, stop, state, within_epoch=False)
            outcome = _outcome(training, stop)
    outcome.resumed_at, outcome.seconds = resumed_at, before + time.perf_counter() - clock
    outcome.snapshots = snapshots.taken
    return outcome


def _pause(checkpoint: Checkpoint | None, stop: Stop | None, state: Callable[[], dict], within_epoch: bool) -> None:
    if stop:
        stop.check()
    if checkpoint and checkpoint.due(within_epoch):
        _write(checkpoint, state)


@contextmanager
def _saving(checkpoint: Checkpoint | None, state: Callable[[], dict]) -> Iterator[None]:
    try:
        yield
    except Interrupted:
        if checkpoint:
            _write(checkpoint, state, "what came after the last one is lost")
        raise


def _write(checkpoint: Checkpoint, state: Callable[[], dict], but: str = "training goes on") -> None:
    """A checkpoint that can't be written is no reason to end a run that may still be stored."""
    try:
        checkpoint.write(state)
    except OSError as error:
        why = f"{error.strerror or error}: {checkpoint.path}"
        print(f"warning: no checkpoint could be written ({why}); {but}", file=sys.stderr, flush=True)


def _outcome(training: Training, stop: Stop | None) -> Outcome:
    """The result, with the accuracy on the training images as they are."""
    outcome = Outcome("diverged", training.model, training.history)
    if not training.diverged:
        pause = stop.check if stop else lambda: None
        train, test = training.splits.train, training.splits.test
        shown = train.select(torch.arange(min(len(train), FIT_LIMIT)))
        outcome.status = "finished"
        # A run that was stopped after its last epoch has no evaluation in memory.
        outcome.test = training.test or evaluate(training.model, test, training.device, pause)
        outcome.train_accuracy = evaluate(training.model, shown, training.device, pause).accuracy
    return outcome
