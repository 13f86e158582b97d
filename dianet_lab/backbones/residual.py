"""The residual skeleton: a stage runs its blocks, asks the attention for a gate and adds the gated branch."""

from typing import Any, NamedTuple

from torch import Tensor, nn

from dianet_lab.attention.stage import StageAttention
from dianet_lab.backbones.gated import gated_sum, normed, saves_memory


class Plan(NamedTuple):
    """What a backbone consists of, before anybody has put attention into it.

    ``stages`` are the blocks of each stage, ``channels`` the width of their branches, ``head`` what stands between the
    last stage and the pooling, ``relu`` whether an activation follows each addition.
    """

    stem: nn.Module
    stages: list[list[nn.Module]]
    channels: list[int]
    head: nn.Module | None
    relu: bool


class Stage(nn.Module):
    """The blocks of one width and resolution, and the attention that they share.

    A block maps ``x`` to ``(branch, shortcut)``, both ``[batch, channel, height, width]`` (the shortcut is ``None`` in
    a network without skip connections). It has ``last_norm``, the last norm on its branch, and ``closing_norm``, the
    one that ends the branch (either may be ``None``), and ``before_norm(x)``: what a call gives, before the latter.

    The stage computes ``branch * gate + shortcut`` and, with ``relu``, its ReLU, the official order
    (gbup-group/DIANet, ``dia_resnet.py`` and, without ReLU, ``dia_preresnet.py``), and threads the state from block to
    block as a value.
    """

    def __init__(self, blocks: list[nn.Module], attention: StageAttention | None = None, relu: bool = True):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.attention = attention
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for index, block in enumerate(self.blocks):
            x, state = self._step(index, block, x, state)
        return x

    def _step(self, index: int, block: nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One block: its sum and the state after it."""
        affine = gate = None
        if self.attention is not None and saves_memory(block, block.closing_norm):
            source, shortcut = block.before_norm(x)
            branch, affine = normed(block.closing_norm, source)
        else:
            branch, shortcut = block(x)
        if self.attention is not None:
            gate, state = self.attention(index, branch, state)
        return gated_sum(branch, gate, shortcut, affine, self.relu), state


class ResidualNet(nn.Module):
    """A stem, stages of blocks, global average pooling and a linear classifier.

    ``forward`` maps images ``[batch, in_channels, height, width]`` of any size to logits ``[batch, num_classes]``.
    """

    def __init__(self, plan: Plan, attentions: list[StageAttention | None], num_classes: int):
        super().__init__()
        self.stem = plan.stem
        stages = zip(plan.stages, attentions, strict=True)
        self.stages = nn.ModuleList(Stage(blocks, attention, plan.relu) for blocks, attention in stages)
        self.head = plan.head
        self.classifier = nn.Linear(plan.channels[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        if self.head is not None:
            x = self.head(x)
        return self.classifier(x.mean((2, 3)))
