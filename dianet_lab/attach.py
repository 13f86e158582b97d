"""Attention inside a residual network of torchvision or timm, whose own code stays as it is."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dianet_lab.attention.registry import NO_UNIT
from dianet_lab.attention.stage import StageAttention, is_compiled, stage_attentions
from dianet_lab.backbones.gated import combine, gated_sum, has_hooks, normed, saves_memory
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import AttentionConfig
from dianet_lab.errors import ConfigError
from dianet_lab.initial import initialise
from dianet_lab.models import make_attention


class BlockLayout(NamedTuple):
    """The layers of a block class by name, in the order of its forward; one that is ``None`` in a block is left out.

    ``branch`` is what stands before the gate, ``drop`` what stands between it and the addition, ``activation`` what
    follows. The shortcut is ``downsample``, or the block's input.
    """

    branch: list[str]
    drop: str | None
    activation: str


# The forwards of torchvision 0.29 and timm 1.0.31. By name, so that timm need not be there.
LAYOUTS = {
    "torchvision.models.resnet.BasicBlock": BlockLayout(["conv1", "bn1", "relu", "conv2", "bn2"], None, "relu"),
    "torchvision.models.resnet.Bottleneck": BlockLayout(
        ["conv1", "bn1", "relu", "conv2", "bn2", "relu", "conv3", "bn3"], None, "relu"
    ),
    "timm.models.resnet.BasicBlock": BlockLayout(
        ["conv1", "bn1", "drop_block", "act1", "aa", "conv2", "bn2", "se"], "drop_path", "act2"
    ),
    "timm.models.resnet.Bottleneck": BlockLayout(
        ["conv1", "bn1", "act1", "conv2", "bn2", "drop_block", "act2", "aa", "conv3", "bn3", "se"], "drop_path", "act3"
    ),
}
"""The block classes that a gate can be put into, by qualified name."""


class AttachedStage(nn.Sequential):
    """A Sequential of residual blocks ``[batch, channel, height, width]`` with the attention that they share.

    It computes ``branch * gate + shortcut`` and each block's activation, as the lab's own
    :class:`~dianet_lab.backbones.residual.Stage`, and threads the state from block to block as a value: nothing is
    kept between calls. ``len``, iteration and indexing see the blocks only; what they give runs without a gate. Which
    blocks there are is fixed. Made by :func:`attach_attention`.
    """

    attention: StageAttention
    layouts: tuple[BlockLayout, ...]

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for index, block in enumerate(self):
            x, state = self._step(index, block, x, state)
        return x

    def _step(self, index: int, block: nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        layout = self.layouts[index]
        layers = _layers(block, layout)
        last, drop = layers[-1], layout.drop and getattr(block, layout.drop)
        activation = getattr(block, layout.activation)
        lean = drop is None and type(activation) is nn.ReLU and saves_memory(block, last)
        branch = x
        for layer in layers[:-1]:
            branch = layer(branch)
        branch, affine = normed(last, branch) if lean else (last(branch), None)
        gate, state = self.attention(index, branch, state)
        if drop is not None:
            branch, gate = drop(combine(branch, gate, None)), None
        shortcut = x if block.downsample is None else block.downsample(x)
        if lean:
            return gated_sum(branch, gate, shortcut, affine, relu=True), state
        return activation(combine(branch, gate, shortcut)), state

    def __iter__(self) -> Iterator[nn.Module]:
        return iter([module for name, module in self._modules.items() if name != "attention"])

    def __len__(self) -> int:
        return len(self._modules) - 1

    def __getitem__(self, index: int | slice) -> nn.Module:
        found = list(self)[index]
        return nn.Sequential(*found) if isinstance(index, slice) else found

    def _fixed(self, *args):
        raise TypeError("the blocks of a stage with attention are fixed: detach_attention(model) first")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = insert = extend = pop = _fixed


def attach_attention(model: nn.Module, config: AttentionConfig, *, seed: int = 0) -> nn.Module:
    """Put attention into every stage of a residual network, in place, and return the network.

    A stage is a plain ``nn.Sequential`` of known blocks (:data:`LAYOUTS`: the ResNets, ResNeXts and Wide ResNets of
    torchvision and timm), wherever it is in ``model``; it becomes an :class:`AttachedStage`. The gate multiplies the
    branch after its last norm (and after timm's own ``se``), before drop path and the addition. Names and values of
    the old parameters stay; the new ones are ``<stage>.attention...``, on the device and in the dtype of their stage.

    Attach before compiling or distributing the network and before making its optimizer. The stage runs a block's layers
    itself, so a hook on a block does not run: put it on the stage, or on a layer. Where a branch ends in a BatchNorm
    and a ReLU follows the addition, a training step keeps no copy of the branch (``backbones/gated.py``).

    Args:
        seed: of the new initial values, which depend on it and on the names only.

    Raises:
        ConfigError: no known stage, or one with a block that is not known; unit ``none``; attention that is there
            already; a compiled network; a hook on a block; gradient checkpointing of timm, which runs block by block;
            ``share_from`` or ``sharing`` that the shortest stage is too short for. The network is as before.
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"model: got a {type(model).__name__}, expected a network; if a function, call it first")
    if not isinstance(config, AttentionConfig):
        raise ConfigError(f"config: got {config!r}, expected an AttentionConfig, such as AttentionConfig(unit='lstm')")
    if config.unit == NO_UNIT:
        raise ConfigError("AttentionConfig.unit: got 'none', expected a unit; a network without one needs no attaching")
    _check_bare(model)
    _check_no_attention(model)
    stages = _find_stages(model)
    shortest = min(stages, key=lambda name: len(stages[name]))
    config.check_fits(len(stages[shortest]), shortest or "the model")
    nets = _checkpointing_nets(model)
    _no_checkpointing(enable=any(net.grad_checkpointing for net in nets))
    attentions = _make_attentions(stages, config, seed)
    for name, stage in stages.items():
        stage.layouts = tuple(_layout(block) for block in stage)
        stage.attention = attentions[name]
        # The class is swapped and not the object, so that hooks on the stage and references to it stay good.
        stage.__class__ = AttachedStage
    for net in nets:
        net.set_grad_checkpointing = _no_checkpointing
    return model


