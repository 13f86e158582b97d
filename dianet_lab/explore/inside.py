"""One network with the images that are shown to it, and what was captured of it once."""

from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from dianet_lab.analysis.blend import Blend, Fade
from dianet_lab.analysis.capture import FACTORS, Trace, capture
from dianet_lab.analysis.interventions import Intervention, intervene
from dianet_lab.analysis.points import Position, attentions, hook_points
from dianet_lab.attention.unit import ChannelUnit
from dianet_lab.data.batches import evaluation_batches, normalise
from dianet_lab.data.images import ImageData
from dianet_lab.errors import LabError
from dianet_lab.explore.state import ANOTHER, KINDS, QUARTER, RESET, TRAINING_MEAN

KEPT = 64
"""Images of which the attribution is remembered."""

BATCH, SPATIAL_BATCH = 250, 25
"""Images in one pass over the training images; gates over space are large."""


class Inside:
    """A network in eval mode, its test images, and what needs a pass of its own only once.

    Args:
        model: with attention units; see :func:`~dianet_lab.analysis.points.attentions` for what is raised otherwise.
        images: test images.
        train: training images, of which a gate's mean is taken.
    """

    def __init__(self, model: nn.Module, images: ImageData, train: ImageData):
        self.model, self.images, self.train = model.eval(), images, train
        self.positions: list[Position] = list(hook_points(model))
        units = [unit for attention in attentions(model) for unit in attention.units]
        self.spatial = not all(isinstance(unit, ChannelUnit) for unit in units)
        self.remembers = any(getattr(unit, "recurrent", False) for unit in units)
        self.attribution = lru_cache(KEPT)(self._attribution)

    def blocks(self, stage: int) -> list[int]:
        """The blocks of a stage that have a gate."""
        return [block for number, block in self.positions if number == stage]

    @property
    def stages(self) -> int:
        return 1 + self.positions[-1][0]

    def batch(self, images: Sequence[int] | Tensor) -> Tensor:
        """Test images by position, normalised: ``[image, channel, height, width]`` on the network's device."""
        device = next(self.model.parameters()).device
        mean, std = (values.to(device)[:, None, None] for values in (self.images.mean, self.images.std))
        return normalise(self.images.images[torch.as_tensor(images)].to(device), mean, std)

    @cached_property
    @torch.no_grad()
    def usual(self) -> dict[Position, tuple[Tensor, np.ndarray, np.ndarray]]:
        """Of every gate over the training images: its mean as it is multiplied, and mean and deviation ``[channel]``.

        One pass in bounded memory.
        """
        sums = dict.fromkeys(self.positions, 0.0)
        ones, squares = dict(sums), dict(sums)
        device = next(self.model.parameters()).device
        for batch, _ in evaluation_batches(self.train, SPATIAL_BATCH if self.spatial else BATCH, device=device):
            with capture(self.model, FACTORS) as trace:
                self.model(batch)
            for position in self.positions:
                channels = _of(trace, "gate", position).double()
                sums[position] = sums[position] + _whole(trace, position).double().sum(0, keepdim=True)
                ones[position] = ones[position] + channels.sum(0)
                squares[position] = squares[position] + (channels**2).sum(0)
        found, count = {}, len(self.train)
        for position in self.positions:
            mean = ones[position] / count
            deviation = (squares[position] / count - mean**2).clamp_min(0).sqrt()
            found[position] = (sums[position] / count).float(), mean.numpy(), deviation.numpy()
        return found

    @torch.no_grad()
    def gate_of(self, position: Position, images: Sequence[int]) -> Tensor:
        """What a block gives to test images, as it is multiplied: ``[image, channel, 1 or height, 1 or width]``."""
        with capture(self.model, FACTORS) as trace:
            self.model(self.batch(images))
        return _whole(trace, position)

    def intervention(
        self, kind: str, position: Position, amount: float | Tensor, others: Sequence[int] = ()
    ) -> Intervention:
        """An intervention of :data:`~dianet_lab.explore.state.KINDS` at one block.

        Args:
            amount: 0 to 1, a number or ``[batch]``.
            others: for each image of the batch the position of that which lends its gate.

        Raises:
            LabError: a state to reset where none is handed on, an unknown kind.
        """
        if kind == RESET:
            if not self.remembers:
                raise LabError("this network has no memory: no state goes from block to block that could be reset")
            return Fade(*position, amount=amount)
        if kind == TRAINING_MEAN:
            return Blend(*position, target=self.usual[position][0], amount=amount)
        if kind == QUARTER:
            return Blend(*position, target=0.25, amount=amount)
        if kind == ANOTHER:
            return Blend(*position, target=self.gate_of(position, others), amount=amount)
        raise LabError(f"kind: got {kind!r}, expected one of {', '.join(KINDS)}")

    @torch.no_grad()
    def run(self, images: Sequence[int], *interventions: Intervention) -> tuple[Tensor, Trace]:
        """``[image, class]`` logits in double precision on the CPU, and the gates."""
        with intervene(self.model, *interventions), capture(self.model, ["gate"]) as trace:
            logits = self.model(self.batch(images))
        return logits.cpu().double(), trace

    def _attribution(self, image: int) -> tuple[np.ndarray, float]:
        """By how much the true class's log-odds change when a gate becomes its training mean.

        One pass, with a row for each layer, one for all layers at once and one that is left alone.

        Returns:
            ``[position]`` in nats, each layer alone, and all at once.
        """
        count = len(self.positions)
        amounts = torch.cat([torch.eye(count), torch.ones(1, count), torch.zeros(1, count)])
        changes = [
            Blend(*position, target=self.usual[position][0], amount=amounts[:, number])
            for number, position in enumerate(self.positions)
        ]
        logits, _ = self.run([image] * len(amounts), *changes)
        odds = log_odds(logits, self.images.labels[image].expand(len(logits)))
        change = (odds - odds[-1]).numpy()
        return change[:count], float(change[count])


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """``log(p / (1 - p))`` of the true class, ``[image]``: what a confident network's log-probability hides.

    Where p is 0.999999, an intervention may halve the odds and leave the log-probability at 0.000.
    """
    true = labels[:, None]
    others = logits.scatter(1, true, -torch.inf).logsumexp(1)
    return logits.gather(1, true)[:, 0] - others


def _of(trace: Trace, quantity: str, position: Position) -> Tensor:
    stage, block = position
    return torch.from_numpy(trace.array(quantity, stage).sel(block=block).values)


def _whole(trace: Trace, position: Position) -> Tensor:
    """The gate with its four dimensions: over space where it is a map, else one number a channel."""
    if trace.has("map", position[0]):
        return _of(trace, "map", position)
    return _of(trace, "gate", position)[..., None, None]
