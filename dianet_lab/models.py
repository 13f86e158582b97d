"""From a configuration to a network, and what it costs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dianet_lab.attention.registry import NO_UNIT
from dianet_lab.attention.stage import StageAttention
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.backbones.resnet import resnet
from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.initial import initialise


def build_model(config: ModelConfig, in_channels: int = 3, num_classes: int = 10, seed: int = 0) -> ResidualNet:
    """The network of a configuration on the CPU, with the initial values of ``seed``.

    >>> from dianet_lab import AttentionConfig, ModelConfig
    >>> config = ModelConfig(depth=164, block="bottleneck", attention=AttentionConfig())
    >>> count_parameters(build_model(config, in_channels=3, num_classes=100))
    1946132
    """
    model = resnet(
        depth=config.depth,
        block=config.block,
        width=config.width,
        in_channels=in_channels,
        num_classes=num_classes,
        make_attention=lambda channels, blocks: make_attention(config.attention, channels, blocks),
    )
    initialise(model, seed)
    for stage in model.stages:
        for block in stage.blocks:
            nn.init.constant_(block.last_norm.weight, config.branch_gain)
    return model


def make_attention(config: AttentionConfig, channels: int, blocks: int) -> StageAttention | None:
    """The attention of one stage, or ``None`` for ``unit="none"``."""
    return None if config.unit == NO_UNIT else StageAttention(channels, blocks, **config.options())


def count_parameters(model: nn.Module) -> int:
    """How many numbers are trained; a shared unit counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_attention_parameters(model: ResidualNet) -> int:
    """How many of them belong to the attention units."""
    return sum(count_parameters(stage.attention) for stage in model.stages if stage.attention is not None)


def count_macs(model: nn.Module, in_channels: int, size: int) -> int:
    """Multiply-accumulates of the convolutions and linear maps for one image ``[in_channels, size, size]``."""
    was_training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, in_channels, size, size, device=next(model.parameters()).device))
    model.train(was_training)
    return counter.get_total_flops() // 2


def hidden_widths(model: ResidualNet) -> str:
    """The hidden width q of each stage's unit, for example ``4/8/16``; an empty string where there is no bottleneck."""
    widths = []
    for stage in model.stages:
        downs = [m.down.out_features for m in stage.modules() if hasattr(m, "down")]
        widths += [str(downs[0])] if downs else []
    return "/".join(widths)
