"""Weights that do not fit, and networks that have no counterpart: listed, and nothing is changed."""

import re

import pytest
import torch
from pytorchcv.models.diaresnet_cifar import diaresnet20_cifar10

from dianet_lab.config import AttentionConfig, ModelConfig
from dianet_lab.errors import LabError
from dianet_lab.interop import load_official, load_pytorchcv
from dianet_lab.models import build_model


@pytest.fixture
def source():
    """A DIA-ResNet-20 of pytorchcv with weights of its own."""
    return diaresnet20_cifar10().eval()


class TestMismatches:
    @pytest.fixture
    def refused(self, source):
        """The message for the source's weights after a change, from a model that must be as before."""
        weights, model = dict(source.state_dict()), build_model(ModelConfig())
        before = {name: value.clone() for name, value in model.state_dict().items()}

        def refuse(change) -> str:
            change(weights)
            with pytest.raises(LabError) as error:
                load_pytorchcv(model, weights)
            assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
            return str(error.value)

        return refuse

    def test_name_missing_unexpected_and_misshaped_keys_and_the_layout(self, refused):
        def change(weights):
            del weights["features.stage3.unit3.body.conv2.bn.running_var"]
            weights["features.stage9.weight"] = torch.zeros(1)
            weights["output.weight"] = torch.zeros(100, 64)
            weights["output.bias"] = "ten"

        text = refused(change)
        assert "pytorchcv's DIA-ResNet with 3 blocks a stage and 10 classes; nothing was loaded" in text
        assert "missing (1): features.stage3.unit3.body.conv2.bn.running_var" in text
        assert "unexpected (1): features.stage9.weight" in text
        assert "misshaped (2): output.weight is [100, 64], expected [10, 64], output.bias is a str, expected" in text

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda weights: weights.pop("output.bias"), r"missing \(1\): output.bias"),
            (lambda weights: weights.update(x=torch.zeros(1)), r"unexpected \(1\): x"),
            (lambda weights: weights.update({"output.bias": torch.arange(10)}), "output.bias is torch.int64, expected"),
        ],
    )
    def test_of_one_kind_alone_are_enough(self, refused, change, says):
        assert re.search(says, refused(change))

    def test_long_lists_are_cut(self, refused):
        text = refused(lambda weights: weights.clear() or weights.update(x=torch.zeros(1)))
        assert "missing (179): features.init_block.conv.weight" in text and "and 171 more" in text and len(text) < 1500

    def test_copies_of_a_shared_module_must_be_equal_and_all_there(self, refused):
        def change(weights):
            name = "features.stage2.unit{}.attention.lstm.h_amps.amp1.fc2.bias"
            weights[name.format(3)] = weights[name.format(3)] + 1
            del weights[name.format(2)]

        text = refused(change)
        assert "missing (1): features.stage2.unit2.attention" in text
        assert "unequal, but of one shared module (1): features.stage2.unit3.attention" in text


class TestModelsWithoutACounterpart:
    @pytest.mark.parametrize(
        ("load", "model", "attention", "says"),
        [
            (load_pytorchcv, {}, {"unit": "gru"}, "the unit is a GRU"),
            (load_pytorchcv, {}, {"sharing": "none"}, "sharing 'stage'"),
            (load_pytorchcv, {}, {"share_from": 1}, "share_from 0"),
            (load_pytorchcv, {}, {"activation": "tanh"}, "activation is tanh, not sigmoid"),
            (load_pytorchcv, {}, {"memory": "detached"}, "memory is 'detached', not 'carried'"),
            (load_pytorchcv, {}, {"memory": "clock"}, "clock"),
            (load_pytorchcv, {}, {"squeeze": "max"}, "pool is maximum, not average"),
            (load_pytorchcv, {}, {"layer_embedding": True}, "embedding"),
            (load_pytorchcv, {}, {"cells": 2}, "cells.1"),
            (load_pytorchcv, {}, {"reduction": None}, "is Linear, not Bottleneck"),
            (load_pytorchcv, {}, {"unit": "se", "sharing": "none", "neutral": True}, "gate_start is 1.0, not None"),
            (load_pytorchcv, {"norm": "none"}, {}, "norm is 'none'"),
            (load_pytorchcv, {"skip": False}, {}, "skip is False"),
            (load_pytorchcv, {"backbone": "resnext"}, {}, "ResNeXt"),
            (load_pytorchcv, {"backbone": "preresnet", "projection": "raw"}, {}, "projection is 'raw'"),
            (load_pytorchcv, {"backbone": "preresnet", "branch_norm": True}, {}, "branch_norm is True"),
            (load_pytorchcv, {"backbone": "preresnet"}, {"unit": "se", "sharing": "none"}, "outer_norm is 'last'"),
            (load_official, {}, {"unit": "se", "sharing": "none"}, "unit is 'se'"),
            (load_official, {}, {}, "block is 'basic'"),
            (load_official, {"backbone": "preresnet", "block": "bottleneck"}, {}, "branch_norm is False"),
            (load_official, {"backbone": "preresnet", "block": "bottleneck"}, {}, "projection is 'preactivated'"),
            (load_official, {"backbone": "preresnet", "projection": "raw", "branch_norm": True}, {}, "is 'raw'"),
        ],
    )
    def test_are_refused_with_what_is_supported(self, load, model, attention, says):
        model = {"depth": 29 if model.get("block") or model.get("backbone") == "resnext" else 20} | model
        network = build_model(ModelConfig(**model, attention=AttentionConfig(**attention)))
        with pytest.raises(LabError, match="Supported: unit ") as error:
            load(network, {"a": torch.zeros(1)})
        assert says in str(error.value)

    def test_of_another_kind_are_refused(self):
        with pytest.raises(LabError, match="got a Linear, expected a network of dianet_lab.build_model"):
            load_official(torch.nn.Linear(1, 1), {"a": torch.zeros(1)})
