"""The CIFAR ResNet: basic blocks at depth 6n + 2, bottleneck blocks at depth 9n + 2.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385, section 4.2, with
projection shortcuts (as in the official DIANet code and in pytorchcv, whose parameter counts it matches).
"""

from typing import ClassVar

from torch import Tensor, nn

from dianet_lab.backbones.layers import ConvNorm
from dianet_lab.backbones.residual import Plan

STAGES = 3


class PostActivationBlock(nn.Module):
    """A block whose branch ends in a norm and whose activation follows the addition.

    The shortcut is projected where the shape changes; without skip connections there is none.
    """

    def __init__(self, layers: list[ConvNorm], inputs: int, outputs: int, stride: int, skip: bool, norm: str):
        super().__init__()
        for index, layer in enumerate(layers, start=1):
            self.add_module(f"layer{index}", layer)
        self.layer_count = len(layers)
        self.skip = skip
        same = stride == 1 and inputs == outputs
        project = skip and not same
        self.projection = ConvNorm(inputs, outputs, 1, stride, norm=norm, relu=False) if project else None

    @property
    def closing_norm(self) -> nn.BatchNorm2d | None:
        """The norm that ends the branch."""
        return self._last_layer.norm

    @property
    def last_norm(self) -> nn.BatchNorm2d | None:
        """The same; its gamma is what ``branch_gain`` sets."""
        return self.closing_norm

    def before_norm(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The branch before its closing norm, and the shortcut."""
        return self._last_layer.conv(self._all_but_last(x)), self._shortcut(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return self._last_layer(self._all_but_last(x)), self._shortcut(x)

    @property
    def _last_layer(self) -> ConvNorm:
        return getattr(self, f"layer{self.layer_count}")

    def _all_but_last(self, x: Tensor) -> Tensor:
        for index in range(1, self.layer_count):
            x = getattr(self, f"layer{index}")(x)
        return x

    def _shortcut(self, x: Tensor) -> Tensor | None:
        if not self.skip:
            return None
        return x if self.projection is None else self.projection(x)


class BasicBlock(PostActivationBlock):
    """Two 3x3 convolutions; two layers of depth a block."""

    expansion: ClassVar[int] = 1

    def __init__(self, inputs: int, planes: int, stride: int, skip: bool, norm: str):
        layers = [ConvNorm(inputs, planes, 3, stride, norm=norm), ConvNorm(planes, planes, 3, norm=norm, relu=False)]
        super().__init__(layers, inputs, planes, stride, skip, norm)


class BottleneckBlock(PostActivationBlock):
    """1x1, 3x3 (which carries the stride) and 1x1 to four times the planes; three layers of depth a block."""

    expansion: ClassVar[int] = 4

    def __init__(self, inputs: int, planes: int, stride: int, skip: bool, norm: str):
        outputs = planes * self.expansion
        layers = [ConvNorm(inputs, planes, 1, norm=norm), ConvNorm(planes, planes, 3, stride, norm=norm)]
        layers.append(ConvNorm(planes, outputs, 1, norm=norm, relu=False))
        super().__init__(layers, inputs, outputs, stride, skip, norm)


BLOCKS: dict[str, type[PostActivationBlock]] = {"basic": BasicBlock, "bottleneck": BottleneckBlock}


def depth_rule(block: str = "basic") -> tuple[int, int]:
    """A depth is 6n + 2 with basic and 9n + 2 with bottleneck blocks."""
    return (9 if block == "bottleneck" else 6), 2


def resnet(
    n: int, in_channels: int, *, width: int = 16, block: str = "basic", skip: bool = True, norm: str = "batch"
) -> Plan:
    """A ResNet of n blocks a stage whose first stage has ``width`` planes, doubled at each of the two further ones."""
    kind, inputs, stages, channels = BLOCKS[block], width, [], []
    for index in range(STAGES):
        planes, blocks = width * 2**index, []
        for position in range(n):
            blocks.append(kind(inputs, planes, 2 if index and not position else 1, skip, norm))
            inputs = planes * kind.expansion
        stages.append(blocks)
        channels.append(inputs)
    return Plan(ConvNorm(in_channels, width, 3, norm=norm), stages, channels, head=None, relu=True)
