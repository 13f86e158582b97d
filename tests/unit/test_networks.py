"""Every backbone with every unit, shared and not, through the registries: a new one is tested with no further line."""

import copy
import pickle

import pytest
import torch
from safetensors.torch import load, save

from dianet_lab import AttentionConfig, ModelConfig, build_model, list_backbones, list_units
from dianet_lab.attention.recurrent import MEMORIES
from dianet_lab.attention.registry import unit_options
from dianet_lab.attention.stage import StageAttention
from dianet_lab.backbones.registry import BACKBONES, get_backbone
from dianet_lab.errors import ConfigError
from dianet_lab.models import count_dead_parameters, count_parameters

DEPTHS = {name: 2 * backbone.rule()[0] + backbone.rule()[1] for name, backbone in BACKBONES.items()}
"""Two blocks a stage."""
SMALL = {"width": 4, "widen": 1, "cardinality": 2, "base_width": 2}


def small_model(backbone, attention, seed=1, **options):
    shape = {name: value for name, value in SMALL.items() if name in get_backbone(backbone).options}
    config = ModelConfig(backbone=backbone, depth=DEPTHS[backbone], attention=attention, **shape | options)
    return build_model(config, 3, 5, seed)


def units_and_sharing():
    return [
        (unit, sharing) for unit in list_units() for sharing in (("stage", "none") if unit != "none" else ("stage",))
    ]


@pytest.fixture(params=units_and_sharing(), ids=lambda case: "-".join(case))
def small_attention(request):
    unit, sharing = request.param
    return AttentionConfig(unit=unit, sharing=sharing)


@pytest.fixture(params=list_backbones())
def model(request, small_attention):
    return small_model(request.param, small_attention)


def images(batch=3, size=16, seed=0):
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


