"""What effects allow to say, in sentences: verdicts for primary contrasts, estimates for exploratory ones."""

import math
from collections.abc import Sequence

import pandas as pd

from dianet_lab.analysis.estimates import (
    AT_OWN,
    NO_VERDICT,
    all_needed,
    at_rates,
    both_rates,
    could_be,
    estimate,
    losing,
    lost_note,
    unassayed,
    why_open,
)
from dianet_lab.analysis.phrases import listed, plural, span
from dianet_lab.analysis.power import SPREADLESS
from dianet_lab.analysis.verdict import DECIDED, DEPENDS, EXPLORATORY, FEWEST, UNDECIDED, withheld

__all__ = [
    "answer",
    "could_be",
    "crossed_sentence",
    "interaction_sentence",
    "seeds_sentence",
    "verdicts_sentence",
]

SCOPE = "for new seeds, training draws and test images of this data set"
UNLIKE = "a main effect may be a mean of unlike things"


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
    told = "; ".join(estimate(row, accuracy, noted=not explored) for _, row in rows.iterrows())
    return f"{subject} is {_state(rows['verdict'])}: {told} ({_how(rows)})."


def interaction_sentence(effects: pd.DataFrame, interaction: str, simple: Sequence[str]) -> str:
    """Whether a main effect may be read alone: only where the interaction is too small to matter, at both rates.

    An interaction is exploratory: one that excludes 0 suggests, and one that covers 0 does not show that there is none.
    Like every statement of equality, "too small" needs the assay: ``p_equal`` is NaN without.

    Args:
        effects: rows of ``effects``, or of ``by_learning_rate``.
        interaction: the contrast that is the interaction.
        simple: the contrasts at each level of the other factor, which then are what there is to read.
    """
    rows = effects.set_index("contrast", drop=False)
    found = at_rates(rows.loc[interaction])
    known = [rate for rate in found if _tells(rate)]
    if not known:
        return "Whether the two factors interact can't be told: too few seeds, or no spread between them."
    if told := [rate for rate in known if rate["low"] > 0 or rate["high"] < 0]:
        seen = "; ".join(_at(rate) for rate in told)
        rates = [rate["own"] for rate in told]
        levels = [level for name in simple for level in at_rates(rows.loc[name]) if level["own"] in rates]
        apart = "; ".join(_at(level) for level in levels)
        said = f"The interaction, exploratory, suggests that the factors interact ({seen}): {UNLIKE}."
        return f"{said} Apart: {apart}." if apart else said
    if all(_small(rate) for rate in found):
        return f"The interaction is too small to matter ({'; '.join(_at(rate) for rate in found)})."
    loose = next((rate for rate in known if not _inside(rate)), known[0])
    blind = "; nothing here may be called equal" if _inside(loose) else ""
    return f"Whether the two factors interact can't be told ({_at(loose)}{blind}): {UNLIKE}."


def _tells(rate: pd.Series) -> bool:
    """Whether an interval is one to read: of enough seeds, with a spread."""
    return rate.get("n", FEWEST) >= FEWEST and rate["high"] - rate["low"] > SPREADLESS


def _inside(rate: pd.Series) -> bool:
    return -rate["delta"] < rate["low"] and rate["high"] < rate["delta"]


def _small(rate: pd.Series) -> bool:
    early = withheld(rate.get("n", FEWEST), rate.get("lost", 0), rate.get("waiting", 0))
    return _tells(rate) and _inside(rate) and not early and math.isfinite(rate.get("p_equal", 0.0))


def _at(rate: pd.Series) -> str:
    return estimate(rate.drop(["own_n", "own_lost"], errors="ignore")) + (f" {AT_OWN}" if rate["own"] else "")


