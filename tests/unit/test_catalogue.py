"""The catalogue: what every study holds at every scale, with which seeds, and that its controls are what they say."""

from functools import cache
from itertools import combinations

import pytest
import torch

from dianet_lab.analysis.capture import capture
from dianet_lab.analysis.gate_course import activation_starts
from dianet_lab.backbones.registry import BACKBONES
from dianet_lab.config import RunConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError
from dianet_lab.models import build_model
from dianet_lab.profiles import PROFILES, get_profile
from dianet_lab.studies import catalog
from dianet_lab.studies.catalog import (
    ARMS,
    CORE,
    RELATIVE,
    STARTS,
    STUDIES,
    YARDSTICK,
    has_less,
    sisters,
    smaller,
)
from dianet_lab.studies.catalog.activation import TWO_BY_TWO
from dianet_lab.studies.catalog.arms import arm_changes
from dianet_lab.studies.catalog.building import build
from dianet_lab.studies.catalog.cell import EIGHT, LEVELS
from dianet_lab.studies.catalog.matching import live_parameters
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.rates import at_own_rates, tuning_study
from dianet_lab.studies.study import Study

WITH_CORE = ("sharing", "activation", "reduction", "cell", "units")
MOST_RUNS_OF_QUICK = 500
FAMILY = {"sharing": 3, "cell": 3, "activation": 1, "reduction": 1}
NIGHT = {"cell": 4}
"""Where a run takes minutes, the eight arms of memory and start are all that gets a verdict."""
at_every_scale = pytest.mark.parametrize("profile", PROFILES)
of_every_study = pytest.mark.parametrize("name", STUDIES)
get_study = cache(catalog.get_study)
"""Studies can't be changed, so each is made once."""


def family_at(profile: str) -> dict[str, int]:
    return NIGHT if get_profile(profile).eight else FAMILY


def primary(study: Study) -> list[Contrast]:
    return [contrast for contrast in study.contrasts if contrast.primary]


def network(arm: str, seed: int = 0, **changes):
    """The network of an arm as the study of all of them starts it, for one-channel images."""
    base = get_profile("smoke").base.override(changes)
    return build_model(base.override(arm_changes(base, [arm])[arm]).model, 1, 10, seed)


def gates(model, images: torch.Tensor) -> torch.Tensor:
    """All gates of a network in eval mode, in one row."""
    with capture(model.eval()) as trace, torch.no_grad():
        model(images)
    return torch.cat([torch.as_tensor(trace.array("gate", stage).values).flatten() for stage in range(3)])


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class TestEveryStudy:
    @at_every_scale
    @of_every_study
    def test_can_be_asked_at_every_scale_and_runs_nothing_twice(self, name, profile):
        study = get_study(name, profile)
        assert study.name == name
        assert len({config.run_id for _, config in study.configs()}) == len(study.configs())

    @at_every_scale
    @of_every_study
    def test_says_how_many_seeds_are_planned_and_has_no_more(self, name, profile):
        study = get_study(name, profile)
        assert study.planned == len(study.seeds) and not study.extended
        assert study.demonstration == get_profile(profile).demonstration

    @at_every_scale
    @of_every_study
    def test_measures_every_contrast_by_the_difference_that_matters_at_its_scale(self, name, profile):
        scale = get_profile(profile)
        deltas = {contrast.name: contrast.delta for contrast in get_study(name, profile).contrasts}
        trend = deltas.pop("trend per doubling of r", scale.delta / 4)
        assert set(deltas.values()) == {scale.delta} and trend == scale.delta / 4  # r = 1 to 16 are four doublings

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"seeds": 0}, "at least 1"),
            ({"data": "cifar1"}, "did you mean 'cifar10'"),
            ({"train_size": 0}, "train_size"),
            ({"profile": "quik"}, "did you mean 'quick'"),
        ],
    )
    def test_refuses_changes_that_do_not_fit(self, change, says):
        with pytest.raises(ConfigError, match=says):
            get_study("sharing", **change)

    def test_is_found_by_its_name_only(self):
        with pytest.raises(ConfigError, match="did you mean 'sharing'"):
            get_study("sharin")


