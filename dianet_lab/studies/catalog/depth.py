"""Accuracy and cost against depth."""

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import ARMS
from dianet_lab.studies.catalog.building import assembled
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.study import Study

SHOWN = ("plain", "plain, gain 0.25", "SE per block", "DIA")
GROWS = "gain of DIA over plain: deepest - shallowest"


def depth_study(scale: Profile) -> Study:
    """Four arms at every depth of the scale; an arm is called like ``depth 56: DIA``. All of it is exploratory."""
    arms = {f"depth {depth}: {arm}": {**ARMS[arm], "model.depth": depth} for depth in scale.depths for arm in SHOWN}
    contrasts = [
        Contrast(
            f"depth {depth}: {one} - {other}",
            {f"depth {depth}: {one}": 1, f"depth {depth}: {other}": -1},
            scale.delta,
            primary=False,
        )
        for depth in scale.depths
        for one, other in (("DIA", "plain"), ("DIA", "plain, gain 0.25"), ("DIA", "SE per block"))
    ]
    low, high = (f"depth {depth}: " for depth in (scale.depths[0], scale.depths[-1]))
    grows = {f"{high}DIA": 1, f"{high}plain": -1, f"{low}DIA": -1, f"{low}plain": 1}
    contrasts.insert(0, Contrast(GROWS, grows, scale.delta, primary=False))
    return assembled("depth", scale, arms, contrasts, baseline=next(iter(arms)))
