"""Attention attached to networks of torchvision and timm: the same function but for the gate, and nothing left over."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load, save
from timm.layers import BlurPool2d
from torch import nn
from torchvision import models
from torchvision.models.quantization import resnet18 as quantizable_resnet18
from torchvision.models.resnet import BasicBlock, ResNet

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis.capture import capture
from dianet_lab.attach import AttachedStage, attach_attention, detach_attention
from dianet_lab.attention.stage import stage_attentions
from dianet_lab.errors import ConfigError
from dianet_lab.models import count_attention_parameters, count_parameters

DIANET = AttentionConfig()
ONE = AttentionConfig(unit="constant", gate_start=1.0)
STAGES = ["layer1", "layer2", "layer3", "layer4"]
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def timm_net(name, **options):
    """timm starts the last norm of each branch at zero, where no gate would show."""
    return timm.create_model(name, pretrained=False, num_classes=10, zero_init_last=False, **options)


def thin(blocks=(2, 2), width=4):
    """Stages of a few channels, in a module of the user's own."""
    stages = [nn.Sequential(*(BasicBlock(width, width) for _ in range(count))) for count in blocks]
    return nn.ModuleDict({"stem": nn.Conv2d(3, width, 3), "body": nn.Sequential(*stages)})


def resnet18():
    return models.resnet18(num_classes=10)


NETS = {
    "torchvision-resnet18": resnet18,
    "torchvision-resnet50": lambda: models.resnet50(num_classes=10),
    "torchvision-resnext50": lambda: models.resnext50_32x4d(num_classes=10),
    "torchvision-wide": lambda: models.wide_resnet50_2(num_classes=10),
    "timm-resnet18": lambda: timm_net("resnet18"),
    "timm-resnet26d": lambda: timm_net("resnet26d"),
    "timm-seresnet18": lambda: timm_net("seresnet18"),
    "timm-seresnext26t": lambda: timm_net("seresnext26t_32x4d"),
    "timm-drop": lambda: timm_net("resnet18", drop_path_rate=0.5, drop_block_rate=0.2),
    "timm-blur-silu": lambda: timm_net("resnet26", aa_layer=BlurPool2d, act_layer="silu"),
}


SMALL = ["torchvision-resnet18", "timm-resnet26d", "timm-seresnet18", "timm-drop"]


def seeded(model, images=IMAGES):
    """The output with the same drops every time."""
    torch.manual_seed(3)
    return model(images)


def stem_of(model, x):
    activation = model.relu if hasattr(model, "relu") else model.act1
    return model.maxpool(activation(model.bn1(model.conv1(x))))


def gated_block(block, x, gate_of):
    """A block of either library in the order of its paper, with the gate between branch and drop path."""
    y = torch.relu(block.bn1(block.conv1(x)))
    y = block.bn2(block.conv2(y))
    if hasattr(block, "conv3"):
        y = block.bn3(block.conv3(torch.relu(y)))
    if getattr(block, "se", None) is not None:
        y = block.se(y)
    gate = gate_of(y)
    y = y if gate is None else y * gate
    if getattr(block, "drop_path", None) is not None:
        y = block.drop_path(y)
    return torch.relu(y + (x if block.downsample is None else block.downsample(x)))


def by_hand(model, images=IMAGES, seen=None):
    """The features of an attached network; ``seen`` gets a (stage, block, branch, gate) for each block."""
    x = stem_of(model, images)
    for stage, name in enumerate(STAGES):
        layer, state = model.get_submodule(name), None
        for index, block in enumerate(layer):

            def gate_of(branch, stage=stage, layer=layer, index=index):
                nonlocal state
                gate, state = layer.attention(index, branch, state)
                if seen is not None:
                    seen.append((stage, index, branch, gate))
                return gate

            x = gated_block(block, x, gate_of)
    return model.fc(x.mean((2, 3)))


@pytest.fixture(params=SMALL)
def net(request):
    return NETS[request.param]()


@pytest.fixture(autouse=True)
def no_graphs_of_other_tests():
    torch.compiler.reset()