class TestCoreArms:
    def test_are_plain_its_starts_dia_with_a_neutral_start_and_the_yardstick(self):
        assert set(CORE) == {
            "plain",
            "plain, gain 0.25",
            "plain, gain 0",
            "constant 0.25",
            "static per block",
            "DIA",
            "DIA, neutral start",
            "plain, half width",
        }

    @at_every_scale
    @pytest.mark.parametrize("name", WITH_CORE)
    def test_have_all_seeds_and_a_learning_rate_of_their_own(self, name, profile):
        study, scale = get_study(name, profile), get_profile(profile)
        core = {*EIGHT, YARDSTICK} if scale.eight and name == "cell" else set(CORE)
        assert core <= study.arms.keys() and core <= set(study.tuning.arms)
        for arm in study.tuning.arms:
            assert study.seeds_of(arm) == tuple(range(scale.seeds))
        assert tuple(study.tuning.rates) == scale.rates and len(study.tuning.seeds) == scale.tuning_seeds

    @at_every_scale
    @of_every_study
    def test_every_other_arm_has_few_seeds_and_the_common_rate(self, name, profile):
        study, scale = get_study(name, profile), get_profile(profile)
        if name in ("stability", "vectors"):  # these have seeds of their own
            assert study.tuning is None and not study.arm_seeds
            return
        tuned = study.tuning.arms if study.tuning else ()
        for arm in study.arms.keys() - set(tuned):
            assert study.seeds_of(arm) == tuple(range(min(scale.few, scale.seeds)))

    @at_every_scale
    @pytest.mark.parametrize("name", WITH_CORE)
    def test_choose_their_rates_with_seeds_that_are_no_evidence(self, name, profile):
        for seeds in (None, 1, 99):
            study = get_study(name, profile, seeds=seeds)
            assert not set(study.tuning.seeds) & set(study.seeds)

    @at_every_scale
    def test_the_common_rate_is_among_those_that_are_tried(self, profile):
        scale = get_profile(profile)
        assert scale.base.train.lr in scale.rates

    @at_every_scale
    def test_the_yardstick_is_half_as_wide(self, profile):
        study = get_study("sharing", profile)
        assert 2 * study.config(YARDSTICK, 0).model.width == study.base.model.width

    @at_every_scale
    def test_every_level_of_memory_is_trained_with_all_seeds(self, profile):
        left_out = {"shared, no memory, embedding"} if get_profile(profile).eight else set()
        assert set(LEVELS) - left_out <= set(get_study("cell", profile).tuning.arms)


class TestFamily:
    @at_every_scale
    def test_is_at_most_eight_contrasts_of_different_names_over_all_studies(self, profile):
        studies = {name: primary(get_study(name, profile)) for name in STUDIES}
        assert {name: len(found) for name, found in studies.items() if found} == family_at(profile)
        assert set(family_at(profile)) == set(get_profile(profile).family)
        names = [contrast.name for found in studies.values() for contrast in found]
        assert len(names) == len(set(names)) <= 8

    def test_names_are_fixed(self):
        """Written before any run: a change of one of these is another family."""
        found = {name: [contrast.name for contrast in primary(get_study(name, "digits"))] for name in FAMILY}
        assert found == {
            "sharing": ["DIA - best of plain and its starts", "sharing (main effect)", "DIA - SE per block"],
            "cell": ["carried - clock", "clock - none", "carried - detached"],
            "activation": ["shape: sigmoid - tanh (main effect)"],
            "reduction": ["trend per doubling of r"],
        }

    @at_every_scale
    @pytest.mark.parametrize("name", FAMILY)
    def test_every_arm_of_it_has_all_seeds_and_its_own_rate(self, name, profile):
        study = get_study(name, profile)
        for contrast in primary(study):
            assert set(contrast.arms) <= set(study.tuning.arms)

    @at_every_scale
    @of_every_study
    def test_sisters_complete_it_at_the_same_scale_and_the_same_changes(self, name, profile):
        study = get_study(name, profile, seeds=2, epochs=7)
        others = sisters(study)
        if name == "vectors":  # all images: another setting, and nothing primary
            assert not others and not primary(study)
            return
        assert {other.name for other in others} == set(family_at(profile)) - {name}
        assert {(len(other.seeds), other.base.train.epochs) for other in others} <= {(2, 7)}
        assert len(primary(study)) + sum(len(primary(other)) for other in others) == sum(family_at(profile).values())

    def test_a_study_that_is_not_of_the_catalogue_has_no_sisters(self, tiny):
        assert sisters(Study("mine", tiny, arms={"DIA": {}})) == []

    def test_to_have_helped_dia_must_beat_plain_and_all_that_starts_as_gently(self):
        helps = primary(get_study("sharing"))[0]
        assert helps.weights == {"DIA": 1} and helps.best_of == STARTS


