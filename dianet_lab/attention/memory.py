"""What a stage adds to a recurrent unit: the clock, and a learned vector for each block."""

import torch
from torch import Tensor, nn

from dianet_lab.attention.recurrent import HiddenState
from dianet_lab.attention.unit import ChannelUnit

MOMENTUM = 0.1
"""Of the running means, as BatchNorm's."""


class Clock(nn.Module):
    """The state of a unit run on mean squeezes: the same weights and drift from block to block, but no image in it.

    While training, a block's mean squeeze is that of the batch, and its running mean is updated; in eval mode it is
    the running mean, so that an image's result depends on no other image.
    """

    def __init__(self, blocks: int, channels: int):
        super().__init__()
        self.register_buffer("means", torch.zeros(blocks, channels))

    def tick(self, position: int, unit: ChannelUnit, squeeze: Tensor, state, *embedding: Tensor) -> HiddenState:
        """The state after one block; each value is ``[cells, batch, channel]`` with equal rows."""
        if self.training:
            mean = squeeze.mean(0, keepdim=True)
            with torch.no_grad():
                self.means[position].lerp_(mean[0].to(self.means.dtype), MOMENTUM)
        else:
            mean = self.means[position : position + 1].to(squeeze.dtype)
        one = None if state is None else state._make([value[:, :1] for value in state])
        _, ticked = unit.excite(mean, one, *embedding)
        return ticked._make([value.expand(-1, len(squeeze), -1) for value in ticked])


class LayerEmbedding(nn.Module):
    """A learned vector for each block, ``[blocks, width]``, zero at the start: what tells a shared unit where it is."""

    def __init__(self, blocks: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(blocks, width))

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor:
        return torch.zeros(self.weight.shape)

    def forward(self, position: int) -> Tensor:
        return self.weight[position]
