"""What a network costs, against numbers that can be counted by hand."""

import pandas as pd
import pytest
import torch
import torchvision

from dianet_lab import AttentionConfig, ModelConfig, attach_attention, build_model, list_backbones
from dianet_lab.analysis.cost import crossover, describe, saved_bytes, units_by_depth
from dianet_lab.attention.registry import UNITS
from dianet_lab.backbones.registry import get_backbone
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.model_config import ARMS
from dianet_lab.models import count_attention_parameters
from dianet_lab.training.fine_tune import batches, fine_tune, torchvision_resnet


class TestDescribe:
    def test_of_the_published_network_has_its_parameters_and_its_start(self):
        row = describe(build_model(ModelConfig()), 32, "DIA").loc["DIA"]
        assert row["parameters"] == row["live"] == 286_866 and row["attention"] == 14_392
        assert row["gate"] == pytest.approx(0.25, abs=0.01) and row["lowest"] > 0 and row["highest"] < 0.5

    def test_of_a_unit_per_block_leaves_out_what_can_not_learn(self):
        row = describe(build_model(ModelConfig(attention=AttentionConfig(sharing="none")))).iloc[0]
        assert row["live"] < row["parameters"]

    def test_of_a_plain_network_has_no_gate(self):
        row = describe(build_model(ModelConfig(attention=AttentionConfig(unit="none")))).iloc[0]
        assert row["attention"] == 0 and pd.isna(row["gate"])

    @pytest.mark.parametrize("unit", UNITS)
    def test_works_for_every_unit_alone_and_shared(self, unit):
        for sharing in ("stage", "none"):
            attention = AttentionConfig(unit=unit, sharing=sharing)
            model = build_model(ModelConfig(depth=8, width=4, attention=attention))
            row = describe(model.double(), 16).iloc[0]
            assert row["MACs"] > 0 and 0 <= row["lowest"] <= row["gate"] <= row["highest"] < 1

    def test_works_with_a_layer_embedding(self):
        attention = AttentionConfig(layer_embedding=True)
        assert describe(build_model(ModelConfig(depth=8, width=4, attention=attention)), 16).iloc[0]["MACs"] > 0

    def test_leaves_frozen_norms_frozen(self):
        model = build_model(ModelConfig(depth=8, width=4)).train()
        norms = [module.eval() for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        describe(model, 16)
        assert model.training and not any(norm.training for norm in norms)

    def test_leaves_the_model_as_it_was(self):
        model = build_model(ModelConfig(attention=AttentionConfig(memory="clock"))).eval()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        describe(model)
        assert not model.training
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())

    def test_explains_a_network_without_convolutions(self):
        with pytest.raises(LabError, match="Linear has no Conv2d"):
            describe(torch.nn.Linear(3, 3))

    def test_works_on_anybodys_network(self):
        model = torchvision.models.resnet18()
        plain = describe(model, 64).iloc[0]
        gated = describe(attach_attention(model, AttentionConfig(reduction=20)), 64).iloc[0]
        assert gated["parameters"] - plain["parameters"] == gated["attention"] == 176_092
        assert gated["MACs"] > plain["MACs"] and gated["activations"] > plain["activations"]


def test_saved_bytes_are_those_of_the_tensors_that_a_product_keeps():
    x, linear = torch.randn(5, 3, requires_grad=True), torch.nn.Linear(3, 2)
    assert saved_bytes(linear, lambda: torch.exp(linear(x))) == 4 * (5 * 3 + 5 * 2)


class TestDepth:
    COSTS = units_by_depth(
        "resnet", range(164, 192, 9), {k: ARMS[k] for k in ("DIA", "SE per block")}, block="bottleneck"
    )

    def test_dia_costs_the_same_everywhere_and_se_11228_a_block(self):
        table = self.COSTS.pivot(index="blocks", columns="arm", values="parameters")
        assert set(table["DIA"]) == {218_848}
        assert (table["SE per block"] == 11_228 * table.index).all()

    @pytest.mark.parametrize("backbone", list_backbones())
    @pytest.mark.parametrize("arm", ["DIA", "SE per block", "plain"])
    def test_units_counted_alone_are_those_of_the_network(self, backbone, arm):
        step, rest = get_backbone(backbone).rule()
        depths = [step * blocks + rest for blocks in (1, 3)]
        counted = units_by_depth(backbone, depths, {arm: ARMS[arm]}, width=4)["parameters"]
        built = [ModelConfig(backbone=backbone, depth=depth, width=4, attention=ARMS[arm]) for depth in depths]
        assert list(counted) == [count_attention_parameters(build_model(config)) for config in built]

    def test_dia_gets_cheaper_at_20_blocks_a_stage(self):
        """paper-facts, section 3.2: from depth 182 on."""
        assert crossover(self.COSTS, "DIA", "SE per block") == 182
        assert crossover(self.COSTS[self.COSTS["depth"] < 180], "DIA", "SE per block") is None


class TestFineTuning:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"name": "resnet19", "weights": None}, "did you mean 'resnet18'|did you mean 'resnet"),
            ({"name": "vgg11", "weights": None}, "unknown residual network of torchvision 'vgg11'"),
            ({"name": "resnet18", "weights": "FOO"}, "unknown weights of resnet18 'FOO'.*IMAGENET1K_V1"),
        ],
    )
    def test_explains_a_network_that_there_is_not(self, given, message):
        with pytest.raises(LabError, match=message):
            torchvision_resnet(**given, classes=10, seed=0)

    def test_gives_a_network_with_the_classes_of_the_images(self):
        assert torchvision_resnet("resnet18", None, 7, 0).fc.out_features == 7

    def test_takes_at_least_one_step(self, tiny):
        with pytest.raises(ConfigError, match="steps: got 0"):
            fine_tune(build_model(tiny.model, 1), load_data(tiny.data, 0).train, steps=0)

    def test_lowers_the_loss_and_repeats_itself(self, tiny):
        data = load_data(tiny.data, 0).train
        losses = []
        for _ in range(2):
            model = build_model(tiny.model, 1, 10, seed=0)
            losses.append(fine_tune(model, data, steps=12, batch_size=20, size=8, lr=0.05)["loss"].tolist())
        assert losses[0] == losses[1] and losses[0][-1] < losses[0][0]

    def test_enlarges_images_and_gives_grey_ones_three_channels(self, tiny):
        images, labels = next(batches(load_data(tiny.data, 0).train, 16, 20, 3, seed=0))
        assert images.shape == (16, 3, 20, 20) and labels.shape == (16,)
        assert torch.equal(images[:, 0], images[:, 2])