class TestSize:
    def test_quick_is_a_first_look_of_at_most_500_runs(self):
        """Common rate, trials and own rates of all studies together, each run once, if no arm keeps the common rate."""
        runs = set()
        for name in STUDIES:
            study = get_study(name, "quick")
            parts = [study]
            if trying := tuning_study(study):
                other = next(rate for rate in study.tuning.rates if rate != study.base.train.lr)
                parts += [trying, at_own_rates(study, dict.fromkeys(study.tuning.arms, other))]
            runs |= {config.run_id for part in parts for _, config in part.configs()}
        assert len(runs) <= MOST_RUNS_OF_QUICK, f"quick would train {len(runs)} networks"

    @pytest.mark.parametrize("profile", [name for name in PROFILES if name != "smoke"])
    @pytest.mark.parametrize("name", ["sharing", "cell"])
    def test_sharing_and_memory_have_at_least_six_blocks_to_share_over(self, name, profile):
        assert get_study(name, profile).base.model.blocks_per_stage >= 6

    def test_base_of_quick_is_digits_and_needs_no_network(self):
        assert PROFILES["quick"].base.data.source == "digits" == RunConfig().data.source


class TestMatching:
    """Two arms that are to differ in one thing have the same size; counted are parameters that can learn."""

    @staticmethod
    def size(name: str, arm: str, profile: str = "digits") -> int:
        study = get_study(name, profile)
        return live_parameters(study.config(arm, 0).model)

    @pytest.mark.parametrize("profile", ["quick", "digits", "cifar10", "paper"])
    def test_one_wide_unit_a_stage_is_as_large_as_a_unit_a_block(self, profile):
        widened, own = (self.size("sharing", arm, profile) for arm in ("DIA, widened", "per block, carried"))
        assert widened == pytest.approx(own, rel=0.01)

    @pytest.mark.parametrize("profile", PROFILES)
    @pytest.mark.parametrize(
        ("name", "arm", "goal"),
        [("sharing", "gain 0.25, wider", "per block, carried"), ("reduction", "gain 0.25, size of r=1", "r=1")],
    )
    def test_a_wider_plain_network_starts_gently_and_comes_as_near_as_a_width_can(self, name, arm, goal, profile):
        study = get_study(name, profile)
        wide, goal = study.config(arm, 0).model, study.config(goal, 0).model
        assert wide.attention.unit == "none" and wide.branch_gain == 0.25 and wide.width > study.base.model.width
        off = {
            width: abs(live_parameters(wide.model_copy(update={"width": width})) - live_parameters(goal))
            for width in range(study.base.model.width + 1, wide.width + 3)
        }
        assert min(off, key=off.get) == wide.width

    @at_every_scale
    def test_rates_of_the_attention_differ_by_the_blocks_that_share_a_unit(self, profile):
        study = get_study("sharing", profile)
        blocks = study.base.model.blocks_per_stage
        assert study.config("per block, rate x n", 0).train.attention_lr_scale == blocks
        assert study.config("DIA, rate / n", 0).train.attention_lr_scale == pytest.approx(1 / blocks)
        assert study.config("DIA", 0).train.attention_lr_scale == 1


