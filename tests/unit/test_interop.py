"""Weights of other code: the filled network computes what the source does, and what does not fit changes nothing."""

import copy
import importlib
import re
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.interop import load_official, load_pytorchcv
from dianet_lab.interop.published import OFFICIAL, find_published
from dianet_lab.models import build_model

OUTPUTS, GRADIENTS = 1e-5, 1e-4


def shaken(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Random values in place of a state's: non-trivial BatchNorm statistics, gammas, betas and biases."""
    for name, value in state.items():
        leaf = name.rpartition(".")[2]
        if leaf == "running_var" or (leaf == "weight" and value.dim() == 1):
            value.uniform_(0.5, 2 if leaf == "running_var" else 1.2)
        elif leaf in ("running_mean", "bias"):
            value.normal_(0, 0.3)
        elif leaf == "num_batches_tracked":
            value.fill_(7)
        else:
            value.normal_(0, value[0].numel() ** -0.5)
    return state


def pytorchcv(name: str):
    """A network of pytorchcv with random weights and the lab's network that it should fit, in eval mode."""
    family = re.sub(r"\d+(bn)?_cifar\d+", "_cifar", name)
    source = getattr(importlib.import_module(f"pytorchcv.models.{family}"), name)().eval()
    shaken(source.state_dict())
    found = find_published(f"pytorchcv:{name}")
    return source, build_model(found.model, num_classes=found.classes).eval()


def assert_near(actual: Tensor, expected: Tensor, limit: float) -> None:
    """Equal to within ``limit`` of the largest expected value; where that is 0, equal."""
    scale, error = expected.abs().max(), (actual - expected).abs().max()
    assert scale.isfinite() and error <= limit * scale, f"differs by {error:.2g}, the scale is {scale:.2g}"


SIZES = ("resnet20_cifar10", "resnet164bn_cifar100")


class TestPytorchcv:
    @pytest.mark.parametrize(
        "name", [f"{u}{p}{size}" for u in ("", "se", "dia") for p in ("", "pre") for size in SIZES]
    )
    def test_outputs_and_gradients_agree(self, name):
        (source, model), images = pytorchcv(name), torch.randn(2, 3, 32, 32)
        load_pytorchcv(model, source.state_dict())
        with torch.no_grad():
            assert_near(model(images), source(images), OUTPUTS)
        # In float64: in float32 the two may disagree on the side of zero that an input of a ReLU is on.
        source, model, images = source.double(), model.double(), images.double()
        for network in (source, model):
            network(images).square().sum().backward()
        gradients = source.state_dict()
        gradients |= {name: p.grad for name, p in source.named_parameters(remove_duplicate=False)}
        renamed = copy.deepcopy(model)
        load_pytorchcv(renamed, gradients)
        for expected, parameter in zip(renamed.parameters(), model.parameters(), strict=True):
            assert_near(parameter.grad, expected.detach(), GRADIENTS)

    def test_counts_of_batches_may_be_absent_and_module_may_stand_before_names(self):
        (source, model), images = pytorchcv("diaresnet20_cifar10"), torch.randn(2, 3, 32, 32)
        weights = {name: value for name, value in source.state_dict().items() if "num_batches" not in name}
        load_pytorchcv(model, {f"module.{name}": value for name, value in weights.items()})
        assert_near(model(images), source(images), OUTPUTS)


class Reference(NamedTuple):
    """An official backbone by its documented names: what its state dict holds and what its code computes with it."""

    stage: str
    plain: str
    layers: tuple[tuple[str, str, int], ...]
    projection: tuple[str, ...]
    outer: tuple[str, str, str]
    widths: tuple[int, ...]
    inner: tuple[int, ...]
    pre: bool = False
    raw: bool = False
    groups: int = 1


THREE = (("conv1", "bn1", 1), ("conv2", "bn2", 3), ("conv3", "bn3", 1))
TWO = (("conv1", "bn1", 3), ("conv2", "bn2", 3))
NEXT = (("conv_reduce", "bn_reduce", 1), ("conv_conv", "bn", 3), ("conv_expand", "bn_expand", 1))
NARROW, WIDE = (16, 64, 128, 256), (32, 128, 256, 512)
REFERENCES = {
    "resnet": Reference(
        "layer{}", "layer{}.{}", THREE, ("downsample.0", "downsample.1"), ("conv1", "bn1", "fc"), NARROW, (16, 32, 64)
    ),
    "preresnet": Reference(
        "layer{}", "layer{}.{}", THREE, ("downsample.0",), ("conv1", "bn", "fc"), NARROW, (16, 32, 64), True, True
    ),
    "wrn": Reference(
        "block{}", "block{}.layer.{}", TWO, ("convShortcut",), ("conv1", "bn1", "fc"), NARROW, NARROW[1:], True
    ),
    "resnext": Reference(
        "stage_{}", "stage_{0}.stage_{0}_bottleneck_{1}", NEXT, ("shortcut.shortcut_conv", "shortcut.shortcut_bn"),
        ("conv_1_3x3", "bn_1", "classifier"), WIDE, (256, 512, 1024), groups=8,
    ),
}  # fmt: skip
BLOCKS = 2


def block_names(net: Reference, dia: bool):
    """``(stage number, block number, prefix)`` of each block."""
    template = net.stage + ".ModuleList.{}" if dia else net.plain
    return [(stage, k, template.format(stage, k)) for stage in (1, 2, 3) for k in range(BLOCKS)]


def official_state(net: Reference, dia: bool) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, width: int) -> None:
        shapes.update({f"{name}.{leaf}": (width,) for leaf in ("weight", "bias", "running_mean", "running_var")})

    def linear(name: str, inputs: int, outputs: int) -> None:
        shapes.update({f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)})

    stem, outer_norm, classifier = net.outer
    shapes[f"{stem}.weight"] = (net.widths[0], 3, 3, 3)
    norm(outer_norm, net.widths[-1 if net.pre else 0])
    linear(classifier, net.widths[-1], 10)
    for stage, k, prefix in block_names(net, dia):
        width, inner = net.widths[stage], net.inner[stage - 1]
        before = net.widths[stage - 1] if k == 0 else width
        sizes = [before, *[inner] * (len(net.layers) - 1), width]
        for (conv, bn, kernel), a, b in zip(net.layers, sizes, sizes[1:], strict=False):
            shapes[f"{prefix}.{conv}.weight"] = (b, a // (net.groups if kernel == 3 else 1), kernel, kernel)
            norm(f"{prefix}.{bn}", a if net.pre else b)
        if net.pre and dia:
            norm(f"{prefix}.bn_additional", width)
        if k == 0:
            shapes[f"{prefix}.{net.projection[0]}.weight"] = (width, before, 1, 1)
            [norm(f"{prefix}.{name}", width) for name in net.projection[1:]]
        for name in ("w_ih", "w_hh") if dia and k == 0 else ():
            linear(f"{net.stage.format(stage)}.lstm.{name}.0.seq.0", width, width // 4)
            linear(f"{net.stage.format(stage)}.lstm.{name}.0.seq.2", width // 4, 4 * width)
    return shaken({name: torch.empty(shape) for name, shape in shapes.items()})


def official_forward(net: Reference, state: dict[str, Tensor], x: Tensor, dia: bool) -> Tensor:
    """Logits ``[batch, 10]``, written from the equations and the order of the official ``forward``."""

    def norm(name: str, x: Tensor) -> Tensor:
        leaves = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{name}.{leaf}"] for leaf in leaves))

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, None, stride, weight.shape[2] // 2, 1, x.shape[1] // weight.shape[1])

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def branch_and_shortcut(prefix: str, x: Tensor, first: bool, stride: int) -> tuple[Tensor, Tensor]:
        branch = shortcut = x
        for index, (name, bn, kernel) in enumerate(net.layers):
            step = stride if kernel == 3 and index < 2 and branch.shape[2] == x.shape[2] else 1
            if net.pre:
                branch = norm(f"{prefix}.{bn}", branch).relu()
                shortcut = branch if index == 0 and first and not net.raw else shortcut
            branch = conv(f"{prefix}.{name}", branch, step)
            if not net.pre:
                branch = norm(f"{prefix}.{bn}", branch)
                branch = branch.relu() if index < 2 else branch
        if net.pre and dia:
            branch = norm(f"{prefix}.bn_additional", branch)
        if first:
            shortcut = conv(f"{prefix}.{net.projection[0]}", shortcut, stride)
            shortcut = norm(f"{prefix}.{net.projection[1]}", shortcut) if net.projection[1:] else shortcut
        return branch, shortcut

    def cell(prefix: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        maps = ((f"{prefix}.w_ih.0.seq", x), (f"{prefix}.w_hh.0.seq", h))
        gates = sum(linear(f"{name}.2", linear(f"{name}.0", value).relu()) for name, value in maps)
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.sigmoid(), c

    stem, outer_norm, classifier = net.outer
    x = conv(stem, x) if net.pre else norm(outer_norm, conv(stem, x)).relu()
    for stage, k, prefix in block_names(net, dia):
        branch, shortcut = branch_and_shortcut(prefix, x, k == 0, 2 if k == 0 and stage > 1 else 1)
        if dia:
            squeeze = branch.mean((2, 3))
            if k == 0:
                h = c = torch.zeros_like(squeeze)
            h, c = cell(f"{net.stage.format(stage)}.lstm", squeeze, h, c)
            branch = branch * h[:, :, None, None]
        x = branch + shortcut if net.pre else (branch + shortcut).relu()
    x = norm(outer_norm, x).relu() if net.pre else x
    return linear(classifier, x.mean((2, 3)))


def official_model(backbone: str, dia: bool = True, **options):
    """The network of the lab with two blocks a stage, at the published widths."""
    options = OFFICIAL[backbone] | {"depth": 16 if backbone == "wrn" else 20} | options
    if not dia:
        options = {name: value for name, value in options.items() if name != "branch_norm"}
        options["attention"] = AttentionConfig(unit="none")
    return build_model(ModelConfig(**options)).eval()


class TestOfficial:
    @pytest.mark.parametrize("dia", [True, False], ids=["dia", "plain"])
    @pytest.mark.parametrize("backbone", REFERENCES)
    def test_outputs_and_gradients_agree(self, backbone, dia, tmp_path):
        net, images = REFERENCES[backbone], torch.randn(2, 3, 16, 16)
        state = official_state(net, dia)
        saved = {"epoch": 180, "acc": 70.5, "best_acc": 71.5, "optimizer": {"state": {}, "param_groups": []}}
        saved["state_dict"] = {f"module.{name}": value for name, value in state.items()}
        torch.save(saved, tmp_path / "checkpoint.pth.tar", _use_new_zipfile_serialization=backbone != "wrn")
        model = official_model(backbone, dia)
        load_official(model, tmp_path / "checkpoint.pth.tar")
        with torch.no_grad():
            assert_near(model(images), official_forward(net, state, images, dia), OUTPUTS)
        model, images = model.double(), images.double()
        leaves = {name: value.double().requires_grad_("running" not in name) for name, value in state.items()}
        for outputs in (official_forward(net, leaves, images, dia), model(images)):
            outputs.square().sum().backward()
        renamed = copy.deepcopy(model)
        load_official(renamed, {name: value if value.grad is None else value.grad for name, value in leaves.items()})
        for expected, parameter in zip(renamed.parameters(), model.parameters(), strict=True):
            assert_near(parameter.grad, expected.detach(), GRADIENTS)
