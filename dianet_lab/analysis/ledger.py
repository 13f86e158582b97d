"""The ledger: what this lab's runs say to each published claim, at the scale at which they were made.

A small run does not settle a claim made at full scale: it shows a direction, as an illustration.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dianet_lab.analysis.claim_file import Claim
from dianet_lab.analysis.computed import run_check
from dianet_lab.analysis.estimates import at_rates
from dianet_lab.analysis.phrases import plural
from dianet_lab.analysis.setting import Setting, unmet
from dianet_lab.analysis.verdict import BETTER, DEPENDS, EQUIVALENT, EXPLORATORY, NEGLIGIBLE, WORSE

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
TOO_SMALL, NOT_RUN = "not testable at this scale", "not yet run"
COUNTED = "true by counting"
"""Of a claim that a computation settles, with nothing trained: no support for anything about accuracy."""
STATUSES = (SUPPORTED, CONTRADICTED, UNDECIDED, TOO_SMALL, NOT_RUN, COUNTED)

COLUMNS = (
    "id", "claim", "kind", "source", "grade", "study", "contrast", "expects", "status", "why", "direction", "estimate",
    "low", "high", "delta", "crossed_low", "crossed_high", "own_estimate", "n", "lost", "extended", "verdict", "scale",
    "link", "numbers", "note",
)  # fmt: skip

TOLD = (
    "estimate", "low", "high", "delta", "crossed_low", "crossed_high", "own_estimate", "n", "lost", "extended",
    "verdict",
)  # fmt: skip
"""What is taken over from a result."""

COMPUTED = "computed"
"""What stands in place of a study where a computation settles a claim."""

BY_DESIGN = "exploratory by design: its interval is told, and decides nothing at any scale"
"""Of a contrast without a verdict: more seeds would not give it one."""

_EXCLUDED = {"not better": BETTER, "not worse": WORSE}


def ledger(
    claims: Sequence[Claim], results: Mapping[tuple[str, str], Mapping[str, Any]], setting: Setting
) -> pd.DataFrame:
    """One row a claim, in the order of ``claims``.

    Columns: ``id, claim, kind, source, grade, study, contrast``; ``expects``, how the contrast comes out if the claim
    is true (empty for a computed one); ``status``, one of :data:`STATUSES`; ``why``, the
    preconditions that fail, or what decided; ``direction``, the sign of the estimate (``+``, ``−``, ``0``; empty
    without one); :data:`TOLD` of the result (fractions, NaN without one; ``crossed_low, crossed_high`` for new test
    images too, ``own_estimate`` at each arm's own learning rate); ``scale``; ``link``, the HTML of the study's
    notebook; the published ``numbers``, and a ``note`` on how the contrast reads the claim. A computed claim has study
    "computed", its check as contrast, and no estimate.

    Args:
        results: (study, contrast) -> a row of :func:`~dianet_lab.analysis.lab_results.lab_effects`: ``estimate, low,
            high, n, verdict`` and, where they are known, ``delta`` and what else :func:`judged` and :func:`settled`
            ask for; missing where nothing was run.

    Raises:
        ConfigError: a claim names a check that there is not.
    """
    rows = [_computed_row(claim) if claim.computed else _study_row(claim, results, setting) for claim in claims]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _head(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id, "claim": claim.claim, "kind": claim.kind, "source": claim.source, "grade": claim.sureness,
        "expects": claim.expects or "", "direction": "", **dict.fromkeys(TOLD, math.nan), "n": 0, "lost": 0,
        "extended": False, "verdict": "", "link": "", "numbers": claim.numbers or "", "note": claim.note or "",
    }  # fmt: skip


def _computed_row(claim: Claim) -> dict[str, Any]:
    outcome = run_check(claim.computed)
    status = COUNTED if outcome.holds else CONTRADICTED
    told = {"status": status, "why": outcome.found, "scale": "computed, nothing is trained"}
    return _head(claim) | {"study": COMPUTED, "contrast": claim.computed} | told


def _study_row(claim: Claim, results: Mapping[tuple[str, str], Mapping[str, Any]], setting: Setting) -> dict[str, Any]:
    study = _study(claim, results)
    result = results.get((study, claim.contrast), {})
    status, why = judged(claim, result, setting)
    row = _head(claim) | {"study": study, "contrast": claim.contrast, "status": status, "why": why}
    row |= {"scale": setting.scale, "link": report_of(study)}
    if status == NOT_RUN:
        return row
    told = {name: result.get(name, row[name]) for name in TOLD}
    return row | told | {"direction": direction(told["estimate"])}


def _study(claim: Claim, results: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    """The claim's own study, or else one that has run the contrast: arms of one name are the same in all of them."""
    ran = [study for study, name in results if name == claim.contrast]
    return claim.study if claim.study in ran or not ran else ran[0]


def judged(claim: Claim, result: Mapping[str, Any], setting: Setting) -> tuple[str, str]:
    """The status of a claim that a study tests, and why, in words.

    "Not yet run" is what has no estimate and no seed that was lost, unless no seed is ``waiting`` to be run. Where a
    precondition fails, or the runs are a demonstration, nothing is settled. Else the verdict speaks: see
    :func:`settled`. Beside it stand the ``reason`` for having no verdict, ``where`` it was counted, whether it was
    ``extended``, and the ``lost`` seeds.
    """
    missing = unmet(claim.preconditions, setting)
    if setting.demonstration:
        missing.append(f"profile {setting.profile} is a demonstration")
    why = "; ".join(missing)
    known = math.isfinite(result.get("estimate", math.nan))
    if not known and not result.get("lost") and result.get("waiting") != 0:
        return NOT_RUN, f"a run at this scale would not settle it: {why}" if missing else ""
    notes = _notes(result)
    if missing:
        status, why = TOO_SMALL, f"{why}; {BY_DESIGN}" if result.get("verdict") == EXPLORATORY else why
    elif known:
        status, why = settled(claim.expects, result)
    else:
        status, why = UNDECIDED, "" if result.get("reason") else "no seed finished in every arm"
    return status, "; ".join(filter(None, [why, *notes]))


def _notes(result: Mapping[str, Any]) -> list[str]:
    """What a reader of a status must know besides. What a result lacks, or has as NaN, has nothing to tell."""
    notes = [text for name in ("reason", "where") if isinstance(text := result.get(name), str)]
    if result.get("extended") == 1:
        notes.append("extended: seeds were added after looking")
    if (lost := result.get("lost") or 0) > 0 and "lost" not in " ".join(notes):
        notes.append(f"{plural(int(lost), 'seed')} lost")
    return notes


def settled(expects: str, result: Mapping[str, Any]) -> tuple[str, str]:
    """What a verdict says to a claim whose preconditions are met, and why.

    ============================ ============= ============= ============= ============================ ===========
    expects                      better        worse         equivalent    different but negligible     else
    ============================ ============= ============= ============= ============================ ===========
    better, more                 supported     contradicted  contradicted  contradicted                 undecided
    worse, fewer                 contradicted  supported     contradicted  contradicted                 undecided
    different                    supported     supported     contradicted  contradicted                 undecided
    equivalent                   (see below)   (see below)   supported     supported                    undecided
    not better                   contradicted  supported     supported     supported                    undecided
    not worse                    supported     contradicted  supported     supported                    undecided
    ============================ ============= ============= ============= ============================ ===========

    - A claimed difference is contradicted *in size* by "equivalent" and by "different but negligible", whatever the
      sign: both say that the effect is smaller than the smallest that matters, and what was claimed is one that
      matters. It is supported in direction only: the published size is not tested.
    - A claimed equality is contradicted by "better" or "worse" only if the whole interval, at both rates, lies beyond
      ``delta``; those two verdicts exclude 0, not every effect that is too small to matter. Without it: undecided.
    - "better" and "worse" settle nothing where the crossed interval, for new test images too, covers 0 at the common
      learning rate or at each arm's own.
    - "exploratory" supports nothing and contradicts nothing, whatever its interval; no more does "depends on learning
      rate", which has no single answer.
    """
    verdict = result.get("verdict")
    if verdict not in (BETTER, WORSE, EQUIVALENT, NEGLIGIBLE):
        return UNDECIDED, {EXPLORATORY: BY_DESIGN, DEPENDS: DEPENDS}.get(verdict, "")
    rates = at_rates(pd.Series(result))
    if verdict in (BETTER, WORSE) and any(_covers_zero(rate) for rate in rates):
        return UNDECIDED, f"found {verdict} for these test images only: for new ones the interval covers 0"
    small = verdict in (EQUIVALENT, NEGLIGIBLE)
    if expects in _EXCLUDED:
        return CONTRADICTED if verdict == _EXCLUDED[expects] else SUPPORTED, f"found {verdict}"
    if expects == "equivalent":
        return _equality(rates, small)
    if small:
        return CONTRADICTED, f"in size: found {verdict}, and the claim is of a difference that matters"
    claimed = {"better": BETTER, "more": BETTER, "worse": WORSE, "fewer": WORSE}.get(expects, verdict)
    return (SUPPORTED, "in direction") if verdict == claimed else (CONTRADICTED, f"found {verdict}")


def _covers_zero(rate: pd.Series) -> bool:
    return rate.get("crossed_low", math.nan) <= 0 <= rate.get("crossed_high", math.nan)


def _equality(rates: Sequence[pd.Series], small: bool) -> tuple[str, str]:
    verdict, delta = rates[0]["verdict"], rates[0].get("delta", math.nan)
    if small:
        return SUPPORTED, f"found {verdict}"
    if all(rate["low"] > delta or rate["high"] < -delta for rate in rates):
        return CONTRADICTED, f"found {verdict}, by more than the smallest difference that matters"
    return UNDECIDED, f"found {verdict}, but the difference may be too small to matter"


def direction(estimate: float) -> str:
    """The sign of an estimate, as an illustration: ``+``, ``−`` or ``0``; empty for none."""
    if not math.isfinite(estimate):
        return ""
    return "0" if abs(estimate) < 1e-12 else "+" if estimate > 0 else "\N{MINUS SIGN}"


@functools.cache
def report_of(study: str) -> str:
    """The HTML name of the notebook about a study, such as ``01_sharing.html``; empty where there is none."""
    found = sorted((Path(__file__).parents[2] / "notebooks").glob(f"[0-9][0-9]_{study}.ipynb"))
    return f"{found[0].stem}.html" if found else ""