class TestArms:
    @at_every_scale
    def test_a_name_means_one_configuration_in_every_study(self, profile):
        """So that runs are shared: the same run id wherever the base is the same."""
        studies = [get_study(name, profile) for name in STUDIES]
        shared = 0
        for one, other in combinations(studies, 2):
            for arm in one.arms.keys() & other.arms.keys():
                if one.base == other.base:
                    shared += 1
                    assert one.config(arm, 0).run_id == other.config(arm, 0).run_id, arm
        assert shared >= len(CORE) * 10

    @of_every_study
    def test_every_one_is_of_the_registry_possibly_with_where_it_is(self, name):
        for arm in get_study(name).arms:
            endings = {arm, arm.rpartition(": ")[2], arm.partition(", ")[2]}
            assert endings & {*ARMS, *RELATIVE, "no extra norm"}, arm

    def test_studies_share_the_runs_of_the_arms_that_they_share(self):
        sharing, activation = (get_study(name) for name in ("sharing", "activation"))
        common, (one, other) = sharing.arms.keys() & activation.arms.keys(), (sharing.configs(), activation.configs())
        runs = {config.run_id for _, config in one} & {config.run_id for _, config in other}
        assert common == set(CORE) and len(runs) == len(CORE) * PROFILES["quick"].seeds

    @pytest.mark.parametrize("arm", [*ARMS, *RELATIVE])
    def test_all_differ(self, arm):
        changes = arm_changes(get_profile("digits").base, [*ARMS, *RELATIVE])
        same = [name for name in changes if dict(changes[name]) == dict(changes[arm])]
        # Two sizes may be matched best by one width of a narrow network.
        assert same == [arm] or all(name in RELATIVE and name.startswith("gain 0.25, ") for name in same)

    def test_an_unknown_one_gets_the_closest_name(self):
        with pytest.raises(ConfigError, match="did you mean 'gain 0.25, wider'"):
            arm_changes(RunConfig(), ["gain 0.25, wide"])

    def test_those_that_a_stage_has_too_few_blocks_for_are_left_out_with_their_contrasts(self):
        study = get_study("sharing", "smoke")  # two blocks a stage
        gone = {"groups of 2", "groups of 3", "from block 3"}
        assert not gone & study.arms.keys() and gone <= get_study("sharing", "quick").arms.keys()
        assert not gone & {arm for contrast in study.contrasts for arm in contrast.arms}

    def test_a_primary_contrast_gives_its_arms_all_seeds_whoever_they_are(self):
        scale = get_profile("digits")
        weights = {"relu": 1.0, "plain": -1.0}
        studies = {
            matters: build("mine", scale, ["relu"], [Contrast("c", weights, primary=matters)])
            for matters in (True, False)
        }
        assert len(studies[True].seeds_of("relu")) == scale.seeds and "relu" in studies[True].tuning.arms
        assert len(studies[False].seeds_of("relu")) == scale.few and "relu" not in studies[False].tuning.arms


