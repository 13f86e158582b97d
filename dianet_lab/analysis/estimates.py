"""One effect in words: its numbers, what it could be, why it is open, and how many seeds would find what matters."""

import math

import numpy as np
import pandas as pd

from dianet_lab.analysis.interval import points, written
from dianet_lab.analysis.phrases import within
from dianet_lab.analysis.verdict import (
    DECIDED,
    DEPENDS,
    EQUIVALENT,
    EXPLORATORY,
    FEWEST,
    NEGLIGIBLE,
    UNDECIDED,
    withheld,
)

NO_VERDICT = "exploratory, no verdict"
AT_COMMON = "at the common learning rate"
AT_OWN = "at each arm's own learning rate"


def could_be(effect: pd.Series, accuracy: bool = True) -> str:
    """``could be 1.0 worse or 3.0 better; about 40 seeds would find a difference of 1 point``; empty if unknown.

    The seeds are those that find the smallest difference that matters, if it is there, with 80 % power, by the larger
    spread of both learning rates. They are left out where the spread is unknown, where so many were run, where too many
    are lost, where only a passed assay is wanting, and for other values than accuracies, to which that difference does
    not belong. Against the best of rivals it is ``worse than`` the hardest. What is decided at the common learning rate
    alone is told as what it could be at each arm's own.
    """
    helpless = losing(effect) or unassayed(effect)
    needed, effect = all_needed(effect), where_open(effect)
    low, high = effect["low"], effect["high"]
    if not math.isfinite(low):
        return ""
    worse, better = ("worse", "better") if accuracy else ("lower", "higher")
    near, far = (_size(end, accuracy) for end in sorted((low, high), key=abs))
    if low < 0 < high:
        text = f"could be {_size(low, accuracy)} {worse} or {_size(high, accuracy)} {better}"
    else:
        text = f"could be {near} to {far} {better if low >= 0 else worse}"
    if rival := effect.get("rival", ""):
        text += f" than {rival}"
    if effect.get("own", False):
        text += f" {AT_OWN}"
    if accuracy and np.isfinite(needed) and needed > effect["n"] and not helpless:
        text += f"; about {float(f'{needed:.2g}'):,.0f} seeds would find a difference of {within(effect['delta'])[1:]}"
    return text


def at_rates(effect: pd.Series) -> list[pd.Series]:
    """The effect at the common rate, and, where that is known, at each arm's own, with ``own`` told."""
    rates = [effect.copy()]
    rates[0]["own"] = False
    if math.isfinite(effect.get("own_low", math.nan)):
        own = effect.copy()
        for name in effect.index:
            own[name] = effect.get(f"own_{name}", effect[name])
        own["own"] = True
        rates.append(own)
    return rates


def where_open(effect: pd.Series) -> pd.Series:
    """The effect at the rate at which it is open: each arm's own only where the common one alone decides."""
    only_own = effect.get("verdict_common", "") in DECIDED and effect.get("verdict_own", "") == UNDECIDED
    return at_rates(effect)[-1] if only_own else effect


def all_needed(effect: pd.Series) -> float:
    """Seeds that would find the smallest difference that matters, by the larger spread of both rates; else NaN."""
    needed = [effect.get(name, math.nan) for name in ("seeds_needed", "own_seeds_needed")]
    return float(pd.Series(needed, dtype=float).max())


def losing(effect: pd.Series) -> bool:
    """Whether so many seeds are lost, at either rate, that no further ones would bring a verdict."""
    own = withheld(effect.get("own_n", math.nan), effect.get("own_lost", math.nan))
    return bool(withheld(effect["n"], effect.get("lost", 0)) or own)


def unassayed(effect: pd.Series) -> bool:
    """Whether it is open though its interval lies within what does not matter: a failed assay forbids "equivalent"."""
    at = where_open(effect)
    if at.get("verdict", UNDECIDED) != UNDECIDED or not math.isfinite(at.get("p_holm", math.nan)):
        return False
    band = at.get("delta", 0.0)
    return bool(-band < at["low"] and at["high"] < band and math.isnan(at.get("p_equal", 0.0)))


def more_seeds(effect: pd.Series) -> float:
    """Seeds that are missing until what matters would be found, and all that are planned have run.

    NaN where the spread is unknown, where seeds are :func:`losing`, where it is :func:`unassayed`, and where none are
    missing: what is open then is most likely smaller than what matters, and more seeds are no price for deciding it.
    """
    needed = all_needed(effect)
    if losing(effect) or not math.isfinite(needed):
        return math.nan
    lacking = 0 if unassayed(effect) else needed - effect["n"]
    more = max(lacking, effect.get("waiting", 0))
    return more if more > 0 else math.nan


