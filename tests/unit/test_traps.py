"""Traps that other libraries have with shared modules and hooks, each with the way in which the lab avoids it.

1. captum and any layer hook see the LAST call of a module that is called many times.
2. pytorch-grad-cam's lists grow with every call and are longer than the layers.
3. Hooks stay behind after an error: every algorithm that sets hooks x {normal, a wrong target, a module that raises}.
4. A module under several parents has several keys for one storage, which safetensors refuses.
5. captum's layer methods mix up threads.
"""

import contextlib
import copy
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import captum.attr
import numpy as np
import pytest
import torch
from pytorchcv.models.diaresnet_cifar import get_diaresnet_cifar
from safetensors.torch import load_file, save_file

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis.attribution import attribute, centred_logits, mean_gates
from dianet_lab.analysis.capture import capture, capture_data
from dianet_lab.analysis.interventions import Replace, intervene
from dianet_lab.analysis.points import hook_points
from dianet_lab.analysis.under import logits_under, norms_anew
from dianet_lab.config import DataConfig
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError

IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def digits():
    return load_data(DataConfig(train_size=20, test_limit=12), 0)


def network(attention=None):
    return build_model(ModelConfig(depth=20, width=8, attention=attention or AttentionConfig()), 1, 10).eval()


def hooks(model):
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


class TestLastCall:
    """Trap 1."""

    def test_captums_layer_method_explains_the_last_block_of_a_shared_unit_only(self):
        model = network()
        unit = model.stages[0].attention.units[0].cells[0].input_map
        seen = captum.attr.LayerActivation(lambda x: model(x), unit).attribute(IMAGES)
        with torch.no_grad(), capture(model) as trace:
            model(IMAGES)
        calls = [unit(torch.from_numpy(trace.array("squeeze", 0).values[:, block])) for block in range(3)]
        torch.testing.assert_close(seen, calls[-1])
        assert not any(torch.allclose(seen, call) for call in calls[:-1])

    @pytest.mark.parametrize("sharing", ["stage", "none", 2])
    def test_gates_as_inputs_give_every_position_its_own_gradient_as_written_out_by_hand(self, sharing):
        model = network(AttentionConfig(sharing=sharing)).double()
        images = IMAGES.double()
        gates, logits = by_hand(model, images)
        classes = torch.tensor([1, 4, 7])
        picked = (logits - logits.mean(1, keepdim=True)).gather(1, classes[:, None]).sum()
        expected = torch.autograd.grad(picked, gates)
        function = centred_logits(model, list(hook_points(model)))
        given = tuple(gate.detach()[:, :, 0, 0] for gate in gates)
        given = tuple(gate.requires_grad_() for gate in given)
        saliency = captum.attr.Saliency(function)
        found = saliency.attribute(given, target=classes, abs=False, additional_forward_args=(images,))
        assert len(found) == len(hook_points(model)) == 9
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other[:, :, 0, 0])
        for stage in range(3):
            first, second, third = found[3 * stage : 3 * stage + 3]
            assert not torch.allclose(first, second) and not torch.allclose(second, third)

    def test_integrated_gradients_of_a_shared_unit_are_those_written_out_by_hand(self, digits):
        """Over the same points of the path, the stages run block by block without a hook."""
        model, few = network(), digits.test.select(torch.arange(3))
        images, labels = next(evaluation_batches(few, 3))
        ends = [gate.detach() for gate in by_hand(model, images)[0]]
        total = [torch.zeros_like(end) for end in ends]
        for point, weight in zip(*np.polynomial.legendre.leggauss(4), strict=True):
            path = [(0.1 + (1 + point) / 2 * (end - 0.1)).requires_grad_() for end in ends]
            logits = by_hand(model, images, path)[1]
            picked = (logits - logits.mean(1, keepdim=True)).gather(1, labels[:, None]).sum()
            for sum_, gradient in zip(total, torch.autograd.grad(picked, path), strict=True):
                sum_ += gradient * weight / 2
        expected = torch.stack([((end - 0.1) * t).sum((1, 2, 3)) for end, t in zip(ends, total, strict=True)], 1)
        found = attribute(model, few, 0.1, steps=4, mistakes=False).layers
        table = found.pivot(index="image", columns=["stage", "block"], values="attribution").loc[few.index.numpy()]
        np.testing.assert_allclose(table, expected, atol=1e-5)