class TestStarts:
    """The controls of DIA's gentle start do what their names say, before anything is learnt."""

    @pytest.mark.parametrize("mode", ["train", "eval"])
    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_constant_gate_computes_what_a_gain_of_the_norm_computes(self, images, mode, seed):
        gated, gained = network("constant 0.25", seed), network("plain, gain 0.25", seed)
        outputs = [getattr(model, mode)()(images) for model in (gated, gained)]
        torch.testing.assert_close(*outputs)
        assert not torch.allclose(outputs[0], getattr(network("plain", seed), mode)()(images))

    def test_but_its_gamma_is_four_times_as_large_and_has_a_quarter_of_the_gradient(self, images):
        """So a step of SGD moves what it computes by a sixteenth."""
        gradients = []
        for arm in ("constant 0.25", "plain, gain 0.25"):
            model = network(arm).train()
            model(images).square().sum().backward()
            gradients.append(model.stages[0].blocks[0].last_norm.weight.grad)
        torch.testing.assert_close(gradients[0], gradients[1] / 4, rtol=1e-3, atol=1e-6)

    @pytest.mark.parametrize("mode", ["train", "eval"])
    def test_a_gain_of_0_makes_every_block_its_shortcut_and_a_relu(self, images, mode):
        model = getattr(network("plain, gain 0"), mode)()
        x = model.stem(images)
        for stage in model.stages:
            _, shortcut = stage.blocks[0](x)
            for block in stage.blocks:
                branch, _ = block(x if block is stage.blocks[0] else shortcut)
                assert not branch.any()
            x = stage(x)
            torch.testing.assert_close(x, shortcut.relu())

    @pytest.mark.parametrize(
        ("arm", "gate"),
        [("constant 0.25", 0.25), ("static per block", 0.25), ("scalar per block", 0.25), ("DIA, neutral start", 1.0)],
    )
    def test_gates_of_the_controls_start_at_one_value_for_all(self, images, arm, gate):
        values = gates(network(arm), images)
        torch.testing.assert_close(values, torch.full_like(values, gate))


class TestActivation:
    NAMED = {
        "DIA": (0.25, 0.125, "0 to 1"),
        "sigmoid(c-4)": (0.009, 0.009, "0 to 1"),
        "tanh": (0.0, 0.5, "−1 to 1"),
        "tanh(c+0.549)": (0.25, 0.375, "−1 to 1"),
        "tanh(c/3+0.549)": (0.25, 0.125, "−1 to 1"),
        "relu": (0.0, None, "0 to ∞"),
        "hardsigmoid": (0.25, None, "0 to 1"),
        "identity": (0.0, 0.5, "−∞ to ∞"),
    }
    """Arm -> gate at the start, slope there, and range."""

    def test_the_study_holds_all_of_them(self):
        study = get_study("activation")
        assert self.NAMED.keys() == study.arms.keys() - (set(CORE) - {"DIA"})

    @pytest.mark.parametrize("arm", NAMED)
    def test_gate_and_slope_start_where_the_name_says(self, arm):
        row = activation_starts(get_study("activation"), [arm]).iloc[0]
        gate, slope, reach = self.NAMED[arm]
        assert row["gate"] == pytest.approx(gate, abs=1e-3) and row["range"] == reach
        assert slope is None or row["slope"] == pytest.approx(slope, abs=1e-3)

    @pytest.mark.parametrize("arm", NAMED)
    def test_gates_of_a_fresh_network_lie_there(self, arm, images):
        assert float(gates(network(arm), images).mean()) == pytest.approx(self.NAMED[arm][0], abs=0.06)

    def test_only_the_tanh_is_signed_from_the_start(self, images):
        negative = {arm: bool((gates(network(arm), images) < 0).any()) for arm in TWO_BY_TWO}
        assert negative == {"DIA": False, "sigmoid(c-4)": False, "tanh(c+0.549)": False, "tanh": True}

    def test_shape_and_start_are_crossed(self):
        """Each shape starts once at a quarter and once near 0, so that their main effects are not one another's."""
        study = get_study("activation")
        shape = primary(study)[0]
        starts = activation_starts(study, list(shape.weights)).set_index("arm")["gate"]
        sides = {
            sign: sorted(starts[arm] for arm, weight in shape.weights.items() if weight * sign > 0) for sign in (1, -1)
        }
        assert sides[1] == pytest.approx(sides[-1], abs=0.01) and sides[1] == pytest.approx([0.0, 0.25], abs=0.01)


