"""Does sharing one unit help, and what does its memory do? With the controls of start, size and learning rate."""

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import STARTS, YARDSTICK
from dianet_lab.studies.catalog.building import build
from dianet_lab.studies.contrast import Contrast, minus
from dianet_lab.studies.study import Study

HELPS = "DIA - best of plain and its starts"
SHARING, MEMORY = "sharing (main effect)", "memory (main effect)"
INTERACTION = "sharing x memory (interaction)"

TWO_BY_TWO = ("DIA", "shared, no memory", "per block, carried", "per block, no memory")
SE_GENTLE = "SE per block, start 0.25"
"""SE's gate starts at a half, DIA's at a quarter: with the same start, a difference between the two is another."""
CONFOUNDS = ("per block, tied start", "per block, rate x n", "DIA, rate / n")
MATCHED = ("DIA, widened", "gain 0.25, wider")
DEPTH_OF_SHARING = ("groups of 2", "groups of 3", "from block 1", "from block 3")


def sharing_study(scale: Profile) -> Study:
    """Sharing x memory, SE beside them, and what may explain a difference without either."""
    both, shared, carried, neither = TWO_BY_TWO
    delta = scale.delta
    contrasts = [
        Contrast(HELPS, {"DIA": 1}, delta, best_of=STARTS),
        Contrast(SHARING, {both: 0.5, shared: 0.5, carried: -0.5, neither: -0.5}, delta),
        *minus("DIA", "SE per block", delta=delta, primary=True),
        Contrast(MEMORY, {both: 0.5, carried: 0.5, shared: -0.5, neither: -0.5}, delta, primary=False),
        Contrast(INTERACTION, {both: 1, shared: -1, carried: -1, neither: 1}, delta, primary=False),
        *minus("DIA", carried, shared, delta=delta),
        *minus(shared, neither, delta=delta),
        *minus(carried, neither, delta=delta),
        *minus("DIA", *STARTS, "DIA, neutral start", delta=delta),
        *minus("plain, gain 0.25", "plain", delta=delta),
        *minus("DIA", SE_GENTLE, delta=delta),
        *minus("SE shared", "SE per block", delta=delta),
        *minus("per block, tied start", carried, delta=delta),
        *minus("per block, rate x n", carried, delta=delta),
        *minus("DIA, rate / n", "DIA", delta=delta),
        *minus("DIA, widened", carried, delta=delta),
        *minus(carried, "gain 0.25, wider", delta=delta),
        *minus("gain 0.25, wider", "plain, gain 0.25", delta=delta),
        *(contrast for arm in DEPTH_OF_SHARING for contrast in minus(arm, "DIA", delta=delta)),
        *minus("plain", YARDSTICK, delta=delta),
    ]
    names = [*TWO_BY_TWO, "SE per block", SE_GENTLE, "SE shared", *CONFOUNDS, *MATCHED, *DEPTH_OF_SHARING]
    return build("sharing", scale, names, contrasts)
