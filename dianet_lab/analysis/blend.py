"""Interventions by degrees: a gate on its way to another one, a state on its way to zero, image by image."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dianet_lab.analysis.interventions import Call, Intervention, Replace, Values
from dianet_lab.errors import LabError


@dataclass(frozen=True, eq=False)
class Blend(Intervention):
    """Move a gate some way towards another one: ``gate + amount * (target - gate)``. The state goes on as computed.

    With ``amount`` 0 no bit changes, and with 1 the target itself is in place.

    Args:
        target: a number, ``[channel]``, ``[batch, channel]``, or the gate's own four dimensions.
        amount: a number, or ``[batch]``, so that one pass shows an image with and without the intervention.
    """

    target: Values = 0.25
    amount: Values = 1.0

    def __call__(self, call: Call) -> tuple[Tensor, Any]:
        target, state = Replace(gate=self.target)(call)
        return torch.lerp(call.gate, target, _rows(self.amount, call.gate, 0)), state


@dataclass(frozen=True, eq=False)
class Fade(Intervention):
    """Hand on a weaker state to the next block: ``(1 - amount) * state``, which is no state at 1; the gate stays.

    Args:
        amount: a number, or ``[batch]``.
    """

    amount: Values = 1.0

    def __call__(self, call: Call) -> tuple[Tensor, Any]:
        if call.state is None:
            raise LabError(f"stage {call.position[0]} has a unit without a memory: there is no state to reset")
        faded = (value * (1 - _rows(self.amount, value, value.dim() - 2)) for value in call.state)
        return call.gate, type(call.state)(*faded)


def _rows(amount: Values, like: Tensor, dim: int) -> Tensor:
    """A number for each image, in a shape that spreads over ``like``, whose dimension ``dim`` counts the images."""
    values = torch.as_tensor(amount, dtype=like.dtype, device=like.device).reshape(-1)
    if len(values) not in (1, like.shape[dim]):
        raise LabError(
            f"amount: got {len(values)} values, expected one number or one for each of {like.shape[dim]} images"
        )
    return values.reshape([-1 if axis == dim else 1 for axis in range(like.dim())])