class TestSharing:
    def test_holds_the_two_by_two_of_sharing_and_memory(self):
        study = get_study("sharing")
        cells = {}
        for arm in ("DIA", "shared, no memory", "per block, carried", "per block, no memory"):
            attention = study.config(arm, 0).model.attention
            cells[attention.sharing, attention.memory] = arm
        assert len(cells) == 4 and {unit for unit, _ in cells} == {"stage", "none"}

    def test_main_effects_and_interaction_are_orthogonal(self):
        contrasts = {contrast.name: contrast.weights for contrast in get_study("sharing").contrasts}
        three = ("sharing (main effect)", "memory (main effect)", "sharing x memory (interaction)")
        for one, other in combinations([contrasts[name] for name in three], 2):
            assert sum(one[arm] * other[arm] for arm in one) == 0


class TestReduction:
    def test_trend_is_the_slope_of_a_line_over_the_doublings_of_r(self):
        trend = primary(get_study("reduction"))[0]
        reductions = {"r=1": 0, "r=2": 1, "DIA": 2, "r=8": 3, "r=16": 4}
        assert sum(trend.weights[arm] * (5 + 0.3 * doublings) for arm, doublings in reductions.items()) == (
            pytest.approx(0.3)
        )


class TestChanges:
    """What a notebook or the command line changes, and what the study then is."""

    def test_are_applied(self):
        study = get_study("sharing", "quick", seeds=2, epochs=5, train_size=50)
        assert len(study.seeds) == 2 and study.base.train.epochs == 5 and study.base.data.train_size == 50
        assert {study.seeds_of(arm) for arm in study.arms} == {(0, 1)}

    @of_every_study
    def test_as_many_seeds_as_are_asked_for(self, name):
        for seeds in (1, 2, 5, 30):
            study = get_study(name, "cifar10", seeds=seeds)
            assert study.seeds == tuple(range(seeds))
            assert max(len(study.seeds_of(arm)) for arm in study.arms) == seeds

    @of_every_study
    def test_more_seeds_than_planned_extend_a_study_and_fewer_make_it_a_demonstration(self, name):
        planned = get_study(name, "digits").planned
        for seeds in (planned - 1, planned, planned + 1):
            study = get_study(name, "digits", seeds=seeds)
            assert study.planned == planned
            assert study.extended == (seeds > planned) and study.demonstration == (seeds < planned)

    @of_every_study
    @pytest.mark.parametrize("less", [{"epochs": 5}, {"train_size": 50}])
    def test_less_training_makes_it_a_demonstration(self, name, less):
        assert get_study(name, "digits", **less).demonstration

    @of_every_study
    def test_more_training_does_not(self, name):
        assert not get_study(name, "digits", epochs=200, seeds=40).demonstration

    @of_every_study
    def test_but_a_demonstration_it_stays_where_the_profile_is_one(self, name):
        assert get_study(name, "quick", epochs=200, seeds=40).demonstration

    def test_less_is_fewer_epochs_or_images_and_all_images_are_the_most(self):
        usual = get_profile("digits").base
        every = usual.override({"data.train_size": None})
        assert not has_less(usual, usual) and not has_less(every, usual) and has_less(usual, every)
        assert has_less(usual.override({"train.epochs": 99}), usual)
        assert not has_less(usual.override({"train.epochs": 101, "train.lr": 0.5}), usual)

    def test_smaller_is_a_study_with_fewer_seeds_too(self, tiny):
        scale = get_profile("quick")
        assert smaller(Study("s", scale.base, arms={"a": {}}, seeds=range(2)), scale)
        assert not smaller(Study("s", scale.base, arms={"a": {}}, seeds=range(3)), scale)
        assert smaller(Study("s", tiny, arms={"a": {}}, seeds=range(9)), scale)


