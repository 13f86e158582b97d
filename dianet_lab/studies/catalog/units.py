"""Each attention unit shared by the stage against one for each block."""

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import STARTS
from dianet_lab.studies.catalog.building import build
from dianet_lab.studies.contrast import minus
from dianet_lab.studies.study import Study

PAIRS = {
    "LSTM": ("DIA", "per block, carried"),
    "GRU": ("GRU", "GRU per block"),
    "RNN": ("RNN", "RNN per block"),
    "SE": ("SE shared", "SE per block"),
    "ECA": ("ECA shared", "ECA per block"),
    "CBAM": ("CBAM shared", "CBAM per block"),
    "IE": ("IE shared", "IE per block"),
}
"""Unit -> its arm with one unit a stage and its arm with one a block."""


def units_study(scale: Profile) -> Study:
    """Every unit of the registry that sees the image, both ways."""
    contrasts = [contrast for shared, own in PAIRS.values() for contrast in minus(shared, own, delta=scale.delta)]
    contrasts += [*minus("IE per block", "DIA", delta=scale.delta), *minus("DIA", *STARTS, delta=scale.delta)]
    return build("units", scale, [arm for pair in PAIRS.values() for arm in pair], contrasts)
