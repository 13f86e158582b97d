"""DIANet Lab: ablations and analysis of one attention module shared among all blocks of a stage."""

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