class TestVectors:
    @pytest.mark.parametrize("profile, epochs, seeds", [("quick", 24, 3), ("digits", 40, 5)])
    def test_on_digits_it_trains_on_all_797_images_in_deep_networks(self, profile, epochs, seeds):
        study = get_study("vectors", profile)
        assert len(load_data(study.base.data, 0).train) == 797
        assert study.base.train.epochs == epochs and list(study.seeds) == list(range(seeds))
        assert study.keep_weights and study.base.model.blocks_per_stage >= 6
        assert study.snapshots == (0,)

    def test_what_the_user_asks_for_is_done(self):
        study = get_study("vectors", "quick", epochs=30, train_size=50, seeds=6)
        assert study.base.train.epochs == 30 and study.base.data.train_size == 50 and len(study.seeds) == 6

    def test_other_images_keep_the_size_of_the_profile(self):
        assert get_study("vectors", "quick", data="cifar10").base.data.train_size == 100


class TestNetworks:
    @at_every_scale
    def test_every_backbone_has_every_unit_and_its_own_comparisons(self, profile):
        study = get_study("networks", profile)
        for backbone in BACKBONES.values():
            units = ("plain", "plain, gain 0.25", "SE per block", "DIA")
            assert {f"{backbone.title}, {unit}" for unit in units} <= study.arms.keys()
        for contrast in study.contrasts:
            titles = {arm.partition(", ")[0] for arm in contrast.weights}
            assert titles == set(contrast.name.partition(": ")[0].partition(" (")[0].split(" against "))
        blocks = {config.model.blocks_per_stage for _, config in study.configs()}
        assert profile == "paper" or len(blocks) == 1

    def test_the_resnets_runs_are_those_of_the_other_studies(self):
        networks, sharing = get_study("networks", "quick"), get_study("sharing", "quick")
        for unit in ("plain", "plain, gain 0.25", "SE per block", "DIA"):
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


class TestDepth:
    @at_every_scale
    def test_asks_the_same_arms_at_every_depth_of_the_scale(self, profile):
        study, scale = get_study("depth", profile), get_profile(profile)
        assert {study.config(arm, 0).model.depth for arm in study.arms} == set(scale.depths)
        assert len(study.arms) == 4 * len(scale.depths)
        assert scale.base.model.depth in scale.depths

    @at_every_scale
    def test_shares_its_runs_at_the_usual_depth(self, profile):
        study, sharing = get_study("depth", profile), get_study("sharing", profile)
        for arm in ("plain", "plain, gain 0.25", "SE per block", "DIA"):
            usual = f"depth {study.base.model.depth}: {arm}"
            assert study.config(usual, 0).run_id == sharing.config(arm, 0).run_id


class TestUnits:
    def test_every_pair_is_one_unit_a_stage_and_one_a_block(self):
        study = get_study("units")
        pairs = [contrast.arms for contrast in study.contrasts if contrast.arms[1] not in {*STARTS, "DIA"}]
        assert len(pairs) == 7
        for shared, own in pairs:
            one, other = (study.config(arm, 0).model.attention for arm in (shared, own))
            assert (one.sharing, other.sharing) == ("stage", "none")
            assert one.model_copy(update={"sharing": "none"}) == other


class TestEightArms:
    """Memory and start on photographs in a night: eight arms, and the yardstick that the assay needs."""

    def test_are_the_levels_of_memory_and_the_gentle_starts_with_the_yardstick(self):
        study = get_study("cell", "cifar10")
        assert set(study.arms) == {*EIGHT, YARDSTICK} and len(EIGHT) == 8
        assert set(study.tuning.arms) == set(study.arms) and not study.arm_seeds

    def test_have_at_least_five_training_draws_and_six_blocks_a_stage(self):
        study = get_study("cell", "cifar10")
        assert len(study.seeds) >= 5 and study.base.model.blocks_per_stage >= 6 and study.base.model.width == 8

    def test_ask_the_same_questions_as_elsewhere(self):
        asked = {contrast.name: contrast for contrast in primary(get_study("cell", "cifar10"))}
        usual = {contrast.name: contrast for name in FAMILY for contrast in primary(get_study(name, "paper"))}
        for name, contrast in asked.items():
            assert contrast.weights == usual[name].weights and set(contrast.best_of) <= set(usual[name].best_of)
