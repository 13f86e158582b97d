"""The official recipe against a stronger one: how much of a published gain is the weakness of its baseline."""

from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.profiles import OFFICIAL_RECIPES, Profile
from dianet_lab.studies.catalog.arms import ARMS
from dianet_lab.studies.catalog.building import assembled
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.study import Study, dotted

SHOWN = ("plain", "plain, gain 0.25", "SE per block", "DIA")
OFFICIAL, STRONG = "official", "strong"
SMOOTHING = 0.1


def recipe_study(scale: Profile) -> Study:
    """Four arms under both recipes; an arm is called like ``official: DIA``. All of it is exploratory.

    The official runs are evaluated after every epoch, because the official code reports the best of them.
    """
    recipes = {OFFICIAL: official(scale.base), STRONG: strong(scale.base)}
    arms = {f"{name}: {arm}": {**recipe, **ARMS[arm]} for name, recipe in recipes.items() for arm in SHOWN}
    contrasts = []
    for name in recipes:
        for other in SHOWN[:-1]:
            weights = {f"{name}: DIA": 1, f"{name}: {other}": -1}
            contrasts.append(Contrast(f"{name}: DIA - {other}", weights, scale.delta, primary=False))
    gain = {"official: DIA": 1, "official: plain": -1, "strong: DIA": -1, "strong: plain": 1}
    contrasts.append(Contrast("gain of DIA, last epochs: official - strong", gain, scale.delta, primary=False))
    better = {"strong: plain": 1, "official: plain": -1}
    contrasts.append(Contrast("plain: strong - official (last epochs)", better, scale.delta, primary=False))
    return assembled("recipe", scale, arms, contrasts, baseline="official: plain")


def official(base: RunConfig) -> dict[str, Any]:
    """Steps at a third and two thirds, no warm-up, no smoothing, a look at every epoch; the images of every arm."""
    epochs = base.train.epochs
    recipe = OFFICIAL_RECIPES["resnet"].with_epochs(epochs)
    kept = {"batch_size": base.train.batch_size, "eval_every": 1}
    return dotted("train", recipe.model_dump() | kept)


def strong(base: RunConfig) -> dict[str, Any]:
    """Cosine, five per cent of warm-up and label smoothing, at the scale's learning rate and weight decay."""
    epochs = base.train.epochs
    warmup = min(max(1, round(0.05 * epochs)), epochs - 1)
    recipe = {"schedule": "cosine", "milestones": (), "gamma": 0.1, "warmup_epochs": warmup}
    return dotted("train", recipe | {"label_smoothing": SMOOTHING, "eval_every": max(1, epochs // 4)})
