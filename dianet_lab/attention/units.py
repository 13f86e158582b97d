"""The rivals of the DIA-LSTM: units without a memory."""

from typing import ClassVar

import torch
from torch import Tensor

from dianet_lab.attention.unit import Bottleneck, ChannelUnit


class SqueezeExcitation(ChannelUnit):
    """SE: ``gate = sigmoid(W2 relu(W1 squeeze))`` with biases, ``W1: C -> max(1, C // r)``.

    Hu, Shen, Sun: Squeeze-and-Excitation Networks, CVPR 2018, arXiv 1709.01507, equation 3. The gate starts at about
    0.5. SENet is ``sharing="none", reduction=16``.
    """

    options: ClassVar[tuple[str, ...]] = ("sharing", "reduction")

    def __init__(self, channels: int, *, reduction: int = 4):
        super().__init__()
        self.map = Bottleneck(channels, reduction, channels)

    def excite(self, squeeze: Tensor, state: None = None) -> tuple[Tensor, None]:
        return torch.sigmoid(self.map(squeeze))[:, :, None, None], None