class TestCounts:
    @pytest.mark.parametrize(
        ("make", "reduction", "count"),
        [
            (models.resnet50, 20, 28_358_052),
            (models.resnet34, 20, 21_973_764),
            (models.resnet152, 10, 65_771_812),
            (models.resnext50_32x4d, 20, 27_829_924),
        ],
    )
    def test_are_those_of_one_unit_a_stage(self, make, reduction, count):
        with torch.device("meta"):
            model = make()
        plain = count_parameters(model)
        attach_attention(model, AttentionConfig(reduction=reduction))
        assert count_parameters(model) == count == plain + count_attention_parameters(model)

    def test_of_a_unit_do_not_depend_on_depth_unless_it_stands_in_every_block(self):
        shared, single = AttentionConfig(reduction=16), AttentionConfig(reduction=16, sharing="none")
        count = [
            [count_attention_parameters(attach_attention(thin((n, n)), config)) for n in (1, 3)]
            for config in (shared, single)
        ]
        assert count[0][0] == count[0][1] == count[1][0] and count[1][1] == 3 * count[1][0]


class TestFunction:
    @pytest.mark.parametrize("name", NETS)
    @pytest.mark.parametrize("mode", ["eval", "train"])
    def test_with_a_gate_of_one_is_the_old_one(self, name, mode):
        net = NETS[name]().train(mode == "train")
        images = torch.randn(2, 3, 64, 64) if mode == "train" else IMAGES
        expected = seeded(net, images)
        attach_attention(net, ONE)
        assert torch.equal(seeded(net, images), expected)
        assert all(isinstance(net.get_submodule(name), AttachedStage) for name in STAGES)

    @pytest.mark.parametrize("name", ["torchvision-resnet18", "torchvision-resnet50", "timm-seresnet18"])
    @pytest.mark.parametrize("mode", ["eval", "train"])
    def test_is_that_of_a_hand_rolled_forward(self, name, mode):
        model, images = attach_attention(NETS[name]().double(), DIANET).train(mode == "train"), IMAGES.double()
        torch.testing.assert_close(model(images), by_hand(model, images))

    def test_has_the_gate_between_se_and_drop_path(self):
        model = attach_attention(timm_net("seresnet18", drop_path_rate=0.5).double(), DIANET).train()
        images = IMAGES.double()
        found = seeded(model, images)
        torch.testing.assert_close(found, seeded(lambda images: by_hand(model, images), images))

    @pytest.mark.parametrize(
        "options",
        [
            {"sharing": "none"},
            {"share_from": 1},
            {"memory": "clock", "layer_embedding": True},
            {"memory": "detached", "cells": 2},
            {"unit": "gru", "tied_init": True, "sharing": "none"},
            {"unit": "cbam"},
            {"unit": "random"},
        ],
        ids=str,
    )
    def test_follows_the_options_of_the_unit(self, options):
        model = attach_attention(resnet18(), AttentionConfig(**options)).eval()
        torch.testing.assert_close(model(IMAGES), by_hand(model))

    def test_serves_k_consecutive_blocks_with_one_unit(self):
        model = attach_attention(models.resnet34(), AttentionConfig(sharing=2))
        assert model.layer3.attention.owner == (0, 0, 1, 1, 2, 2)

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"activation": "tanh"},
            {"activation": "softplus"},
            {"unit": "gru"},
            {"unit": "se"},
            {"unit": "cbam"},
            {"unit": "eca"},
            {"sharing": "none"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("name", ["torchvision-resnet18", "timm-drop"])
    def test_at_a_neutral_start_is_exactly_the_old_one(self, name, options):
        model = NETS[name]().eval()
        expected = model(IMAGES)
        assert torch.equal(attach_attention(model, AttentionConfig(neutral=True, **options))(IMAGES), expected)

    def test_of_a_stage_of_one_block(self):
        model = attach_attention(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10), DIANET).eval()
        torch.testing.assert_close(model(IMAGES), by_hand(model))

    def test_of_a_network_inside_other_modules(self):
        alone = attach_attention(resnet18(), DIANET).eval()
        within = attach_attention(nn.Sequential(nn.Identity(), nn.ModuleDict({"net": resnet18()})), DIANET)
        assert list(stage_attentions(within)) == [f"1.net.{name}.attention" for name in STAGES]
        within[1].net.load_state_dict(alone.state_dict())
        assert torch.equal(within.eval()[1].net(IMAGES), alone(IMAGES))

    def test_of_a_network_that_is_itself_a_stage(self):
        stage, x = nn.Sequential(BasicBlock(4, 4), BasicBlock(4, 4)).eval(), torch.randn(2, 4, 8, 8)
        expected = stage(x)
        assert attach_attention(stage, ONE) is stage and isinstance(stage, AttachedStage)
        assert torch.equal(stage(x), expected)

    def test_of_timms_features(self):
        model = attach_attention(timm_net("resnet18"), DIANET).eval()
        features = model.forward_features(IMAGES)
        assert torch.equal(model.forward_head(features), model(IMAGES))
        assert torch.equal(model.forward_intermediates(IMAGES)[1][-1], features)
        pyramid = attach_attention(timm.create_model("resnet18", features_only=True, pretrained=False), DIANET).eval()
        pyramid.load_state_dict({key: value for key, value in model.state_dict().items() if key[:3] != "fc."})
        assert torch.equal(pyramid(IMAGES)[-1], features)

    def test_of_a_subclass_that_keeps_the_forward(self):
        class Named(BasicBlock):
            pass

        model = ResNet(Named, [1, 1, 1, 1], num_classes=10).eval()
        expected = model(IMAGES)
        assert torch.equal(attach_attention(model, ONE)(IMAGES), expected)


