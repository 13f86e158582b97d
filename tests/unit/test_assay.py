"""The assay: three checks of a setting, each of which can fail alone, and none of which holds before it is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dianet_lab.analysis.assay import NOT_AT_COMMON, Assay, assay
from dianet_lab.studies.catalog import CORE, STARTS, YARDSTICK, get_study
from dianet_lab.studies.rates import Runs, at_own_rates
from dianet_lab.studies.study import Study

FITS, ROOM, SEES = 0.995, 0.90, 0.03
NAMES = ["fits", "room", "sees"]
STUDY = get_study("sharing", "quick")


def frame_of(study: Study, seeds=6, fits=FITS, room=ROOM, sees=SEES, **train) -> pd.DataFrame:
    """Runs of all arms: ``room`` is plain's test accuracy, ``sees`` how much worse half its width is, with a spread."""
    rows = []
    for arm in study.arms:
        noise = stats.zscore(np.random.RandomState(len(arm)).normal(size=max(2, seeds)), ddof=1) * 0.005
        level = room - sees if arm == YARDSTICK else room
        rows += [
            {"arm": arm, "seed": seed, "status": "finished", "test_accuracy": level + noise[seed]}
            | {"train_accuracy": train.get(arm, 0.5 if arm == YARDSTICK else fits)}
            for seed in range(seeds)
        ]
    return pd.DataFrame(rows)


def runs_of(study: Study = STUDY, **options) -> Runs:
    return Runs(study, frame_of(study, **options))


def checks(found: Assay) -> dict[str, bool | None]:
    return {name: getattr(found, name) for name in NAMES}


@pytest.fixture(autouse=True)
def only_verdicts(monkeypatch):
    """How many seeds need not be told."""
    monkeypatch.setattr("dianet_lab.analysis.statistics.seeds_needed", lambda *_, **__: np.nan)


class TestChecks:
    def test_a_setting_that_is_fitted_with_room_and_sees_a_known_gap_is_accepted(self):
        found = assay(runs_of())
        assert checks(found) == dict.fromkeys(NAMES, True) and found.accepted
        assert list(found.table["result"]) == ["holds"] * 3 and "passes its assay" in found.sentence()

    @pytest.mark.parametrize(
        ("fails", "options", "says"),
        [
            ("fits", {"fits": 0.98}, "the networks fit"),
            ("room", {"room": 0.96}, "there is room above plain"),
            ("sees", {"sees": 0.0}, "a known gap is seen"),
            ("sees", {"sees": -0.03}, "a known gap is seen"),
        ],
    )
    def test_each_fails_alone_and_nothing_is_accepted_then(self, fails, options, says):
        found = assay(runs_of(**options))
        assert checks(found) == {name: name != fails for name in NAMES} and not found.accepted
        assert list(found.table["result"]) == ["FAILS" if name == fails else "holds" for name in NAMES]
        assert f"it is not so that {says}" in found.sentence() and "nothing here is called equivalent" in (
            found.sentence()
        )

    @pytest.mark.parametrize("arm", [arm for arm in CORE if arm != YARDSTICK])
    def test_a_single_core_arm_that_does_not_fit_is_enough(self, arm):
        found = assay(runs_of(**{arm: 0.97}))
        assert found.fits is False and arm in found.table["found"][0] and "97.0 %" in found.table["found"][0]

    def test_the_yardstick_need_not_fit(self):
        assert assay(runs_of(**{YARDSTICK: 0.4})).fits

    def test_nor_need_an_exploratory_arm(self):
        assert "from block 3" not in STUDY.tuning.arms
        assert assay(runs_of(**{"from block 3": 0.4})).fits

    def test_a_gap_that_is_seen_may_be_a_small_one(self):
        """Different but negligible is seen, too: it was told from nothing."""
        frame = frame_of(STUDY, seeds=20, sees=0.003)
        plain = frame.loc[frame["arm"] == STARTS[0], "test_accuracy"].to_numpy()
        frame.loc[frame["arm"] == YARDSTICK, "test_accuracy"] = plain - 0.003 + 0.0005 * (-1.0) ** np.arange(20)
        assert assay(Runs(STUDY, frame)).sees

    def test_limits_are_99_and_95_percent(self):
        assert assay(runs_of(fits=0.99)).fits and not assay(runs_of(fits=0.9899)).fits
        assert assay(runs_of(room=0.949)).room and not assay(runs_of(room=0.951)).room


