"""Channel units without a memory: SE, ECA and the per-channel affine of IEBN."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from dianet_lab.attention.unit import ChannelUnit, hidden_width, linear_map, start_at_zero


class SqueezeExcitation(ChannelUnit):
    """SE: ``gate = sigmoid(W2 relu(W1 squeeze))`` with biases, ``W1: C -> max(1, C // r)``.

    Hu, Shen, Sun: Squeeze-and-Excitation Networks, CVPR 2018, arXiv 1709.01507, equation 3. The gate starts at about
    0.5 (0.37 to 0.63). SENet is ``sharing="none", reduction=16``.

    Args:
        reduction: r; ``hidden`` is the inner width itself.
        neutral: whether the gate starts at exactly 1, by zeros in the last layer.
    """

    options: ClassVar[tuple[str, ...]] = ("reduction", "hidden", "squeeze", "gate_start", "neutral")
    initial_gate = 0.5

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 4,
        hidden: int | None = None,
        squeeze: str = "avg",
        gate_start: float | None = None,
        neutral: bool = False,
    ):
        super().__init__(squeeze, 1.0 if neutral else gate_start)
        self.map = linear_map(channels, hidden_width(channels, reduction, hidden), channels, neutral)

    def excite(self, squeeze: Tensor, state: None = None) -> tuple[Tensor, None]:
        return self.gate(torch.sigmoid(self.map(squeeze))), None


class EfficientChannelAttention(ChannelUnit):
    """ECA: ``gate = sigmoid(conv1d(squeeze))``, one kernel over neighbouring channels, without bias.

    Wang et al.: ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks, CVPR 2020, arXiv
    1910.03151, equations 9 and 12: the kernel size is the odd number nearest above ``log2(C) / 2 + 1 / 2`` truncated.
    The gate starts at about 0.5 (0.4 to 0.6).

    Args:
        kernel: an odd kernel size instead.
        neutral: whether the gate starts at exactly 1, by zeros in the kernel.
    """

    options: ClassVar[tuple[str, ...]] = ("kernel", "squeeze", "gate_start", "neutral")
    initial_gate = 0.5

    def __init__(
        self,
        channels: int,
        *,
        kernel: int | None = None,
        squeeze: str = "avg",
        gate_start: float | None = None,
        neutral: bool = False,
    ):
        super().__init__(squeeze, 1.0 if neutral else gate_start)
        size = kernel or self.kernel_size(channels)
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)
        if neutral:
            start_at_zero(self.conv)

    @staticmethod
    def kernel_size(channels: int) -> int:
        """psi(C) with gamma = 2 and b = 1; even sizes are raised by one, as the authors' code does."""
        size = int(abs(math.log2(channels) / 2 + 0.5))
        return size if size % 2 else size + 1

    def excite(self, squeeze: Tensor, state: None = None) -> tuple[Tensor, None]:
        return self.gate(torch.sigmoid(self.conv(squeeze[:, None])[:, 0])), None


class InstanceEnhancement(ChannelUnit):
    """IE: ``gate = sigmoid(w * squeeze + b)`` with one w and one b a channel.

    After Liang, Huang, Liang, Yang: Instance Enhancement Batch Normalization, AAAI 2020, arXiv 1908.04008, equations 5
    and 6, and its code (gbup-group/IEBN, ``iebn_resnet.py``): w starts at 0 and b at -1, so the gate starts at 0.269.
    IEBN puts it inside every BatchNorm and squeezes that norm's input; here it is a unit of a block like the others.
    """

    options: ClassVar[tuple[str, ...]] = ("squeeze", "gate_start")
    initial_gate = 1 / (1 + math.e)

    def __init__(self, channels: int, *, squeeze: str = "avg", gate_start: float | None = None):
        super().__init__(squeeze, gate_start)
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.full((channels,), -1.0))

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor:
        return torch.full(self.weight.shape, 0.0 if name == "weight" else -1.0)

    def excite(self, squeeze: Tensor, state: None = None) -> tuple[Tensor, None]:
        return self.gate(torch.sigmoid(torch.addcmul(self.bias, squeeze, self.weight))), None
