"""A study: its grid, its pairing, and the catalogue at every scale."""

import pytest
import torch

from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError
from dianet_lab.models import build_model
from dianet_lab.profiles import PROFILES
from dianet_lab.studies.catalog import ARMS, STUDIES, get_study
from dianet_lab.studies.contrast import Contrast
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
        ],
    )
    def test_what_can_not_be_run_is_refused_before_anything_runs(self, tiny, options, says):
        with pytest.raises(ConfigError, match=says):
            Study("s", tiny, **options)


class TestPairing:
    def test_arms_of_one_seed_see_the_same_images_and_start_from_the_same_backbone(self):
        study = get_study("sharing", "smoke")
        configs = [study.config(arm, 1) for arm in study.arms]
        indices = {tuple(load_data(config.data, config.seed).train.index.tolist()) for config in configs}
        stems = [build_model(config.model, 1, 10, config.seed).stem.conv.weight for config in configs]
        assert len(indices) == 1
        assert all(torch.equal(stem, stems[0]) for stem in stems)

    def test_seeds_draw_other_images_but_test_on_the_same(self):
        base = get_study("sharing", "quick").base
        one, other = (load_data(base.data, seed) for seed in (0, 1))
        assert not torch.equal(one.train.index, other.train.index)
        assert torch.equal(one.test.index, other.test.index) and len(one.test) == 1000


class TestCatalogue:
    @pytest.mark.parametrize("profile", PROFILES)
    @pytest.mark.parametrize("name", STUDIES)
    def test_every_study_can_be_asked_at_every_scale(self, name, profile):
        study = get_study(name, profile)
        assert len({config.run_id for _, config in study.configs()}) == len(study.configs())
        named = {arm if arm in ARMS else arm.partition(", ")[2] for arm in study.arms}
        assert named <= {*ARMS, "no extra norm"}

    def test_studies_share_the_runs_of_the_arms_that_they_share(self):
        sharing, activation = (get_study(name, "quick").configs() for name in ("sharing", "activation"))
        common = {config.run_id for _, config in sharing} & {config.run_id for _, config in activation}
        assert len(common) == 3 * PROFILES["quick"].seeds

    def test_sharing_holds_the_two_by_two_and_the_controls_of_the_start(self):
        study = get_study("sharing", "quick")
        cells = {
            (config.model.attention.sharing, config.model.attention.memory)
            for _, config in study.configs()
            if config.model.attention.unit == "lstm"
        }
        assert cells == {(s, m) for s in ("stage", "none") for m in ("carried", "none")}
        assert study.config("plain, gain 0.25", 0).model.branch_gain == 0.25

    def test_changes_of_a_notebook_are_applied(self):
        study = get_study("sharing", "quick", seeds=2, epochs=5, train_size=50)
        assert len(study.seeds) == 2 and study.base.train.epochs == 5 and study.base.data.train_size == 50

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"seeds": 0}, "at least 1"),
            ({"data": "cifar1"}, "did you mean 'cifar10'"),
            ({"train_size": 0}, "train_size"),
        ],
    )
    def test_changes_that_do_not_fit_are_refused(self, change, says):
        with pytest.raises(ConfigError, match=says):
            get_study("sharing", "quick", **change)

    def test_an_unknown_study_gets_the_closest_name(self):
        with pytest.raises(ConfigError, match="did you mean 'sharing'"):
            get_study("sharin")


def test_base_of_quick_is_digits_and_needs_no_network():
    assert PROFILES["quick"].base.data.source == "digits" == RunConfig().data.source


class TestVectors:
    def test_on_digits_it_trains_on_all_images_with_three_seeds(self):
        study = get_study("vectors", "quick")
        assert study.base.data.train_size is None and study.base.train.epochs == 33 and list(study.seeds) == [0, 1, 2]

    def test_what_the_user_asks_for_is_done(self):
        study = get_study("vectors", "quick", epochs=30, train_size=50, seeds=6)
        assert study.base.train.epochs == 30 and study.base.data.train_size == 50 and len(study.seeds) == 6

    def test_other_images_keep_the_size_of_the_profile(self):
        assert get_study("vectors", "quick", data="cifar10").base.data.train_size == 100


class TestNetworks:
    @pytest.mark.parametrize("profile", PROFILES)
    def test_every_backbone_has_every_unit_and_its_own_comparisons(self, profile):
        study = get_study("networks", profile)
        for backbone in BACKBONES.values():
            assert {f"{backbone.title}, {unit}" for unit in ("plain", "SE per block", "DIA")} <= study.arms.keys()
        for contrast in study.contrasts:
            titles = {arm.partition(", ")[0] for arm in contrast.weights}
            assert titles == set(contrast.name.partition(": ")[0].partition(" (")[0].split(" against "))
        blocks = {config.model.blocks_per_stage for _, config in study.configs()}
        assert profile == "paper" or len(blocks) == 1

    def test_the_resnets_runs_are_those_of_the_other_studies(self):
        networks, sharing = get_study("networks", "quick"), get_study("sharing", "quick")
        for unit in ("plain", "SE per block", "DIA"):
            assert networks.config(f"ResNet, {unit}", 0).run_id == sharing.config(unit, 0).run_id

    def test_at_the_papers_scale_they_are_the_official_networks_with_their_recipes(self):
        study = get_study("networks", "paper")
        expected = {"PreResNet": (164, 164), "Wide ResNet": (52, 200), "ResNeXt": (101, 300), "ResNet": (164, 180)}
        for title, (depth, epochs) in expected.items():
            for unit in ("plain", "DIA"):
                config = study.config(f"{title}, {unit}", 0)
                assert (config.model.depth, config.train.epochs) == (depth, epochs)
        wide = study.config("Wide ResNet, DIA", 0)
        assert (wide.model.dropout, wide.train.gamma, wide.train.weight_decay) == (0.3, 0.2, 5e-4)

    def test_at_the_papers_scale_the_extra_norm_is_in_dia_and_in_plain_alike(self):
        study = get_study("networks", "paper")
        for title in ("PreResNet", "Wide ResNet"):
            assert all(
                study.config(f"{title}, {unit}", 0).model.branch_norm for unit in ("plain", "SE per block", "DIA")
            )
            assert not study.config(f"{title}, no extra norm", 0).model.branch_norm

    def test_a_shorter_training_shortens_every_recipe(self):
        study = get_study("networks", "paper", epochs=18)
        assert study.config("ResNeXt, DIA", 0).train.epochs == 30
        assert study.demonstration
