"""torch.compile and torch.export: one graph without a break, and the same output."""

import pytest
import torch
from test_networks import images, small_attention, small_model, units_and_sharing  # noqa: F401 - a fixture

from dianet_lab import AttentionConfig, list_backbones
from dianet_lab.attention.recurrent import MEMORIES
from dianet_lab.attention.registry import UNITS, unit_options


def every_unit():
    """Every unit, shared and not, and every memory and start."""
    cases = [AttentionConfig(unit=unit, sharing=sharing) for unit, sharing in units_and_sharing()]
    cases += [AttentionConfig(memory=memory, layer_embedding=True) for memory in MEMORIES]
    starts = [(unit, start) for unit in UNITS for start in ("gate_start", "neutral") if start in unit_options(unit)]
    values = {"gate_start": 0.5, "neutral": True}
    return cases + [AttentionConfig(unit=unit, **{start: values[start]}) for unit, start in starts]


def name(attention):
    return "-".join(f"{field}={value}" for field, value in attention.asked().items()) or "lstm"


@pytest.fixture(params=every_unit(), ids=name)
def stage(request):
    """A stage with its unit: another stage of the same network has the same operations, at another width."""
    return small_model("resnet", request.param).eval().stages[1]


@pytest.fixture(params=list_backbones())
def small(request):
    return small_model(request.param, AttentionConfig()).eval()


@pytest.fixture
def features():
    """What the second stage of a small ResNet takes."""
    return torch.randn(3, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def no_graphs_of_other_tests():
    torch.compiler.reset()


class TestCompile:
    @pytest.mark.parametrize("training", [True, False])
    def test_makes_one_graph_of_a_network_that_computes_the_same(self, small, training):
        compiled = torch.compile(small.train(training), fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(images()), small(images()), atol=1e-5, rtol=1e-5)

    def test_makes_one_graph_of_a_stage_that_computes_the_same(self, stage, features):
        """In training: in eval mode nothing but the norms differs, and they do in every network above."""
        compiled = torch.compile(stage.train(), fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(features), stage(features), atol=1e-5, rtol=1e-5)

    @pytest.mark.heavy
    def test_works_with_the_default_backend(self, features):
        """One stage: what stands around it are layers of torch, and code for three takes a minute to compile."""
        stage = small_model("resnet", AttentionConfig()).eval().stages[1]
        compiled = torch.compile(stage, fullgraph=True)
        torch.testing.assert_close(compiled(features), stage(features), atol=1e-5, rtol=1e-5)


class TestExport:
    def test_of_a_network_agrees_with_eager(self, small):
        program = torch.export.export(small, (images(),))
        torch.testing.assert_close(program.module()(images()), small(images()), atol=1e-4, rtol=1e-4)

    def test_of_a_stage_agrees_with_eager(self, stage, features):
        program = torch.export.export(stage, (features,))
        torch.testing.assert_close(program.module()(features), stage(features), atol=1e-4, rtol=1e-4)
