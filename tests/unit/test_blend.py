"""Interventions by degrees: nothing at 0, all of it at 1, halfway between at a half, and each image by itself."""

import pytest
import torch

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis.blend import Blend, Fade
from dianet_lab.analysis.capture import capture
from dianet_lab.analysis.interventions import Replace, SetState, intervene
from dianet_lab.errors import LabError

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def network(attention=None):
    return build_model(ModelConfig(depth=20, width=8, attention=attention or AttentionConfig()), 1, 10).eval()


def traced(model, *interventions):
    with torch.no_grad(), intervene(model, *interventions), capture(model) as trace:
        logits = model(IMAGES)
    return logits, trace


class TestBlend:
    def test_by_nothing_changes_no_bit(self, attention):
        model = network(attention)
        with torch.no_grad():
            expected = model(IMAGES)
        assert torch.equal(traced(model, Blend(1, 1, target=0.7, amount=0.0))[0], expected)

    def test_all_the_way_is_a_replacement(self, attention):
        model = network(attention)
        blended = traced(model, Blend(1, 1, target=0.7, amount=1.0))[0]
        assert torch.equal(blended, traced(model, Replace(1, 1, gate=0.7))[0])

    def test_by_half_is_halfway(self):
        model, target = network(), torch.linspace(0, 1, 16)
        own = traced(model)[1].array("gate", 1).sel(block=1).values
        half = traced(model, Blend(1, 1, target=target, amount=0.5))[1].array("gate", 1).sel(block=1).values
        torch.testing.assert_close(torch.tensor(half), (torch.tensor(own) + target) / 2)

    def test_may_go_another_way_for_each_image(self):
        model = network()
        amounts = torch.tensor([0.0, 1.0, 0.0, 0.5])
        mixed = traced(model, Blend(1, 1, target=0.7, amount=amounts))[0]
        for row, amount in enumerate(amounts.tolist()):
            torch.testing.assert_close(mixed[row], traced(model, Blend(1, 1, target=0.7, amount=amount))[0][row])
        assert torch.equal(mixed[0], traced(model)[0][0])

    def test_refuses_a_number_of_amounts_that_fits_no_batch(self):
        with pytest.raises(LabError, match="amount: got 3 values.*each of 4 images"):
            traced(network(), Blend(1, 1, amount=torch.ones(3)))


class TestFade:
    def test_by_nothing_changes_no_bit(self):
        model = network()
        assert torch.equal(traced(model, Fade(1, 0, amount=0.0))[0], traced(model)[0])

    @pytest.mark.parametrize("unit", ["lstm", "gru", "rnn"])
    def test_all_the_way_is_a_reset(self, unit):
        model = network(AttentionConfig(unit=unit))
        assert torch.equal(traced(model, Fade(1, 0))[0], traced(model, SetState(1, 0, h=0.0, c=0.0))[0])

    def test_fades_each_image_by_its_own_amount_and_leaves_the_gate(self):
        model, amounts = network(AttentionConfig(cells=2)), torch.tensor([0.0, 0.25, 0.5, 1.0])
        (_, own), (_, faded) = traced(model), traced(model, Fade(1, 0, amount=amounts))
        for name in ("h", "c", "h.0"):
            expected = torch.tensor(own.array(name, 1).sel(block=0).values) * (1 - amounts)[:, None]
            torch.testing.assert_close(torch.tensor(faded.array(name, 1).sel(block=0).values), expected)
        assert faded.array("gate", 1).sel(block=0).equals(own.array("gate", 1).sel(block=0))

    def test_needs_a_memory(self):
        with pytest.raises(LabError, match="no state to reset"):
            traced(network(AttentionConfig(unit="se")), Fade(1, 0))
