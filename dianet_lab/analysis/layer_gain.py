"""What a layer tells of a later one beyond what the later one is given: its squeeze and the state before it.

That two layers of one network go together shows nothing: both see the same image. A layer's state is computed from its
squeeze x_t and from what the memory hands over; so an earlier h_n counts as integrated where it helps to predict h_t
for one who knows x_t and h_{t-1} already.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV

from dianet_lab.analysis.layer_states import LayerStates
from dianet_lab.analysis.regression import (
    Split,
    bends,
    ridge,
    ridge_score,
    scaled,
    varies,
    within_reach,
)
from dianet_lab.errors import LabError
from dianet_lab.seeding import seed_of

NOTICED = 0.002
"""A gain in R² below which a layer is not said to be integrated. Cells of which it is known that they look at nothing
but their own squeeze gain up to 0.0005, for ridge regression does not follow a sigmoid to the end: with a thousand
images that is more than any shuffled source gains, so that p alone would call it something."""

CELLS = ["stage", "source", "target", "gain", "gain_bent"]
LAYERS = ["stage", "target", "known", "known_bent"]


class Gains(NamedTuple):
    """``cells``: ``stage, source, target, gain, gain_bent``; ``layers``: ``stage, target, known, known_bent``.

    ``known`` is the R² on held-out images of ridge regression of h_t on [x_t, h_{t-1}], ``gain`` how much it grows when
    h_n joins them; ``_bent``: the same with products of the leading components of [x_t, h_{t-1}] among what is known,
    so that what a line misses of a sigmoid does not count as a gain.
    """

    cells: pd.DataFrame
    layers: pd.DataFrame


def gains(stages: Iterable[LayerStates]) -> Gains:
    """The gain of every layer for every later one but the next; empty for units that see more than a squeeze."""
    cells, layers = [], []
    for states in stages:
        for target in range(1, len(states.blocks)) if states.squeezes is not None else ():
            place, truth = {"stage": states.stage, "target": states.blocks[target]}, states.layer(target)
            line = _known(states, target)
            known = {"": line, "_bent": Split.beside([line, bends(line)])}
            scores = {name: ridge_score(inputs, truth) for name, inputs in known.items()}
            layers.append(place | {f"known{name}": score for name, score in scores.items()})
            for source in range(target - 1):
                more = scaled(states.layer(source))
                found = {
                    f"gain{name}": ridge_score(Split.beside([inputs, more]), truth) - scores[name]
                    for name, inputs in known.items()
                }
                cells.append(place | {"source": states.blocks[source]} | found)
    return Gains(pd.DataFrame(cells, columns=CELLS), pd.DataFrame(layers, columns=LAYERS))


def _known(states: LayerStates, target: int) -> Split:
    """[x_t, h_{t-1}]."""
    return Split.beside([scaled(states.squeeze(target)), scaled(states.layer(target - 1))])


def integrates(
    states: np.ndarray,
    squeezes: np.ndarray,
    source: int,
    target: int,
    *,
    alone: bool = True,
    rounds: int = 99,
    seed: int = 0,
) -> tuple[float, float]:
    """Whether h of layer ``source`` tells of h of layer ``target`` what [x_target, h_{target-1}] do not.

    Half of the images teach what [x_target, h_{target-1}], with products of their leading components, tell of both
    layers. On the other half what is left of the target is regressed on what is left of the source: fitted on one
    quarter, judged on the last. The level: the same with the source's rest in the order of other images, which breaks
    no tie of either layer to what is known (Freedman and Lane 1983).

    Args:
        states, squeezes: ``[image, block, channel]`` of one stage.
        source, target: positions of blocks, source before target.
        alone: whether all other layers before the target are known too. Without it, a layer that merely goes together
            with the true source gains as well, for both saw the same image.
        rounds: shuffles that make the level; p is at least ``1 / (rounds + 1)``.

    Returns:
        gain: by how much the R² of the target grows on images held out; ``p``: how often a shuffled source gains as
        much. ``(0, 1)`` for the layer just before the target, which is known, and for layers that do not vary.

    Raises:
        LabError: ``source`` does not come before ``target``, or arrays of different shapes.
    """
    states, squeezes = np.asarray(states, float), np.asarray(squeezes, float)
    if states.ndim != 3 or states.shape != squeezes.shape:
        raise LabError(
            f"got states {states.shape} and squeezes {squeezes.shape}, expected [image, block, channel] twice"
        )
    if not 0 <= source < target < states.shape[1]:
        raise LabError(f"got source {source} and target {target}, expected 0 <= source < target < {states.shape[1]}")
    rng = np.random.default_rng(seed_of("integrates", seed, source, target))
    order = rng.permutation(len(states))
    quarter = len(order) // 4
    teach, judge = order[: 2 * quarter], order[2 * quarter :]
    parts = [Split(values[teach], values[judge]) for values in (squeezes[:, target], states[:, target - 1])]
    line = Split.beside([scaled(part) for part in parts])
    others = [n for n in range(target - 1) if n != source] if alone else []
    beside = [scaled(Split(states[teach, n], states[judge, n])) for n in others]
    known = Split.beside([line, bends(line), *beside])
    left = {}
    for name, index in (("source", source), ("target", target)):
        layer = scaled(Split(states[teach, index], states[judge, index]))
        if not (varies(states[teach, index]) and varies(states[judge, index])):
            return 0.0, 1.0
        left[name] = layer.test - within_reach(_predicted(known, layer.train), layer.train)
    if source == target - 1:
        return 0.0, 1.0
    whole = ((scaled(Split(states[teach, target], states[judge, target])).test[quarter:]) ** 2).sum()
    gain = _told(left["source"], left["target"], quarter) / whole
    level = [_told(rng.permutation(left["source"]), left["target"], quarter) / whole for _ in range(rounds)]
    return float(gain), (1 + sum(found >= gain for found in level)) / (rounds + 1)


def _predicted(inputs: Split, target: np.ndarray) -> np.ndarray:
    return ridge(inputs, target).predict(inputs.test).reshape(len(inputs.test), -1)


def _told(source: np.ndarray, target: np.ndarray, quarter: int) -> float:
    """By how much the sum of squares of ``target`` falls, fitted on the first quarter and judged on the rest."""
    fitted = RidgeCV(np.logspace(-2, 4, 7) * max(source.var(), 1e-12)).fit(source[:quarter], target[:quarter])
    rest = target[quarter:] - fitted.predict(source[quarter:]).reshape(target[quarter:].shape)
    return float((target[quarter:] ** 2).sum() - (rest**2).sum())
