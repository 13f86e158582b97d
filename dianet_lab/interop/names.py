"""What the modules of a network are called in other code.

The official names are those of gbup-group/DIANet (``models/cifar/dia_*.py``) and, for plain networks, of the harness
that it is built on, bearpaw/pytorch-classification. Both, like pytorchcv, order the LSTM's gates i, f, g, o as the lab.
"""

import re
from typing import NamedTuple

from dianet_lab.backbones.residual import ResidualNet


class Layout(NamedTuple):
    """The names of one kind of network: each dictionary maps a module of ours to theirs.

    Attributes:
        title: for messages.
        outer: modules outside the stages.
        block: what stands before the modules of a block, a template of ``stage`` (from 1), ``block`` (from 0) and
            ``number`` (from 1).
        inner: modules of a block.
        unit: as ``block``, for the modules of an attention unit.
        cell: modules of a unit.
    """

    title: str
    outer: dict[str, str]
    block: str
    inner: dict[str, str]
    unit: str
    cell: dict[str, str]

    def names(self, model: ResidualNet) -> dict[str, list[str]]:
        """Each key of the model's state dict -> the keys that hold it in theirs; none where they have no such thing.

        There is more than one where a shared module is listed under each block that it serves.
        """
        return {key: self._theirs(model, *key.rpartition(".")[::2]) for key in model.state_dict()}

    def _theirs(self, model: ResidualNet, module: str, leaf: str) -> list[str]:
        found = re.fullmatch(r"stages\.(\d+)\.(blocks|attention\.units)\.(\d+)\.(.+)", module)
        if found is None:
            return [f"{self.outer[module]}.{leaf}"] if module in self.outer else []
        stage, index, part = int(found[1]), int(found[3]), found[4]
        if found[2] == "blocks":
            template, parts, blocks = self.block, self.inner, [index]
        else:
            owner = model.stages[stage].attention.owner
            template, parts, blocks = self.unit, self.cell, [block for block, unit in enumerate(owner) if unit == index]
        if part not in parts:
            return []
        prefixes = [template.format(stage=stage + 1, block=block, number=block + 1) for block in blocks]
        return [f"{prefix}.{parts[part]}.{leaf}" for prefix in dict.fromkeys(prefixes)]


_CELL = {
    f"cells.0.{ours}_map.{layer}": f"{theirs}.0.seq.{index}"
    for ours, theirs in (("input", "w_ih"), ("hidden", "w_hh"))
    for layer, index in (("down", 0), ("up", 2))
}
_LAYERS = {f"layer{i}.conv": f"conv{i}" for i in (1, 2, 3)} | {f"layer{i}.norm": f"bn{i}" for i in (1, 2, 3)}

OFFICIAL = {
    "resnet": Layout(
        "resnet",
        {"stem.conv": "conv1", "stem.norm": "bn1", "classifier": "fc"},
        "layer{stage}.{block}",
        _LAYERS | {"projection.conv": "downsample.0", "projection.norm": "downsample.1"},
        "layer{stage}.lstm",
        _CELL,
    ),
    "preresnet": Layout(
        "preresnet",
        {"stem": "conv1", "head.norm": "bn", "classifier": "fc"},
        "layer{stage}.{block}",
        _LAYERS | {"branch_norm": "bn_additional", "projection": "downsample.0"},
        "layer{stage}.lstm",
        _CELL,
    ),
    "wide_resnet": Layout(
        "wrn",
        {"stem": "conv1", "head.norm": "bn1", "classifier": "fc"},
        "block{stage}.layer.{block}",
        _LAYERS | {"branch_norm": "bn_additional", "projection": "convShortcut"},
        "block{stage}.lstm",
        _CELL,
    ),
    "resnext": Layout(
        "resnext",
        {"stem.conv": "conv_1_3x3", "stem.norm": "bn_1", "classifier": "classifier"},
        "stage_{stage}.stage_{stage}_bottleneck_{block}",
        {
            "layer1.conv": "conv_reduce",
            "layer1.norm": "bn_reduce",
            "layer2.conv": "conv_conv",
            "layer2.norm": "bn",
            "layer3.conv": "conv_expand",
            "layer3.norm": "bn_expand",
            "projection.conv": "shortcut.shortcut_conv",
            "projection.norm": "shortcut.shortcut_bn",
        },
        "stage_{stage}.lstm",
        _CELL,
    ),
}
"""The plain networks of the harness by our backbone. The DIA networks have their blocks in a ``ModuleList``."""

PYTORCHCV = Layout(
    "pytorchcv",
    {
        "stem": "features.init_block",
        "stem.conv": "features.init_block.conv",
        "stem.norm": "features.init_block.bn",
        "head.norm": "features.post_activ.bn",
        "classifier": "output",
    },
    "features.stage{stage}.unit{number}",
    {f"layer{i}.conv": f"body.conv{i}.conv" for i in (1, 2, 3)}
    | {f"layer{i}.norm": f"body.conv{i}.bn" for i in (1, 2, 3)}
    | {"projection": "identity_conv", "projection.conv": "identity_conv.conv", "projection.norm": "identity_conv.bn"},
    "features.stage{stage}.unit{number}",
    {
        f"cells.0.{ours}_map.{layer}": f"attention.lstm.{theirs}.amp1.{linear}"
        for ours, theirs in (("input", "x_amps"), ("hidden", "h_amps"))
        for layer, linear in (("down", "fc1"), ("up", "fc2"))
    }
    | {"map.down": "se.conv1", "map.up": "se.conv2"},
)
