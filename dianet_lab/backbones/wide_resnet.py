"""The Wide ResNet for CIFAR, WRN-d-k: pre-activation basic blocks at depth 6n + 4, k times as wide as the stem.

Zagoruyko, Komodakis: Wide Residual Networks, BMVC 2016, arXiv 1605.07146.
"""

from dianet_lab.backbones.layers import NormRelu, conv
from dianet_lab.backbones.preresnet import pre_activation_stages
from dianet_lab.backbones.residual import Plan
from dianet_lab.backbones.resnet import STAGES


def depth_rule() -> tuple[int, int]:
    """A depth is 6n + 4: the projections count as layers."""
    return 6, 4


def wide_resnet(
    n: int,
    in_channels: int,
    *,
    width: int = 16,
    widen: int = 4,
    dropout: float = 0.0,
    skip: bool = True,
    norm: str = "batch",
    branch_norm: bool = False,
    projection: str = "preactivated",
) -> Plan:
    """A Wide ResNet of n blocks a stage: ``width`` channels in the stem, ``width * widen`` in the first stage.

    Args:
        dropout: rate between the two convolutions of a block; the official DIANet recipe has 0.3.
    """
    planes = [width * widen * 2**index for index in range(STAGES)]
    options = {"skip": skip, "norm": norm, "branch_norm": branch_norm, "projection": projection, "dropout": dropout}
    stages, channels = pre_activation_stages(n, width, planes, bottleneck=False, **options)
    return Plan(conv(in_channels, width, 3), stages, channels, head=NormRelu(channels[-1], norm), relu=False)
