"""What effects allow to say, in sentences: verdicts for primary contrasts, estimates for exploratory ones."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dianet_lab.analysis.interval import points, written
from dianet_lab.analysis.phrases import listed, plural, span, within
from dianet_lab.analysis.verdict import DECIDED, DEPENDS, EQUIVALENT, EXPLORATORY, FEWEST, NEGLIGIBLE, UNDECIDED

NO_VERDICT = "exploratory, no verdict"
SCOPE = "for new seeds, training draws and test images of this data set"


def answer(subject: str, effects: pd.DataFrame, names: Sequence[str] | None = None, accuracy: bool = True) -> str:
    """One sentence: whether ``subject`` is decided, and the numbers of its contrasts.

    ``Whether it helps is undecided here: DIA - plain +1.0 points [−1.0, +3.0] (could be 1.0 worse or 3.0 better; about
    40 seeds would find a difference of 1 point) (95 % t intervals over 6 seeds).``

    Args:
        effects: rows of :func:`~dianet_lab.analysis.statistics.effects`.
        names: which contrasts, of those that the study has at this scale; all otherwise.
        accuracy: the values are accuracies, told in points; else they keep their own unit, and more is ``higher``.
    """
    rows = effects
    if names is not None:
        known = effects.set_index("contrast", drop=False)
        rows = known.loc[[name for name in names if name in known.index]]
    if rows.empty:
        return f"{subject} is not asked by this study at this scale."
    explored = rows["verdict"].eq(EXPLORATORY).all()
    told = "; ".join(_estimate(row, accuracy, noted=not explored) for _, row in rows.iterrows())
    return f"{subject} is {_state(rows['verdict'])}: {told} ({_how(rows)})."


def could_be(effect: pd.Series, accuracy: bool = True) -> str:
    """``could be 1.0 worse or 3.0 better; about 40 seeds would find a difference of 1 point``; empty if unknown.

    The seeds are those that find the smallest difference that matters, if it is there, with 80 % power. They are left
    out where the spread is unknown, where so many were run, and for other values than accuracies, to which that
    difference does not belong.
    """
    low, high = effect["low"], effect["high"]
    if not math.isfinite(low):
        return ""
    worse, better = ("worse", "better") if accuracy else ("lower", "higher")
    near, far = (_size(end, accuracy) for end in sorted((low, high), key=abs))
    if low < 0 < high:
        text = f"could be {_size(low, accuracy)} {worse} or {_size(high, accuracy)} {better}"
    else:
        text = f"could be {near} to {far} {better if low >= 0 else worse}"
    needed = effect.get("seeds_needed", math.nan)
    if accuracy and np.isfinite(needed) and needed > effect["n"]:
        text += f"; about {float(f'{needed:.2g}'):,.0f} seeds would find a difference of {within(effect['delta'])[1:]}"
    return text


def interaction_sentence(effects: pd.DataFrame, interaction: str, simple: Sequence[str]) -> str:
    """Whether a main effect may be read alone: only where the interaction is too small to matter, at both rates.

    An interaction is exploratory: one that excludes 0 suggests, and one that covers 0 does not show that there is none.

    Args:
        effects: rows of ``effects``, or of ``by_learning_rate``.
        interaction: the contrast that is the interaction.
        simple: the contrasts at each level of the other factor, which then are what there is to read.
    """
    rows = effects.set_index("contrast", drop=False)
    found = _at_rates(rows.loc[interaction])
    known = [rate for rate in found if math.isfinite(rate["low"])]
    if not known:
        return "Whether the two factors interact can't be told: too few seeds."
    if told := [rate for rate in known if rate["low"] > 0 or rate["high"] < 0]:
        at = [_at_rates(rows.loc[name])[rate["own"]] for rate in told[:1] for name in simple]
        where = " at each arm's own learning rate" if told[0]["own"] else ""
        apart = "; ".join(_estimate(row, True, noted=False) for row in at)
        said = f"The factors seem to interact{where}; a main effect may be a mean of unlike things."
        return f"{said} Apart: {apart}."
    if all(-rate["delta"] < rate["low"] and rate["high"] < rate["delta"] for rate in known):
        return f"The interaction is too small to matter ({_estimate(known[0], True, noted=False)})."
    loose = next(rate for rate in known if not (-rate["delta"] < rate["low"] and rate["high"] < rate["delta"]))
    where = ", at each arm's own learning rate" if loose["own"] else ""
    return (
        f"Whether the two factors interact can't be told ({_estimate(loose, True, noted=False)}{where}), so a main "
        "effect may be a mean of unlike things."
    )


def _at_rates(row: pd.Series) -> list[pd.Series]:
    """The row at the common rate, and, where it is known, at each arm's own, with ``own`` told."""
    rates = [row.copy()]
    rates[0]["own"] = False
    if math.isfinite(row.get("own_low", math.nan)):
        own = row.copy()
        for name in ("estimate", "low", "high"):
            own[name] = row[f"own_{name}"]
        own["own"] = True
        rates.append(own)
    return rates


