"""The weights that a run had on its way: after which epochs they are kept, and the copies themselves."""

from collections.abc import Collection, Mapping

import numpy as np
from torch import Tensor, nn

from dianet_lab.training.checkpoint import BadCheckpoint

LOOKS = 9
"""How often a training is looked at: at its start, and at about equal steps of the logarithm of the epoch."""

Weights = dict[str, Tensor]


def look_at(epochs: int) -> list[int]:
    """The epochs after which to look: 0, and then about equal steps of the logarithm up to the last."""
    steps = np.unique(np.rint(np.geomspace(1, epochs, min(LOOKS - 1, epochs))).astype(int))
    return [0, *steps.tolist()]


def snapshot_epochs(epochs: int) -> list[int]:
    """Of these, those whose weights need a file of their own.

    At 0 they are the initial values, which follow from the seed, and after the last epoch the run's own.
    """
    return look_at(epochs)[1:-1]


class Snapshots:
    """Copies of a network's weights, in memory, after the epochs that are asked for: a callback of a training.

    They travel in the run's checkpoint until the run is stored, so that a run which is killed and goes on has them all.

    Args:
        epochs: after which to take one.
    """

    def __init__(self, epochs: Collection[int]):
        self.epochs = sorted(epochs)
        self.taken: dict[int, Weights] = {}

    def __call__(self, epoch: int, model: nn.Module) -> None:
        """Take one if this epoch is asked for; on the CPU and contiguous, as they are stored."""
        if epoch in self.epochs:
            self.taken[epoch] = {
                name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()
            }

    def go_on(self, epoch: int, taken: Mapping[int, Weights]) -> None:
        """Take over those that a checkpoint has, which was written after ``epoch``.

        Raises:
            BadCheckpoint: it lacks some, having been written by a run that was begun without them.
        """
        if missing := [past for past in self.epochs if past <= epoch and past not in taken]:
            listed = ", ".join(map(str, missing))
            raise BadCheckpoint(f"the run was begun without snapshots: its checkpoint lacks those of epoch {listed}")
        self.taken = dict(taken)