def estimate(effect: pd.Series, accuracy: bool = True, noted: bool = False) -> str:
    """``DIA - plain +0.5 points [−0.3, +1.3]`` with, in brackets, the seeds lost and what is concluded from it.

    Against the best of rivals it is ``[−0.3, +1.3] to X``, the hardest: no interval of the difference to the best.
    """
    name, rival = effect["contrast"], effect.get("rival", "")
    if rival:
        name += f" (of which {rival} is the hardest)"
    text = f"{name} unknown"
    if math.isfinite(effect["estimate"]):
        shown = points if accuracy else lambda value: written(value, 3, "+")
        text = f"{name} {shown(effect['estimate'])}" + (" points" if accuracy else "")
        if math.isfinite(effect["low"]):
            text += f" [{shown(effect['low'])}, {shown(effect['high'])}]" + (f" to {rival}" if rival else "")
    notes = [lost_note(effect), _note(effect, accuracy) if noted else ""]
    if notes[0] and notes[1].startswith(notes[0]):
        notes = notes[1:]
    said = "; ".join(note for note in notes if note)
    return f"{text} ({said})" if said else text


def lost_note(effect: pd.Series) -> str:
    """``2 of 20 seeds lost, 16 of 20 at each arm's own learning rate``; empty where none is."""
    counts = []
    for start, where in (("", ""), ("own_", f" {AT_OWN}")):
        lost, n = (effect.get(f"{start}{name}", math.nan) for name in ("lost", "n"))
        if lost > 0:  # NaN is not
            counts.append(f"{lost:.0f} of {n + lost:.0f} seeds lost{where}")
    return ", ".join(counts)


def why_open(effect: pd.Series, accuracy: bool = True) -> str:
    """Why a primary contrast is undecided, and what it could be; never empty."""
    reason = effect.get("reason", "")
    if not math.isfinite(effect["low"]):
        seen = "too few seeds" if math.isfinite(effect["estimate"]) else "no seed that finished in all its arms"
        return reason or seen
    if reason:
        return f"{reason}; {could_be(effect, accuracy)}"
    if effect["n"] < FEWEST:
        return f"too few seeds for a verdict; {could_be(effect, accuracy)}"
    if not math.isfinite(effect["p_holm"]):
        return "ties, no spread to test with"
    text = could_be(effect, accuracy)
    if effect["low"] > 0 or effect["high"] < 0:
        text += f"; p = {effect['p_holm']:.2g} after Holm"
    if unassayed(effect):
        band = within(effect["delta"]) if accuracy else f"±{effect['delta']:g}"
        where = AT_OWN if where_open(effect).get("own", False) else AT_COMMON
        text += f"; within {band}, but the assay fails {where}, so nothing is called equivalent"
    return text


def both_rates(effect: pd.Series) -> str:
    """``better at the common one, equivalent at each arm's own``: of a contrast that depends on the rate."""
    common, own = (effect.get(f"verdict_{rate}", "unknown") for rate in ("common", "own"))
    return f"{common} at the common one, {own} at each arm's own"


def _note(effect: pd.Series, accuracy: bool) -> str:
    """What the verdict of one contrast means."""
    said, p = effect["verdict"], f"p = {effect['p_holm']:.2g} after Holm"
    band = within(effect["delta"]) if accuracy else f"±{effect['delta']:g}"
    if said == EXPLORATORY:
        return NO_VERDICT
    if said == UNDECIDED:  # without an interval, the sentence says so once
        return why_open(effect, accuracy) if math.isfinite(effect["low"]) else effect.get("reason", "")
    if said == EQUIVALENT:
        return f"{said}: equal within {band} here, not proved equal"
    if said == NEGLIGIBLE:
        return f"{said}: within {band}, {p}"
    if said == DEPENDS:
        said = f"{said}: {both_rates(effect)}"
        return f"{said}, {points(effect['own_estimate'])} points" if accuracy else said
    words = {} if accuracy else {"better": "higher", "worse": "lower"}
    return f"{words.get(said, said)}, {p}"


def _size(value: float, accuracy: bool) -> str:
    return written(100 * abs(value), 1) if accuracy else written(abs(value), 3)
