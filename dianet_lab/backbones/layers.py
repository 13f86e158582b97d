"""Convolutions with their norm and activation, in both orders."""

import torch
from torch import Tensor, nn

NORMS = ("batch", "none")


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias, padded to keep the size at stride 1."""
    kind = StridedPointwise if kernel == 1 and stride > 1 else nn.Conv2d
    return kind(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution with a stride, as one without it on every second pixel: the same function.

    Under channels_last, oneDNN (in PyTorch 2.14, on a CPU with AVX2) writes beyond its buffer in the strided one if
    there are fewer than 8 input channels, and the process dies somewhere later.
    """

    def forward(self, x: Tensor) -> Tensor:
        step_y, step_x = self.stride
        return nn.functional.conv2d(x[:, :, ::step_y, ::step_x], self.weight)


def make_norm(channels: int, norm: str) -> nn.BatchNorm2d | None:
    """BatchNorm, or nothing at all (and no bias in its place) for ``none``."""
    return nn.BatchNorm2d(channels) if norm == "batch" else None


class ConvNorm(nn.Module):
    """Convolution, norm and, where asked, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, norm="batch", relu: bool = True
    ):
        super().__init__()
        self.conv = conv(inputs, outputs, kernel, stride, groups)
        self.norm = make_norm(outputs, norm)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x.relu_() if self.relu else x


class NormRelu(nn.Module):
    """Norm and ReLU: what stands before a convolution in a pre-activation network, and at its end."""

    def __init__(self, channels: int, norm: str = "batch"):
        super().__init__()
        self.norm = make_norm(channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        # Without a norm the input is the shortcut's too and must not be changed in place.
        return torch.relu(x) if self.norm is None else self.norm(x).relu_()


class NormConv(NormRelu):
    """Norm, ReLU and convolution, in two steps because a projection may read what lies between them."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, norm: str = "batch"):
        super().__init__(inputs, norm)
        self.conv = conv(inputs, outputs, kernel, stride)

    def activate(self, x: Tensor) -> Tensor:
        """Norm and ReLU."""
        return super().forward(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.activate(x))
