"""Controls: gates that see no image. What they reach, attention need not be thanked for.

All start at 0.25, as the DIA-LSTM does, unless ``gate_start`` says otherwise.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from dianet_lab.attention.unit import ChannelUnit

START = 0.25


class _Control(ChannelUnit):
    """A gate that is the same for every image."""

    options: ClassVar[tuple[str, ...]] = ("gate_start",)

    def __init__(self, channels: int, *, gate_start: float | None = None):
        super().__init__(gate_start=None)
        self.channels = channels
        self.initial_gate = START if gate_start is None else gate_start

    def value(self) -> Tensor | float:
        """The gate, one number or one a channel."""
        return self.initial_gate

    def excite(self, squeeze: Tensor, state: None = None) -> tuple[Tensor, None]:
        value = torch.as_tensor(self.value(), dtype=squeeze.dtype, device=squeeze.device)
        return value.expand(squeeze.shape)[:, :, None, None], None


class Constant(_Control):
    """A fixed gate. After a norm it is a reparametrisation of that norm's gamma: what is left is the start."""


class Scalar(_Control):
    """One learned number a unit, as the multiplier of SkipInit (De, Smith, NeurIPS 2020, arXiv 2002.10444, section 3).

    Per block with ``sharing="none"``.
    """

    def __init__(self, channels: int, *, gate_start: float | None = None):
        super().__init__(channels, gate_start=gate_start)
        self.weight = nn.Parameter(torch.full((self.size(),), self.initial_gate))

    def size(self) -> int:
        return 1

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor:
        return torch.full((self.size(),), self.initial_gate)

    def value(self) -> Tensor:
        return self.weight


class Static(Scalar):
    """One learned vector a unit, input-free, as LayerScale (Touvron et al., ICCV 2021, arXiv 2103.17239, equation 4).

    Trained gates that hardly depend on the image would lose nothing against it: the stripe observation of Huang et
    al., ECCV 2024, arXiv 2304.06345.
    """

    def size(self) -> int:
        return self.channels


class Random(_Control):
    """A fixed random gate, one number a channel, uniform between 0 and twice the start, drawn with initial values."""

    def __init__(self, channels: int, *, gate_start: float | None = None):
        super().__init__(channels, gate_start=gate_start)
        self.register_buffer("drawn", torch.rand(channels) * 2 * self.initial_gate)

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor:
        return torch.rand(self.channels, generator=generator) * 2 * self.initial_gate

    def value(self) -> Tensor:
        return self.drawn
