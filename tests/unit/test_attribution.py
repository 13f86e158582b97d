"""Attribution to gates: exact where the answer is known, complete, and of every position of a shared unit."""

import dataclasses

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from dianet_lab import AttentionConfig, ModelConfig, attach_attention, build_model
from dianet_lab.analysis.attribution import LARGE, Attributions, attribute, centred_logits, mean_gates
from dianet_lab.analysis.attribution_summary import measures
from dianet_lab.analysis.capture import capture, capture_data
from dianet_lab.analysis.interventions import Replace, intervene
from dianet_lab.analysis.points import hook_points
from dianet_lab.attention.stage import StageAttention
from dianet_lab.config import DataConfig
from dianet_lab.data.batches import evaluation_batches
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError

BLOCKS, WEIGHTS = 3, (2.0, -1.0, 0.5)


class Linear(nn.Module):
    """Logits that are linear in the gates: ``(sum_k weight_k * mean over channels of gate_k * pixel sum, 0)``."""

    def __init__(self):
        super().__init__()
        self.attention = StageAttention(4, BLOCKS, unit="lstm", reduction=2)

    def forward(self, images):
        ink, state = images.sum((1, 2, 3)), None
        branch = images.mean((2, 3), keepdim=True).expand(-1, 4, 1, 1)
        total = torch.zeros_like(ink)
        for block, weight in enumerate(WEIGHTS):
            gate, state = self.attention(block, branch, state)
            total = total + weight * gate.mean((1, 2, 3)) * ink
        return torch.stack([total, torch.zeros_like(total)], 1)


@pytest.fixture(scope="module")
def digits():
    return load_data(DataConfig(train_size=60, test_limit=20), 0)


@pytest.fixture(scope="module")
def two_classes(digits):
    data = digits.test
    return dataclasses.replace(data, labels=data.labels % 2, class_names=("even", "odd"))


def network(attention=None, classes=10):
    """Gates of a fresh unit hardly leave 0.25: the unit's weights are made larger, so that they answer."""
    model = build_model(ModelConfig(depth=20, width=8, attention=attention or AttentionConfig()), 1, classes).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".units." in name:
                parameter.mul_(4)
    return model