def seeds_sentence(effects: pd.DataFrame) -> str:
    """How many seeds would find the smallest difference that matters, for the contrasts that are not decided.

    Where there are as many already, where not all have run, or where they are lost, it says so by name instead.
    """
    still_open = [row for _, row in effects[effects["verdict"].isin([UNDECIDED, DEPENDS])].iterrows()]
    if not still_open:
        return "No primary contrast is open here."
    groups: dict[str, list[pd.Series]] = {}
    for row in still_open:
        groups.setdefault(_stands(row), []).append(row)
    if set(groups) == {"unknown"}:
        return "No open contrast has a known spread, so no number of seeds can be given."
    names = {what: listed(row["contrast"] for row in rows) for what, rows in groups.items()}
    more = span((all_needed(row) for row in groups.get("more", [])), 0)
    said = {
        "more": f"With the spread measured here, a difference that just matters would be found with {more} seeds (80 % "
        "power, corrected over the family), if there is one; a smaller one may stay open for any number of them.",
        "reached": f"The 80 % power to find what matters is reached for {names.get('reached')}: the effect most likely "
        "lies where neither verdict can be given (between 0 and the smallest difference that matters), or is another "
        "one at each arm's own learning rate.",
        "unassayed": f"What does not matter holds the whole interval of {names.get('unassayed')}, but at that "
        "learning rate the assay fails: nothing is called equivalent, and more seeds of these would not change that.",
        "waiting": f"Seeds that are planned have not run yet for {names.get('waiting')}.",
        "lost": f"Too many seeds are lost for {names.get('lost')}, and further ones would not mend that.",
        "unknown": f"The spread is not known for {names.get('unknown')}.",
    }
    return " ".join(text for what, text in said.items() if what in groups)


def _stands(effect: pd.Series) -> str:
    """Of an open contrast: whether ``more`` seeds would find what matters, or why their number is not the matter."""
    needed = all_needed(effect)
    if losing(effect):
        return "lost"
    if unassayed(effect) and not effect.get("waiting", 0):
        return "unassayed"
    if not math.isfinite(needed):
        return "unknown"
    if needed > effect["n"]:
        return "more"
    return "waiting" if effect.get("waiting", 0) else "reached"


def verdicts_sentence(effects: pd.DataFrame) -> str:
    """How many primary contrasts are decided, by name; then why each of the others is not; and how many others."""
    primary = effects[effects["verdict"] != EXPLORATORY]
    others = len(effects) - len(primary)
    if primary.empty:
        return f"All contrasts here are exploratory ({others}): estimates and intervals, no verdict."
    rows = [row for _, row in primary.iterrows()]
    decided = [row for row in rows if row["verdict"] in DECIDED]
    count = "none is decided"
    if decided:
        names = listed(f"{row['contrast']} ({_with_loss(row['verdict'], row)})" for row in decided)
        count = f"{len(decided)} decided: {names}"
    parts = [f"Of {plural(len(primary), 'primary contrast')} named before the run, {count}"]
    if depend := [row for row in rows if row["verdict"] == DEPENDS]:
        names = listed(f"{row['contrast']} ({_with_loss(both_rates(row), row)})" for row in depend)
        parts.append(f"dependent on the learning rate: {names}")
    if still_open := [row for row in rows if row["verdict"] == UNDECIDED]:
        names = ", ".join(f"{row['contrast']} ({_with_loss(why_open(row), row)})" for row in still_open)
        parts.append(f"undecided: {names}")
    if others:
        parts.append(f"{others} more exploratory, without a verdict")
    if extended := [row["contrast"] for row in rows if row.get("extended", False) in (True,)]:  # NaN is not
        parts.append(f"extended, with more seeds than were planned before any run: {listed(extended)}")
    return "; ".join(parts) + "."


def _with_loss(said: str, effect: pd.Series) -> str:
    lost = lost_note(effect)
    return said if not lost or said.startswith(lost) else f"{lost}; {said}"


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


def _how(rows: pd.DataFrame) -> str:
    enough = rows.loc[rows["n"] > 1, "n"]
    return f"95 % t intervals over {span(enough, 0)} seeds" if len(enough) else "too few seeds for an interval"