class TestState:
    def test_restarts_at_each_stage_and_forward_pass(self):
        model = attach_attention(resnet18(), DIANET).eval()
        expected = model(IMAGES)
        model(torch.randn(5, 3, 64, 64))
        assert torch.equal(model(IMAGES), expected)
        x = torch.randn(2, 64, 4, 4)
        after = model.layer2(x)
        model.layer1(x)
        assert torch.equal(model.layer2(x), after)

    def test_restarts_after_an_exception(self):
        model = attach_attention(resnet18(), DIANET).eval()
        expected = model(IMAGES)

        def fail(*_):
            raise ZeroDivisionError

        handle = model.layer2[1].conv2.register_forward_hook(fail)
        with pytest.raises(ZeroDivisionError):
            model(torch.randn(7, 3, 32, 32))
        handle.remove()
        assert torch.equal(model(IMAGES), expected)

    def test_is_each_threads_own(self):
        model = attach_attention(resnet18(), DIANET).eval()
        batches = [torch.randn(size, 3, 32, 32) for size in (1, 3)]
        expected, found = [model(batch) for batch in batches], [[], []]

        def run(k):
            found[k] += [model(batches[k]) for _ in range(5)]

        threads = [threading.Thread(target=run, args=(k,)) for k in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(len(found[k]) == 5 and all(torch.equal(y, expected[k]) for y in found[k]) for k in range(2))

    def test_is_nowhere_kept(self):
        model = attach_attention(resnet18(), DIANET)
        before = {name: set(vars(module)) for name, module in model.named_modules()}
        model(IMAGES)
        assert {name: set(vars(module)) for name, module in model.named_modules()} == before
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class TestStage:
    def test_shows_its_blocks_only(self):
        stage = attach_attention(resnet18(), DIANET).layer2
        assert len(stage) == 2 and [type(block) for block in stage] == [BasicBlock, BasicBlock]
        assert stage[-1] is stage[1] is list(stage)[1] and stage[0] is stage.get_submodule("0")
        assert type(stage[:1]) is nn.Sequential and list(stage[:1]) == [stage[0]]
        with pytest.raises(IndexError):
            stage[2]

    @pytest.mark.parametrize("edit", ["append", "extend", "insert", "pop", "__delitem__", "__setitem__", "__iadd__"])
    def test_has_fixed_blocks(self, edit):
        stage = attach_attention(thin(), DIANET)["body"][0]
        with pytest.raises(TypeError, match="detach_attention"):
            getattr(stage, edit)(0)

    def test_keeps_the_names_and_values_of_the_old_parameters(self, net):
        before = {name: value.clone() for name, value in net.state_dict().items()}
        after = attach_attention(net, DIANET).state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())
        assert all(".attention." in name for name in after.keys() - before.keys())
        assert [name for name in after if name in before] == list(before)

    def test_keeps_the_hooks_on_the_stage(self):
        model, seen = resnet18(), []
        model.layer3.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
        attach_attention(model, DIANET)(IMAGES)
        detach_attention(model)(IMAGES)
        assert seen == [(2, 256, 2, 2)] * 2


