"""What of the cell is needed: down the ladder from the LSTM to no attention at all, and up to four stacked cells."""

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import STARTS, YARDSTICK, arm_changes
from dianet_lab.studies.catalog.building import assembled, build
from dianet_lab.studies.catalog.sharing import HELPS
from dianet_lab.studies.contrast import Contrast, minus
from dianet_lab.studies.study import Study

LADDER = (
    "DIA", "no output gate", "no forget gate", "GRU", "RNN", "detached", "clock", "shared, no memory, embedding",
    "shared, no memory", "static per block", "scalar per block", "constant 0.25", "plain",
)  # fmt: skip
"""From all that the DIA-LSTM has to nothing."""

LEVELS = ("shared, no memory", "shared, no memory, embedding", "clock", "detached", "DIA")
"""The five levels of memory, each trained."""

LEVEL_QUESTIONS = ("carried - clock", "clock - none", "carried - detached")
"""Whether the image, a clock of the depth, or the gradient through the state is what memory is for; all primary."""

STACKED = ("2 cells", "3 cells", "4 cells")

EIGHT = (
    "DIA", "detached", "clock", "shared, no memory", "static per block", "plain, gain 0", "plain, gain 0.25", "plain",
)  # fmt: skip
"""The arms of the memory and start contrasts, for a scale where a run takes minutes. ``constant 0.25`` is left out,
being ``plain, gain 0.25`` in other parameters, and the layer embedding, which no primary contrast needs."""


def cell_study(scale: Profile) -> Study:
    """The ladder, the levels of memory and the stacked cells; at a scale of eight arms only :func:`eight_arms`.

    ``carried - clock`` asks for image-specific memory, ``clock - none`` for what a clock of the depth and its range of
    gates do, ``carried - detached`` for the gradient through the memory.
    """
    if scale.eight:
        return eight_arms(scale)
    delta = scale.delta
    contrasts = [
        *_memory(delta),
        Contrast("carried - none", {"DIA": 1, "shared, no memory": -1}, delta, primary=False),
        *minus("shared, no memory, embedding", "shared, no memory", delta=delta),
        *minus("DIA", "shared, no memory, embedding", delta=delta),
        *(contrast for arm in (*LADDER[1:5], *STACKED) for contrast in minus(arm, "DIA", delta=delta)),
        *minus("DIA", *STARTS, "scalar per block", delta=delta),
    ]
    return build("cell", scale, [*LADDER, *STACKED], contrasts, baseline="DIA", full=LEVELS)


def eight_arms(scale: Profile) -> Study:
    """Memory and start, and the yardstick of the assay: all arms with all seeds and a learning rate of their own.

    Here the primary contrasts are four: those of the memory, and DIA against the best of plain and its gentle starts.
    """
    starts = [arm for arm in STARTS if arm in EIGHT]
    contrasts = [
        *_memory(scale.delta),
        Contrast(HELPS, {"DIA": 1}, scale.delta, best_of=starts),
        *minus("DIA", *starts, delta=scale.delta),
        *minus("plain, gain 0.25", "plain", delta=scale.delta),
        *minus("plain", YARDSTICK, delta=scale.delta),
    ]
    arms = arm_changes(scale.base, [*EIGHT, YARDSTICK])
    return assembled("cell", scale, arms, contrasts, baseline="DIA", full=EIGHT)


def _memory(delta: float) -> list[Contrast]:
    """The three primary contrasts of the memory."""
    image, clock, gradient = LEVEL_QUESTIONS
    return [
        Contrast(image, {"DIA": 1, "clock": -1}, delta),
        Contrast(clock, {"clock": 1, "shared, no memory": -1}, delta),
        Contrast(gradient, {"DIA": 1, "detached": -1}, delta),
    ]
