"""Gates replaced in the networks of a study: everywhere, stage by stage, layer by layer, and by random masks."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import torch

from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.replacement import ANEW, INTACT, KEPT, KINDS, Replacement
from dianet_lab.seeding import seed_of

FRACTIONS = (0, 0.25, 0.5, 0.75, 1)
"""Of the blocks that listen to the image, where masks are random."""

ALONE = ("mean", "class mean", "same class, another image's", "other class, another image's", "start")
"""The kinds by layer: where one layer stands alone, another image's gates are those of its class or of another."""

CONTROLS = ("mean",)
"""The kinds by layer of networks that stand beside the one that it is about: each takes two passes a block."""

Row = dict[str, Any]


class Replaced(NamedTuple):
    """Frames with ``arm, seed`` and what :meth:`~dianet_lab.analysis.replacement.Replacement.outcome` tells.

    The arm of an untrained network ends in ``, untrained``.

    ``everywhere`` has ``kind`` (among them ``intact``) and ``norms``. In the others, norms are estimated anew:
    ``stages`` has ``stage, kind``, ``layers`` has ``stage, block, kind``, ``masks`` has ``fraction`` (of the blocks
    that listen) and ``draw``.
    """

    everywhere: pd.DataFrame
    stages: pd.DataFrame
    layers: pd.DataFrame
    masks: pd.DataFrame


def replace_gates(
    networks: Iterable[Network],
    *,
    staged: Collection[str] = (),
    layered: Mapping[str, Sequence[str]] | None = None,
    masked: Collection[str] = (),
    draws: int = 3,
) -> Replaced:
    """Every kind of replacement in each network; its gates are captured once.

    Args:
        staged: names of networks of which the stages are replaced one by one too.
        layered: name of a network of which the blocks are replaced one by one too -> in which ways.
        masked: names of networks of which only a random part of the blocks listens to the image.
        draws: masks of each size.
    """
    found = Replaced([], [], [], [])
    for network in networks:
        name, seed = network.name, network.which["seed"]
        each = Replacement(network.model, network.images, network.train, seed)
        parts = [_everywhere(each)]
        parts.append(_stages(each) if name in staged else ())
        parts.append(_layers(each, (layered or {}).get(name, ())))
        parts.append(_masks(each, draws, seed) if name in masked else ())
        for kept, rows in zip(found, parts, strict=True):
            kept += [{"arm": name, "seed": seed} | row for row in rows]
    return Replaced(*map(pd.DataFrame, found))


def _everywhere(each: Replacement) -> Iterator[Row]:
    for norms in (KEPT, ANEW):
        for kind in (INTACT, *KINDS):
            places = each.positions if kind != INTACT else []
            yield {"kind": kind, "norms": norms} | each.outcome(kind, places, norms)


def _stages(each: Replacement) -> Iterator[Row]:
    for stage in sorted({stage for stage, _ in each.positions}):
        places = [place for place in each.positions if place[0] == stage]
        for kind in KINDS:
            yield {"stage": stage, "kind": kind} | each.outcome(kind, places, ANEW)


def _layers(each: Replacement, kinds: Sequence[str]) -> Iterator[Row]:
    for stage, block in each.positions:
        for kind in kinds:
            yield {"stage": stage, "block": block, "kind": kind} | each.outcome(kind, [(stage, block)], ANEW)


def _masks(each: Replacement, draws: int, seed: int) -> Iterator[Row]:
    """The gates of the blocks that do not listen are their means; of none and of all blocks there is one draw."""
    generator, blocks = torch.Generator().manual_seed(seed_of("masks", seed)), len(each.positions)
    for fraction in FRACTIONS:
        deaf = round((1 - fraction) * blocks)
        for draw in range(draws if 0 < deaf < blocks else 1):
            chosen = [each.positions[index] for index in torch.randperm(blocks, generator=generator)[:deaf]]
            yield {"fraction": fraction, "draw": draw} | each.outcome("mean", chosen, ANEW)
