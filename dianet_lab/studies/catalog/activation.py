"""What the cell state passes through on its way to the gate: the shape of the function, and where the gate starts."""

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import STARTS
from dianet_lab.studies.catalog.building import build
from dianet_lab.studies.contrast import Contrast, minus
from dianet_lab.studies.study import Study

SHAPE, START = "shape: sigmoid - tanh (main effect)", "start: 0.25 - near 0 (main effect)"
SHAPE_BY_START = "shape x start (interaction)"
TWO_BY_TWO = ("DIA", "sigmoid(c-4)", "tanh(c+0.549)", "tanh")
SLOPE_MATCHED = "tanh(c/3+0.549)"
"""The tanh with the sigmoid's start and its slope there: what is left of a difference of shapes is the shape's."""
OTHERS = (SLOPE_MATCHED, "relu", "hardsigmoid", "identity")


def activation_study(scale: Profile) -> Study:
    """Sigmoid and tanh, each with a gate that starts at 0.25 and near 0, and four further functions."""
    quarter, low, high_tanh, tanh = TWO_BY_TWO
    delta = scale.delta
    contrasts = [
        Contrast(SHAPE, {quarter: 0.5, low: 0.5, high_tanh: -0.5, tanh: -0.5}, delta),
        Contrast(START, {quarter: 0.5, high_tanh: 0.5, low: -0.5, tanh: -0.5}, delta, primary=False),
        Contrast(SHAPE_BY_START, {quarter: 1, low: -1, high_tanh: -1, tanh: 1}, delta, primary=False),
        *minus(high_tanh, quarter, delta=delta),
        *minus(SLOPE_MATCHED, quarter, high_tanh, delta=delta),
        *minus(tanh, quarter, low, delta=delta),
        *minus(low, quarter, delta=delta),
        *(contrast for arm in OTHERS[1:] for contrast in minus(arm, quarter, delta=delta)),
        *minus("DIA", *STARTS, delta=delta),
    ]
    return build("activation", scale, [*TWO_BY_TWO, *OTHERS], contrasts, full=[SLOPE_MATCHED])
