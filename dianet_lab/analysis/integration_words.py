"""What a report may say of importance maps, in sentences made of their numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dianet_lab.analysis.gates import UNTRAINED
from dianet_lab.analysis.integration_study import NEARNESS, SHUFFLED, per_network
from dianet_lab.analysis.interval import t_interval, with_interval, written
from dianet_lab.analysis.phrases import listed

THOUSAND = 1000
NO_MEMORY = "shared, no memory"
"""The cell in which h_t is a function of x_t, so that the true gain of any other layer is 0."""


def _of(frame: pd.DataFrame, arm: str, value: str) -> pd.Series:
    """One value a seed, those that are known."""
    return frame.loc[frame["arm"] == arm, value].dropna()


def _less(frame: pd.DataFrame, arm: str, other: str, value: str) -> pd.Series:
    """One value of an arm minus that of another, seed by seed, of those that have both."""
    one, two = (frame[frame["arm"] == name].set_index("seed")[value] for name in (arm, other))
    return (one - two).dropna()


def explained_sentence(layers: pd.DataFrame, cells: pd.DataFrame, arm: str) -> str:
    """How much forests explain, raw and class-centred, and what they say where there is nothing to explain."""
    scores, shuffled = per_network(layers, ["forest", "forest_centred"]), f"{arm}, {SHUFFLED}"
    if _of(scores, arm, "forest").empty:
        return f"The states of {arm} do not vary over images, so there is nothing for a forest to explain."
    whole, centred = (with_interval(_of(scores, arm, value)) for value in ("forest", "forest_centred"))
    sums = cells[cells["arm"] == shuffled].groupby(["seed", "stage", "target"])["mdi"].sum(min_count=1).dropna()
    nothing = with_interval(_of(scores, shuffled, "forest"))
    other, without = _of(scores, NO_MEMORY, "forest"), ""
    if arm != NO_MEMORY and len(other):
        without = f"; {with_interval(other)} in {NO_MEMORY}, where h_t is a function of its own squeeze alone"
    return (
        f"A forest on all earlier layers explains R² {whole} of {arm}'s states on held-out images (median layer; "
        f"{centred} once the class is taken out{without}), and {nothing} where each target got another image's inputs; "
        f"yet there too the importances of a target add up to {sums.mean():.2f}: the map alone does not show whether "
        "anything was explained."
    )


def agreement_sentence(agreed: pd.DataFrame, arm: str, controls: Sequence[str], measure: str = "mdi") -> str:
    """Whether the importance map ranks pairs of layers as the memory-path map does, and what its controls reach."""
    rows = agreed[agreed["measure"] == measure]
    own, near = _of(rows, arm, "rho"), _of(agreed[agreed["measure"] == NEARNESS], arm, "rho")
    if own.empty:
        return (
            f"With no memory path in {arm}, or too few layers in a stage, there is no map of the memory that its "
            "importances could be compared with."
        )
    told = [f"{name} {with_interval(_of(rows, name, 'rho'))}" for name in controls if len(_of(rows, name, "rho"))]
    told += [f"nearness alone reaches {with_interval(near)}"] if len(near) else []
    return (
        f"The importance map of {arm} ranks pairs of layers as its memory path does with ρ = {with_interval(own)}"
        f"{''.join(f'; {part}' for part in told)}. {_at_distance(rows, arm, controls)}"
    )


def _at_distance(rows: pd.DataFrame, arm: str, controls: Sequence[str]) -> str:
    """The correlation among pairs at the same distance, and whether it says more than the same of the controls."""
    values, value = _of(rows, arm, "at_distance"), "at_distance"
    if values.empty:
        return "Among pairs at the same distance there is nothing left to rank."
    _, low, high = t_interval(values)
    known = [name for name in controls if len(_of(rows, name, value))]
    levels = "; ".join(f"{name} {written(_of(rows, name, value).mean(), 2)}" for name in known)
    said = f"Among pairs at the same distance it is {with_interval(values)}" + (f" ({levels})" if known else "")
    if np.isnan(low):
        return f"{said}."
    less = {name: _less(rows, arm, name, value) for name in known}
    near = {name: each for name, each in less.items() if not t_interval(each)[1] > 0}
    if high < 0 and all(t_interval(each)[2] < 0 for each in less.values()):
        return f"{said}: there it ranks them against the memory{', beyond every control' if known else ''}."
    if near:
        told = listed(f"{name} ({with_interval(each, sign='+')})" for name, each in near.items())
        return f"{said}, not clearly more than {told}: no finding about the memory."
    if low > 0:
        return f"{said}: more than distance{', and more than every control' if known else ''}."
    return f"{said}{': more than every control, and' if known else ','} not clearly other than 0."


def gain_sentence(cells: pd.DataFrame, arm: str, controls: Sequence[str]) -> str:
    """What an earlier layer adds for one who knows [x_t, h_{t-1}], in thousandths of R²."""
    medians = per_network(cells, ["gain", "gain_bent"])
    known = [name for name in (arm, *controls) if len(_of(medians, name, "gain"))]
    if arm not in known:
        return (
            f"The gain beyond [x_t, h_(t−1)] does not apply to {arm}: its units see more than a squeeze, stand still, "
            "or are fewer than three in a stage."
        )
    line, bent = (
        "; ".join(f"{name} {with_interval(THOUSAND * _of(medians, name, value))}" for name in known)
        for value in ("gain", "gain_bent")
    )
    return (
        "An earlier layer adds to what [x_t, h_(t−1)] tell in a linear regression, in thousandths of R² (median pair): "
        f"{line}. Where the regression may bend: {bent}.{_beyond_chance(medians, arm)}"
    )


def _beyond_chance(medians: pd.DataFrame, arm: str) -> str:
    """The gains minus those of the cell without memory, where there is one, and how to read that."""
    over = [THOUSAND * _less(medians, arm, NO_MEMORY, value) for value in ("gain", "gain_bent")]
    if arm == NO_MEMORY or any(len(each) < 2 for each in over):
        return ""
    line, bent = (with_interval(each, sign="+") for each in over)
    return (
        f" In {NO_MEMORY} the true gain is 0, and what is found is what a regression misses; {arm} has "
        f"{_more_or_not(over)} than there: minus it {line}, bent {bent}."
    )


def _more_or_not(over: Sequence[pd.Series]) -> str:
    """What two differences, of the linear and the bent regression, allow to say."""
    ends = [t_interval(each)[1:] for each in over]
    more = [name for name, (low, _) in zip(("linear", "bent"), ends, strict=True) if low > 0]
    if more:
        return f"more ({listed(more)})"
    return "no more" if all(high <= 0 for _, high in ends) else "not clearly more"


def controls_of(arm: str, frame: pd.DataFrame) -> list[str]:
    """The controls that sentences name, of those that are there: untrained, without memory, SE per block, shuffled."""
    wanted = (f"{arm}, {UNTRAINED}", "shared, no memory", "SE per block", f"{arm}, {SHUFFLED}")
    return [name for name in wanted if name in set(frame["arm"])]
