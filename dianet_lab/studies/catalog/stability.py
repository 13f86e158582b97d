"""Who survives without skip connections, without BatchNorm, without augmentation, and at which learning rates."""

from typing import Any

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import ARMS
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.study import Study

CONDITIONS: dict[str, dict[str, Any]] = {
    "no skip": {"model.skip": False},
    "no norm": {"model.norm": "none"},
    "no augmentation": {"data.augment": False},
}
SHOWN = ("plain", "constant 0.25", "scalar per block", "SE per block", "DIA", "r=16")
"""``scalar per block`` starts at 0.25 and learns (SkipInit); r=16 fits the parameters of the published networks."""


def stability_study(scale: Profile) -> Study:
    """Condition x depth x rate x arm, in short runs; an arm is called like ``no norm, depth 20, rate 0.1: DIA``."""
    shaky = scale.shaky
    base = scale.base
    train = base.train.with_epochs(shaky.epochs).model_copy(update={"eval_every": shaky.epochs})
    base = base.model_copy(update={"train": train})
    arms, contrasts = {}, []
    for condition, changes in CONDITIONS.items():
        for depth in shaky.depths:
            for rate in shaky.rates:
                cell = f"{condition}, depth {depth}, rate {rate:g}: "
                where = {**changes, "model.depth": depth, "train.lr": rate}
                arms |= {cell + arm: {**ARMS[arm], **where} for arm in SHOWN}
                contrasts += [
                    Contrast(f"{cell}{arm} - plain", {cell + arm: 1, cell + "plain": -1}, scale.delta, primary=False)
                    for arm in SHOWN[1:]
                ]
    return Study(
        "stability",
        base,
        arms=arms,
        seeds=range(shaky.seeds),
        baseline=next(iter(arms)),
        contrasts=contrasts,
        threads=scale.threads,
        scale=scale,
    )
