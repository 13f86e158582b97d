"""CBAM: channel and spatial attention, whose product is one gate."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from dianet_lab.attention.unit import AttentionUnit, average, hidden_width, linear_map, maximum, start_at_zero

PARTS = ("both", "channel", "spatial")


class SpatialGate(nn.Module):
    """``sigmoid(norm(conv([mean over channels, max over channels])))``: ``[B, C, H, W] -> [B, 1, H, W]``."""

    def __init__(self, kernel: int):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.norm(self.conv(seen)))


class CBAM(AttentionUnit):
    """CBAM: ``gate = M_c * M_s``, ``[batch, channel, height, width]``; with one part, that part alone.

    Woo, Park, Lee, Kweon: CBAM: Convolutional Block Attention Module, ECCV 2018, arXiv 1807.06521, equations 2 and 3:
    ``M_c = sigmoid(MLP(avg) + MLP(max))``, and M_s, which looks at the branch times M_c, a 7x7 convolution of its mean
    and maximum over channels, followed by a BatchNorm as in the authors' code.

    The gate starts at about 0.25 (0 to 0.85, since the norm spreads it over space), one part at about 0.5.
    It keeps its BatchNorm in a network with ``norm="none"``.

    Args:
        reduction: r of the MLP; ``hidden`` is its inner width itself.
        kernel: an odd kernel size instead of 7.
        parts: a name in :data:`PARTS`.
        neutral: whether the gate starts at exactly 1, by zeros in the last layer of the MLP and in the norm.
    """

    options: ClassVar[tuple[str, ...]] = ("reduction", "hidden", "kernel", "parts", "gate_start", "neutral")

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 4,
        hidden: int | None = None,
        kernel: int | None = None,
        parts: str = "both",
        gate_start: float | None = None,
        neutral: bool = False,
    ):
        super().__init__(1.0 if neutral else gate_start)
        width = hidden_width(channels, reduction, hidden)
        self.map = linear_map(channels, width, channels, neutral) if parts != "spatial" else None
        self.spatial = SpatialGate(kernel or 7) if parts != "channel" else None
        self.initial_gate = 0.25 if parts == "both" else 0.5
        if neutral and self.spatial is not None:
            # Not the kernel: a norm of zeros has a gradient that is hundreds of times too large.
            start_at_zero(self.spatial.norm)

    def forward(self, branch: Tensor, state: None = None) -> tuple[Tensor, None]:
        gate = None
        if self.map is not None:
            gate = torch.sigmoid(self.map(average(branch)) + self.map(maximum(branch)))[:, :, None, None]
        if self.spatial is not None:
            spatial = self.spatial(branch if gate is None else branch * gate)
            gate = spatial if gate is None else gate * spatial
        return self.started(gate), None