def by_hand(model, images, given=None):
    """Gates in forward order, and logits: every stage block by block; with ``given`` gates in place of the units'."""
    gates, x = [], model.stem(images)
    for stage in model.stages:
        state = None
        for index, block in enumerate(stage.blocks):
            branch, shortcut = block(x)
            gate, state = stage.attention(index, branch, state)
            # An input: what made it does not count.
            gate = gate.detach().requires_grad_() if given is None else given[len(gates)]
            gates.append(gate)
            x = torch.relu(branch * gate + shortcut)
    return gates, model.classifier(x.mean((2, 3)))


class TestRepeatedCalls:
    """Trap 2."""

    def test_a_second_pass_adds_images_and_no_position(self):
        model = network()
        with capture(model) as trace:
            model(IMAGES)
            model(IMAGES)
        assert trace.positions == list(hook_points(model)) and len(set(trace.positions)) == 9
        for stage in range(3):
            gates = trace.array("gate", stage)
            assert dict(gates.sizes) | {"channel": 0} == {"image": 6, "block": 3, "channel": 0}
            np.testing.assert_array_equal(gates[:3], gates[3:])

    def test_a_second_capture_starts_anew(self):
        model = network()
        for _ in range(2):
            with capture(model) as trace:
                model(IMAGES)
            assert trace.array("gate", 0).sizes["image"] == 3

    def test_a_second_attribution_is_the_first(self, digits):
        model = network()
        first, second = (attribute(model, digits.test, 0.25, steps=2) for _ in range(2))
        for one, other in zip(first, second, strict=True):
            assert one.equals(other)


def captured(model, data, wrong):
    with capture(model, ["no such"] if wrong else ["gate"]):
        model(IMAGES)


def intervened(model, data, wrong):
    with intervene(model, Replace(9 if wrong else 0, 0)):
        model(IMAGES)


def nested(model, data, wrong):
    with capture(model), intervene(model, Replace(0, 0, gate=torch.ones(99 if wrong else 8))), capture(model):
        model(IMAGES)


def streamed(model, data, wrong):
    capture_data(model, data, ["no such"] if wrong else ["gate"])


def under(model, data, wrong):
    logits_under(model, data, lambda images: [Replace(0, 7 if wrong else 1)])


def estimated(model, data, wrong):
    with norms_anew(model, data, lambda images: [Replace(0, 7 if wrong else 1)]):
        model(IMAGES)


def averaged(model, data, wrong):
    mean_gates(model, data.select(torch.arange(0)) if wrong else data)


def explained(model, data, wrong):
    base = {p: torch.ones(99) for p in hook_points(model)} if wrong else 0.25
    attribute(model, data, base, steps=2)


def captums(method, **options):
    """One of captum's own methods on gates as inputs, asked about a class that there is, or is not."""

    def run(model, data, wrong):
        points = hook_points(model)
        widths = [8 * 2**stage for stage, _ in points]
        gates = tuple(torch.full((3, width), 0.3) for width in widths)
        baselines = tuple(torch.zeros_like(gate) for gate in gates)
        found = method(centred_logits(model, list(points)))
        found.attribute(gates, baselines, target=99 if wrong else 1, additional_forward_args=(IMAGES,), **options)

    run.__name__ = method.__name__
    return run


def broken(model):
    """The network with a module that raises in its last stage, after hooks of all stages have been set."""

    def fail(*_):
        raise ZeroDivisionError

    model.stages[2].blocks[1].forward = fail
    return model


ALGORITHMS = [captured, intervened, nested, streamed, under, estimated, averaged, explained]
CAPTUM = [
    captums(captum.attr.IntegratedGradients, n_steps=2),
    captums(captum.attr.FeatureAblation, feature_mask=tuple(torch.tensor([[k]]) for k in range(9))),
]