def seeds_sentence(effects: pd.DataFrame) -> str:
    """How many seeds would find the smallest difference that matters, for the contrasts that are not decided."""
    still_open = effects[effects["verdict"].isin([UNDECIDED, DEPENDS])]
    if still_open.empty:
        return "No primary contrast is open here."
    needed = still_open[["seeds_needed", *(["own_seeds_needed"] if "own_seeds_needed" in effects else [])]].max(axis=1)
    more = needed[needed > still_open["n"]]
    if needed.dropna().empty:
        return "No open contrast has a known spread, so no number of seeds can be given."
    if more.empty:
        return (
            "There are as many seeds as would find the smallest difference that matters with 80 % power: what is open "
            "lies between 0 and that difference, or is another one at each arm's own learning rate."
        )
    return (
        f"With the spread measured here, a difference that just matters would be found with {span(more, 0)} seeds "
        "(80 % power, corrected over the family); a smaller one may stay open for any number of them."
    )


def verdicts_sentence(effects: pd.DataFrame) -> str:
    """How many primary contrasts are decided, by name; then what the undecided ones could be, and how many others."""
    primary = effects[effects["verdict"] != EXPLORATORY]
    others = len(effects) - len(primary)
    if primary.empty:
        return f"All contrasts here are exploratory ({others}): estimates and intervals, no verdict."
    decided = primary[primary["verdict"].isin(DECIDED)]
    family = f"Of {plural(len(primary), 'primary contrast')} named before the run"
    if decided.empty:
        parts = [f"{family}, none is decided"]
    else:
        names = listed(f"{row.contrast} ({row.verdict})" for row in decided.itertuples())
        parts = [f"{family}, {len(decided)} decided: {names}"]
    if names := [row.contrast for row in primary.itertuples() if row.verdict == DEPENDS]:
        parts.append(f"{listed(names)} {'depends' if len(names) == 1 else 'depend'} on the learning rate")
    open_ones = [row for _, row in primary[primary["verdict"] == UNDECIDED].iterrows()]
    if notes := [f"{row['contrast']} {note}" for row in open_ones if (note := _open(row, True))]:
        parts.append(f"undecided: {', '.join(note.replace('; ', ' and ') for note in notes)}")
    if others:
        parts.append(f"{others} more exploratory, without a verdict")
    if "extended" in effects and effects["extended"].eq(True).any():
        parts.append("there are more seeds than were planned before any run, so these results are extended ones")
    return "; ".join(parts) + "."