class TestDetach:
    def test_gives_the_old_network_back(self, net):
        net.eval()
        modules, expected = list(net.named_modules()), net(IMAGES)
        before, attributes = {name: value.clone() for name, value in net.state_dict().items()}, set(vars(net))
        assert detach_attention(attach_attention(net, DIANET)) is net
        after = net.state_dict()
        assert list(after) == list(before) and all(torch.equal(after[name], before[name]) for name in before)
        assert torch.equal(net(IMAGES), expected)
        assert list(net.named_modules()) == modules and set(vars(net)) == attributes
        assert all(type(net.get_submodule(name)) is nn.Sequential for name in STAGES)

    def test_makes_room_for_another_unit(self):
        model = detach_attention(attach_attention(resnet18(), DIANET))
        attach_attention(model, AttentionConfig(unit="se", sharing="none"))
        assert len(model.layer1.attention.units) == 2

    def test_of_nothing_is_an_error(self):
        with pytest.raises(ConfigError, match="ResNet has no attached attention"):
            detach_attention(resnet18())


class TestStart:
    def test_depends_on_the_seed_and_the_name_only(self):
        first, again, other = (attach_attention(thin(), DIANET, seed=seed)["body"] for seed in (1, 1, 2))
        name = "attention.units.0.cells.0.input_map.up.weight"
        assert torch.equal(first[0].get_parameter(name), again[0].get_parameter(name))
        assert not torch.equal(first[0].get_parameter(name), other[0].get_parameter(name))
        assert not torch.equal(first[0].get_parameter(name), first[1].get_parameter(name))

    @pytest.mark.parametrize("unit", ["lstm", "random"])
    def test_leaves_the_global_generator_alone(self, unit):
        model, before = thin(), torch.get_rng_state()
        attach_attention(model, AttentionConfig(unit=unit))
        assert torch.equal(torch.get_rng_state(), before)

    def test_is_tied_where_it_shall_be(self):
        model = attach_attention(thin(), AttentionConfig(sharing="none", tied_init=True))
        one, two = (unit.state_dict() for unit in model["body"][1].attention.units)
        assert all(torch.equal(one[name], two[name]) for name in one)

    def test_is_where_the_stage_is(self):
        with torch.device("meta"):
            model = attach_attention(thin().to_empty(device="cpu").double(), AttentionConfig(memory="clock"))
        values = [*model["body"].parameters(), *stage_attentions(model)["body.0.attention"].buffers()]
        assert {(value.device.type, value.dtype) for value in values} == {("cpu", torch.float64)}

    @pytest.mark.parametrize("training", [True, False])
    def test_is_in_the_mode_of_the_stage(self, training):
        model = attach_attention(thin().train(training), DIANET)
        assert {module.training for module in model.modules()} == {training}


