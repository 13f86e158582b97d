"""torch.compile and torch.export: one graph without a break, and the same output."""

import pytest
import torch
from test_networks import images, small_attention, small_model, units_and_sharing  # noqa: F401 - a fixture

from dianet_lab import AttentionConfig, list_backbones
from dianet_lab.attention.recurrent import MEMORIES
from dianet_lab.attention.registry import UNITS, unit_options


def every_case():
    """Every unit, shared and not, and every memory and start on one backbone; every backbone with the LSTM."""
    cases = [("resnet", AttentionConfig(unit=unit, sharing=sharing)) for unit, sharing in units_and_sharing()]
    cases += [(name, AttentionConfig()) for name in list_backbones() if name != "resnet"]
    cases += [("resnet", AttentionConfig(memory=memory, layer_embedding=True)) for memory in MEMORIES]
    starts = [(unit, start) for unit in UNITS for start in ("gate_start", "neutral") if start in unit_options(unit)]
    values = {"gate_start": 0.5, "neutral": True}
    cases += [("resnet", AttentionConfig(unit=unit, **{start: values[start]})) for unit, start in starts]
    return cases


def name(case):
    return "-".join([case[0], *(f"{field}={value}" for field, value in case[1].asked().items())])


@pytest.fixture(params=every_case(), ids=name)
def small(request):
    backbone, attention = request.param
    return small_model(backbone, attention).eval()


@pytest.fixture(autouse=True)
def no_graphs_of_other_tests():
    torch.compiler.reset()


class TestCompile:
    def test_makes_one_graph_that_computes_the_same_in_training(self, small):
        """In eval mode nothing but the norms differs, which is tried on one unit of every backbone."""
        compiled = torch.compile(small.train(), fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(images()), small(images()), atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("backbone", list_backbones())
    def test_makes_one_graph_that_computes_the_same_in_eval_mode(self, backbone):
        model = small_model(backbone, AttentionConfig()).eval()
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(images()), model(images()), atol=1e-5, rtol=1e-5)

    @pytest.mark.heavy
    def test_works_with_the_default_backend(self):
        """One stage: what stands around it are layers of torch, and code for three takes a minute to compile."""
        model = small_model("resnet", AttentionConfig()).eval()
        stage, features = model.stages[1], model.stages[0](model.stem(images())).detach()
        compiled = torch.compile(stage, fullgraph=True)
        torch.testing.assert_close(compiled(features), stage(features), atol=1e-5, rtol=1e-5)


class TestExport:
    def test_agrees_with_eager(self, small):
        program = torch.export.export(small, (images(),))
        torch.testing.assert_close(program.module()(images()), small(images()), atol=1e-4, rtol=1e-4)