def crossed_sentence(effects: pd.DataFrame) -> str:
    """Whether an interval comes to cover 0 when the test images are random too, which makes it longer."""
    known = effects[effects["crossed_low"].notna() & effects["low"].notna()]
    if known.empty:
        return f"Without predictions of two seeds no interval can be given {SCOPE}."
    excluded = (known["low"] > 0) | (known["high"] < 0)
    lost = known.loc[excluded & (known["crossed_low"] <= 0) & (known["crossed_high"] >= 0), "contrast"]
    if not excluded.any():
        return f"No interval excludes 0 with these test images, and none {SCOPE}."
    if lost.empty:
        return f"Every interval that excludes 0 with these test images ({excluded.sum()} of {len(known)}) does {SCOPE}."
    verb = "excludes" if len(lost) == 1 else "exclude"
    return f"{listed(lost)} {verb} 0 for these test images only: the interval covers 0 {SCOPE}."


def _state(verdicts: pd.Series) -> str:
    primary = verdicts[verdicts != EXPLORATORY]
    decided = primary.isin(DECIDED).sum()
    if primary.empty:
        return f"open here ({NO_VERDICT})"
    if (primary == DEPENDS).all():
        return "dependent on the learning rate here"
    return "undecided here" if not decided else "decided here" if decided == len(primary) else "decided here in part"


def _size(value: float, accuracy: bool) -> str:
    return written(100 * abs(value), 1) if accuracy else written(abs(value), 3)


def _how(rows: pd.DataFrame) -> str:
    enough = rows.loc[rows["n"] > 1, "n"]
    text = f"95 % t intervals over {span(enough, 0)} seeds" if len(enough) else "too few seeds for an interval"
    lost = rows["lost"].max() if "lost" in rows else 0
    return f"{text}, up to {lost} lost" if lost else text


def _estimate(effect: pd.Series, accuracy: bool, noted: bool) -> str:
    """``DIA - plain +0.5 points [−0.3, +1.3]`` with, in brackets, what is concluded from it."""
    name = effect["contrast"]
    if rival := effect.get("rival", ""):
        name += f" (of which {rival} is the hardest)"
    if not math.isfinite(effect["estimate"]):
        return f"{name} unknown"
    shown = points if accuracy else lambda value: written(value, 3, "+")
    text = f"{name} {shown(effect['estimate'])}" + (" points" if accuracy else "")
    if math.isfinite(effect["low"]):
        text += f" [{shown(effect['low'])}, {shown(effect['high'])}]"
    note = _note(effect, accuracy) if noted else ""
    return f"{text} ({note})" if note else text


def _note(effect: pd.Series, accuracy: bool) -> str:
    """What the verdict of one contrast means."""
    said, p = effect["verdict"], f"p = {effect['p_holm']:.2g} after Holm"
    band = within(effect["delta"]) if accuracy else f"±{effect['delta']:g}"
    if said == EXPLORATORY:
        return NO_VERDICT
    if said == UNDECIDED:
        return _open(effect, accuracy)
    if said == EQUIVALENT:
        return f"{said}: equal within {band} here, not proved equal"
    if said == NEGLIGIBLE:
        return f"{said}: within {band}, {p}"
    if said == DEPENDS:
        own = effect["verdict_own"]
        said = f"{said}: {effect['verdict_common']} at the common one, {own} at each arm's own"
        return f"{said}, {points(effect['own_estimate'])} points" if accuracy else said
    words = {} if accuracy else {"better": "higher", "worse": "lower"}
    return f"{words.get(said, said)}, {p}"


def _open(effect: pd.Series, accuracy: bool) -> str:
    """What an undecided contrast could be, and why it is open although its interval excludes 0, if it does."""
    reason = effect.get("reason", "")
    if not math.isfinite(effect["low"]):
        return reason
    if reason:
        return "; ".join((reason, could_be(effect, accuracy)))
    if not math.isfinite(effect["p_holm"]):
        return "ties, no spread to test with"
    notes = [could_be(effect, accuracy)]
    if effect["low"] > 0 or effect["high"] < 0:
        few = effect["n"] < FEWEST
        notes.append("too few seeds for a verdict" if few else f"p = {effect['p_holm']:.2g} after Holm")
    return "; ".join(notes)
