"""From a configuration to a network, and what it costs."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dianet_lab.attention.registry import NO_UNIT
from dianet_lab.attention.stage import StageAttention, stage_attentions
from dianet_lab.attention.unit import Bottleneck
from dianet_lab.backbones.registry import get_backbone
from dianet_lab.backbones.residual import Plan, ResidualNet
from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.errors import LabError
from dianet_lab.initial import initialise


def build_model(config: ModelConfig, in_channels: int = 3, num_classes: int = 10, seed: int = 0) -> ResidualNet:
    """The network of a configuration on the CPU, with the initial values of ``seed``.

    >>> from dianet_lab import AttentionConfig, ModelConfig
    >>> config = ModelConfig(depth=164, block="bottleneck", attention=AttentionConfig())
    >>> count_parameters(build_model(config, in_channels=3, num_classes=100))
    1946132
    """
    with torch.random.fork_rng(devices=[]):  # the constructors draw values that are not kept
        model = assemble(config, in_channels, num_classes)
    initialise(model, seed)
    for stage in model.stages:
        for block in stage.blocks:
            if block.last_norm is not None:
                nn.init.constant_(block.last_norm.weight, config.branch_gain)
    return model


def assemble(config: ModelConfig, in_channels: int = 3, num_classes: int = 10) -> ResidualNet:
    """The same network before anything has been drawn; enough to count, also on the ``meta`` device."""
    plan = _plan(config, in_channels)
    attentions = [make_attention(config.attention, channels, config.blocks_per_stage) for channels in plan.channels]
    return ResidualNet(plan, attentions, num_classes)


def stage_channels(config: ModelConfig) -> list[int]:
    """How wide the branches of each stage are, and so its attention."""
    return _plan(config).channels


def _plan(config: ModelConfig, in_channels: int = 3) -> Plan:
    return get_backbone(config.backbone).plan(config.blocks_per_stage, in_channels, **config.options())


def make_attention(config: AttentionConfig, channels: int, blocks: int) -> StageAttention | None:
    """The attention of one stage, or ``None`` for ``unit="none"``."""
    return None if config.unit == NO_UNIT else StageAttention(channels, blocks, **config.options())


def count_parameters(model: nn.Module) -> int:
    """How many numbers are trained; a shared unit counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_attention_parameters(model: nn.Module) -> int:
    """How many of them belong to the attention units, of any network with a :class:`StageAttention`."""
    return sum(count_parameters(attention) for attention in stage_attentions(model).values())


def count_dead_parameters(model: nn.Module) -> int:
    """How many of them can have no gradient, by structure: they look at a state that is always zero."""
    attentions = stage_attentions(model).values()
    return sum(int(mask.sum()) for attention in attentions for mask in attention.dead().values())


def count_macs(model: nn.Module, in_channels: int, size: int) -> int:
    """Multiply-accumulates of the convolutions and linear maps for one image ``[in_channels, size, size]``."""
    # A copy, so that parts in another mode stay in it; without gradients, since the counter trips over their views.
    twin = copy.deepcopy(model).eval().requires_grad_(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        twin(torch.zeros(1, in_channels, size, size).to(next(twin.parameters())))
    return counter.get_total_flops() // 2


def image_channels(model: nn.Module) -> int:
    """How many channels the images of any network have: what its first convolution takes.

    Raises:
        LabError: it has no convolution.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise LabError(f"{type(model).__name__} has no Conv2d, so what images it takes is not known")


def hidden_widths(model: nn.Module) -> str:
    """The hidden width q of each stage's unit, for example ``4/8/16``; an empty string where there is no bottleneck."""
    widths = []
    for attention in stage_attentions(model).values():
        downs = [module.down.out_features for module in attention.modules() if isinstance(module, Bottleneck)]
        widths += [str(downs[0])] if downs else []
    return "/".join(widths)
