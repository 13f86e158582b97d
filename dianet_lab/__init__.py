"""DIANet Lab: ablations and analysis of one attention module shared among all blocks of a stage.

A public name is imported when it is asked for, so that what needs no PyTorch, such as a list of runs, starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dianet_lab.attach import attach_attention, detach_attention
    from dianet_lab.attention.registry import list_units
    from dianet_lab.backbones.registry import list_backbones
    from dianet_lab.config import AttentionConfig, DataConfig, ModelConfig, RunConfig, TrainConfig
    from dianet_lab.models import build_model
    from dianet_lab.profiles import PROFILES, get_profile

__all__ = [
    "PROFILES",
    "AttentionConfig",
    "DataConfig",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "attach_attention",
    "build_model",
    "detach_attention",
    "get_profile",
    "list_backbones",
    "list_units",
]

_MODULES = ("config", "models", "profiles", "attach", "attention.registry", "backbones.registry")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            if (found := getattr(import_module(f"{__name__}.{module}"), name, None)) is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
