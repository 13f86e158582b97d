"""The ledger: what this lab's runs say to each published claim, at the scale at which they were made.

A small run does not settle a claim made at full scale: it shows a direction, as an illustration.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dianet_lab.analysis.claim_file import Claim, Preconditions
from dianet_lab.analysis.computed import run_check
from dianet_lab.analysis.verdict import BETTER, DEPENDS, EQUIVALENT, EXPLORATORY, NEGLIGIBLE, WORSE
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import RunConfig
from dianet_lab.data.batches import steps_per_epoch
from dianet_lab.profiles import get_profile

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
TOO_SMALL, NOT_RUN = "not testable at this scale", "not yet run"
STATUSES = (SUPPORTED, CONTRADICTED, UNDECIDED, TOO_SMALL, NOT_RUN)

COLUMNS = (
    "id", "claim", "kind", "source", "grade", "study", "contrast", "status", "why", "direction", "estimate", "low",
    "high", "own_estimate", "n", "lost", "extended", "verdict", "scale", "link", "numbers", "note",
)  # fmt: skip

TOLD = ("estimate", "low", "high", "own_estimate", "n", "lost", "extended", "verdict")
"""What is taken over from a result."""

COMPUTED = "computed"
"""What stands in place of a study where a computation settles a claim."""

_ALL_IMAGES = {"digits": 797, "cifar10": 50_000, "cifar100": 50_000}
"""Images from which training and validation parts are drawn."""

_DATA_WORDS = {"digits": "8x8 digits", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "parquet": "images of a folder"}

BY_DESIGN = "exploratory by design: its interval is told, and decides nothing at any scale"
"""Of a contrast without a verdict: more seeds would not give it one."""

_EXCLUDED = {"not better": BETTER, "not worse": WORSE}


@dataclass(frozen=True)
class Setting:
    """The scale of the lab's results: what preconditions are held against.

    ``images`` and ``updates`` (training images, steps of the optimiser) are None where only the data can tell.
    """

    data: str
    images: int | None
    network: str
    depth: int
    block: str
    blocks: int
    width: int
    epochs: int
    updates: int | None
    demonstration: bool
    profile: str

    @classmethod
    def of(cls, config: RunConfig, profile: str, demonstration: bool | None = None) -> "Setting":
        """The setting of a study's base at a scale.

        Args:
            demonstration: whether the runs are one; as the profile says if not given.

        Raises:
            ConfigError: an unknown profile.
        """
        model, data, train = config.model, config.data, config.train
        every = _ALL_IMAGES.get(data.source)
        images = data.train_size or (every - data.val_size if every else None)
        return cls(
            data=data.source,
            images=images,
            network=f"{BACKBONES[model.backbone].title}-{model.depth}",
            depth=model.depth,
            block=model.block,
            blocks=model.blocks_per_stage,
            width=model.width,
            epochs=train.epochs,
            updates=train.epochs * steps_per_epoch(images, train.batch_size) if images else None,
            demonstration=get_profile(profile).demonstration if demonstration is None else demonstration,
            profile=profile,
        )

    @property
    def scale(self) -> str:
        """In short words, such as ``8x8 digits, ResNet-38``."""
        return f"{_DATA_WORDS[self.data]}, {self.network}"


def unmet(needs: Preconditions, setting: Setting) -> list[str]:
    """The preconditions that a setting does not meet, each in words; a number that is not known meets none."""
    found = []
    if needs.data and setting.data not in needs.data:
        found.append(f"data {setting.data}, needs {' or '.join(needs.data)}")
    if needs.block and setting.block != needs.block:
        found.append(f"{setting.block} blocks, needs {needs.block}")
    names = {"depth": "depth", "blocks": "blocks a stage", "width": "width", "images": "training images"}
    for field, name in (names | {"epochs": "epochs", "updates": "updates"}).items():
        least, here = getattr(needs, f"min_{field}"), getattr(setting, field)
        if least is not None and (here is None or here < least):
            found.append(f"{name} {'unknown' if here is None else format(here, ',')}, needs {least:,}")
    return found


def ledger(
    claims: Sequence[Claim], results: Mapping[tuple[str, str], Mapping[str, Any]], setting: Setting
) -> pd.DataFrame:
    """One row a claim, in the order of ``claims``.

    Columns: ``id, claim, kind, source, grade, study, contrast``; ``status``, one of :data:`STATUSES`; ``why``, the
    preconditions that fail, or what decided; ``direction``, the sign of the estimate (``+``, ``−``, ``0``; empty
    without one); ``estimate, low, high, own_estimate, n, lost, extended, verdict`` of the result (fractions, NaN
    without one; ``own_estimate`` at each arm's own learning rate); ``scale``; ``link``, the HTML of the study's
    notebook; the published ``numbers``, and a ``note`` on how the contrast reads the claim. A
    computed claim has study "computed", its check as contrast, and no estimate.

    Args:
        results: (study, contrast) -> ``estimate, low, high, n, verdict`` and, where they are known, ``delta``, the
            smallest difference that matters, and ``lost``, how many seeds did not finish in every arm; missing, or
            with an estimate of NaN, where nothing was run.

    Raises:
        ConfigError: a claim names a check that there is not.
    """
    rows = [_computed_row(claim) if claim.computed else _study_row(claim, results, setting) for claim in claims]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _head(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.id, "claim": claim.claim, "kind": claim.kind, "source": claim.source, "grade": claim.sureness,
        "direction": "", "estimate": math.nan, "low": math.nan, "high": math.nan, "own_estimate": math.nan, "n": 0,
        "lost": 0, "extended": False, "verdict": "", "link": "", "numbers": claim.numbers or "",
        "note": claim.note or "",
    }  # fmt: skip


def _computed_row(claim: Claim) -> dict[str, Any]:
    outcome = run_check(claim.computed)
    status = SUPPORTED if outcome.holds else CONTRADICTED
    told = {"status": status, "why": outcome.found, "scale": "computed, nothing is trained"}
    return _head(claim) | {"study": COMPUTED, "contrast": claim.computed} | told


def _study_row(claim: Claim, results: Mapping[tuple[str, str], Mapping[str, Any]], setting: Setting) -> dict[str, Any]:
    result = results.get((claim.study, claim.contrast), {})
    status, why = judged(claim, result, setting)
    row = _head(claim) | {"study": claim.study, "contrast": claim.contrast, "status": status, "why": why}
    row |= {"scale": setting.scale, "link": report_of(claim.study)}
    if status == NOT_RUN:
        return row
    told = {name: result.get(name, row[name]) for name in TOLD}
    return row | told | {"direction": direction(told["estimate"])}


def judged(claim: Claim, result: Mapping[str, Any], setting: Setting) -> tuple[str, str]:
    """The status of a claim that a study tests, and why, in words.

    No result is "not yet run", unless seeds were run and lost. Where a precondition fails, or the runs are a
    demonstration, nothing is settled. Else the verdict speaks: see :func:`settled`.
    """
    missing = unmet(claim.preconditions, setting)
    if setting.demonstration:
        missing.append(f"profile {setting.profile} is a demonstration")
    why = "; ".join(missing)
    known = math.isfinite(result.get("estimate", math.nan))
    if not known and not result.get("lost"):
        return NOT_RUN, f"a run at this scale would not settle it: {why}" if missing else ""
    if missing:
        return TOO_SMALL, f"{why}; {BY_DESIGN}" if result.get("verdict") == EXPLORATORY else why
    status, why = settled(claim.expects, result) if known else (UNDECIDED, "no seed finished in every arm")
    notes = [why, result.get("reason", "")]
    if result.get("extended"):
        notes.append("extended: seeds were added after looking")
    if lost := int(result.get("lost") or 0):
        notes.append(f"{lost} seeds lost")
    return status, "; ".join(filter(None, notes))


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
    - A claimed equality is contradicted by "better" or "worse" only if the whole interval lies beyond ``delta``;
      those two verdicts exclude 0, not every effect that is too small to matter. Without a ``delta``: undecided.
    - "better" and "worse" settle nothing where the crossed interval, for new test images too, covers 0.
    - "exploratory" supports nothing and contradicts nothing, whatever its interval; no more does "depends on learning
      rate", which has no single answer.
    """
    verdict = result.get("verdict")
    if verdict not in (BETTER, WORSE, EQUIVALENT, NEGLIGIBLE):
        return UNDECIDED, {EXPLORATORY: BY_DESIGN, DEPENDS: DEPENDS}.get(verdict, "")
    if result.get("crossed_low", math.nan) <= 0 <= result.get("crossed_high", math.nan) and verdict in (BETTER, WORSE):
        return UNDECIDED, f"found {verdict} for these test images only: for new ones the interval covers 0"
    small = verdict in (EQUIVALENT, NEGLIGIBLE)
    if expects in _EXCLUDED:
        return CONTRADICTED if verdict == _EXCLUDED[expects] else SUPPORTED, f"found {verdict}"
    if expects == "equivalent":
        return _equality(result, small)
    if small:
        return CONTRADICTED, f"in size: found {verdict}, and the claim is of a difference that matters"
    claimed = {"better": BETTER, "more": BETTER, "worse": WORSE, "fewer": WORSE}.get(expects, verdict)
    return (SUPPORTED, "in direction") if verdict == claimed else (CONTRADICTED, f"found {verdict}")


def _equality(result: Mapping[str, Any], small: bool) -> tuple[str, str]:
    verdict, delta = result["verdict"], result.get("delta", math.nan)
    if small:
        return SUPPORTED, f"found {verdict}"
    if result["low"] > delta or result["high"] < -delta:
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
