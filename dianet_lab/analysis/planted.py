"""Cells set by hand, of which it is known what they do: what the methods of the notebooks 11 to 14 must find there.

A shared cell can't tell one block from another; a layer embedding lets it, and holds here, block by block, the gates i,
f and o wide open or shut. The squeezes are those of a real, untrained network.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dianet_lab.analysis.points import attentions
from dianet_lab.attention.stage import StageAttention
from dianet_lab.backbones.residual import ResidualNet
from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.models import build_model
from dianet_lab.seeding import seed_of

BLOCKS = 8
SOURCE, TARGET = 2, 6
"""The block that writes to the memory, and the one that reads it."""

OPEN, SHUT = 20.0, -200.0
"""Of a sigmoid's input: 1 and 0 in float32. What were merely small would still be a copy, in small."""

STRENGTH = 3.0
"""How strongly a candidate answers to its squeeze."""

Pairs = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Truth:
    """What holds of a planted stage.

    ``image``: whether any gate depends on the image; ``drifts``: of gates that do not, whether they differ from block
    to block; ``memory``: (source, target) pairs of which another image's state moves the target's gate; ``copies``:
    neighbours with equal gates; ``gain``: pairs of which the source's h tells of the target's h what its squeeze and
    the h before it do not.
    """

    image: bool
    drifts: bool = False
    memory: Pairs = frozenset()
    copies: Pairs = frozenset()
    gain: Pairs = frozenset()


_EVERY = frozenset((source, target) for target in range(BLOCKS) for source in range(target))
_NEIGHBOURS = frozenset((block, block + 1) for block in range(BLOCKS - 1))
_KEPT = frozenset((source, TARGET) for source in range(SOURCE, TARGET))

TRUTHS: dict[str, Truth] = {
    "reads block 2 at block 6": Truth(image=True, memory=_KEPT, gain=frozenset({(SOURCE, TARGET)})),
    "clock": Truth(image=False, drifts=True),
    "constant": Truth(image=False),
    "neighbours copy": Truth(image=True, memory=_EVERY, copies=_NEIGHBOURS),
    "own squeeze": Truth(image=True),
}
"""Scenario -> truth. What block 2 writes lies in c until block 6, so that a change of c anywhere between moves block 6.
A clock's c would hand a change on too, if there ever was one: no two images differ in it, so it carries nothing of an
image. ``own squeeze`` is the null: each gate answers to its own block's squeeze and to nothing else."""


def planted(scenario: str, seed: int, share: float = 0.5) -> ResidualNet:
    """An untrained DIA-ResNet-50 of basic blocks, eight a stage, with a hand-set cell in every stage.

    Args:
        scenario: of :data:`TRUTHS`.
        seed: of the backbone, and of what the candidates answer to.
        share: of the channels, where only some take part in the planted dependence: the others answer to their own
            squeeze. The fewer, the harder it is to find.
    """
    attention = AttentionConfig(layer_embedding=True, reduction=None)
    config = ModelConfig(depth=6 * BLOCKS + 2, width=16, attention=attention)
    model = build_model(config, in_channels=1, num_classes=10, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed_of("planted", scenario, seed))
    for stage in attentions(model):
        _set(stage, SCENARIOS[scenario], share, generator)
    return model


@torch.no_grad()
def _set(stage: StageAttention, scenario: Callable, share: float, generator: torch.Generator) -> None:
    cell, channels = stage.units[0].cells[0], stage.units[0].channels
    for parameter in stage.parameters():
        parameter.zero_()
    mine = torch.arange(channels) < max(1, round(share * channels))
    answers = STRENGTH * torch.randn(channels, channels, generator=generator)
    weight, embedding = cell.input_map.weight.view(4, channels, channels), stage.embedding.weight.view(-1, 4, channels)
    for block, gates in enumerate(embedding):
        _own_squeeze(gates, slice(None))
        scenario(gates, mine, block)
    if scenario in (_clock, _constant):
        return
    # Scaled so that candidates use the range of their tanh, whatever the width of the stage.
    weight[2] = answers / channels**0.5


def _own_squeeze(gates: Tensor, which: Tensor | slice) -> None:
    """Write the candidate, keep nothing, show all: ``gates`` are the four rows i, f, g, o of one block."""
    gates[0, which], gates[1, which], gates[3, which] = OPEN, SHUT, OPEN


def _reads(gates: Tensor, mine: Tensor, block: int) -> None:
    gates[0, mine] = OPEN if block == SOURCE else SHUT
    gates[1, mine] = OPEN if SOURCE < block <= TARGET else SHUT
    gates[3, mine] = OPEN if block in (SOURCE, TARGET) else SHUT


def _clock(gates: Tensor, mine: Tensor, block: int) -> None:
    gates[1], gates[2] = OPEN, 0.3  # c grows by tanh(0.3) a block


def _constant(gates: Tensor, mine: Tensor, block: int) -> None:
    gates[2] = 0.3


def _copies(gates: Tensor, mine: Tensor, block: int) -> None:
    gates[0, mine] = OPEN if block == 0 else SHUT
    gates[1, mine] = OPEN


def _nothing_more(gates: Tensor, mine: Tensor, block: int) -> None:
    """The null."""


SCENARIOS: dict[str, Callable] = {
    "reads block 2 at block 6": _reads,
    "clock": _clock,
    "constant": _constant,
    "neighbours copy": _copies,
    "own squeeze": _nothing_more,
}
