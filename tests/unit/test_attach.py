"""Attention attached to networks of torchvision and timm: the same function but for the gate, and nothing left over."""

import subprocess
import sys
import threading

import pytest
import timm
import torch
from timm.layers import BlurPool2d
from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet

from dianet_lab import AttentionConfig
from dianet_lab.attach import AttachedStage, attach_attention, detach_attention
from dianet_lab.attention.stage import stage_attentions
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


def test_timm_is_not_needed():
    code = "import dianet_lab.attach, sys; sys.exit('timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