class TestKnownAnswers:
    def test_of_a_linear_network_both_methods_give_the_exact_answer(self, two_classes):
        model = Linear().eval()
        base = 0.1
        found = attribute(model, two_classes, base, steps=2)
        images, labels = next(evaluation_batches(two_classes, len(two_classes)))
        gates = capture_data(model, two_classes, ["gate"])[0]["gate"].values  # [image, block, channel]
        sign = np.where(labels.numpy() == 0, 0.5, -0.5)  # the logit minus the mean of two, one of which is 0
        ink = images.sum((1, 2, 3)).numpy()
        expected = (gates - base).mean(2) * np.array(WEIGHTS) * (sign * ink)[:, None]
        own = found.layers[found.layers["target"] == found.layers["label"]]
        for method in ("attribution", "ablation"):
            table = own.pivot(index="image", columns="block", values=method).loc[two_classes.index.numpy()]
            np.testing.assert_allclose(table, expected, atol=1e-4, rtol=1e-4)
        whole = found.stages[found.stages["target"] == found.stages["label"]].set_index("image")
        for method in ("attribution", "ablation"):
            np.testing.assert_allclose(
                whole.loc[two_classes.index.numpy(), method], expected.sum(1), atol=1e-3, rtol=1e-4
            )
        assert found.images["converged"].all()

    def test_integrated_gradients_add_up_to_the_explained_difference(self, digits):
        """The difference is computed here on its own, not from captum's delta."""
        model = network()
        base = mean_gates(model, digits.train)
        found = attribute(model, digits.test, base, steps=32)
        images, labels = next(evaluation_batches(digits.test, 20))
        flat = [Replace(*position, gate=value) for position, value in base.items()]
        with torch.no_grad():
            intact = model(images)
            with intervene(model, *flat):
                at_base = model(images)
        difference = (intact - intact.mean(1, keepdim=True)) - (at_base - at_base.mean(1, keepdim=True))
        expected = difference.gather(1, labels[:, None])[:, 0].numpy()
        own = found.images[found.images["target"] == found.images["label"]].set_index("image")
        own = own.loc[digits.test.index.numpy()]
        np.testing.assert_allclose(own["explained"], expected, atol=1e-4)
        assert np.abs(expected).max() > 1e-3, "there is something to explain"
        layers = found.layers[found.layers["target"] == found.layers["label"]].groupby("image")["attribution"].sum()
        np.testing.assert_allclose(layers.loc[own.index], own["explained"] + own["delta"], atol=1e-5)
        assert (own["delta"].abs() <= LARGE * own["explained"].abs() + 1e-5).all()

    def test_ablation_is_what_the_network_loses_where_that_gate_is_replaced(self, digits):
        model = network()
        base = mean_gates(model, digits.train)
        found = attribute(model, digits.test, base, steps=1)
        images, labels = next(evaluation_batches(digits.test, 20))
        centred = []
        layer, stage = [Replace(1, 2, gate=base[1, 2])], [Replace(1, k, gate=base[1, k]) for k in range(3)]
        for given in ([], layer, stage):
            with torch.no_grad(), intervene(model, *[Replace(*p, gate=g) for p, g in gates_of(model, images)], *given):
                logits = model(images)
            centred.append((logits - logits.mean(1, keepdim=True)).gather(1, labels[:, None])[:, 0])
        own = {name: f[f["target"] == f["label"]] for name, f in found._asdict().items() if name != "images"}
        layer_rows = own["layers"].query("stage == 1 and block == 2")["ablation"]
        np.testing.assert_allclose(layer_rows, centred[0] - centred[1], atol=1e-5)
        np.testing.assert_allclose(own["stages"].query("stage == 1")["ablation"], centred[0] - centred[2], atol=1e-5)

    def test_a_gate_that_listens_to_no_image_gets_nothing_from_its_own_mean(self, digits):
        model = network(AttentionConfig(unit="static", sharing="none"))
        found = attribute(model, digits.test, mean_gates(model, digits.train), steps=2)
        assert found.layers["attribution"].abs().max() < 1e-5 and found.images["converged"].all()
        named = Attributions(*(frame.assign(name="static", seed=0) for frame in found))
        assert np.isnan(measures(named)["layers"][0]) and np.isnan(measures(named)["agreement"][0])


def gates_of(model, images):
    """Every position with the gates ``[batch, channel]`` that it gives to ``images``."""
    with torch.no_grad(), capture(model, ["gate"]) as trace:
        model(images)
    return [(p, torch.from_numpy(trace.array("gate", p[0]).sel(block=p[1]).values)) for p in hook_points(model)]


class TestEveryUnit:
    def test_gives_every_position_its_attribution_and_explains_the_difference(self, attention, digits):
        """Spatial gates too, of which every pixel is an input."""
        model, few = network(attention), digits.test.select(torch.arange(2))
        found = attribute(model, few, 0.25, steps=2, mistakes=False)
        own = found.layers[found.layers["target"] == found.layers["label"]]
        places = own[["stage", "block"]].drop_duplicates().itertuples(index=False, name=None)
        assert list(places) == list(hook_points(model)) and len(own) == 2 * 9
        images, labels = next(evaluation_batches(few, 2))
        with torch.no_grad():
            intact = model(images)
            with intervene(model, Replace(gate=0.25)):
                difference = intact - model(images)
        difference = (difference - difference.mean(1, keepdim=True)).gather(1, labels[:, None])[:, 0]
        found_own = found.images[found.images["target"] == found.images["label"]]
        np.testing.assert_allclose(found_own["explained"], difference, atol=1e-3)

    def test_an_attached_unit_is_explained_in_the_same_way(self, digits):
        colour = dataclasses.replace(digits.test, images=digits.test.images.expand(-1, 3, -1, -1))
        colour = dataclasses.replace(colour, mean=colour.mean.expand(3), std=colour.std.expand(3))
        model = attach_attention(torchvision.models.resnet18(num_classes=10), AttentionConfig()).eval()
        found = attribute(model, colour.select(torch.arange(2)), 0.25, steps=2, mistakes=False)
        assert len(found.layers.drop_duplicates(["stage", "block"])) == 8