class TestUnknown:
    def test_without_a_run_nothing_is_known(self):
        frame = frame_of(STUDY).assign(status="pending", test_accuracy=np.nan, train_accuracy=np.nan)
        found = assay(Runs(STUDY, frame))
        assert checks(found) == dict.fromkeys(NAMES) and not found.accepted
        assert list(found.table["result"]) == ["not known"] * 3
        assert "it is not known whether the networks fit" in found.sentence()

    @pytest.mark.parametrize(("seeds", "sees"), [(1, None), (2, None), (3, True)])
    def test_a_gap_is_not_known_of_less_than_three_seeds(self, seeds, sees):
        found = assay(runs_of(seeds=seeds, sees=0.2))
        assert found.sees is sees and found.fits and found.room

    def test_fitting_is_not_known_while_a_core_arm_has_no_run(self):
        frame = frame_of(STUDY)
        frame.loc[frame["arm"] == "DIA", "status"] = "pending"
        assert assay(Runs(STUDY, frame)).fits is None

    def test_nor_where_training_accuracy_was_not_measured(self):
        found = assay(Runs(STUDY, frame_of(STUDY).assign(train_accuracy=np.nan)))
        assert found.fits is None and found.room and found.sees

    def test_a_study_without_core_arms_has_no_assay_that_passes(self, tiny):
        study = Study("mine", tiny, arms={"DIA": {}, "cells": {"model.attention.cells": 2}})
        found = assay(runs_of(study))
        assert (found.room, found.sees) == (None, None) and not found.accepted


class TestRates:
    """Each arm is looked at where it is trained best: at its own learning rate, if it has one."""

    @staticmethod
    def both(arms=None, common=None, own=None) -> Runs:
        rates = dict.fromkeys(arms or STUDY.tuning.arms, 0.3)
        own_study = at_own_rates(STUDY, rates)
        return Runs(STUDY, frame_of(STUDY, **common or {}), None, rates, own_study, frame_of(own_study, **own or {}))

    @pytest.mark.parametrize(
        ("name", "bad"), [("fits", {"fits": 0.5}), ("room", {"room": 0.97}), ("sees", {"sees": 0.0})]
    )
    def test_counts_what_is_found_at_the_own_one(self, name, bad):
        assert getattr(assay(self.both(common=bad)), name) is True
        assert getattr(assay(self.both(own=bad)), name) is False

    @pytest.mark.parametrize("bad", [{"fits": 0.5}, {"room": 0.97}, {"sees": 0.0}])
    def test_says_whether_it_would_hold_at_the_common_one(self, bad):
        found = assay(self.both(common=bad))
        assert found.accepted and not found.at_common and NOT_AT_COMMON in found.sentence()
        assert list(found.table["result"]) == ["holds"] * 3 and "FAILS" in set(found.table["result at the common rate"])
        assert assay(self.both()).at_common and NOT_AT_COMMON not in assay(self.both()).sentence()

    def test_survivors_do_not_speak_for_an_arm_that_lost_more_than_a_tenth(self):
        runs = self.both()
        diverged = (runs.own["arm"] == "DIA") & (runs.own["seed"] == 0)
        found = assay(replace(runs, own=runs.own.assign(status=runs.own["status"].mask(diverged, "diverged"))))
        assert found.fits is False and "seeds lost: DIA" in found.table["found"][0]

    def test_an_arm_without_one_yet_is_looked_at_where_it_is(self):
        tuned = [arm for arm in STUDY.tuning.arms if arm != "DIA"]
        found = assay(self.both(tuned, common={"DIA": 0.5}))
        assert found.fits is False and "DIA" in found.table["found"][0]
        assert checks(assay(self.both(["DIA"]))) == dict.fromkeys(NAMES, True)

    def test_of_an_own_rate_that_is_not_run_yet_nothing_is_known(self):
        runs = self.both()
        pending = runs.own.assign(status="pending", test_accuracy=np.nan, train_accuracy=np.nan)
        assert checks(assay(replace(runs, own=pending))) == dict.fromkeys(NAMES)
