"""Gates along the way of a training: from snapshots, the first and last of them known from elsewhere."""

import pandas as pd
import pytest
import torch

from dianet_lab.analysis import subject
from dianet_lab.analysis.gates import chance_share, gate_measures, networks, shown_images
from dianet_lab.analysis.over_training import along_the_way, gate_epochs, half_way, half_way_sentence
from dianet_lab.models import build_model
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.study import Study


@pytest.fixture
def study(tiny) -> Study:
    base = tiny.override({"train.epochs": 5})
    return Study("s", base, arms={"DIA": {}}, seeds=[0], keep_weights=True, snapshots=[0])


def test_ends_are_the_untrained_and_the_trained_network(study, store):
    run_study(study, store, workers=1)
    run_id = study.config("DIA", 0).run_id
    way = list(along_the_way(store, run_id, "DIA"))
    assert [network.which["epoch"] for network in way] == [0, 1, 2, 3, 5]
    fresh = build_model(study.base.model, 1, 10, 0)
    for network, expected in ((way[0], fresh), (way[-1], store.load_model(run_id))):
        pairs = zip(network.model.parameters(), expected.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_measures_at_the_ends_are_those_of_the_study(study, store):
    run_study(study, store, workers=1)
    course = gate_epochs(along_the_way(store, study.config("DIA", 0).run_id, "DIA"))
    measured = gate_measures(networks(study, store))
    for when, epoch in (("start", 0), ("end", 5)):
        names = ["mean", "spread", "class_share"]
        mine = course[course["epoch"] == epoch][names].to_numpy()
        assert mine == pytest.approx(measured[measured["when"] == when][names].to_numpy())


def test_a_run_without_snapshots_has_its_two_ends_only_and_the_sentence_says_so(study, store):
    bare = Study("s", study.base, arms={"DIA": {}}, seeds=[0], keep_weights=True)
    run_study(bare, store, workers=1)
    course = gate_epochs(along_the_way(store, bare.config("DIA", 0).run_id, "DIA"))
    assert sorted(course["epoch"].unique()) == [0, 5]
    assert "can't be told" in half_way_sentence(course) and "can't be told" in half_way_sentence(gate_epochs([]))


def course_of(**spreads: list[float]) -> pd.DataFrame:
    epochs = [0, 1, 2, 4]
    return pd.DataFrame(
        [
            {"arm": arm, "epoch": epoch, "stage": stage, "spread": value}
            for arm, values in spreads.items()
            for stage in (0, 1)
            for epoch, value in zip(epochs, values, strict=True)
        ]
    )


def test_half_way_is_the_first_epoch_with_half_of_the_last_deviation():
    course = course_of(early=[0.0, 0.5, 0.2, 1.0], late=[0.0, 0.1, 0.4, 1.0], falling=[1.0, 0.5, 0.4, 0.1])
    assert half_way(course) == {"early": (1, 4, 1.0), "late": (4, 4, 1.0)}
    assert (
        "after epoch 1 (early) and 4 (late); the largest is that after epoch 4 (early) and 4 (late)."
        in half_way_sentence(course)
    )
    assert half_way_sentence(course_of(falling=[1.0, 0.5, 0.4, 0.1])).startswith("No gates vary more")


def test_a_deviation_that_falls_again_is_said_to_have_been_larger():
    course = course_of(peaked=[0.0, 1.5, 0.2, 1.0])
    assert half_way(course) == {"peaked": (1, 1, 1.5)}
    assert "the largest is that after epoch 1 (peaked, 1.5 times the last)" in half_way_sentence(course)


def test_a_study_shows_its_drawn_arms_on_the_way_and_dia_without_shapes(store):
    study = get_study("vectors", "smoke", seeds=1)
    seen = subject.of_study(study, store, run_study(study, store, workers=1))
    way = [(network.which["arm"], network.which["epoch"]) for network in seen.on_the_way()]
    assert list(dict.fromkeys(arm for arm, _ in way)) == ["DIA", "SE shared", "SE per block", "pixels shuffled"]
    epochs = [epoch for arm, epoch in way if arm == "DIA"]
    assert epochs[0] == 0 and epochs[-1] == study.base.train.epochs


def test_chance_is_that_of_gates_that_ignore_the_class(tiny):
    images = shown_images(tiny)
    assert chance_share(images) == pytest.approx(9 / 49)
