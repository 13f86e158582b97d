"""The ResNeXt for CIFAR: grouped bottleneck blocks at depth 9n + 2.

Xie, Girshick, Dollar, Tu, He: Aggregated Residual Transformations for Deep Neural Networks, CVPR 2017, arXiv
1611.05431. The official DIANet's ResNeXt-101, 8x32 has a stem of 32 channels and stages of 128, 256 and 512
(``dia_resnext.py``).
"""

from dianet_lab.backbones.layers import ConvNorm
from dianet_lab.backbones.residual import Plan
from dianet_lab.backbones.resnet import STAGES, PostActivationBlock


class ResNeXtBlock(PostActivationBlock):
    """1x1 to ``inner`` channels, a 3x3 in ``cardinality`` groups (which carries the stride) and 1x1 to ``outputs``."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, cardinality: int, skip: bool, norm: str):
        layers = [
            ConvNorm(inputs, inner, 1, norm=norm),
            ConvNorm(inner, inner, 3, stride, groups=cardinality, norm=norm),
            ConvNorm(inner, outputs, 1, norm=norm, relu=False),
        ]
        super().__init__(layers, inputs, outputs, stride, skip, norm)


def depth_rule() -> tuple[int, int]:
    """A depth is 9n + 2."""
    return 9, 2


def resnext(
    n: int,
    in_channels: int,
    *,
    width: int = 16,
    widen: int = 4,
    cardinality: int = 8,
    base_width: int = 32,
    skip: bool = True,
    norm: str = "batch",
) -> Plan:
    """A ResNeXt of n blocks a stage: ``width`` channels in the stem, branches of ``width * widen`` in the first stage.

    Args:
        cardinality: groups of the 3x3 convolution.
        base_width: channels of a group in the first stage; doubled, like the branches, at each further stage.
    """
    inputs, stages, channels = width, [], []
    for index in range(STAGES):
        inner, outputs = cardinality * base_width * 2**index, width * widen * 2**index
        blocks = []
        for position in range(n):
            stride = 2 if index and not position else 1
            blocks.append(ResNeXtBlock(inputs, inner, outputs, stride, cardinality, skip, norm))
            inputs = outputs
        stages.append(blocks)
        channels.append(outputs)
    return Plan(ConvNorm(in_channels, width, 3, norm=norm), stages, channels, head=None, relu=True)
