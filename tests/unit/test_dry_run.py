"""The rehearsal of a study: every network takes one step, and nothing is stored."""

import math
from dataclasses import replace

import pytest

from dianet_lab.studies.catalog import STUDIES, get_study
from dianet_lab.studies.dry_run import dry_run
from dianet_lab.studies.store import RunStore


@pytest.mark.parametrize("name", STUDIES)
def test_every_network_of_every_study_takes_a_step(name):
    study = get_study(name, "smoke")
    steps = dry_run(study)
    assert steps["arms"].sum() == len(study.arms)
    assert steps["loss"].map(math.isfinite).all() and (steps["parameters"] > 0).all()
    assert not list(RunStore())


def test_arms_that_differ_in_their_learning_rate_only_are_one_network(tiny):
    study = get_study("sharing", "smoke")
    arms = {"slow": {"train.lr": 0.01}, "fast": {"train.lr": 0.1}, "wide": {"model.width": 8}}
    steps = dry_run(replace(study, base=tiny, arms=arms, baseline="", contrasts=(), arm_seeds={}, tuning=None))
    assert list(steps["arm"]) == ["slow", "wide"] and list(steps["arms"]) == [2, 1]


def test_images_that_would_be_downloaded_are_stood_in_for(tiny):
    study = get_study("sharing", "smoke")
    base = tiny.override({"data.source": "cifar10"})
    steps = dry_run(replace(study, base=base, arms={"DIA": {}}, baseline="", contrasts=(), arm_seeds={}, tuning=None))
    assert len(steps) == 1


def test_who_waits_is_told_which_network_is_tried(tiny):
    told = []
    study = get_study("sharing", "smoke")
    base = replace(study, base=tiny, arms={"DIA": {}}, baseline="", contrasts=(), arm_seeds={}, tuning=None)
    dry_run(base, tell=told.append)
    assert told == ["DIA"]
