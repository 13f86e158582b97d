"""Whether a setting can answer a question about accuracy at all: fitted, with room, and able to see what is there."""

import math
from typing import NamedTuple

import pandas as pd

from dianet_lab.analysis.interval import points
from dianet_lab.analysis.power import FAMILY
from dianet_lab.analysis.statistics import effects
from dianet_lab.analysis.verdict import BETTER, FEWEST, LOST, NEGLIGIBLE
from dianet_lab.analysis.wording import listed
from dianet_lab.studies.catalog import STARTS, YARDSTICK
from dianet_lab.studies.contrast import minus
from dianet_lab.studies.rates import Runs

FITTED, ROOM = 0.99, 0.95
"""The training accuracy that every core arm must reach, and the test accuracy that plain must stay under."""


class Assay(NamedTuple):
    """The three checks of a setting, each ``True``, ``False`` or ``None`` (not known: too few runs).

    Attributes:
        fits: every core arm, at its own learning rate, reaches 99 % on the training images (mean over seeds), and none
            lost more than a tenth of its seeds.
        room: plain stays under 95 % on the test images.
        sees: plain is told from a network of half its width by the study's own test.
        at_common: whether all three hold at the common learning rate too, where equality needs its own assay.
        table: one row a check, with what was found at the own rates and at the common one.
    """

    fits: bool | None
    room: bool | None
    sees: bool | None
    at_common: bool
    table: pd.DataFrame

    @property
    def accepted(self) -> bool:
        """Whether all three hold; without the third, nothing may be called equivalent."""
        return bool(self.fits and self.room and self.sees)

    def sentence(self) -> str:
        """What it means for the verdicts."""
        if self.accepted:
            said = "The setting passes its assay: the networks fit, there is room above plain, a known gap is seen."
            return said if self.at_common else f"{said} {NOT_AT_COMMON}"
        checks = {
            "the networks fit": self.fits,
            "there is room above plain": self.room,
            "a known gap is seen": self.sees,
        }
        open_, failed = ([name for name, held in checks.items() if held is what] for what in (None, False))
        parts = [f"it is not so that {listed(failed)}"] if failed else []
        parts += [f"it is not known whether {listed(open_)}"] if open_ else []
        return f"The setting does not pass its assay ({'; '.join(parts)}), so nothing here is called equivalent."


NOT_AT_COMMON = "At the common learning rate it does not, so there nothing is called equivalent."


def assay(runs: Runs) -> Assay:
    """The assay of a study that has the core arms; each arm at its own learning rate where it has one."""
    tuned = runs.study.tuning.arms if runs.study.tuning else runs.study.arms
    core = [arm for arm in tuned if arm != YARDSTICK]
    frame = runs.frame[runs.frame["arm"].isin(tuned)]
    common = own = _checks(frame, core)
    if runs.own is not None:
        own = _checks(pd.concat([frame[~frame["arm"].isin(runs.own["arm"])], runs.own], ignore_index=True), core)
    asked = ["every core arm at least 99 %", "plain under 95 % on test images", f"plain - {YARDSTICK}: better"]
    words = {True: "holds", False: "FAILS", None: "not known"}
    table = pd.DataFrame({"check": list(own), "asked": asked})
    for rate, checks in (("", own), (" at the common rate", common)):
        table["found" + rate] = [found for found, _ in checks.values()]
        table["result" + rate] = [words[held] for _, held in checks.values()]
    return Assay(*(held for _, held in own.values()), all(held for _, held in common.values()), table)


def _checks(frame: pd.DataFrame, core: list[str]) -> dict[str, tuple[str, bool | None]]:
    """Check -> what was found, and whether it holds."""
    done = frame[frame["status"] == "finished"]
    fitted = done[done["arm"].isin(core)].groupby("arm", sort=False)["train_accuracy"].mean().dropna()
    worst = fitted.idxmin() if len(fitted) else None
    plain = done.loc[done["arm"] == STARTS[0], "test_accuracy"].mean()
    # Told by the test that the verdicts are: corrected as one of a whole family.
    unknown = [(math.nan, math.nan)] * (FAMILY - 1)
    gap = effects(frame, minus(STARTS[0], YARDSTICK, primary=True), others=unknown).iloc[0]
    fits = None if worst is None or set(fitted.index) != set(core) else bool(fitted[worst] >= FITTED)
    found = _worst(fitted, worst)
    if lost := [arm for arm in core if _lost(frame[frame["arm"] == arm]) > LOST]:
        fits, found = False, f"more than a tenth of the seeds lost: {listed(lost)}"
    room = None if plain != plain else bool(plain < ROOM)
    sees = None if gap["n"] < FEWEST or gap["reason"] else bool(gap["verdict"] in (BETTER, NEGLIGIBLE))
    return {
        "training images fitted": (found, fits),
        "room above plain": (_percent(plain), room),
        "a known gap is seen": (_gap(gap), sees),
    }


def _lost(runs: pd.DataFrame) -> float:
    """The share of an arm's runs that diverged or failed."""
    return float(runs["status"].isin(["diverged", "failed"]).mean()) if len(runs) else 0.0


def _worst(fitted: pd.Series, worst: str | None) -> str:
    return "no run yet" if worst is None else f"{_percent(fitted[worst])} ({worst})"


def _percent(value: float) -> str:
    return "no run yet" if value != value else f"{100 * value:.1f} %"


def _gap(gap: pd.Series) -> str:
    if gap["n"] < 2:
        return "too few seeds"
    ends = f"[{points(gap['low'])}, {points(gap['high'])}]"
    return f"{points(gap['estimate'])} points {ends}, {gap['n']} seeds"
