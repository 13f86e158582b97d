"""What a network costs: parameters, multiply-accumulates, what training keeps in memory, and where its gates start."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from dianet_lab.analysis.capture import capture
from dianet_lab.attention.stage import stage_attentions
from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.models import (
    count_attention_parameters,
    count_dead_parameters,
    count_macs,
    count_parameters,
    image_channels,
    make_attention,
    stage_channels,
)

BATCH = 8
"""Images of the batch that memory and gates are measured on."""


def describe(model: nn.Module, size: int = 32, name: str = "") -> pd.DataFrame:
    """What a network costs, one row: any of the lab's, or any other with or without an attached unit.

    Columns: ``parameters``; ``live``, without those that can have no gradient by structure, which is what arms are
    matched by; ``attention``, those of the units; ``MACs`` of one image (convolutions and linear maps, by torch's flop
    counter); ``activations``, the bytes an image that a training step keeps for its backward pass; ``gate``, ``lowest``
    and ``highest``, mean and range of the gates as the model is now, for random images (NaN without a unit).

    Args:
        size: height and width of the images.
        name: the row's label.
    """
    channels = image_channels(model)
    parameters = count_parameters(model)
    row: dict[str, Any] = {
        "parameters": parameters,
        "live": parameters - count_dead_parameters(model),
        "attention": count_attention_parameters(model),
        "MACs": count_macs(model, channels, size),
    }
    images = torch.randn(BATCH, channels, size, size, generator=torch.Generator().manual_seed(0))
    # A copy, because batches in training mode move running statistics.
    twin = copy.deepcopy(model).train()
    images = images.to(next(twin.parameters()))
    row["activations"] = saved_bytes(twin, lambda: twin(images)) // BATCH
    gates = _gates(twin, images)
    row |= {"gate": gates.mean().item(), "lowest": gates.min().item(), "highest": gates.max().item()}
    return pd.DataFrame([row], index=[name or type(model).__name__])


@torch.no_grad()
def _gates(model: nn.Module, images: Tensor) -> Tensor:
    if not stage_attentions(model):
        return torch.tensor([float("nan")])
    with capture(model, ["gate", "map"]) as trace:
        model(images)
    stages = trace.stages("map" if trace.has("map") else "gate")
    return torch.cat([torch.from_numpy(gates.values).flatten() for gates in stages])


def units_by_depth(backbone: str, depths: Sequence[int], arms: Mapping[str, AttentionConfig], **shape) -> pd.DataFrame:
    """Parameters of all attention units of a network, a row for each depth and arm: depth, blocks, arm, parameters.

    Only the units are made, for how wide a stage is does not depend on the depth.

    Args:
        shape: further fields of ``ModelConfig``, such as ``block="bottleneck"``.
    """
    rows = []
    with torch.device("meta"):  # counted, never run
        channels = stage_channels(ModelConfig(backbone=backbone, depth=min(depths), **shape))
        for depth in depths:
            for arm, attention in arms.items():
                config = ModelConfig(backbone=backbone, depth=depth, attention=attention, **shape)
                units = (make_attention(attention, width, config.blocks_per_stage) for width in channels)
                parameters = sum(count_parameters(unit) for unit in units if unit is not None)
                rows.append({"depth": depth, "blocks": config.blocks_per_stage, "arm": arm, "parameters": parameters})
    return pd.DataFrame(rows)


def crossover(costs: pd.DataFrame, arm: str, other: str) -> int | None:
    """The first depth of :func:`units_by_depth` at which ``arm`` has fewer parameters than ``other``; None for none."""
    table = costs.pivot(index="depth", columns="arm", values="parameters")
    cheaper = table.index[table[arm] < table[other]]
    return int(cheaper[0]) if len(cheaper) else None


def saved_bytes(model: nn.Module, step: Callable[[], Any]) -> int:
    """What ``step`` keeps for a backward pass: each storage once, without the model's own parameters and buffers."""
    own = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor  # which keeps the storage alive, so that its address stays unique

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = step()  # noqa: F841 - the graph must live until all is counted
    return sum(saved.values())
