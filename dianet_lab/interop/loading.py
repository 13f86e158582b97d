"""Filling a network with weights of other code: safely read, wholly checked, then copied."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.errors import LabError
from dianet_lab.interop.layouts import Layout, official_layout, pytorchcv_layout

SHOWN = 8
"""Keys of each kind that an error lists."""

Weights = str | Path | Mapping[str, Any]
"""A file, a state dict, or a checkpoint that has one under ``state_dict``."""


def load_official(model: ResidualNet, checkpoint: Weights) -> None:
    """Fill ``model`` with a checkpoint of the official repository (gbup-group/DIANet).

    Its DIA networks of all four backbones, and the plain networks of its harness into a model with unit ``none``.

    Args:
        checkpoint: what its ``cifar.py`` saves (a dictionary with ``state_dict``), a plain state dict, or the path of
            a file with either; a ``module.`` before all names is dropped.

    Raises:
        LabError: a model that the official code does not have, weights that don't fit (the model is as before), a file
            that can't be read safely.
    """
    weights = read_weights(checkpoint)
    _fill(model, weights, official_layout(model, weights))


def load_pytorchcv(model: ResidualNet, state_dict: Weights) -> None:
    """Fill ``model`` with a DIA-, SE- or plain (Pre)ResNet for CIFAR of pytorchcv.

    Args:
        state_dict: of that network, or the path of a file with it.

    Raises:
        LabError: a model that pytorchcv does not have, weights that don't fit (the model is as before), a file that
            can't be read safely.
    """
    _fill(model, read_weights(state_dict), pytorchcv_layout(model))


LOADERS: dict[str, Callable[[ResidualNet, Weights], None]] = {"official": load_official, "pytorchcv": load_pytorchcv}


def read_weights(source: Weights) -> dict[str, Any]:
    """The state dict of a file or mapping, without a ``module.`` that all its names begin with.

    Raises:
        LabError: a file that is absent, damaged or holds more than tensors and plain values; no state dict in it.
    """
    content = _read_file(Path(source).expanduser()) if isinstance(source, str | Path) else source
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content or not all(isinstance(key, str) for key in content):
        kind = type(content).__name__
        raise LabError(f"there is no state dict, but a {kind} without names: expected a dictionary of tensors by name")
    prefix = "module." if all(key.startswith("module.") for key in content) else ""
    return {key.removeprefix(prefix): value for key, value in content.items()}


def _read_file(path: Path) -> Any:
    if not path.is_file():
        raise LabError(f"{path} is no file: expected one that torch.save has written")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        why = str(error) if isinstance(error, OSError) else "it is damaged or foreign"
        if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
            why = f"it asks for {found[1]}, which is neither a tensor nor a plain value"
        raise LabError(
            f"{path} can't be read as weights ({why}), and nothing in it was run: get it anew or, if you trust it, "
            "save the network's state dict alone, torch.save(model.state_dict(), file), in the program that made it"
        ) from None


def _fill(model: ResidualNet, weights: Mapping[str, Any], layout: Layout) -> None:
    """Copy ``weights`` into ``model``, or change nothing and raise."""
    state = model.state_dict()
    ready, wrong = _match(state, weights, layout.names(model))
    if any(wrong.values()):
        size = f"{len(model.stages[0].blocks)} blocks a stage and {model.classifier.out_features} classes"
        heading = f"these weights do not fit: expected the names of {layout.title} with {size}; nothing was loaded"
        lines = [f"  {kind} ({len(keys)}): {_listed(keys)}" for kind, keys in wrong.items() if keys]
        raise LabError("\n".join([heading, *lines]))
    with torch.no_grad():
        for key, value in ready.items():
            state[key].copy_(value)


def _match(
    state: dict[str, Tensor], weights: Mapping[str, Any], names: dict[str, list[str]]
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """The new value of each of our keys, and what is wrong, by kind."""
    known = {name for theirs in names.values() for name in theirs}
    missing = [f"{key} (of ours)" for key, theirs in names.items() if not theirs]
    ready, misshaped, unequal = {}, [], []
    for key, theirs in names.items():
        # A count of batches, which no forward pass reads, is absent in old checkpoints.
        missing += [name for name in theirs if name not in weights and not key.endswith("num_batches_tracked")]
        there = [name for name in theirs if name in weights]
        misfits = {name: why for name in there if (why := _misfit(weights[name], state[key]))}
        misshaped += [f"{name} is {why}, expected {list(state[key].shape)}" for name, why in misfits.items()]
        if there and not misfits:
            first = weights[there[0]]
            unequal += [f"{name} is not {there[0]}" for name in there[1:] if not _same(weights[name], first)]
            ready[key] = first.detach().reshape(state[key].shape).to(state[key])
    wrong = {"missing": missing, "unexpected": [name for name in weights if name not in known], "misshaped": misshaped}
    return ready, wrong | {"unequal, but of one shared module": unequal}


def _misfit(value: Any, target: Tensor) -> str:
    """What is wrong with a value's kind or shape, or an empty string. A 1x1 convolution fits a linear map."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    if value.is_floating_point() != target.is_floating_point():
        return str(value.dtype)
    shapes = [target.shape, (*target.shape, 1, 1)] if target.dim() == 2 else [target.shape]
    return "" if value.shape in shapes else str(list(value.shape))


def _same(one: Tensor, other: Tensor) -> bool:
    return one is other or torch.equal(one, other.to(one))


def _listed(keys: list[str]) -> str:
    rest = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + rest
