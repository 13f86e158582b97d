"""How fast a network trains on this machine, from a few timed steps, and so how long a run of it takes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import torch

from dianet_lab.config import RunConfig
from dianet_lab.data.batches import TrainingStream, steps_per_epoch
from dianet_lab.data.images import Splits
from dianet_lab.training.device import repeatable, resolve_device
from dianet_lab.training.evaluation import evaluate
from dianet_lab.training.loop import FIT_LIMIT
from dianet_lab.training.trainer import Training

TIMES, ENOUGH = 4, 0.5
"""Something is timed so often, or for so many seconds if it takes long."""

SETTLED = 0.7
"""Once more is timed, however, what takes less than this share of before: kernels were still chosen, memory taken."""

EVALUATED = 250
"""Images that evaluation is timed on."""


@dataclass(frozen=True)
class Pace:
    """Seconds of one step of training, batch included, and of evaluating one image."""

    update: float
    image: float

    def of_run(self, config: RunConfig, splits: Splits) -> float:
        """Seconds of a run from its start to its end, without reading the data and storing the result."""
        train = config.train
        steps = train.epochs * steps_per_epoch(len(splits.train), train.batch_size)
        evaluations = -(-train.epochs // train.eval_every)  # the last epoch is always evaluated
        images = evaluations * (len(splits.test) + len(splits.val)) + min(len(splits.train), FIT_LIMIT)
        return steps * self.update + images * self.image


def measure_pace(config: RunConfig, splits: Splits, device: str, threads: int) -> Pace:
    """The pace of a run here, while nothing else runs: the fastest of a few steps, and of a small evaluation.

    Args:
        splits: its images, or others of the same shape.
        device: ``auto``, ``cpu``, ``cuda``, ...
        threads: CPU threads of the run.
    """
    place = resolve_device(device)
    with repeatable(place, threads, 0):
        training = Training(config, splits, place)
        training.model.train()
        batches = _endless(training.stream)
        update = _fastest(lambda: training.update(*next(batches))[0].item(), least=2)
        shown = splits.test.select(torch.arange(min(len(splits.test), EVALUATED)))
        evaluation = _fastest(lambda: evaluate(training.model, shown, place), least=1)
    return Pace(update, evaluation / len(shown))


def _endless(stream: TrainingStream) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for epoch in count():
        yield from stream.epoch(0, epoch)


def _fastest(work: Callable[[], object], least: int) -> float:
    """The fewest seconds of a few times, but no fewer than ``least``."""
    times: list[float] = []
    settled = True
    while len(times) < least or not settled or (len(times) < TIMES and sum(times) < ENOUGH):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
        settled = len(times) == 1 or times[-1] > SETTLED * min(times[:-1])
    return min(times)
