"""The training of one configuration: its steps, its epochs, its position and its history."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dianet_lab.attention.stage import stage_attentions
from dianet_lab.config import RunConfig
from dianet_lab.data.batches import TrainingStream
from dianet_lab.data.images import Splits
from dianet_lab.models import build_model
from dianet_lab.seeding import seed_of
from dianet_lab.training.device import autocast, get_generators, loss_scaler, set_generators
from dianet_lab.training.evaluation import Evaluation, evaluate
from dianet_lab.training.schedule import learning_rate


def parameter_groups(model: nn.Module, attention_lr_scale: float) -> list[dict[str, Any]]:
    """All parameters with a ``scale`` of 1, but the attention's with ``attention_lr_scale`` where that is another."""
    if attention_lr_scale == 1:
        return [{"params": list(model.parameters()), "scale": 1.0}]
    attention = [p for module in stage_attentions(model).values() for p in module.parameters()]
    known = {id(parameter) for parameter in attention}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    return [{"params": others, "scale": 1.0}, {"params": attention, "scale": attention_lr_scale}]


@dataclass
class Sums:
    """What the row of an epoch is made of, up to the current step; scalars on the device of the training."""

    loss: Tensor
    hits: Tensor
    images: int = 0
    rate: float = 0.0
    seconds: float = 0.0


class Training:
    """A model, its optimizer and its position: the epoch, and the step within it.

    Args:
        config: what to train.
        splits: the images drawn for ``config.seed``.
        device: where to compute.
    """

    def __init__(self, config: RunConfig, splits: Splits, device: torch.device):
        self.config, self.splits, self.device = config, splits, device
        data, train = splits.train, config.train
        model = build_model(config.model, data.in_channels, data.num_classes, config.seed)
        self.model = model.to(device, memory_format=torch.channels_last)
        self.stream = TrainingStream(data, train.batch_size, augment=config.data.augment, device=device)
        self.optimizer = torch.optim.SGD(
            parameter_groups(self.model, train.attention_lr_scale),
            lr=train.lr,
            momentum=train.momentum,
            nesterov=train.nesterov,
            weight_decay=train.weight_decay,
        )
        self.scaler = loss_scaler(train.precision, device)
        self.loss = nn.CrossEntropyLoss(label_smoothing=train.label_smoothing)
        self.epoch = self.step = 0
        self.sums = self._nothing()
        self.history: list[dict[str, float]] = []
        self.test: Evaluation | None = None
        self._generators: dict[str, Tensor] | None = None

    @property
    def diverged(self) -> bool:
        """Whether any loss so far is NaN or infinite."""
        return any(not _finite(row) for row in self.history)

    def run_epoch(self, pause: Callable[[], None] = lambda: None) -> None:
        """Train what is left of an epoch, evaluate where ``eval_every`` says so, and append a row to the history.

        Args:
            pause: called after each step and between the batches of an evaluation, where :meth:`state` is whole; what
                it raises ends the epoch there.
        """
        self._train_epoch(pause)
        row = self._row()
        if (self._next() % self.config.train.eval_every == 0 or self._next() == self.config.train.epochs) and _finite(
            row
        ):
            parts = {"test": self.splits.test} | ({"val": self.splits.val} if len(self.splits.val) else {})
            found = {name: evaluate(self.model, part, self.device, pause) for name, part in parts.items()}
            for name, evaluation in found.items():
                row |= {f"{name}_loss": evaluation.loss, f"{name}_accuracy": evaluation.accuracy}
            self.test = found["test"]
        self.history.append(row)
        self.epoch, self.step, self.sums = self._next(), 0, self._nothing()

    def _next(self) -> int:
        return self.epoch + 1

    def _nothing(self) -> Sums:
        return Sums(torch.zeros((), device=self.device), torch.zeros((), device=self.device))

    def _row(self) -> dict[str, float]:
        sums = self.sums
        return {
            "epoch": self._next(),
            "lr": sums.rate,
            "train_loss": sums.loss.item() / sums.images,
            "train_accuracy": sums.hits.item() / sums.images,
            "seconds": sums.seconds,
            "images_per_second": sums.images / sums.seconds,
        }

    def _train_epoch(self, pause: Callable[[], None]) -> None:
        config, steps, sums = self.config, len(self.stream), self.sums
        clock = time.perf_counter()
        self.model.train()
        # The global generator feeds dropout only; data and augmentation have generators of their own.
        torch.manual_seed(seed_of("dropout", config.seed, self.epoch))
        if self._generators:
            set_generators(self._generators, self.device)
            self._generators = None
        for batch, labels in self.stream.epoch(config.seed, self.epoch, self.step):
            sums.rate = learning_rate(config.train, self.epoch, self.step, steps)
            for group in self.optimizer.param_groups:
                group["lr"] = sums.rate * group["scale"]
            loss, logits = self.update(batch, labels)
            sums.loss += loss * len(labels)
            sums.hits += (logits.argmax(1) == labels).sum()
            sums.images += len(labels)
            self.step += 1
            now = time.perf_counter()
            sums.seconds, clock = sums.seconds + now - clock, now
            pause()
            clock = time.perf_counter()  # without the time of a checkpoint

    def update(self, batch: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One step of SGD on a batch; returns its loss (a scalar) and logits ``[batch, class]``, both detached."""
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.config.train.precision, self.device):
            logits = self.model(batch)
            loss = self.loss(logits, labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach(), logits.detach()

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on after the last step; of plain types and tensors only."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "sums": vars(self.sums),
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generators": get_generators(self.device),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty where the loss was not scaled, as on another kind of device
            self.scaler.load_state_dict(state["scaler"])
        self.epoch, self.step, self.history = state["epoch"], state["step"], state["history"]
        moved = {name: v.to(self.device) if isinstance(v, Tensor) else v for name, v in state["sums"].items()}
        self.sums = Sums(**moved)
        self._generators = state["generators"] if self.step else None  # an epoch that begins seeds them anew


def _finite(row: dict[str, float]) -> bool:
    return all(math.isfinite(value) for name, value in row.items() if name.endswith("_loss"))
