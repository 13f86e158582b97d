"""The CIFAR ResNet: basic blocks at depth 6n + 2, bottleneck blocks at depth 9n + 2.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385, section 4.2, with
projection shortcuts (as in the official DIANet code and in pytorchcv, whose parameter counts it matches).
"""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from dianet_lab.attention.stage import StageAttention
from dianet_lab.backbones.residual import ResidualNet, Stage
from dianet_lab.errors import ConfigError

STAGES = 3


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias, padded to keep the size at stride 1."""
    kind = StridedPointwise if kernel == 1 and stride > 1 else nn.Conv2d
    return kind(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution with a stride, as one without it on every second pixel: the same function.

    Under channels_last, oneDNN (in PyTorch 2.14, on a CPU with AVX2) writes beyond its buffer in the strided one if
    there are fewer than 8 input channels, and the process dies somewhere later.
    """

    def forward(self, x: Tensor) -> Tensor:
        step_y, step_x = self.stride
        return nn.functional.conv2d(x[:, :, ::step_y, ::step_x], self.weight)


class ConvNorm(nn.Module):
    """Convolution, BatchNorm and, where asked, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel, stride)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return x.relu_() if self.relu else x


class _Block(nn.Module):
    """What both blocks share: the shortcut, projected where the shape changes, and the last norm of the branch."""

    expansion: ClassVar[int]

    def __init__(self, layers: list[ConvNorm], inputs: int, outputs: int, stride: int):
        super().__init__()
        for index, layer in enumerate(layers, start=1):
            self.add_module(f"layer{index}", layer)
        self.layer_count = len(layers)
        same = stride == 1 and inputs == outputs
        self.projection = None if same else ConvNorm(inputs, outputs, 1, stride, relu=False)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm that ends the branch; its gamma is what ``branch_gain`` sets."""
        return getattr(self, f"layer{self.layer_count}").norm

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shortcut = x if self.projection is None else self.projection(x)
        branch = x
        for index in range(1, self.layer_count + 1):
            branch = getattr(self, f"layer{index}")(branch)
        return branch, shortcut


class BasicBlock(_Block):
    """Two 3x3 convolutions; two layers of depth a block."""

    expansion = 1
    depth_rule = (6, 2)

    def __init__(self, inputs: int, planes: int, stride: int):
        layers = [ConvNorm(inputs, planes, 3, stride), ConvNorm(planes, planes, 3, relu=False)]
        super().__init__(layers, inputs, planes, stride)


class BottleneckBlock(_Block):
    """1x1, 3x3 (which carries the stride) and 1x1 to four times the planes; three layers of depth a block."""

    expansion = 4
    depth_rule = (9, 2)

    def __init__(self, inputs: int, planes: int, stride: int):
        outputs = planes * self.expansion
        layers = [ConvNorm(inputs, planes, 1), ConvNorm(planes, planes, 3, stride)]
        layers.append(ConvNorm(planes, outputs, 1, relu=False))
        super().__init__(layers, inputs, outputs, stride)


BLOCKS: dict[str, type[_Block]] = {"basic": BasicBlock, "bottleneck": BottleneckBlock}


def blocks_per_stage(depth: int, block: str) -> int:
    """n of a CIFAR ResNet: depth 6n + 2 with basic and 9n + 2 with bottleneck blocks.

    Raises:
        ConfigError: a depth that no n gives; the message names the nearest valid ones.
    """
    step, rest = BLOCKS[block].depth_rule
    n, over = divmod(depth - rest, step)
    if over or n < 1:
        near = sorted({max(1, n), max(1, n) + 1})
        raise ConfigError(
            f"ModelConfig.depth: got {depth}, but a ResNet of {block} blocks has depth {step}n + {rest}; "
            f"the nearest are {' and '.join(str(step * k + rest) for k in near)}"
        )
    return n


def resnet(
    *,
    depth: int,
    block: str,
    width: int,
    in_channels: int,
    num_classes: int,
    make_attention: Callable[[int, int], StageAttention | None],
) -> ResidualNet:
    """A CIFAR ResNet whose first stage has ``width`` planes, doubled at each of the two further stages.

    Args:
        depth: 6n + 2 (``block="basic"``) or 9n + 2 (``block="bottleneck"``).
        make_attention: ``(channels, blocks) -> StageAttention`` for each stage, or ``None`` for the plain network.
    """
    n, kind = blocks_per_stage(depth, block), BLOCKS[block]
    stages, inputs = [], width
    for index in range(STAGES):
        planes = width * 2**index
        blocks = []
        for position in range(n):
            blocks.append(kind(inputs, planes, stride=2 if index and not position else 1))
            inputs = planes * kind.expansion
        stages.append(Stage(blocks, make_attention(inputs, n)))
    return ResidualNet(ConvNorm(in_channels, width, 3), stages, inputs, num_classes)