class TestEveryCombination:
    def test_maps_images_of_any_size_to_logits(self, model):
        for batch, size in ((2, 16), (3, 13), (1, 16)):
            logits = model.eval()(images(batch, size))
            assert logits.shape == (batch, 5) and logits.isfinite().all()

    def test_trains_with_a_batch_of_one(self, model):
        """BatchNorm sees more than one number a channel as long as a map is larger than one pixel."""
        model.train()(images(1)).sum().backward()

    def test_is_deterministic_and_keeps_no_state_in_eval_mode(self, model):
        model.eval()
        first = model(images())
        model(images(5, 24, seed=1))
        assert torch.equal(model(images()), first)

    def test_has_one_entry_for_one_tensor(self, model):
        tensors = [value for value in model.state_dict().values() if value.numel()]
        assert len({value.data_ptr() for value in tensors}) == len(tensors)

    def test_survives_safetensors_copying_and_pickling(self, model):
        expected = model.eval()(images())
        other = small_model_like(model)
        other.load_state_dict(load(save(model.state_dict())))
        for twin in (other.eval(), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(twin(images()), expected)

    def test_computes_the_same_in_channels_last_and_in_double_precision(self, model):
        expected = model.eval()(images())
        last = copy.deepcopy(model).to(memory_format=torch.channels_last)
        torch.testing.assert_close(last(images().contiguous(memory_format=torch.channels_last)), expected)
        torch.testing.assert_close(model.double()(images().double()).float(), expected)

    def test_stays_on_its_device(self, model):
        """On the meta device an operation with a tensor from elsewhere fails; on a GPU the numbers must agree."""
        assert copy.deepcopy(model).to("meta")(images().to("meta")).device.type == "meta"
        if torch.accelerator.is_available():
            device = torch.accelerator.current_accelerator()
            expected = model.eval()(images())
            torch.testing.assert_close(model.to(device)(images().to(device)).cpu(), expected, atol=1e-3, rtol=1e-3)


def small_model_like(model):
    """The same network with other values."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    return other


def structural_cases():
    cases = [
        (backbone, AttentionConfig(unit=unit, sharing=sharing))
        for backbone in list_backbones()
        if backbone != "resnet"
        for unit, sharing in units_and_sharing()
    ]
    for unit in list_units():
        memories = MEMORIES if "memory" in unit_options(unit) else (None,)
        for sharing in ("stage", "none") if unit != "none" else ("stage",):
            for memory in memories:
                extra = {"memory": memory, "layer_embedding": memory != "detached"} if memory else {}
                cases.append(("resnet", AttentionConfig(unit=unit, sharing=sharing, **extra)))
    cases.append(("resnet", AttentionConfig(sharing="none", reduction=None, memory="none")))
    cases.append(("resnet", AttentionConfig(sharing="none", reduction=None, cells=2)))
    cases += [("resnet", AttentionConfig(sharing="none", share_from=1, **{gate: False})) for gate in
              ("input_gate", "forget_gate", "output_gate")]  # fmt: skip
    return cases


def case_name(case):
    backbone, attention = case
    return "-".join([backbone, *(f"{name}={value}" for name, value in attention.asked().items())])


class TestDeadParameters:
    """What can have no gradient by structure is declared, and nothing else is dead."""

    @pytest.mark.parametrize("case", structural_cases(), ids=case_name)
    def test_are_those_declared(self, case):
        backbone, attention = case
        model = small_model(backbone, attention).double()  # float32 would lose what is saturated
        declared = {
            f"stages.{index}.attention.{name}": mask
            for index, stage in enumerate(model.stages)
            for name, mask in (stage.attention.dead() if stage.attention else {}).items()
        }
        reached = {name: torch.zeros(p.shape, dtype=torch.bool) for name, p in model.named_parameters()}
        expected = {name: ~declared.get(name, torch.zeros_like(found)) for name, found in reached.items()}
        # A hidden ReLU may be off for all images; so look with several values and with many images.
        for seed in range(24):
            if seed >= 4 and all(torch.equal(reached[name], alive) for name, alive in expected.items()):
                break
            generator = torch.Generator().manual_seed(seed)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
            model.zero_grad()
            model.train()(images(8, 32, seed).double()).square().sum().backward()
            for name, parameter in model.named_parameters():
                assert parameter.grad is not None, name
                reached[name] |= parameter.grad != 0
        for name, found in reached.items():
            assert torch.equal(found, expected[name]), name

    def test_of_dianet_are_none_and_of_a_first_blocks_own_cell_some(self):
        assert count_dead_parameters(small_model("resnet", AttentionConfig())) == 0
        single = small_model("resnet", AttentionConfig(sharing="none"))
        q = [1, 2, 4]
        expected = sum(c * k + 2 * (c * k + c) for c, k in zip((4, 8, 16), q, strict=True))
        assert count_dead_parameters(single) == expected
        assert count_parameters(single) > expected


class TestBackbones:
    def test_are_listed_and_an_unknown_one_gets_the_closest(self):
        assert list_backbones() == ["resnet", "preresnet", "wide_resnet", "resnext"]
        with pytest.raises(ConfigError, match="did you mean 'preresnet'"):
            get_backbone("preresnt")

    @pytest.mark.parametrize("backbone", list_backbones())
    @pytest.mark.parametrize("options", [{"skip": False}, {"norm": "none"}, {"skip": False, "norm": "none"}])
    def test_skips_and_norms_can_be_switched_off(self, backbone, options):
        model = small_model(backbone, AttentionConfig(), **options)
        model.train()(images()).sum().backward()
        assert all(p.grad is not None for p in model.parameters())
        names = [type(module).__name__ for module in model.modules()]
        assert ("BatchNorm2d" in names) is (options.get("norm") != "none")
        assert not [m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.bias is not None]
        if not options.get("skip", True):
            assert not [name for name, _ in model.named_parameters() if "projection" in name]

    @pytest.mark.parametrize("backbone", list_backbones())
    def test_without_skip_a_stage_is_a_chain_of_gated_branches(self, backbone):
        model = small_model(backbone, AttentionConfig(), skip=False).eval()
        stage = model.stages[0]
        x = expected = model.stem(images())
        state = None
        for index, block in enumerate(stage.blocks):
            branch, shortcut = block(expected)
            assert shortcut is None
            gate, state = stage.attention(index, branch, state)
            expected = torch.relu(branch * gate) if stage.relu else branch * gate
        torch.testing.assert_close(stage(x), expected)

    @pytest.mark.parametrize("backbone", ["preresnet", "wide_resnet"])
    @pytest.mark.parametrize("norm", ["batch", "none"])
    def test_a_pre_activation_stage_adds_without_relu_and_leaves_its_input_alone(self, backbone, norm):
        model = small_model(backbone, AttentionConfig(unit="constant", gate_start=0.5), norm=norm).eval()
        x = model.stem(images())
        kept, stage = x.clone(), model.stages[1]
        expected = x
        for block in stage.blocks:
            branch, shortcut = block(expected)
            expected = branch * 0.5 + shortcut
        torch.testing.assert_close(stage(x), expected)
        assert torch.equal(x, kept) and (expected < 0).any()

    @pytest.mark.parametrize("backbone", ["preresnet", "wide_resnet"])
    def test_a_projection_reads_the_activated_input_or_the_raw_one(self, backbone):
        shortcuts = {}
        x = images()[:, :1].expand(-1, 4, -1, -1).contiguous()
        for projection in ("raw", "preactivated"):
            block = small_model(backbone, AttentionConfig(), projection=projection).eval().stages[1].blocks[0]
            seen = x if projection == "raw" else block.layer1.activate(x)
            shortcuts[projection] = block(x)[1]
            torch.testing.assert_close(shortcuts[projection], block.projection(seen))
        assert not torch.allclose(shortcuts["raw"], shortcuts["preactivated"])

    def test_branch_norm_ends_each_branch_for_any_unit(self):
        for unit in ("none", "lstm", "se"):
            model = small_model("preresnet", AttentionConfig(unit=unit), branch_norm=True)
            blocks = [block for stage in model.stages for block in stage.blocks]
            assert all(block.last_norm is block.branch_norm for block in blocks)

    def test_dropout_acts_in_training_only(self):
        model = small_model("wide_resnet", AttentionConfig(), dropout=0.5)
        assert torch.equal(model.eval()(images()), model(images()))
        assert not torch.equal(model.train()(images()), model(images()))

    @pytest.mark.parametrize("backbone", list_backbones())
    def test_branch_gain_scales_the_start_of_every_branch(self, backbone):
        plain = AttentionConfig(unit="none")
        full, quarter = (small_model(backbone, plain, branch_gain=gain).eval() for gain in (1.0, 0.25))
        x = images(3, 16)
        x = full.stem(x)
        branch, _ = full.stages[0].blocks[0](x)
        less, _ = quarter.stages[0].blocks[0](x)
        torch.testing.assert_close(less, branch * 0.25)

    def test_a_grouped_convolution_has_its_cardinality(self):
        block = small_model("resnext", AttentionConfig()).stages[2].blocks[0]
        conv = block.layer2.conv
        assert conv.groups == 2 and conv.in_channels == 2 * 2 * 4


class TestWhoOwnsThePoints:
    def test_a_stage_attention_is_found_in_every_stage(self):
        model = small_model("resnext", AttentionConfig())
        assert sum(isinstance(module, StageAttention) for module in model.modules()) == 3
