"""The pre-activation ResNet for CIFAR: basic blocks at depth 6n + 2, bottleneck blocks at depth 9n + 2.

He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks, ECCV 2016, arXiv 1603.05027. Norm and ReLU stand
before each convolution and once more before the pooling; no activation follows an addition.
"""

from torch import Tensor, nn

from dianet_lab.backbones.layers import ConvNorm, NormConv, NormRelu, conv, make_norm
from dianet_lab.backbones.residual import Plan
from dianet_lab.backbones.resnet import STAGES, BasicBlock, BottleneckBlock

PROJECTIONS = ("preactivated", "raw")
"""What a projection reads: the activated input (pytorchcv, the official Wide ResNet) or the input itself (the official
PreResNet)."""

OUTER_NORMS = ("last", "first")
"""Where the norm outside the blocks stands: before the pooling, or after the first convolution (pytorchcv's
SE-PreResNet, which has none before the pooling)."""


class PreActivationBlock(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3 and 1x1, each after its norm and ReLU; the branch ends in a convolution.

    A layer's parts are called one by one, so a hook belongs on its norm or convolution, not on the layer.

    Args:
        planes: width of the convolutions but the last of a bottleneck, which has four times as many.
        bottleneck: which of the two.
        dropout: rate of a dropout before the last convolution.
        branch_norm: whether a further norm ends the branch (``bn_additional`` of the official DIA networks).
        projection: a name in :data:`PROJECTIONS`.
    """

    def __init__(
        self,
        inputs: int,
        planes: int,
        stride: int,
        *,
        bottleneck: bool,
        skip: bool,
        norm: str,
        branch_norm: bool,
        projection: str,
        dropout: float = 0.0,
    ):
        super().__init__()
        outputs = planes * _expansion(bottleneck)
        self.layer1 = NormConv(inputs, planes, 1 if bottleneck else 3, 1 if bottleneck else stride, norm)
        self.layer2 = NormConv(planes, planes, 3, stride if bottleneck else 1, norm)
        self.layer3 = NormConv(planes, outputs, 1, norm=norm) if bottleneck else None
        self.dropout = nn.Dropout(dropout)
        self.branch_norm = make_norm(outputs, norm) if branch_norm else None
        self.skip, self.raw = skip, projection == "raw"
        same = stride == 1 and inputs == outputs
        self.projection = conv(inputs, outputs, 1, stride) if skip and not same else None

    @property
    def closing_norm(self) -> nn.BatchNorm2d | None:
        """The norm that ends the branch: there is one only with ``branch_norm``."""
        return self.branch_norm

    @property
    def last_norm(self) -> nn.BatchNorm2d | None:
        """The last norm on the branch. Only ReLU and a convolution follow it, so its gamma scales the branch too."""
        return self.branch_norm or (self.layer3 or self.layer2).norm

    def before_norm(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The branch before its closing norm, and the shortcut."""
        activated = self.layer1.activate(x)
        branch = self.layer1.conv(activated)
        if self.layer3 is not None:
            branch = self.layer2(branch)
        last = self.layer3 or self.layer2
        branch = last.conv(self.dropout(last.activate(branch)))
        if not self.skip:
            return branch, None
        if self.projection is None:
            return branch, x
        return branch, self.projection(x if self.raw else activated)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        branch, shortcut = self.before_norm(x)
        return (branch if self.branch_norm is None else self.branch_norm(branch)), shortcut


def pre_activation_stages(
    n: int, inputs: int, planes: list[int], *, bottleneck: bool, **options
) -> tuple[list[list[nn.Module]], list[int]]:
    """The blocks of each stage and the width of its branches; ``options`` are those of the block."""
    stages, channels = [], []
    for index, width in enumerate(planes):
        blocks = []
        for position in range(n):
            stride = 2 if index and not position else 1
            blocks.append(PreActivationBlock(inputs, width, stride, bottleneck=bottleneck, **options))
            inputs = width * _expansion(bottleneck)
        stages.append(blocks)
        channels.append(inputs)
    return stages, channels


def _expansion(bottleneck: bool) -> int:
    return (BottleneckBlock if bottleneck else BasicBlock).expansion


def preresnet(
    n: int,
    in_channels: int,
    *,
    width: int = 16,
    block: str = "basic",
    skip: bool = True,
    norm: str = "batch",
    branch_norm: bool = False,
    projection: str = "preactivated",
    outer_norm: str = "last",
) -> Plan:
    """A pre-activation ResNet of n blocks a stage with ``width`` planes in the first, doubled at each further one."""
    planes = [width * 2**index for index in range(STAGES)]
    options = {"skip": skip, "norm": norm, "branch_norm": branch_norm, "projection": projection}
    stages, channels = pre_activation_stages(n, width, planes, bottleneck=block == "bottleneck", **options)
    if outer_norm == "first":
        return Plan(ConvNorm(in_channels, width, 3, norm=norm), stages, channels, head=None, relu=False)
    return Plan(conv(in_channels, width, 3), stages, channels, head=NormRelu(channels[-1], norm), relu=False)
