"""Initial values that depend on (seed, parameter name) only, so that two arms start from the same backbone.

Adding a unit, or another seed's arm being built first, shifts nothing: every parameter has a generator of its own.
"""

import math

import torch
from torch import Tensor, nn

from dianet_lab.seeding import seed_of

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)


def initialise(model: nn.Module, seed: int) -> None:
    """Give every parameter of a model on the CPU its initial value, in place.

    Convolutions of images: normal(0, sqrt(2 / (k^2 * outputs))), the official choice (``dia_resnet.py``). Linear, and
    convolutions of vectors: PyTorch's default, uniform(-1/sqrt(inputs), 1/sqrt(inputs)) for weight and bias. Norms: 1
    and 0. Layers marked ``zero_start``: 0. Units that shall start tied get the first one's values.

    Raises:
        TypeError: a module that owns parameters of another kind and has no ``initial_value(name, generator)``.
    """
    for module_name, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if hasattr(module, "initial_value"):
            own |= dict(module.named_buffers(recurse=False))
        for name, parameter in own.items():
            generator = torch.Generator().manual_seed(seed_of(seed, f"{module_name}.{name}"))
            with torch.no_grad():
                # Drawn into a contiguous tensor: the memory format of the parameter must not reorder the numbers.
                parameter.copy_(_initial_value(module, name, torch.empty(parameter.shape), generator))
    for module in model.modules():
        if hasattr(module, "tie_start"):
            module.tie_start()


def _initial_value(module: nn.Module, name: str, value: Tensor, generator: torch.Generator) -> Tensor:
    if getattr(module, "zero_start", False):
        return value.zero_()
    if isinstance(module, nn.Conv2d) and name == "weight":
        kernel = module.kernel_size[0] * module.kernel_size[1]
        return value.normal_(0, math.sqrt(2 / (kernel * module.out_channels)), generator=generator)
    if isinstance(module, nn.Linear | nn.Conv1d):
        inputs = module.in_features if isinstance(module, nn.Linear) else module.in_channels * module.kernel_size[0]
        bound = 1 / math.sqrt(inputs)
        return value.uniform_(-bound, bound, generator=generator)
    if isinstance(module, NORMS):
        return value.fill_(1.0 if name == "weight" else 0.0)
    if hasattr(module, "initial_value"):
        return module.initial_value(name, generator)
    raise TypeError(
        f"{type(module).__name__} owns the parameter {name!r}: give the class a method "
        "initial_value(name, generator) that returns its starting tensor"
    )
