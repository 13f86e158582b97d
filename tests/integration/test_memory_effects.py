"""What the memory carries: measured on cells of which it is known."""

import numpy as np
import pytest
import torch

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis import memory, state_changes
from dianet_lab.analysis.capture import capture_data
from dianet_lab.analysis.gates import Network, reference_images, shown_images
from dianet_lab.analysis.memory_frames import measure_memory
from dianet_lab.analysis.planted import BLOCKS, SCENARIOS, SOURCE, TARGET, TRUTHS, planted
from dianet_lab.config import DataConfig, RunConfig
from dianet_lab.errors import LabError


@pytest.fixture(scope="module")
def digits():
    config = RunConfig(data=DataConfig(train_size=120, test_limit=100))
    return shown_images(config), reference_images(config)


def network_with_memory():
    return build_model(ModelConfig(depth=20, width=8), 1, 10)


def found(frame, stage=1):
    """(source, target) pairs whose effect is noticed."""
    rows = frame[(frame["stage"] == stage) & (frame["effect"] >= memory.NOTICED)]
    return set(zip(rows["source"], rows["target"], strict=True))


class TestPlantedCells:
    def test_do_what_is_said_of_them(self, digits):
        """The gates themselves, without any method of the notebooks."""
        for scenario, truth in TRUTHS.items():
            gates = capture_data(planted(scenario, 0), digits[0], ["gate"])[1]["gate"]
            assert bool(np.ptp(gates.values, axis=0).max() > 1e-6) == truth.image, scenario
            means = gates.mean(("image", "channel"))
            assert truth.image or bool(np.ptp(means.values) > 0.03) == truth.drifts, scenario
        assert TRUTHS.keys() == SCENARIOS.keys()

    def test_what_block_6_shows_is_what_block_2_has_written(self, digits):
        gates = capture_data(planted("reads block 2 at block 6", 3), digits[0], ["gate"])[2]["gate"]
        mine = slice(0, gates.sizes["channel"] // 2)
        np.testing.assert_allclose(gates[:, TARGET, mine], gates[:, SOURCE, mine], atol=1e-6)
        assert (gates[:, SOURCE + 1 : TARGET, mine] < 1e-6).all()

    def test_neighbours_that_copy_are_equal_in_the_share_that_does(self, digits):
        gates = capture_data(planted("neighbours copy", 0, share=1.0), digits[0], ["gate"])[0]["gate"]
        np.testing.assert_allclose(gates[:, 1:], gates[:, :-1], atol=1e-6)


class TestMemoryMap:
    @pytest.mark.parametrize("scenario", TRUTHS)
    def test_finds_what_was_planted_and_nothing_else(self, scenario, digits):
        assert found(memory.memory_map(planted(scenario, 1), digits[0])) == set(TRUTHS[scenario].memory)

    def test_without_a_memory_nothing_moves(self, digits):
        model = build_model(ModelConfig(depth=20, width=8, attention=AttentionConfig(memory="none")), 1, 10)
        assert (memory.memory_map(model, digits[0])["effect"] == 0).all()

    def test_a_unit_that_has_none_is_refused(self, digits):
        model = build_model(ModelConfig(depth=20, width=8, attention=AttentionConfig(unit="se")), 1, 10)
        with pytest.raises(LabError, match="no memory"):
            memory.memory_map(model, digits[0])

    @pytest.mark.parametrize("options", [{"cells": 2}, {"unit": "gru"}, {"unit": "rnn"}, {"sharing": "none"}], ids=str)
    def test_every_unit_with_a_state_can_be_looked_at(self, options, digits):
        model = build_model(ModelConfig(depth=20, width=8, attention=AttentionConfig(**options)), 1, 10)
        frame = memory.memory_map(model, digits[0])
        assert len(frame) == 3 * 3 and (frame["effect"] > 0).all()


class TestStateEffects:
    def test_the_two_modes_differ_by_what_goes_through_the_features(self, digits):
        """Gates behind block 2 up to block 5 do not read the memory: what moves them at all came by the features."""
        gates, outputs = memory.state_effects(planted("reads block 2 at block 6", 0), *digits, limit=60)
        behind = gates[(gates["stage"] == 0) & (gates["source"] == SOURCE) & (gates["kind"] == "other class")]
        by = behind.set_index(["mode", "target"])["effect"]
        assert by["memory"][[3, 4, 5, 7]].max() < 1e-5 < 0.5 < by["memory"][TARGET]
        assert by["total"][[3, 4, 5]].max() < 1e-5 < by["total"][7]  # block 6 moved, and with it what block 7 sees
        assert set(outputs["kind"]) == set(state_changes.KINDS) and set(outputs["mode"]) == set(memory.MODES)
        assert len(outputs) == 3 * (BLOCKS - 1) * len(state_changes.KINDS) * 2

    @pytest.mark.parametrize("control, of", state_changes.RANDOM.items())
    def test_a_random_change_is_as_long_as_what_it_controls(self, control, of):
        here = {name: torch.randn(1, 30, 5) for name in "hc"}
        mean = {name: part.mean(1, keepdim=True) for name, part in here.items()}
        labels, lengths = torch.arange(30) % 3, {}
        for kind in (of, control):
            new = state_changes.changed_state(kind, here, mean, labels, torch.Generator().manual_seed(0))
            lengths[kind] = sum(((new[name] - here[name]) ** 2).sum((0, 2)) for name in here)
        torch.testing.assert_close(lengths[control], lengths[of])

    def test_donors_are_other_images_of_the_class_that_is_asked_for(self):
        labels, generator = torch.arange(40) % 4, torch.Generator().manual_seed(0)
        same, other = (state_changes.donors(labels, which, generator) for which in (True, False))
        assert (labels[same] == labels).all() and (same != torch.arange(40)).all()
        assert (labels[other] != labels).all()

    def test_the_few_that_are_looked_at_are_of_every_class_and_get_states_of_all_that_are_shown(self, digits):
        """Files may be sorted by class, and among a few images one may have no other of its class."""
        images = digits[0].select(digits[0].labels.argsort(stable=True))
        chosen = state_changes.looked_at(images, 10)
        assert chosen.labels.tolist() == list(range(10))
        gates, outputs = memory.state_effects(network_with_memory(), images, digits[1], limit=10)
        assert (outputs["images"] == 10).all()
        assert gates.loc[gates["kind"] == "same class", "effect"].min() > 0

    def test_a_changed_state_goes_to_its_own_image(self, digits, monkeypatch):
        """States that stay as they are move nothing, whichever of the images that are shown are looked at."""
        monkeypatch.setattr(memory, "changed_state", lambda kind, here, *rest: here)
        gates, outputs = memory.state_effects(network_with_memory(), *digits, limit=30)
        assert gates["effect"].max() < 1e-3 and outputs["flips"].max() == 0

    def test_the_intact_network_is_what_is_left_when_the_mean_forget_gate_is_the_gate(self, digits):
        """Planted forget gates are the same for every image: holding them at their mean changes nothing."""
        held = memory.forget_effects(planted("neighbours copy", 0), *digits, limit=60).set_index(["held", "mode"])
        assert held.loc["mean", "effect"].max() < 1e-5 and held.loc["mean", "flips"].max() == 0
        assert held.loc["0", "effect"].min() > 0.5

    def test_under_the_clock_no_forget_gate_is_held(self, digits):
        model = build_model(ModelConfig(depth=14, attention=AttentionConfig(memory="clock")), 1, 10)
        assert memory.forget_effects(model, *digits, limit=20).empty

    def test_one_block_a_stage_is_refused_in_a_sentence(self, digits):
        network = Network({"arm": "DIA", "seed": 0, "when": "end"}, build_model(ModelConfig(depth=8), 1, 10), *digits)
        with pytest.raises(LabError, match="no stage of these networks has two blocks"):
            measure_memory([network], limit=20)
        assert memory.memory_map(network.model, digits[0]).empty


class TestReach:
    def test_is_the_distance_up_to_which_gates_are_moved(self):
        import pandas as pd

        frame = pd.DataFrame({"distance": [1, 2, 3, 4], "effect": [0.5, 0.2, 0.05, 0.2]})
        assert memory.reach(frame) == 2
        assert memory.reach(frame.assign(effect=1.0)) == 4 and memory.reach(frame.assign(effect=0.0)) == 0

    def test_of_a_cell_that_reads_block_2_at_block_6_the_farthest_distance_is_4(self, digits):
        frame = memory.memory_map(planted("reads block 2 at block 6", 0), digits[0])
        curve = memory.by_distance(frame[frame["source"] == SOURCE])
        assert curve.loc[curve["effect"] > 0.5, "distance"].unique().tolist() == [TARGET - SOURCE]
