"""Sizes at which two networks have about the same number of parameters that can learn.

Counted are the live ones: entries that can have no gradient, by structure, are no capacity.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import Any

import torch

from dianet_lab.model_config import AttentionConfig, ModelConfig
from dianet_lab.models import assemble, count_dead_parameters, count_parameters


@lru_cache(maxsize=512)
def live_parameters(model: ModelConfig) -> int:
    """How many parameters of a network for three channels and ten classes can have a gradient."""
    with torch.random.fork_rng(devices=[]):  # dead entries are found by real masks, so not on the meta device
        built = assemble(model)
    return count_parameters(built) - count_dead_parameters(built)


def plain_width(model: ModelConfig, attention: Mapping[str, Any]) -> int:
    """The width, above its own, at which plain ``model`` comes nearest to the size of ``model`` with ``attention``.

    Args:
        attention: dotted changes of the default attention.
    """
    goal = live_parameters(_with(model, attention))
    plain = {"attention": AttentionConfig(unit="none")}

    def size(width: int) -> int:
        return live_parameters(model.model_copy(update=plain | {"width": width}))

    width = max(1, int(model.width * (goal / size(model.width)) ** 0.5) - 1)
    larger = max(model.width + 1, next(wide for wide in count(width) if size(wide) >= goal))
    return min(max(model.width + 1, larger - 1), larger, key=lambda wide: abs(size(wide) - goal))


def shared_hidden(model: ModelConfig) -> int:
    """The hidden width at which one shared unit a stage comes nearest to the size of a unit for each block."""
    goal = live_parameters(_with(model, {"model.attention.sharing": "none"}))

    def size(hidden: int) -> int:
        return live_parameters(_with(model, {"model.attention.hidden": hidden}))

    step = size(2) - size(1)  # a cell has 10Cq + 2q + 8C parameters: linear in q
    return max(1, round(1 + (goal - size(1)) / step))


def _with(model: ModelConfig, changes: Mapping[str, Any]) -> ModelConfig:
    fields = {path.removeprefix("model.attention."): value for path, value in changes.items()}
    return model.model_copy(update={"attention": AttentionConfig(**fields)})