class TestCopies:
    @pytest.mark.parametrize("make", [resnet18, lambda: timm_net("seresnet18")], ids=["torchvision", "timm"])
    @pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
    def test_compute_the_same_and_can_be_detached(self, make, twin):
        model = attach_attention(make(), DIANET).eval()
        other = twin(model)
        assert torch.equal(other(IMAGES), model(IMAGES))
        detach_attention(other)
        assert stage_attentions(model) and not stage_attentions(other)

    @pytest.mark.parametrize("make", [resnet18, lambda: timm_net("seresnet18", drop_path_rate=0.1)])
    @pytest.mark.parametrize("mode", ["eval", "train"])
    def test_compile_to_one_graph(self, make, mode):
        model = attach_attention(make(), DIANET).train(mode == "train")
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        torch.testing.assert_close(seeded(compiled), seeded(model))

    @pytest.mark.parametrize("make", [resnet18, lambda: timm_net("seresnet18")], ids=["torchvision", "timm"])
    def test_export(self, make):
        model = attach_attention(make(), DIANET).eval()
        program = torch.export.export(model, (IMAGES,))
        torch.testing.assert_close(program.module()(IMAGES), model(IMAGES))

    def test_go_through_safetensors_with_one_entry_for_a_shared_unit(self):
        model, other = (attach_attention(resnet18(), DIANET, seed=seed).eval() for seed in (0, 1))
        weights = load(save(model.state_dict()))
        assert len([name for name in weights if name.startswith("layer1.attention.")]) == 8  # two maps of two layers
        other.load_state_dict(weights)
        assert torch.equal(other(IMAGES), model(IMAGES))


class TestTraining:
    def test_every_parameter_gets_a_gradient(self, net):
        model = attach_attention(net, DIANET).train()
        torch.nn.functional.cross_entropy(seeded(model, torch.randn(2, 3, 64, 64)), torch.tensor([0, 1])).backward()
        assert not [name for name, value in model.named_parameters() if value.grad is None]
        weight = "attention.units.0.cells.0.input_map.up.weight"
        assert all(model.get_submodule(name).get_parameter(weight).grad.abs().sum() > 0 for name in STAGES)

    @pytest.mark.parametrize("config", [DIANET, AttentionConfig(neutral=True)], ids=["quarter", "neutral"])
    def test_a_few_steps_lower_the_loss(self, config):
        model, labels = attach_attention(resnet18(), config).train(), torch.arange(8) % 4
        images, losses = torch.randn(8, 3, 32, 32), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        before = model.layer1.attention.units[0].cells[0].input_map.up.bias.clone()
        for _ in range(5):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.5 * losses[0]
        assert not torch.equal(model.layer1.attention.units[0].cells[0].input_map.up.bias, before)


class TestCapture:
    @pytest.mark.parametrize("make", [resnet18, lambda: timm_net("resnet18")], ids=["torchvision", "timm"])
    def test_sees_every_block_as_a_hand_rolled_forward_does(self, make):
        model, seen = attach_attention(make(), DIANET).eval(), []
        with capture(model) as trace:
            model(IMAGES)
        by_hand(model, seen=seen)
        assert [position[:2] for position in seen] == trace.positions == [(s, b) for s in range(4) for b in range(2)]
        for stage, index, branch, gate in seen:
            gates, squeezes = trace.array("gate", stage), trace.array("squeeze", stage)
            assert gates.shape == (2, 2, 64 * 2**stage)
            np.testing.assert_allclose(gates[:, index], gate.mean((2, 3)).detach(), atol=1e-6)
            np.testing.assert_allclose(squeezes[:, index], branch.mean((2, 3)).detach(), atol=1e-5)


class OwnForward(BasicBlock):
    def forward(self, x):
        return 2 * super().forward(x)


def with_own_block():
    model = resnet18()
    model.layer4[1] = OwnForward(512, 512)
    return model


def with_patched_block():
    model = resnet18()
    model.layer2[0].forward = model.layer2[0].forward
    return model


def with_hook():
    model = resnet18()
    model.layer4[1].register_forward_hook(lambda *_: None)
    return model


def checkpointed():
    model = timm_net("resnet18")
    model.set_grad_checkpointing()
    return model


def compiled_in_place():
    model = resnet18()
    model.compile(backend="eager")
    return model


