"""The residual skeleton: a stage runs its blocks, asks the attention for a gate and adds the gated branch."""

import torch
from torch import Tensor, nn

from dianet_lab.attention.stage import StageAttention


class Stage(nn.Module):
    """The blocks of one width and resolution, and the attention that they share.

    A block maps ``x`` to ``(branch, shortcut)``, both ``[batch, channel, height, width]``, and has ``last_norm``, the
    norm that ends its branch. The stage computes ``relu(branch * gate + shortcut)``, the official order
    (gbup-group/DIANet, ``dia_resnet.py``), and threads the state from block to block as a plain value.
    """

    def __init__(self, blocks: list[nn.Module], attention: StageAttention | None = None):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for index, block in enumerate(self.blocks):
            branch, shortcut = block(x)
            if self.attention is None:
                x = torch.add(branch, shortcut).relu_()
            else:
                gate, state = self.attention(index, branch, state)
                # One pass over the activation in place of a product that autograd would have to keep and then a sum.
                x = torch.addcmul(shortcut, branch, gate).relu_()
        return x


class ResidualNet(nn.Module):
    """A stem, stages of blocks, global average pooling and a linear classifier.

    ``forward`` maps images ``[batch, in_channels, height, width]`` of any size to logits ``[batch, num_classes]``.
    """

    def __init__(self, stem: nn.Module, stages: list[Stage], features: int, num_classes: int):
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        return self.classifier(x.mean((2, 3)))
