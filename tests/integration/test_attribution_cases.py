"""Which networks are explained, on which images and from which baseline: of a study, of one run, of one's own."""

import dataclasses

import numpy as np
import pytest
import torch

from dianet_lab.analysis import subject
from dianet_lab.analysis.attribution_cases import (
    attribute_cases,
    attribute_mistakes,
    cases,
    contrasts_of,
    name_of,
    some_images,
)
from dianet_lab.analysis.attribution_summary import measures, mistakes
from dianet_lab.analysis.statistics import effects
from dianet_lab.analysis.under import logits_under
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study


@pytest.fixture
def one_run(tiny):
    store, study = RunStore(), Study("s", tiny, arms={"DIA": {}}, seeds=[2], keep_weights=True)
    run_study(study, store, workers=1)
    return subject.of_run(store, study.config("DIA", 2).run_id)


class TestOneRun:
    def test_stands_beside_itself_untrained_and_with_shuffled_pixels(self, one_run):
        found = {case.name: case for case in cases(one_run, 10)}
        assert list(found) == ["this run", "untrained", "pixels shuffled"] and name_of(one_run) == "this run"
        own, untrained, shuffled = found.values()
        assert own.model is shuffled.model and own.model is not untrained.model
        assert torch.equal(own.images.images, untrained.images.images)
        assert torch.equal(own.images.labels, shuffled.images.labels)
        assert not torch.equal(own.images.images, shuffled.images.images)

    def test_is_explained_from_its_mean_gate_and_from_a_number(self, one_run):
        for baseline in (None, one_run.start):
            found = attribute_cases(one_run, 10, 2, baseline)
            assert set(found.layers["name"]) == {"this run", "untrained", "pixels shuffled"}
            own = found.layers[found.layers["target"] == found.layers["label"]]
            assert len(own) == 3 * 10 * 6

    def test_has_estimates_without_an_interval(self, one_run):
        table = effects(measures(attribute_cases(one_run, 10, 2)), contrasts_of(one_run), value="explained")
        assert list(table["contrast"]) == ["this run - untrained", "this run - pixels shuffled"]
        assert np.isfinite(table["estimate"]).all() and table["low"].isna().all()


class TestMistakes:
    def test_are_looked_for_among_all_images_and_asked_about_both_classes(self, one_run):
        network, found = one_run.one(), attribute_mistakes(one_run, 1000, 2)
        predicted = logits_under(network.model, network.images).argmax(1)
        wrong = network.images.index[predicted != network.images.labels]
        assert set(found.images["image"]) == set(wrong.tolist()) and len(found.images) == 2 * len(wrong)
        assert mistakes(found)["images"].tolist() == [len(wrong)] * 3
        assert attribute_mistakes(one_run, 3, 2).images["image"].nunique() == 3

    def test_are_none_where_all_is_right(self, one_run):
        network = one_run.one()
        right = logits_under(network.model, network.images).argmax(1) == network.images.labels
        network = network._replace(images=network.images.select(right))
        perfect = dataclasses.replace(one_run, networks=lambda arms, when: [network])
        assert attribute_mistakes(perfect, 10, 2) is None


def test_the_images_are_stratified_and_the_same_for_every_network(one_run):
    few = some_images(one_run.test, 20)
    assert len(few) == 20 and torch.bincount(few.labels, minlength=10).tolist() == [2] * 10
    assert torch.equal(few.index, some_images(one_run.test, 20).index)
    assert len(some_images(one_run.test, 10_000)) == len(one_run.test)


@pytest.mark.heavy
def test_a_study_has_all_arms_and_the_controls_of_its_first_and_one_number_suits_that_alone():
    study = get_study("vectors", "smoke", seeds=1, epochs=1)
    seen = subject.look(study, RunStore(), workers=1)
    names = [case.name for case in cases(seen, 10)]
    assert names == [*study.arms, "untrained", "pixels shuffled"]
    assert [case.name for case in cases(seen, 10, controls_only=True)] == ["DIA", "untrained", "pixels shuffled"]
    assert [contrast.name for contrast in contrasts_of(seen)] == [f"DIA - {name}" for name in names[1:]]
