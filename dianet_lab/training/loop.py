"""Training of one configuration: epochs, evaluation, divergence, and going on after a stop."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dianet_lab.attention.stage import stage_attentions
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import RunConfig
from dianet_lab.data.batches import TrainingStream, evaluation_batches
from dianet_lab.data.images import ImageData, Splits
from dianet_lab.models import build_model
from dianet_lab.seeding import seed_of
from dianet_lab.training.checkpoint import Checkpoint
from dianet_lab.training.device import autocast, loss_scaler, repeatable
from dianet_lab.training.schedule import learning_rate

EVALUATION_BATCH = 250
FIT_LIMIT = 10_000
"""How many training images the final, un-augmented training accuracy is measured on."""


@dataclass
class Evaluation:
    """Mean cross-entropy, accuracy (0 to 1) and the class probabilities ``[image, class]`` of one part of the data."""

    loss: float
    accuracy: float
    probabilities: Tensor


@dataclass
class Outcome:
    """What a run yields. ``status`` is ``finished`` or ``diverged`` (a NaN or infinite loss: a result, not a crash)."""

    status: str
    model: ResidualNet
    history: list[dict[str, float]]
    test: Evaluation | None = None
    train_accuracy: float = math.nan
    resumed_at: int = 0
    seconds: float = field(default=0.0)


def parameter_groups(model: nn.Module, attention_lr_scale: float) -> list[dict[str, Any]]:
    """All parameters with a ``scale`` of 1, but the attention's with ``attention_lr_scale`` where that is another."""
    if attention_lr_scale == 1:
        return [{"params": list(model.parameters()), "scale": 1.0}]
    attention = [p for module in stage_attentions(model).values() for p in module.parameters()]
    known = {id(parameter) for parameter in attention}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    return [{"params": others, "scale": 1.0}, {"params": attention, "scale": attention_lr_scale}]


class Training:
    """A model, its optimizer and its position in the epochs.

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
        self.epoch = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        self.test: Evaluation | None = None

    @property
    def diverged(self) -> bool:
        """Whether any loss so far is NaN or infinite."""
        losses = (row[key] for row in self.history for key in row if key.endswith("_loss"))
        return any(not math.isfinite(loss) for loss in losses)

    def run_epoch(self) -> None:
        """Train one epoch, evaluate where ``eval_every`` says so, and append a row to the history."""
        started = time.perf_counter()
        row = {"epoch": self.epoch + 1} | self._train_epoch()
        row["seconds"] = time.perf_counter() - started
        row["images_per_second"] = row.pop("images") / row["seconds"]
        self.epoch += 1
        self.history.append(row)
        due = self.epoch % self.config.train.eval_every == 0 or self.epoch == self.config.train.epochs
        if due and not self.diverged:
            self.test = self.evaluate(self.splits.test)
            row["test_loss"], row["test_accuracy"] = self.test.loss, self.test.accuracy
            if len(self.splits.val):
                validation = self.evaluate(self.splits.val)
                row["val_loss"], row["val_accuracy"] = validation.loss, validation.accuracy

    def _train_epoch(self) -> dict[str, float]:
        config, steps = self.config, len(self.stream)
        loss_sum = torch.zeros((), device=self.device)
        hits = torch.zeros((), device=self.device)
        images = 0
        self.model.train()
        # The global generator feeds dropout only; data and augmentation have generators of their own.
        torch.manual_seed(seed_of("dropout", config.seed, self.epoch))
        for step, (batch, labels) in enumerate(self.stream.epoch(config.seed, self.epoch)):
            rate = learning_rate(config.train, self.epoch, step, steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group.get("scale", 1.0)  # which a checkpoint of an older version lacks
            loss, logits = self.update(batch, labels)
            loss_sum += loss * len(labels)
            hits += (logits.argmax(1) == labels).sum()
            images += len(labels)
        return {
            "lr": rate,
            "train_loss": loss_sum.item() / images,
            "train_accuracy": hits.item() / images,
            "images": images,
        }

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

    @torch.no_grad()
    def evaluate(self, data: ImageData) -> Evaluation:
        """Loss, accuracy and probabilities on ``data``, in eval mode and without augmentation."""
        self.model.eval()
        logits, labels = [], []
        for batch, label in evaluation_batches(data, EVALUATION_BATCH, device=self.device):
            logits.append(self.model(batch).float())
            labels.append(label)
        logits, labels = torch.cat(logits), torch.cat(labels)
        loss = nn.functional.cross_entropy(logits, labels).item()
        # In double precision: equal counts must give equal accuracies, and ties equal differences.
        accuracy = (logits.argmax(1) == labels).sum().item() / len(labels)
        return Evaluation(loss, accuracy, logits.softmax(1).cpu())

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on after the last whole epoch."""
        return {
            "epoch": self.epoch,
            "seconds": self.seconds,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.epoch, self.history, self.seconds = state["epoch"], state["history"], state["seconds"]


def train(
    config: RunConfig,
    splits: Splits,
    *,
    device: torch.device,
    threads: int = 1,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Outcome:
    """Train a configuration from its start, or from its checkpoint, to its end.

    The same configuration on the same machine with the same thread count gives bit-identical weights and history,
    in one go or continued.

    Args:
        splits: the images drawn for ``config.seed``.
        threads: CPU threads while it runs.
        checkpoint: where to go on from and what to write to, at the end of an epoch.
        on_epoch: called with the history's newest row after each epoch.
    """
    clock = time.perf_counter()
    with repeatable(device, threads, seed_of("run", config.seed)):
        training = Training(config, splits, device)
        if checkpoint and (saved := checkpoint.load(device)):
            training.load(saved)
        resumed_at, before = training.epoch, training.seconds
        while training.epoch < config.train.epochs and not training.diverged:
            training.run_epoch()
            training.seconds = before + time.perf_counter() - clock
            if on_epoch:
                on_epoch(training.history[-1])
            if checkpoint and training.epoch < config.train.epochs:
                checkpoint.offer(training.state())
        outcome = Outcome("diverged", training.model, training.history, resumed_at=resumed_at)
        if not training.diverged:
            outcome.status = "finished"
            outcome.test = training.test
            shown = splits.train.select(torch.arange(min(len(splits.train), FIT_LIMIT)))
            outcome.train_accuracy = training.evaluate(shown).accuracy
    outcome.seconds = before + time.perf_counter() - clock
    return outcome
