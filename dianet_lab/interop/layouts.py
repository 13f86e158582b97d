"""Which networks have a counterpart in other code, and what their modules are called there."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from dianet_lab.attention.registry import NO_UNIT, UNITS
from dianet_lab.attention.stage import StageAttention
from dianet_lab.attention.unit import Bottleneck
from dianet_lab.backbones.preresnet import PreActivationBlock
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.backbones.resnet import BasicBlock, BottleneckBlock
from dianet_lab.backbones.resnext import ResNeXtBlock
from dianet_lab.errors import LabError
from dianet_lab.interop.names import OFFICIAL, PYTORCHCV, Layout

SUPPORTED = {
    "official": "unit 'lstm' with sharing 'stage' in a ResNet or PreResNet (block='bottleneck'), a Wide ResNet or a "
    "ResNeXt, where the pre-activation ones have branch_norm=True and the PreResNet has projection='raw'; "
    "and unit 'none' in those four, without branch_norm",
    "pytorchcv": "unit 'none', unit 'lstm' with sharing 'stage' and unit 'se' with sharing 'none' in a ResNet or "
    "PreResNet; a PreResNet with 'se' has outer_norm='first'",
}
"""Which networks each kind of source has. All other options of the attention but its width are the defaults."""

SHARING = {"lstm": "stage", "se": "none"}
"""Who owns the units of other code."""

ONLY_AT_START = frozenset({"training", "tied_init"})
"""What does not change the function of a network that has its weights."""


def official_layout(model: ResidualNet, keys: Iterable[str]) -> Layout:
    """The names of this network in a checkpoint of the official repository.

    Args:
        keys: those of the checkpoint; a plain network is looked for in the containers that its keys show.

    Raises:
        LabError: a network that the official code does not have.
    """
    unit, block = _common(model, "official"), model.stages[0].blocks[0]
    dia = unit == "lstm"
    backbone = {BasicBlock: "resnet", BottleneckBlock: "resnet", ResNeXtBlock: "resnext"}.get(type(block))
    wrong = ["unit is 'se'"] if unit == "se" else []
    if dia and isinstance(block, BasicBlock):
        wrong.append("block is 'basic' (the official DIA networks of such blocks can't run)")
    if isinstance(block, PreActivationBlock):
        backbone = "preresnet" if block.raw else "wide_resnet"
        bottleneck = block.layer3 is not None
        if bottleneck != block.raw and (dia or bottleneck):
            wrong.append(f"projection is {'raw' if block.raw else 'preactivated'!r}")
        if (block.branch_norm is not None) != dia:
            wrong.append(f"branch_norm is {not dia}")
        if model.head is None:
            wrong.append("outer_norm is 'first'")
    _refuse("official", wrong)
    layout = OFFICIAL[backbone]
    if dia or any(".ModuleList." in key for key in keys):
        stage = layout.unit.removesuffix(".lstm")
        layout = layout._replace(block=stage + ".ModuleList.{block}")
    return layout._replace(title=f"the official {'dia_' if dia else ''}{layout.title}")


def pytorchcv_layout(model: ResidualNet) -> Layout:
    """The names of this network in pytorchcv.

    Raises:
        LabError: a network that pytorchcv does not have.
    """
    unit, block = _common(model, "pytorchcv"), model.stages[0].blocks[0]
    wrong = ["the backbone is a ResNeXt"] if isinstance(block, ResNeXtBlock) else []
    pre = isinstance(block, PreActivationBlock)
    if pre and block.raw:
        wrong.append("projection is 'raw'")
    if pre and block.branch_norm is not None:
        wrong.append("branch_norm is True")
    if pre and (model.head is None) != (unit == "se"):
        wrong.append(f"outer_norm is {'first' if model.head is None else 'last'!r}")
    _refuse("pytorchcv", wrong)
    prefix = {"lstm": "DIA-", "se": "SE-", NO_UNIT: ""}[unit]
    return PYTORCHCV._replace(title=f"pytorchcv's {prefix}{'Pre' if pre else ''}ResNet")


def _common(model: ResidualNet, source: str) -> str:
    """The attention unit, after a check of what all sources have in common."""
    if not isinstance(model, ResidualNet):
        raise LabError(f"got a {type(model).__name__}, expected a network of dianet_lab.build_model")
    blocks = [block for stage in model.stages for block in stage.blocks]
    wrong = [] if all(block.skip for block in blocks) else ["skip is False"]
    wrong += [] if all(block.last_norm is not None for block in blocks) else ["norm is 'none'"]
    attention = model.stages[0].attention
    unit = NO_UNIT
    if attention is not None:
        unit = next((name for name in SHARING if type(attention.units[0]) is UNITS[name]), "")
        wrong += _unusual(attention, unit) if unit else [f"the unit is a {type(attention.units[0]).__name__}"]
    _refuse(source, wrong)
    return unit


def _unusual(attention: StageAttention, unit: str) -> list[str]:
    """How an attention differs from the one that other code has, its width apart.

    It is compared with a fresh one trait by trait, so that no option, also none that is yet to come, is overlooked.
    """
    widths = [module.down.out_features for module in attention.modules() if isinstance(module, Bottleneck)]
    channels = attention.units[0].channels if unit == "lstm" else attention.units[0].map.up.out_features
    with torch.device("meta"):
        usual = StageAttention(channels, len(attention.owner), unit, SHARING[unit], hidden=(widths or [1])[0])
    if attention.owner != usual.owner:
        return [f"not each stage has its units as with sharing {SHARING[unit]!r} and share_from 0"]
    ours, theirs = _traits(attention), _traits(usual)
    differ = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
    return [f"attention: {name} is {_shown(ours.get(name))}, not {_shown(theirs.get(name))}" for name in differ[:2]]


def _traits(module: nn.Module) -> dict[str, Any]:
    """The types and the public plain attributes of a module and all that is in it."""
    traits = {}
    for name, part in module.named_modules():
        values = {k: v for k, v in vars(part).items() if not k.startswith("_") and k not in ONLY_AT_START}
        traits |= {f"{name}.{key}".lstrip("."): value for key, value in ({"type": type(part)} | values).items()}
    return traits


def _shown(value: Any) -> str:
    return getattr(value, "__name__", None) or repr(value)


def _refuse(source: str, wrong: list[str]) -> None:
    if wrong:
        raise LabError(f"no {source} network is like this model: {'; '.join(wrong)}. Supported: {SUPPORTED[source]}")
