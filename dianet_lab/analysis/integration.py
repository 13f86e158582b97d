"""Feature integration by random forests, and what tells whether such a map measures anything.

As far as can be reconstructed, the paper regresses the hidden state of a layer on those of all earlier layers of its
stage with a random forest (Breiman 2001; Gregorutti et al. 2017) and shows the mean decrease in impurity as a
triangular map. Stated exactly, here: rows are images; inputs are h_1 to h_{t-1} side by side; the target is h_t with
all its channels; a layer's importance is the sum over its columns, so that the importances of a target add up to 1
whether or not the forest predicts anything. Forests are fitted on training images and judged on others.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor

from dianet_lab.analysis.layer_states import LayerStates
from dianet_lab.analysis.regression import Split, explained, ridge, varies, within_reach
from dianet_lab.seeding import seed_of

COMPONENTS = 8
"""Principal components that stand for a layer: of 64 channels they hold 97 % of the variance or more, a forest is ten
times as fast, and its map ranks pairs as that of all channels does (0.84 and 0.90 in two stages of 16 and 32)."""

TREES = 30
"""Of a forest: with 50, R² grows by 0.005 and the maps rank their cells alike (rank correlation 0.95)."""

SHARE_OF_COLUMNS = 1 / 3
"""Columns that a split chooses from: Breiman's third. With all of them, one of several like columns takes most."""

LEAF = 2
"""Images in a leaf, at least."""

REPEATS = 2
"""Permutations that a permutation importance is the mean of."""


class Integration(NamedTuple):
    """What earlier layers tell of later ones.

    ``cells`` has a row a source and later target: ``stage, source, target`` (block numbers), ``mdi`` (mean decrease in
    impurity, 0 to 1, adding up to 1 over the sources of a target), ``permutation`` and ``ridge`` (how much the R² on
    held-out images falls when the source's columns are permuted over the images together, of the forest and of ridge
    regression). ``layers`` has a row a target: ``stage, target``, and the R² ``forest, forest_centred, ridge,
    ridge_centred`` on held-out images, each channel weighted by its variance; ``centred``: the states' class means,
    those of the training images, were taken out. What does not vary has NaN.
    """

    cells: pd.DataFrame
    layers: pd.DataFrame


def integration(
    stages: Iterable[LayerStates],
    *,
    shuffled: bool = False,
    components: int | None = COMPONENTS,
    trees: int = TREES,
    seed: int = 0,
) -> Integration:
    """Fit every later layer of every stage on all earlier ones.

    Args:
        stages: of :func:`~dianet_lab.analysis.layer_states.layer_states`.
        shuffled: give each target the inputs of another image; what is found then is there in no network.
        components: principal components of a layer, found on training images, that forests and ridge see and predict;
            R² is of all channels. None: the channels themselves.
        trees: of a forest.
        seed: of forests and permutations.
    """
    cells, layers = [], []
    for states in stages:
        centred = states.class_centred()
        reduced, reduced_centred = _reduced(states, components), _reduced(centred, components)
        for target in range(1, len(states.blocks)):
            place = {"stage": states.stage, "target": states.blocks[target]}
            number = seed_of("integration", seed, states.stage, target) % 2**32
            raw = _Target(reduced, target, shuffled, trees, number)
            rest = _Target(reduced_centred, target, shuffled, trees, number)
            found = {"mdi": raw.decrease(), "permutation": raw.drops(raw.forest), "ridge": raw.drops(raw.ridge)}
            for index in range(target):
                values = {name: float(of[index]) for name, of in found.items()}
                cells.append(place | {"source": states.blocks[index]} | values)
            scores = {"forest": raw.score(raw.forest), "forest_centred": rest.score(rest.forest)}
            scores |= {"ridge": raw.score(raw.ridge), "ridge_centred": rest.score(rest.ridge)}
            layers.append(place | scores)
    names = ["stage", "source", "target", "mdi", "permutation", "ridge"]
    scores = ["stage", "target", "forest", "forest_centred", "ridge", "ridge_centred"]
    return Integration(pd.DataFrame(cells, columns=names), pd.DataFrame(layers, columns=scores))


