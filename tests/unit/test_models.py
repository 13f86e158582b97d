"""Networks: exact parameter counts, who owns a unit, the order branch -> gate -> shortcut, and their start."""

import copy
import os
import pickle
import subprocess
import sys

import pytest
import torch

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis.published import PUBLISHED, compare_counts
from dianet_lab.attention.registry import unit_class
from dianet_lab.attention.stage import StageAttention, owners
from dianet_lab.attention.unit import ChannelUnit
from dianet_lab.backbones.layers import StridedPointwise
from dianet_lab.errors import ConfigError
from dianet_lab.models import assemble, count_attention_parameters, count_macs, count_parameters, hidden_widths

DIANET = AttentionConfig()
PLAIN = AttentionConfig(unit="none")
SENET = AttentionConfig(unit="se", sharing="none", reduction=16)


def small(attention=DIANET, **options):
    """Three blocks a stage, four channels."""
    return build_model(ModelConfig(depth=20, width=4, attention=attention, **options), num_classes=5, seed=1)


class TestCounts:
    @pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row.network}-{row.arm}-{row.classes}-{row.source}")
    def test_are_those_of_the_published_networks(self, row):
        assert compare_counts([row]).iloc[0]["equal"] == "yes"

    def test_of_what_is_built_are_those_counted_without_building(self):
        config = ModelConfig(depth=164, block="bottleneck", attention=SENET)
        assert count_parameters(build_model(config, 3, 100)) == 1_929_388 == count_parameters(assemble(config, 3, 100))

    def test_of_a_shared_unit_do_not_depend_on_depth(self):
        counts = {count_attention_parameters(build_model(ModelConfig(depth=depth))) for depth in (8, 20, 38)}
        assert len(counts) == 1

    def test_of_units_per_block_grow_with_the_blocks(self):
        shared, single = small(), small(AttentionConfig(sharing="none"))
        assert count_attention_parameters(single) == 3 * count_attention_parameters(shared)

    def test_macs_are_those_of_the_convolutions_and_maps(self):
        """40.81 M: pytorchcv counts 41.29 M for this network, norms and activations included."""
        assert round(count_macs(build_model(ModelConfig(attention=PLAIN)), 3, 32) / 1e6, 2) == 40.81

    def test_hidden_widths_are_shown_for_every_stage(self):
        assert hidden_widths(build_model(ModelConfig())) == "4/8/16"
        assert hidden_widths(small(PLAIN)) == ""


class TestOwnership:
    @pytest.mark.parametrize(
        ("sharing", "owner"),
        [("stage", (0, 0, 0, 0, 0)), ("none", (0, 1, 2, 3, 4)), (2, (0, 0, 1, 1, 2)), (9, (0,) * 5)],
    )
    def test_maps_every_block_to_its_unit(self, sharing, owner):
        assert owners(5, sharing) == owner
        assert len(StageAttention(4, 5, sharing=sharing).units) == max(owner) + 1

    def test_a_shared_unit_stands_in_the_module_tree_once(self):
        model = small()
        units = [name for name, module in model.named_modules() if isinstance(module, ChannelUnit)]
        assert len(units) == len(model.stages)
        storages = {value.data_ptr() for value in model.state_dict().values() if value.numel()}
        assert len(storages) == len(model.state_dict())

    def test_every_position_has_a_name_of_its_own(self):
        points = [name for name, _ in small().named_modules() if ".points." in name]
        assert points == [f"stages.{stage}.attention.points.{block}" for stage in range(3) for block in range(3)]

    def test_an_unknown_unit_gets_the_closest_name(self):
        with pytest.raises(ConfigError, match="did you mean 'lstm'"):
            unit_class("lstn")