class TestHooksAreGone:
    """Trap 3: captum's matrix (its tests/attr/test_hook_removal.py), made for every algorithm that sets hooks."""

    @pytest.mark.parametrize("case", ["normal", "wrong target", "module that raises"])
    @pytest.mark.parametrize("algorithm", ALGORITHMS + CAPTUM, ids=lambda algorithm: algorithm.__name__)
    @pytest.mark.parametrize("sharing", ["stage", "none"])
    def test_whatever_happens(self, algorithm, case, sharing, digits):
        model = network(AttentionConfig(sharing=sharing))
        assert hooks(model) == 0
        expected = {"wrong target": (LabError, RuntimeError, IndexError, AssertionError)}
        expected["module that raises"] = ZeroDivisionError
        fails = pytest.raises(expected[case]) if case in expected else contextlib.nullcontext()
        subject = broken(model) if case == "module that raises" else model
        with fails:
            algorithm(subject, digits.test, case == "wrong target")
        assert hooks(model) == 0

    def test_the_count_would_notice_one(self):
        model = network()
        model.stem.register_forward_hook(lambda *_: None)
        assert hooks(model) == 1


class TestOneStorageAKey:
    """Trap 4."""

    def test_another_library_registers_its_unit_in_every_block_and_is_refused(self, tmp_path):
        model = get_diaresnet_cifar(10, 20, bottleneck=False)
        with pytest.raises(RuntimeError, match="share memory"):
            save_file(model.state_dict(), tmp_path / "theirs.safetensors")

    def test_every_key_has_a_storage_of_its_own_and_comes_back_from_a_file(self, attention, tmp_path):
        model, other = network(attention), network(attention)
        tensors = [tensor for tensor in model.state_dict().values() if tensor.numel()]
        assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == len(tensors)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1)
        save_file(model.state_dict(), tmp_path / "ours.safetensors")
        other.load_state_dict(load_file(tmp_path / "ours.safetensors"))
        assert torch.equal(other(IMAGES), model(IMAGES))

    def test_what_was_shared_is_still_one_after_loading_and_a_step(self, tmp_path):
        save_file(network().state_dict(), tmp_path / "ours.safetensors")
        model = network().train()
        model.load_state_dict(load_file(tmp_path / "ours.safetensors"))
        before = copy.deepcopy(model.stages[1].attention.units[0].state_dict())
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        model(torch.randn(8, 1, 8, 8)).square().sum().backward()
        optimizer.step()
        attention = model.eval().stages[1].attention
        assert any(not torch.equal(before[name], value) for name, value in attention.units[0].state_dict().items())
        squeeze = torch.rand(2, 16)
        with torch.no_grad():
            gates = [attention.excite(block, squeeze, None)[0] for block in range(3)]
        assert torch.equal(gates[0], gates[1]) and torch.equal(gates[0], gates[2])
        tensors = [tensor for tensor in model.state_dict().values() if tensor.numel()]
        assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == len(tensors)


class TestThreads:
    """Trap 5."""

    @pytest.mark.heavy
    def test_attributions_of_one_network_in_several_threads_are_those_of_each_alone(self, digits):
        model, rounds = network(), 2
        parts = [digits.test.select(torch.arange(3 * k, 3 * k + 3)) for k in range(2)]
        alone = [attribute(model, part, 0.25, steps=2) for part in parts]
        start = Barrier(len(parts))

        def work(part):
            start.wait()
            return [attribute(model, part, 0.25, steps=2) for _ in range(rounds)]

        with ThreadPoolExecutor(len(parts)) as pool:
            together = list(pool.map(work, parts))
        for found, expected in zip(together, alone, strict=True):
            for each in found:
                np.testing.assert_allclose(each.layers["attribution"], expected.layers["attribution"], atol=1e-6)
                np.testing.assert_allclose(each.layers["ablation"], expected.layers["ablation"], atol=1e-6)
        assert hooks(model) == 0

    def test_a_capture_beside_an_attribution_sees_only_its_own_passes(self, digits):
        model = network()
        with capture(model) as trace:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(attribute, model, digits.test, 0.25, 2).result()
            model(IMAGES)
        assert trace.array("gate", 0).sizes["image"] == 3
