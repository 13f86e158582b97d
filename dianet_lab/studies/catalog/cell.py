"""What of the cell is needed: down the ladder from the LSTM to no attention at all, and up to four stacked cells."""

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import STARTS
from dianet_lab.studies.catalog.building import build
from dianet_lab.studies.contrast import Contrast, minus
from dianet_lab.studies.study import Study

LADDER = (
    "DIA", "no output gate", "no forget gate", "GRU", "RNN", "detached", "clock", "shared, no memory, embedding",
    "shared, no memory", "static per block", "scalar per block", "constant 0.25", "plain",
)  # fmt: skip
"""From all that the DIA-LSTM has to nothing."""

LEVELS = ("shared, no memory", "shared, no memory, embedding", "clock", "detached", "DIA")
"""The five levels of memory, each trained."""

STACKED = ("2 cells", "3 cells", "4 cells")


def cell_study(scale: Profile) -> Study:
    """The ladder, the levels of memory and the stacked cells.

    ``carried - clock`` asks for image-specific memory, ``clock - none`` for what a clock of the depth and its range of
    gates do, ``carried - detached`` for the gradient through the memory.
    """
    delta = scale.delta
    contrasts = [
        Contrast("carried - clock", {"DIA": 1, "clock": -1}, delta),
        Contrast("clock - none", {"clock": 1, "shared, no memory": -1}, delta),
        Contrast("carried - detached", {"DIA": 1, "detached": -1}, delta),
        Contrast("carried - none", {"DIA": 1, "shared, no memory": -1}, delta, primary=False),
        *minus("shared, no memory, embedding", "shared, no memory", delta=delta),
        *minus("DIA", "shared, no memory, embedding", delta=delta),
        *(contrast for arm in (*LADDER[1:5], *STACKED) for contrast in minus(arm, "DIA", delta=delta)),
        *minus("DIA", *STARTS, "scalar per block", delta=delta),
    ]
    return build("cell", scale, [*LADDER, *STACKED], contrasts, baseline="DIA", full=LEVELS)
