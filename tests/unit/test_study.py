"""A study: its grid, its seeds, its pairing, and the contrasts that are named before the run."""

import pytest
import torch

from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError
from dianet_lab.models import build_model
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.contrast import Contrast, minus
from dianet_lab.studies.study import Study

TWINS = [Contrast("c", {"a": weight, "b": -weight}) for weight in (1, 2)]


class TestGrid:
    def test_is_every_combination_of_the_factors_and_the_further_arms(self, tiny):
        factors = {"model.attention.sharing": ["stage", "none"], "model.width": [4, 8]}
        study = Study("s", tiny, factors=factors, arms={"plain": {"model.attention.unit": "none"}}, seeds=[3, 5])
        assert list(study.arms) == [
            "sharing=stage, width=4",
            "sharing=stage, width=8",
            "sharing=none, width=4",
            "sharing=none, width=8",
            "plain",
        ]
        assert len(study.configs()) == 10 and study.baseline == "sharing=stage, width=4"
        assert study.config("plain", 5).model.attention.unit == "none"

    def test_goes_seed_by_seed_so_that_a_cut_study_is_paired(self, tiny):
        study = Study("s", tiny, factors={"model.width": [4, 8]}, seeds=[0, 1])
        assert [config.seed for _, config in study.configs()] == [0, 0, 1, 1]

    def test_compares_each_arm_with_the_baseline_if_nothing_else_is_said(self, tiny):
        study = Study("s", tiny, factors={"model.width": [4, 8, 2]}, baseline="width=8")
        assert [contrast.name for contrast in study.contrasts] == ["width=4 - width=8", "width=2 - width=8"]

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({}, "no arms"),
            ({"factors": {"model.width": [4, 0]}}, "arm 'width=0': ModelConfig.width: got 0"),
            ({"factors": {"model.width": [4]}, "arms": {"width=4": {"seed": 1}}}, "one of its factors' already"),
            ({"arms": {"a": {}, "b": {"model.width": 8}}, "contrasts": TWINS}, "two contrasts called 'c'"),
            ({"factors": {"model.width": [4]}, "seeds": []}, "no seeds"),
            ({"factors": {"model.widht": [4]}}, "did you mean 'model.width'"),
            ({"factors": {"model.width": [0]}}, "ModelConfig.width"),
            ({"arms": {"a": {}, "b": {"model.width": 4}}}, "'a' and 'b' are the same"),
            ({"arms": {"DIA": {}}, "baseline": "DIa"}, "did you mean 'DIA'"),
            ({"arms": {"DIA": {}}, "contrasts": [Contrast("c", {"DIA": 1, "plain": -1})]}, "unknown arm"),
            ({"arms": {"DIA": {}}, "contrasts": [Contrast("c", {"DIA": 1}, best_of=["DIa"])]}, "did you mean 'DIA'"),
            ({"arms": {"DIA": {}}, "arm_seeds": {"DIa": [0]}}, "did you mean 'DIA'"),
            ({"arms": {"DIA": {}}, "seeds": [0, 1, 0]}, r"seeds \[0, 1, 0\], expected each once"),
            ({"arms": {"DIA": {}}, "seeds": [0, 1], "arm_seeds": {"DIA": [1, 2]}}, r"'DIA': got seeds \[1, 2\]"),
            ({"arms": {"DIA": {}}, "seeds": [0, 1], "arm_seeds": {"DIA": []}}, r"got seeds \[\], expected some"),
        ],
    )
    def test_what_can_not_be_run_is_refused_before_anything_runs(self, tiny, options, says):
        with pytest.raises(ConfigError, match=says):
            Study("s", tiny, **options)


class TestPairing:
    def test_arms_of_one_seed_see_the_same_images_and_start_from_the_same_backbone(self):
        study = get_study("sharing", "smoke")
        configs = [study.config(arm, 1) for arm in study.arms]
        assert {config.data for config in configs} == {study.base.data}
        same = [config for config in configs if config.model.width == study.base.model.width]
        stems = [build_model(config.model, 1, 10, config.seed).stem.conv.weight for config in same]
        assert len(same) == len(configs) - 2  # plain of half the width, and plain of another size
        assert all(torch.equal(stem, stems[0]) for stem in stems)

    def test_seeds_draw_other_images_but_test_on_the_same(self):
        base = get_study("sharing", "quick").base
        one, other = (load_data(base.data, seed) for seed in (0, 1))
        assert not torch.equal(one.train.index, other.train.index)
        assert torch.equal(one.test.index, other.test.index) and len(one.test) == 1000


class TestSeeds:
    def test_are_the_studys_for_an_arm_that_has_none_of_its_own(self, tiny):
        study = Study("s", tiny, factors={"model.width": [4, 8]}, seeds=[3, 5, 7], arm_seeds={"width=8": [5]})
        assert study.seeds_of("width=4") == (3, 5, 7) and study.seeds_of("width=8") == (5,)
        assert [(arm, config.seed) for arm, config in study.configs()] == [
            ("width=4", 3),
            ("width=4", 5),
            ("width=8", 5),
            ("width=4", 7),
        ]

    @pytest.mark.parametrize(("planned", "extended"), [(None, False), (1, True), (2, False), (3, False)])
    def test_more_than_planned_extend_a_study(self, tiny, planned, extended):
        assert Study("s", tiny, arms={"a": {}}, seeds=[0, 1], planned=planned).extended is extended


class TestContrast:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"weights": {"a": 1}}, "must sum to 0"),
            ({"weights": {"a": 1, "b": -1}, "best_of": ["c"]}, "must sum to 1 because best_of subtracts a rival"),
            ({"weights": {"a": 1}, "best_of": ["b", "a"]}, "'a' can't be its own rival"),
            ({"weights": {"a": 1, "b": -1}, "delta": 0}, "delta must be above 0"),
        ],
    )
    def test_what_is_no_difference_is_refused(self, options, says):
        with pytest.raises(ConfigError, match=f"contrast 'c': {says}|contrast 'c': its weights {says}"):
            Contrast("c", **options)

    def test_weights_may_be_rounded_fractions(self):
        assert Contrast("c", {"a": 1, "b": -1 / 3, "c": -1 / 3, "d": -1 / 3}).arms == ["a", "b", "c", "d"]

    def test_of_rivals_consists_of_one_difference_to_each(self):
        contrast = Contrast("c", {"a": 0.5, "b": 0.5}, best_of=["x", "y"])
        assert contrast.parts() == {"x": {"a": 0.5, "b": 0.5, "x": -1}, "y": {"a": 0.5, "b": 0.5, "y": -1}}
        assert contrast.arms == ["a", "b", "x", "y"]

    def test_without_rivals_is_a_single_difference(self):
        assert Contrast("c", {"a": 1, "b": -1}).parts() == {"": {"a": 1, "b": -1}}

    def test_minus_is_one_exploratory_difference_to_each_of_the_others(self):
        assert minus("a", "b", "c", delta=0.02) == [
            Contrast("a - b", {"a": 1, "b": -1}, 0.02, primary=False),
            Contrast("a - c", {"a": 1, "c": -1}, 0.02, primary=False),
        ]