def of_two_widths():
    wider = BasicBlock(4, 8, downsample=nn.Conv2d(4, 8, 1))
    return nn.ModuleDict({"body": nn.Sequential(BasicBlock(4, 4), wider)})


class TestErrors:
    @pytest.mark.parametrize(
        ("make", "options", "message"),
        [
            (
                models.squeezenet1_1,
                {},
                "SqueezeNet has no stage.*torchvision.models.resnet.BasicBlock.*features of torch.nn.modules.*Conv2d",
            ),
            (lambda: nn.Linear(2, 2), {}, "Linear has no stage.*timm.models.resnet.Bottleneck, found no nn.Sequential"),
            (quantizable_resnet18, {}, "layer1.0 is a torchvision.*QuantizableBasicBlock with a forward of its own"),
            (with_own_block, {}, "layer4.1 is a .*OwnForward with a forward of its own"),
            (with_patched_block, {}, "layer2.0 is a torchvision.*BasicBlock with a forward of its own"),
            (lambda: nn.Sequential(BasicBlock(4, 4), nn.ReLU()), {}, r"1 is a .*ReLU .* every block of a stage"),
            (with_hook, {}, "layer4.1 has a hook"),
            (of_two_widths, {}, r"body: got branches of \[4, 8\] channels"),
            (resnet18, {"unit": "none"}, "unit: got 'none', expected a unit"),
            (lambda: attach_attention(resnet18(), ONE), {}, "already: layer1.attention, .*detach_attention"),
            (lambda: build_model(ModelConfig(depth=8)), {}, "lab's own: set its attention in ModelConfig"),
            (lambda: torch.compile(resnet18(), backend="eager"), {}, "is compiled: attach .* then compile"),
            (compiled_in_place, {}, "ResNet is compiled"),
            (checkpointed, {}, "timm checkpoints block by block"),
            (lambda: thin((3, 2)), {"share_from": 2}, "share_from: got 2, but body.1 has 2 blocks"),
            (
                lambda: thin((3, 2)),
                {"sharing": 2},
                "sharing: got 2, but 2 blocks of body.1 have a unit.*'stage'",
            ),
        ],
    )
    def test_say_what_is_wrong_and_change_nothing(self, make, options, message):
        model = make()
        before = [(name, type(module)) for name, module in model.named_modules()]
        with pytest.raises(ConfigError, match=message):
            attach_attention(model, AttentionConfig(**options))
        assert [(name, type(module)) for name, module in model.named_modules()] == before

    @pytest.mark.parametrize(
        ("model", "config", "message"),
        [
            (resnet18, ONE, "model: got a function, expected a network; if a function, call it first"),
            (torch.nn.Identity(), "lstm", "config: got 'lstm', expected an AttentionConfig"),
        ],
    )
    def test_say_which_argument_is_of_another_kind(self, model, config, message):
        with pytest.raises(ConfigError, match=message):
            attach_attention(model, config)

    def test_a_distributed_network_is_refused(self, tmp_path):
        """It would not know the new parameters, and they would drift apart."""
        store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        try:
            with pytest.raises(ConfigError, match="distributed.*attach or detach first"):
                attach_attention(torch.nn.parallel.DistributedDataParallel(resnet18()), ONE)
        finally:
            torch.distributed.destroy_process_group()

    def test_a_compiled_network_is_not_detached(self):
        with pytest.raises(ConfigError, match="is compiled"):
            detach_attention(torch.compile(attach_attention(resnet18(), ONE), backend="eager"))

    def test_timm_can_not_checkpoint_past_the_attention_until_it_is_detached(self):
        """It runs the blocks that iterating gives: the network would silently be the plain one."""
        model = attach_attention(timm_net("resnet18"), DIANET)
        model.set_grad_checkpointing(False)
        with pytest.raises(ConfigError, match="leave out a stage's attention"):
            model.set_grad_checkpointing()
        detach_attention(model).set_grad_checkpointing()
        assert model.grad_checkpointing


def test_timm_is_not_needed():
    code = "import dianet_lab.attach, sys; sys.exit('timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