class TestWhatDoesNotMatter:
    def test_how_the_images_are_cut_into_batches(self, digits):
        model, few = network(), digits.test.select(torch.arange(5))
        whole = attribute(model, few, 0.25, steps=4, batch_size=1000)
        alone = attribute(model, few, 0.25, steps=4, batch_size=1)
        keys = ["image", "target", "stage", "block"]
        for method in ("attribution", "ablation"):
            one, other = (found.layers.set_index(keys)[method].sort_index() for found in (whole, alone))
            np.testing.assert_allclose(one, other, atol=1e-5)
        assert len(whole.images) == len(alone.images)

    def test_what_all_logits_have_in_common(self, digits):
        model = network()
        before = attribute(model, digits.test, 0.25, steps=2).layers["attribution"]
        model.classifier.register_forward_hook(lambda module, inputs, out: out + inputs[0].sum(1, keepdim=True))
        np.testing.assert_allclose(
            attribute(model, digits.test, 0.25, steps=2).layers["attribution"], before, atol=1e-5
        )

    def test_at_its_own_gates_the_function_is_the_intact_network(self, digits):
        model = network()
        images, _ = next(evaluation_batches(digits.test, 20))
        found = gates_of(model, images)
        with torch.no_grad():
            logits = model(images)
            given = centred_logits(model, [p for p, _ in found])(*[gate for _, gate in found], images)
        assert torch.equal(given, logits - logits.mean(1, keepdim=True))


class TestWhatIsAsked:
    def test_the_own_class_of_every_image_and_the_predicted_one_of_those_that_are_wrong(self, digits):
        model = network()
        found = attribute(model, digits.test, 0.25, steps=1)
        with torch.no_grad():
            predicted = model(next(evaluation_batches(digits.test, 20))[0]).argmax(1)
        wrong = int((predicted != digits.test.labels).sum())
        assert wrong > 0 and len(found.images) == 20 + wrong
        asked = found.images[found.images["target"] != found.images["label"]]
        assert (asked["target"] == asked["predicted"]).all() and len(asked) == wrong
        assert len(attribute(model, digits.test, 0.25, steps=1, mistakes=False).images) == 20

    def test_the_mean_gate_is_that_over_all_images(self, digits):
        model = network()
        means = mean_gates(model, digits.train)
        for stage, gates in enumerate(data["gate"] for data in capture_data(model, digits.train, ["gate"])):
            for block in range(3):
                np.testing.assert_allclose(means[stage, block], gates.sel(block=block).mean("image"), atol=1e-6)

    def test_nothing_to_explain_is_refused(self, digits):
        with pytest.raises(LabError, match="0 steps"):
            attribute(network(), digits.test, 0.25, steps=0)
        with pytest.raises(LabError, match="0 images"):
            attribute(network(), digits.test.select(torch.arange(0)), 0.25)
        with pytest.raises(LabError, match="no attention unit"):
            attribute(network(AttentionConfig(unit="none")), digits.test, 0.25)


class TestSteps:
    def test_too_few_steps_are_noticed(self, digits):
        """A network that is far from linear between its gates and zero: one step misses, many do not."""
        model, some = network(), digits.test.select(torch.arange(8))
        few, many = (attribute(model, some, 0.0, steps=steps).images for steps in (1, 64))
        assert few["delta"].abs().mean() > 5 * many["delta"].abs().mean()
        assert few["converged"].mean() < many["converged"].mean()