class TestForward:
    @pytest.mark.parametrize(("batch", "channels", "size"), [(1, 1, 8), (3, 3, 13)])
    def test_any_size_channels_and_batch(self, attention, batch, channels, size):
        model = build_model(ModelConfig(depth=20, width=4, attention=attention), channels, 7).eval()
        logits = model(torch.randn(batch, channels, size, size))
        assert logits.shape == (batch, 7) and logits.isfinite().all()

    def test_every_parameter_gets_a_gradient(self, attention):
        model = small(attention)
        model(torch.randn(4, 3, 8, 8)).sum().backward()
        assert not [name for name, value in model.named_parameters() if value.grad is None]

    def test_no_state_survives_a_forward_pass(self, attention):
        model, images = small(attention).eval(), torch.randn(2, 3, 8, 8)
        first = model(images)
        model(torch.randn(5, 3, 16, 16))
        assert torch.equal(model(images), first)

    def test_copies_and_pickles_compute_the_same(self, attention):
        model, images = small(attention).eval(), torch.randn(2, 3, 8, 8)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(twin(images), model(images))

    def test_channels_last_and_float64_agree(self):
        model, images = small().eval(), torch.randn(2, 3, 8, 8)
        expected = model(images)
        last = copy.deepcopy(model).to(memory_format=torch.channels_last)
        torch.testing.assert_close(last(images.contiguous(memory_format=torch.channels_last)), expected)
        torch.testing.assert_close(model.double()(images.double()).float(), expected)

    def test_the_order_is_branch_gate_shortcut_relu(self):
        """A hand-rolled stage: out = relu(branch * h + shortcut), the state walking from block to block."""
        model = small().eval()
        x = model.stem(torch.randn(2, 3, 8, 8))
        stage, state, expected = model.stages[0], None, x
        for block in stage.blocks:
            branch, shortcut = block(expected)
            gate, state = stage.attention.units[0](branch, state)
            expected = torch.relu(branch * gate + shortcut)
        torch.testing.assert_close(stage(x), expected)

    def test_a_stage_starts_from_zero_state(self):
        """The second stage sees nothing of the first: replacing the first one's cell leaves its input's gate alone."""
        model, x = small().eval(), torch.randn(2, 8, 8, 8)
        gate, _ = model.stages[1].attention(0, x, None)
        torch.nn.init.normal_(model.stages[0].attention.units[0].cells[0].input_map.up.weight)
        assert torch.equal(model.stages[1].attention(0, x, None)[0], gate)


class TestStart:
    def test_of_the_backbone_is_the_same_with_and_without_attention(self, attention):
        plain, gated = dict(small(PLAIN).named_parameters()), dict(small(attention).named_parameters())
        assert plain.keys() <= gated.keys() and all(torch.equal(gated[name], plain[name]) for name in plain)

    def test_shared_and_first_unit_per_block_are_equal_and_later_ones_are_not(self):
        shared, single = small(), small(AttentionConfig(sharing="none"))
        weight = "cells.0.input_map.down.weight"
        first, second = (single.stages[0].attention.units[k].get_parameter(weight) for k in (0, 1))
        assert torch.equal(shared.stages[0].attention.units[0].get_parameter(weight), first)
        assert not torch.equal(first, second)

    def test_neither_reads_nor_moves_the_global_generator(self):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        one = small().state_dict()
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(6)
        other = small().state_dict()
        assert all(torch.equal(one[name], other[name]) for name in one)

    def test_follows_the_documented_distributions(self):
        model = build_model(ModelConfig(width=32))
        conv = model.stages[1].blocks[1].layer1.conv.weight
        assert conv.std().item() == pytest.approx((2 / (9 * conv.shape[0])) ** 0.5, rel=0.05)
        bound = model.classifier.in_features**-0.5
        assert bound * 0.95 < model.classifier.weight.abs().max() <= bound

    @pytest.mark.parametrize("gain", [1.0, 0.25, 0.0])
    def test_branch_gain_sets_the_gamma_of_each_last_norm(self, gain):
        model = small(PLAIN, branch_gain=gain)
        gammas = [block.last_norm.weight for stage in model.stages for block in stage.blocks]
        assert all((gamma == gain).all() for gamma in gammas)
        others = [m.weight for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert sum(bool((weight == 1).all()) for weight in others) >= len(others) - len(gammas)

    def test_with_gain_zero_a_block_without_projection_is_the_identity(self):
        model, x = small(PLAIN, branch_gain=0.0).eval(), torch.rand(2, 4, 8, 8)
        assert torch.equal(model.stages[0](x), x)

    def test_a_module_with_unknown_parameters_is_refused(self):
        from dianet_lab.initial import initialise

        class Odd(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = torch.nn.Parameter(torch.ones(2))

        with pytest.raises(TypeError, match="initial_value"):
            initialise(Odd(), 0)


class TestNarrowNetworks:
    """oneDNN's strided 1x1 convolution wrote beyond its buffer under channels_last with fewer than 8 channels."""

    SCRIPT = """
import torch
from dianet_lab import ModelConfig, build_model
torch.set_num_threads(1)
model = build_model(ModelConfig(depth=8, width=4), in_channels=1).to(memory_format=torch.channels_last)
for _ in range(40):
    model(torch.rand(20, 1, 8, 8)).sum().backward()
"""

    @pytest.mark.heavy
    def test_train_without_damage_to_the_heap(self):
        # glibc's checking malloc; where there is none, the loader ignores it and only a crash is seen.
        checked = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3", "ONEDNN_MAX_CPU_ISA": "AVX2"}
        done = subprocess.run(
            [sys.executable, "-c", self.SCRIPT], env=os.environ | checked, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def test_a_strided_projection_is_the_strided_convolution(self):
        layer = StridedPointwise(3, 5, 1, stride=2, bias=False)
        x = torch.rand(2, 3, 7, 8)
        torch.testing.assert_close(layer(x), torch.nn.functional.conv2d(x, layer.weight, stride=2))
