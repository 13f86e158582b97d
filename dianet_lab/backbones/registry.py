"""The backbones by name. A new one is one function that returns a plan and one line here."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from dianet_lab.backbones import resnext as _resnext
from dianet_lab.backbones import wide_resnet as _wide_resnet
from dianet_lab.backbones.preresnet import preresnet
from dianet_lab.backbones.residual import Plan
from dianet_lab.backbones.resnet import depth_rule, resnet
from dianet_lab.errors import ConfigError, unknown_name


class Backbone(NamedTuple):
    """``title`` for readers, ``plan`` builds it, ``rule`` gives (step, rest) of its depths ``step * n + rest``."""

    title: str
    plan: Callable[..., Plan]
    rule: Callable[..., tuple[int, int]]

    @property
    def options(self) -> tuple[str, ...]:
        """The fields of ``ModelConfig`` that it reads: the keyword arguments of its plan."""
        parameters = inspect.signature(self.plan).parameters.values()
        return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)


BACKBONES: dict[str, Backbone] = {
    "resnet": Backbone("ResNet", resnet, depth_rule),
    "preresnet": Backbone("PreResNet", preresnet, depth_rule),
    "wide_resnet": Backbone("Wide ResNet", _wide_resnet.wide_resnet, _wide_resnet.depth_rule),
    "resnext": Backbone("ResNeXt", _resnext.resnext, _resnext.depth_rule),
}


def list_backbones() -> list[str]:
    """The names of all backbones."""
    return list(BACKBONES)


def get_backbone(name: str) -> Backbone:
    """A backbone by name.

    Raises:
        ConfigError: an unknown name, with the valid ones and the closest.
    """
    if name not in BACKBONES:
        raise unknown_name("backbone", name, BACKBONES)
    return BACKBONES[name]


def blocks_per_stage(name: str, depth: int, **options: Any) -> int:
    """n of a backbone's depth, for example 18 of a bottleneck ResNet-164.

    Args:
        options: those of the backbone's options that its depth rule reads (``block``).

    Raises:
        ConfigError: a depth that no n gives; the message names the nearest valid ones.
    """
    backbone = get_backbone(name)
    step, rest = backbone.rule(**options)
    n, over = divmod(depth - rest, step)
    if over or n < 1:
        near = sorted({max(1, n), max(1, n) + 1})
        blocks = f" of {options['block']} blocks" if options else ""
        raise ConfigError(
            f"ModelConfig.depth: got {depth}, but a {backbone.title}{blocks} has depth {step}n + {rest}; "
            f"the nearest are {' and '.join(str(step * k + rest) for k in near)}"
        )
    return n
