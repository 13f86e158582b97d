"""A network with attention attached is a whole one: it is copied, compiled, trained, watched, and given back."""

import copy
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from test_attach import DIANET, IMAGES, NETS, SMALL, STAGES, by_hand, resnet18, seeded, thin, timm_net
from torch import nn
from torchvision import models

from dianet_lab import AttentionConfig
from dianet_lab.analysis.capture import capture
from dianet_lab.analysis.cost import saved_bytes
from dianet_lab.attach import AttachedStage, attach_attention, detach_attention
from dianet_lab.attention.stage import stage_attentions
from dianet_lab.errors import ConfigError


def stages_of(model):
    return [module for module in model.modules() if isinstance(module, AttachedStage)]


@pytest.fixture(params=SMALL)
def net(request):
    return NETS[request.param]()


@pytest.fixture(autouse=True)
def no_graphs_of_other_tests():
    torch.compiler.reset()


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
    @pytest.mark.parametrize("name", NETS)
    def test_a_step_is_the_one_written_out(self, name):
        """With a hook on its blocks a step is written out; without, it keeps no copy of the branch."""
        lean = attach_attention(NETS[name](), DIANET).double().train()
        plain = copy.deepcopy(lean)
        for stage in stages_of(plain):
            for block in stage:
                block.register_forward_hook(lambda *_: None)
        outputs = []
        for model in (lean, plain):
            torch.manual_seed(0)  # dropping paths and blocks
            outputs.append(model(IMAGES.double()))
            outputs[-1].square().sum().backward()
        torch.testing.assert_close(outputs[0], outputs[1])
        for one, other in zip(lean.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-7, atol=1e-9)
        for one, other in zip(lean.buffers(), plain.buffers(), strict=True):
            torch.testing.assert_close(one, other)

    @pytest.mark.parametrize("make", [resnet18, lambda: models.resnet50(num_classes=10), lambda: timm_net("resnet18")])
    def test_a_step_keeps_hardly_more_than_the_old_networks(self, make):
        plain, gated = make().train(), attach_attention(make(), AttentionConfig(reduction=20)).train()
        images = torch.randn(4, 3, 64, 64)
        sizes = [saved_bytes(model, lambda model=model: model(images)) for model in (plain, gated)]
        assert sizes[1] / sizes[0] < 1.1  # of maps down to 2x2 pixels, where the state of 2,048 channels shows

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
