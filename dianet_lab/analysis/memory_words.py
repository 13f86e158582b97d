"""What a report may say of the memory, in sentences made of its numbers."""

import pandas as pd

from dianet_lab.analysis.interval import t_interval, with_interval
from dianet_lab.analysis.phrases import plural, span


def reach_sentence(curves: pd.DataFrame, reaches: pd.DataFrame, arm: str, untrained: str) -> str:
    """How far another image's state moves gates through the memory alone, trained and untrained.

    Args:
        curves, reaches: of :mod:`~dianet_lab.analysis.memory_frames`, of which the kind ``other class`` counts.
    """
    swap = curves[(curves["kind"] == "other class") & (curves["mode"] == "memory")]
    near = {d: swap[(swap["arm"] == arm) & (swap["distance"] == d)].groupby("seed")["effect"].mean() for d in (1, 2)}
    far = reaches[(reaches["kind"] == "other class") & (reaches["mode"] == "memory")]
    ranges = [span(far.loc[far["arm"] == name, "reach"], 0) for name in (arm, untrained)]
    next_but_one = f", of the one after it by {with_interval(near[2])}" if len(near[2]) else ""
    return (
        f"Through the memory alone, the state of an image of another class moves the gates of the next block by "
        f"{with_interval(near[1])} of their standard deviation over images{next_but_one}; by a tenth it still moves "
        f"those {ranges[0]} blocks on (by stage and seed), in the untrained network those {ranges[1]} on."
    )


def answers_sentence(outputs: pd.DataFrame, arm: str) -> str:
    """What a swap and a reset to zero do to predictions and probabilities, each beside a random change as long."""
    mine = outputs[(outputs["arm"] == arm) & (outputs["mode"] == "total")]
    kinds = ("other class", "random", "zero", "random, as zero")
    swap, as_swap, reset, as_reset = (_answers(mine[mine["kind"] == kind]) for kind in kinds)
    right = mine["accuracy"].mean()
    changes, images = len(mine.groupby(["stage", "source"])), int(mine["images"].max())
    return (
        f"Of the predictions for {plural(images, 'test image')}, of which about {100 * right:.0f} % are right, such a "
        f"swap behind one block, with features computed anew, changes {swap}, a random change as long {as_swap}; a "
        f"reset to zero {reset}, a random change as long as that {as_reset} (means over the "
        f"{plural(changes, 'block')} that have a later one; KL is that of the class probabilities)."
    )


def kept_sentence(kept: pd.DataFrame, arm: str, untrained: str) -> str:
    """What is left of a swap's effect with each block more, trained and untrained, paired by seed.

    Args:
        kept: ``halvings`` of :mod:`~dianet_lab.analysis.memory_frames`, of one kind and mode.
    """
    own, start = (kept[kept["arm"] == name].groupby("seed")["kept"].mean() for name in (arm, untrained))
    _, low, high = t_interval((own - start).dropna())
    longer = "longer" if low > 0 else "shorter" if high < 0 else ""
    reading = f"training has made the reach {longer}" if longer else "training has not clearly changed the reach"
    return (
        f"With each block more, such a swap keeps {with_interval(own)} of its effect, in the untrained network "
        f"{with_interval(start)} (paired difference {with_interval(own - start, 3, sign='+')}): {reading}."
    )


def forget_sentence(forget: pd.DataFrame, arm: str) -> str:
    """What forget gates held at 0 and at 1 do to gates and predictions; empty where none could be held."""
    mine = forget[(forget["arm"] == arm) & (forget["mode"] == "total")]
    if mine.empty:
        return ""
    ways = {"0": "With no cell state handed on (forget gates held at 0)", "1": "with nothing forgotten (at 1)"}
    said = []
    for held, way in ways.items():
        by_seed = mine[mine["held"] == held].groupby("seed")[["effect", "flips"]].mean()
        moved, flips = with_interval(by_seed["effect"]), with_interval(by_seed["flips"], scale=100, unit=" %")
        said.append(f"{way}, gates move by {moved} of their deviations and {flips} of the predictions change")
    return f"{'; '.join(said)}."


def _answers(rows: pd.DataFrame) -> str:
    """``0.03 % [−0.05, 0.11] (KL 1.2e-05 nats)``, as the tables have it; a share of 0 in every seed is ``none``."""
    flips = rows.groupby("seed")["flips"].mean()
    share = with_interval(flips, scale=100, unit=" %") if flips.any() else "none"
    return f"{share} (KL {rows['kl'].mean():.1e} nats)"


def modes_sentence(gates: pd.DataFrame, arm: str) -> str:
    """How much of the movement of later gates goes through the memory, not through the features."""
    swap = gates[(gates["arm"] == arm) & (gates["kind"] == "other class")]
    means = swap.groupby(["seed", "mode"])["effect"].mean().unstack("mode")
    ratio = with_interval(means["total"] / means["memory"], 3)
    return f"With features computed anew, later gates move {ratio} times as far as through the memory alone."