class _Layer(NamedTuple):
    """A layer in few columns, and the way back to its channels."""

    columns: Split
    channels: Split
    back: PCA | None

    def restored(self, columns: np.ndarray) -> np.ndarray:
        columns = columns.reshape(len(columns), -1)
        return columns if self.back is None else self.back.inverse_transform(columns)


def _reduced(states: LayerStates, components: int | None) -> list[_Layer]:
    return [_reduced_layer(states.layer(index), components) for index in range(len(states.blocks))]


def _reduced_layer(layer: Split, components: int | None) -> _Layer:
    if components is None:
        return _Layer(layer, layer, None)
    if not varies(layer.train):
        return _Layer(Split(*(np.zeros((len(part), 1)) for part in layer)), layer, None)
    pca = PCA(min(components, *layer.train.shape), svd_solver="full").fit(layer.train)
    return _Layer(Split(*map(pca.transform, layer)), layer, pca)


class _Target:
    """One layer's states, fitted on all earlier layers'."""

    def __init__(self, layers: Sequence[_Layer], target: int, shuffled: bool, trees: int, seed: int):
        self.rng, self.layer = np.random.default_rng(seed), layers[target]
        self.inputs = Split.beside([layer.columns for layer in layers[:target]])
        self.ends = np.cumsum([0] + [layer.columns.train.shape[1] for layer in layers[:target]])
        order = [self.rng.permutation(len(part)) if shuffled else slice(None) for part in self.inputs]
        target_columns, channels = self.layer.columns.train[order[0]], self.layer.channels
        self.truth, self.seen = channels.test[order[1]], channels.train
        self.varies = varies(self.seen)
        self.scale = np.sqrt(self.inputs.train.var(0).mean()) if varies(self.inputs.train) else 1.0
        if self.varies:
            options = {"max_features": SHARE_OF_COLUMNS, "min_samples_leaf": LEAF, "random_state": seed, "n_jobs": 1}
            single = target_columns[:, 0] if target_columns.shape[1] == 1 else target_columns
            self._forest = RandomForestRegressor(trees, **options).fit(self.inputs.train, single)
            self._ridge = ridge(Split(self.inputs.train / self.scale, None), target_columns)

    def forest(self, inputs: np.ndarray) -> np.ndarray:
        return self.layer.restored(self._forest.predict(inputs))

    def ridge(self, inputs: np.ndarray) -> np.ndarray:
        return within_reach(self.layer.restored(self._ridge.predict(inputs / self.scale)), self.seen)

    def score(self, model) -> float:
        """R² on the images held out."""
        return explained(self.truth, model(self.inputs.test)) if self.varies else float("nan")

    def decrease(self) -> np.ndarray:
        """The mean decrease in impurity of each source; NaN where the forest had nothing to split."""
        sources = len(self.ends) - 1
        if not self.varies or not self._forest.feature_importances_.sum() > 0:
            return np.full(sources, np.nan)
        return np.add.reduceat(self._forest.feature_importances_, self.ends[:-1])

    def drops(self, model) -> np.ndarray:
        """How much the score falls when a source's columns are permuted over the held-out images, all alike."""
        if not self.varies:
            return np.full(len(self.ends) - 1, np.nan)
        intact, found = self.score(model), []
        for start, end in zip(self.ends[:-1], self.ends[1:], strict=True):
            scores = []
            for _ in range(REPEATS):
                broken = self.inputs.test.copy()
                broken[:, start:end] = broken[self.rng.permutation(len(broken)), start:end]
                scores.append(explained(self.truth, model(broken)))
            found.append(intact - np.mean(scores))
        return np.array(found)
