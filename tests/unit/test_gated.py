"""The gated sum of a training step: the same numbers as written out, in less memory, and out of the way of hooks."""

import copy

import pytest
import torch
from test_networks import images, small_model

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis.cost import saved_bytes
from dianet_lab.attention.registry import UNITS
from dianet_lab.backbones import residual
from dianet_lab.backbones.gated import GatedSum, normed, saves_memory

CLOSED = [("resnet", {}), ("resnext", {}), ("preresnet", {"branch_norm": True}), ("wide_resnet", {"branch_norm": True})]
"""Backbones whose branch ends in a norm."""


def step(model, monkeypatch, lean):
    """Output, gradients and running statistics of one training step, by the gated sum or written out."""
    with monkeypatch.context() as patch:
        if not lean:
            patch.setattr(residual, "saves_memory", lambda block, norm: False)
        calls = []
        apply = GatedSum.apply
        patch.setattr(GatedSum, "apply", lambda *inputs: calls.append(inputs) or apply(*inputs))
        model = copy.deepcopy(model).train()
        logits = model(images(4).double())
        logits.square().sum().backward()
    if lean is not None:
        assert bool(calls) is lean
    return logits, [p.grad for p in model.parameters()], list(model.buffers())


class TestNumbers:
    @pytest.mark.parametrize(("backbone", "options"), CLOSED, ids=lambda value: str(value))
    @pytest.mark.parametrize("unit", UNITS)
    def test_are_those_written_out(self, backbone, options, unit, monkeypatch):
        model = small_model(backbone, AttentionConfig(unit=unit), **options).double()
        # Gates without a gradient, or with one a pixel, have nothing to gain.
        usable = unit not in ("constant", "random", "cbam")
        lean, plain = step(model, monkeypatch, usable), step(model, monkeypatch, False)
        assert torch.equal(lean[0], plain[0])
        for one, other in zip(lean[1], plain[1], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
        assert all(torch.equal(one, other) for one, other in zip(lean[2], plain[2], strict=True))

    @pytest.mark.parametrize("relu", [True, False])
    def test_of_the_gradient_are_those_of_finite_differences(self, relu):
        norm = torch.nn.BatchNorm2d(3).double()
        gate, shortcut = torch.rand(2, 3, 1, 1).double().requires_grad_(), torch.randn(2, 3, 4, 4).double()
        source = torch.randn(2, 3, 4, 4).double()
        branch, (_, scale, offset) = normed(norm, source)
        torch.testing.assert_close(branch, scale[:, None, None] * source + offset[:, None, None])
        inputs = (branch.detach().requires_grad_(), gate, shortcut.requires_grad_())

        def moved(branch, gate, shortcut):
            """With a branch that moves, its source must move along."""
            moved_source = (branch - offset[:, None, None]) / scale[:, None, None]
            return GatedSum.apply(branch, gate, shortcut, moved_source.detach(), scale, offset, relu)

        assert torch.autograd.gradcheck(moved, inputs)

    def test_of_the_norm_are_torchs(self):
        ours, theirs = torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
        x = torch.randn(4, 3, 5, 5)
        torch.testing.assert_close(normed(ours, x)[0], theirs(x))
        for one, other in zip(ours.buffers(), theirs.buffers(), strict=True):
            torch.testing.assert_close(one, other)


class TestMemory:
    @pytest.mark.parametrize("unit", ["lstm", "se"])
    def test_of_a_step_is_hardly_more_than_that_of_a_plain_network(self, unit):
        sizes = {}
        for name in (unit, "none"):
            config = ModelConfig(depth=29, block="bottleneck", attention=AttentionConfig(unit=name))
            model = build_model(config).train()
            sizes[name] = saved_bytes(model, lambda model=model: model(images(4, 32)))
        assert sizes[unit] / sizes["none"] < 1.03


class TestHooks:
    @pytest.mark.parametrize("where", ["block", "norm"])
    def test_on_a_module_that_would_not_be_called_are_called(self, where):
        model = small_model("resnet", AttentionConfig()).train()
        block = model.stages[1].blocks[0]
        seen = []
        module = block if where == "block" else block.closing_norm
        module.register_forward_hook(lambda module, inputs, output: seen.append(module))
        model(images()).sum().backward()
        assert seen == [module]


class TestLimits:
    def test_a_second_derivative_is_refused_and_never_silently_wrong(self):
        model = small_model("resnet", AttentionConfig()).train()
        parameters = [model.stages[0].blocks[0].layer1.conv.weight]
        with pytest.raises(RuntimeError, match="no second derivatives"):
            torch.autograd.grad(model(images()).square().sum(), parameters, create_graph=True)

    @pytest.mark.parametrize("change", ["sync", "eval", "affine", "momentum", "statistics", "group"])
    def test_a_norm_of_another_kind_is_called_as_ever(self, change):
        model = small_model("resnet", AttentionConfig()).train()
        block = model.stages[1].blocks[1]
        channels = block.closing_norm.num_features
        block.layer2.norm = {
            "sync": lambda: torch.nn.SyncBatchNorm(channels),
            "eval": lambda: torch.nn.BatchNorm2d(channels).eval(),
            "affine": lambda: torch.nn.BatchNorm2d(channels, affine=False),
            "momentum": lambda: torch.nn.BatchNorm2d(channels, momentum=None),
            "statistics": lambda: torch.nn.BatchNorm2d(channels, track_running_stats=False),
            "group": lambda: torch.nn.GroupNorm(2, channels),
        }[change]()
        other = model.stages[1].blocks[0]
        assert not saves_memory(block, block.closing_norm) and saves_memory(other, other.closing_norm)
        if change != "sync":  # which needs a GPU
            model(images()).sum().backward()