def detach_attention(model: nn.Module) -> nn.Module:
    """Undo :func:`attach_attention` in place, and return the network: the old modules, with what they have learned.

    Raises:
        ConfigError: nothing is attached, or the network is compiled.
    """
    _check_bare(model)
    stages = [module for module in model.modules() if isinstance(module, AttachedStage)]
    if not stages:
        raise ConfigError(f"{type(model).__name__} has no attached attention: expected what attach_attention returned")
    for stage in stages:
        del stage.attention, stage.layouts
        stage.__class__ = nn.Sequential
    for net in _checkpointing_nets(model):
        vars(net).pop("set_grad_checkpointing", None)
    return model


def _layers(block: nn.Module, layout: BlockLayout) -> list[nn.Module]:
    """The layers of the branch, in order; the last one is a norm, unless a unit of the block's own follows it."""
    return [layer for name in layout.branch if (layer := getattr(block, name)) is not None]


def _width(block: nn.Module) -> int:
    """How many channels the branch has: those of its last convolution."""
    last = [name for name in _layout(block).branch if name.startswith("conv")][-1]
    return getattr(block, last).out_channels


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _descends(module: nn.Module, names: Iterable[str]) -> bool:
    return any(_qualified(kind) in names for kind in type(module).__mro__)


def _layout(block: nn.Module) -> BlockLayout | None:
    """The layout of the class whose forward the block uses."""
    if "forward" in vars(block):
        return None
    return LAYOUTS.get(_qualified(next(kind for kind in type(block).__mro__ if "forward" in vars(kind))))


def _find_stages(model: nn.Module) -> dict[str, nn.Sequential]:
    found = {name: module for name, module in model.named_modules() if type(module) is nn.Sequential}
    stages = {name: module for name, module in found.items() if any(_descends(child, LAYOUTS) for child in module)}
    if not stages:
        outer = [name for name in found if not any(name.startswith(f"{other}.") for other in found)]
        kinds = {name: ", ".join(sorted({_qualified(type(child)) for child in found[name]})) for name in outer[:4]}
        seen = "; ".join(f"{name or 'the model'} of {kind}" for name, kind in kinds.items()) or "no nn.Sequential"
        raise ConfigError(
            f"{type(model).__name__} has no stage that attention can be put into: expected an nn.Sequential of "
            f"{', '.join(LAYOUTS)}, found {seen}"
        )
    for name, stage in stages.items():
        _check_blocks(name, stage)
    return stages


def _check_blocks(name: str, stage: nn.Sequential) -> None:
    for child, block in stage.named_children():
        if _layout(block) is None:
            raise ConfigError(
                f"{name}.{child} is a {_qualified(type(block))} with a forward of its own, so there is no telling "
                f"where its branch ends: expected the forward of {', '.join(LAYOUTS)} in every block of a stage"
            )
        # Those of a parametrised or pruned layer are on the layer, which is called as ever.
        if has_hooks(block):
            raise ConfigError(f"{name}.{child} has a hook, which would not run: put it on the stage or on a layer")
    widths = sorted({_width(block) for block in stage})
    if len(widths) > 1:
        raise ConfigError(f"{name}: got branches of {widths} channels in one nn.Sequential, expected one width a stage")


def _check_bare(model: nn.Module) -> None:
    if is_compiled(model):
        raise ConfigError(f"{type(model).__name__} is compiled: attach or detach on the original, then compile it")
    if any(isinstance(module, nn.parallel.DistributedDataParallel) for module in model.modules()):
        raise ConfigError("the network is distributed, which would not know new parameters: attach or detach first")


def _check_no_attention(model: nn.Module) -> None:
    if any(isinstance(module, ResidualNet) for module in model.modules()):
        raise ConfigError("this network is the lab's own: set its attention in ModelConfig and build it anew")
    if there := stage_attentions(model):
        raise ConfigError(f"there is attention already: {', '.join(there)}; detach_attention(model) first")


def _make_attentions(stages: dict[str, nn.Sequential], config: AttentionConfig, seed: int) -> dict[str, StageAttention]:
    """The attention of each stage with its initial values; PyTorch's global generator is left alone."""
    made = {}
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        for name, stage in stages.items():
            made[name] = make_attention(config, _width(stage[0]), len(stage))
        # In one dictionary, so that each parameter has its stage in the name that its values are drawn from.
        named = {f"stage/{name.replace('.', '/')}": attention for name, attention in made.items()}
        initialise(nn.ModuleDict(named), seed)
    for name, stage in stages.items():
        like = next(stage.parameters())
        made[name].to(like.device, like.dtype).train(stage.training)
    return made


def _checkpointing_nets(model: nn.Module) -> list[nn.Module]:
    """timm's ResNets: they checkpoint the blocks that iterating over a stage gives, without the stage's attention."""
    return [module for module in model.modules() if _descends(module, ["timm.models.resnet.ResNet"])]


def _no_checkpointing(enable: bool = True) -> None:
    """Stands in for ``set_grad_checkpointing`` where a stage has attention."""
    if enable:
        raise ConfigError("timm checkpoints block by block, which would leave out a stage's attention: turn it off")
