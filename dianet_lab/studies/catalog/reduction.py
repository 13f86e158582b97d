"""The bottleneck ratio of the two maps: accuracy against parameters and time."""

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import STARTS
from dianet_lab.studies.catalog.building import build
from dianet_lab.studies.contrast import Contrast, minus
from dianet_lab.studies.study import Study

TREND = "trend per doubling of r"
LADDER = ("r=1", "r=2", "DIA", "r=8", "r=16")
DOUBLINGS = 4


def reduction_study(scale: Profile) -> Study:
    """r = 1 to 16 and no bottleneck, and the parameters of r = 1 spent on width with the same gentle start."""
    slope = {arm: weight / 10 for weight, arm in zip(range(-2, 3), LADDER, strict=True)}
    delta = scale.delta
    contrasts = [
        Contrast(TREND, slope, delta / DOUBLINGS),  # what matters, from r = 1 to r = 16
        *(contrast for arm in LADDER if arm != "DIA" for contrast in minus(arm, "DIA", delta=delta)),
        *minus("no bottleneck", "DIA", delta=delta),
        *minus("r=1", "gain 0.25, size of r=1", delta=delta),
        *minus("DIA", *STARTS, delta=delta),
    ]
    return build("reduction", scale, [*LADDER, "no bottleneck", "gain 0.25, size of r=1"], contrasts, baseline="DIA")
