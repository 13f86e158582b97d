"""The learning rate of every update."""

import math

from dianet_lab.config import TrainConfig


def learning_rate(train: TrainConfig, epoch: int, step: int, steps: int) -> float:
    """The rate of update ``step`` (of ``steps``) in the 0-based ``epoch``.

    ``step`` multiplies by gamma at each milestone epoch (the official schedule); ``cosine`` falls from lr to 0 over
    all updates after the warm-up; the warm-up rises linearly to lr and reaches it at its last update.
    """
    position = epoch + step / steps
    if position < train.warmup_epochs:
        return train.lr * (epoch * steps + step + 1) / (train.warmup_epochs * steps)
    if train.schedule == "cosine":
        share = (position - train.warmup_epochs) / (train.epochs - train.warmup_epochs)
        return train.lr * 0.5 * (1 + math.cos(math.pi * share))
    return train.lr * train.gamma ** sum(epoch >= milestone for milestone in train.milestones)
