"""Attention units: where each starts, what it sees, its options, and its equations against plain transcriptions."""

import pytest
import torch
from torch import nn

from dianet_lab import AttentionConfig, list_units
from dianet_lab.attention.controls import Constant, Random, Scalar, Static
from dianet_lab.attention.recurrent import ACTIVATIONS, GRU, RNN, SHIFTED
from dianet_lab.attention.registry import UNITS, unit_class, unit_options
from dianet_lab.attention.stage import StageAttention
from dianet_lab.attention.unit import SQUEEZES
from dianet_lab.attention.units import EfficientChannelAttention, InstanceEnhancement
from dianet_lab.errors import ConfigError
from dianet_lab.initial import initialise

CHANNELS = 32


def make(unit, channels=CHANNELS, seed=0, **options):
    made = unit_class(unit)(channels, **options).train()
    initialise(made, seed)
    return made


def branches(batch=64, channels=CHANNELS, size=8, seed=0):
    return torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("unit", UNITS)
class TestEveryUnit:
    def test_starts_where_it_says(self, unit):
        """The mean over images and channels; the range is in the README's table, which has a test of its own."""
        made = make(unit)
        gate, _ = made(branches())
        assert gate.mean().item() == pytest.approx(made.initial_gate, abs=0.03)

    def test_gives_a_gate_that_broadcasts_and_a_state_for_the_next_block(self, unit):
        made, x = make(unit), branches(3)
        gate, state = made(x)
        assert torch.broadcast_shapes(gate.shape, x.shape) == x.shape and gate.dim() == 4
        assert made(x, state)[0].shape == gate.shape

    def test_starts_at_gate_start_where_it_has_one(self, unit):
        for start in (0.1, 0.5, 1.0) if "gate_start" in unit_options(unit) else ():
            gate, _ = make(unit, gate_start=start)(branches())
            assert gate.mean().item() == pytest.approx(start, rel=0.12)

    def test_is_exactly_one_where_it_is_neutral(self, unit):
        if "neutral" not in unit_options(unit):
            with pytest.raises(ConfigError, match="neutral"):
                AttentionConfig(unit=unit, neutral=True)
            return
        for activation in ACTIVATIONS.keys() - {"relu", *SHIFTED} if "activation" in unit_options(unit) else (None,):
            options = {"activation": activation} if activation else {}
            attention = StageAttention(CHANNELS, 4, unit, neutral=True, **options)
            initialise(attention, 3)
            state = None
            for block in range(4):
                gate, state = attention(block, branches(5, seed=block), state)
                assert (gate == 1).all(), activation

    def test_stays_near_one_for_a_small_step_from_a_neutral_start(self, unit):
        if "neutral" not in unit_options(unit):
            return
        made, x = make(unit, neutral=True), branches(8)
        optimizer = torch.optim.SGD(made.parameters(), lr=0.01)
        (made(x)[0] * x).mean((0, 2, 3)).square().sum().backward()
        assert any(p.grad.abs().sum() > 0 for p in made.parameters() if p.grad is not None)
        optimizer.step()
        gate, _ = made(x)
        assert (gate - 1).abs().max() < 0.05 and not (gate == 1).all()

    def test_repeats_itself_in_eval_mode(self, unit):
        made, x = make(unit).eval(), branches(4)
        assert torch.equal(made(x)[0], made(x)[0])

    def test_names_its_source(self, unit):
        """Paper and arXiv number in the docstring; a control says what it is a control of."""
        text = unit_class(unit).__doc__ or ""
        assert "arXiv" in text or unit in ("rnn", "constant", "random")
        assert len(text.splitlines()[0]) > 20


class TestRegistry:
    def test_lists_all_units_and_the_plain_backbone(self):
        assert list_units() == [*UNITS, "none"]

    def test_an_unknown_name_gets_the_closest(self):
        with pytest.raises(ConfigError, match="did you mean 'static'"):
            unit_class("statik")


class TestSqueezes:
    X = branches(3, 4, 5).double()
    EXPECTED = {
        "avg": X.mean((2, 3)),
        "max": X.flatten(2).max(2).values,
        "avg+max": X.mean((2, 3)) + X.flatten(2).max(2).values,
        "std": X.flatten(2).std(2, correction=0),
    }

    @pytest.mark.parametrize("name", SQUEEZES)
    def test_are_what_their_name_says(self, name):
        made = make("se", 4, squeeze=name)
        torch.testing.assert_close(made.squeeze(self.X), self.EXPECTED[name], atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("name", SQUEEZES)
    def test_of_a_constant_map_have_a_finite_gradient(self, name):
        x = torch.ones(2, 4, 3, 3, requires_grad=True)
        SQUEEZES[name](x).sum().backward()
        assert x.grad.isfinite().all()


class TestEquations:
    def test_gru_without_bottleneck_is_torchs_cell(self):
        """torch.nn.GRUCell has the order r, z, n and the reset gate after the product, as ours."""
        ours = GRU(6, reduction=None, activation="identity").double()
        cell = nn.GRUCell(6, 6).double()
        self._copy(ours, cell)
        x, y = torch.randn(2, 3, 6).double()
        _, state = ours.excite(y, ours.excite(x)[1])
        torch.testing.assert_close(state.h[0], cell(y, cell(x)))

    def test_rnn_without_bottleneck_is_torchs_cell(self):
        ours = RNN(6, reduction=None, activation="identity").double()
        cell = nn.RNNCell(6, 6).double()
        self._copy(ours, cell)
        x, y = torch.randn(2, 3, 6).double()
        gate, state = ours.excite(y, ours.excite(x)[1])
        torch.testing.assert_close(state.h[0], cell(y, cell(x)))
        torch.testing.assert_close(gate[:, :, 0, 0], state.h[0])

    @staticmethod
    def _copy(ours, cell):
        with torch.no_grad():
            for own, name in ((ours.input_map, "ih"), (ours.hidden_map, "hh")):
                getattr(cell, f"weight_{name}").copy_(own.weight)
                getattr(cell, f"bias_{name}").copy_(own.bias)

    @pytest.mark.parametrize(("channels", "size"), [(16, 3), (32, 3), (64, 3), (128, 5), (256, 5), (512, 5)])
    def test_eca_takes_its_kernel_from_the_width(self, channels, size):
        assert EfficientChannelAttention(channels).conv.kernel_size == (size,)

    def test_eca_mixes_neighbouring_channels_only(self):
        made, x = make("eca", 16), torch.randn(1, 16)
        changed = x.clone()
        changed[0, 8] += 1
        different = (made.excite(x)[0] != made.excite(changed)[0]).flatten().nonzero().flatten().tolist()
        assert different == [7, 8, 9]

    def test_ie_is_an_affine_of_each_channel_alone(self):
        made = InstanceEnhancement(3)
        with torch.no_grad():
            made.weight.copy_(torch.tensor([0.0, 1.0, -2.0]))
        gate, _ = made.excite(torch.tensor([[5.0, 1.0, 1.0]]))
        expected = torch.sigmoid(torch.tensor([-1.0, 0.0, -3.0]))
        torch.testing.assert_close(gate.flatten(), expected)

    def test_cbam_is_the_product_of_its_parts(self):
        both, x = make("cbam", 8).eval(), branches(2, 8)
        channel = torch.sigmoid(both.map(x.mean((2, 3))) + both.map(x.amax((2, 3))))[:, :, None, None]
        refined = x * channel
        seen = torch.stack([refined.mean(1), refined.amax(1)], dim=1)
        spatial = torch.sigmoid(both.spatial.norm(both.spatial.conv(seen)))
        torch.testing.assert_close(both(x)[0], channel * spatial)
        assert both(x)[0].shape == x.shape

    @pytest.mark.parametrize(("parts", "shape"), [("channel", (2, 8, 1, 1)), ("spatial", (2, 1, 8, 8))])
    def test_cbam_has_one_part_alone(self, parts, shape):
        made = make("cbam", 8, parts=parts)
        assert made(branches(2, 8))[0].shape == shape and made.initial_gate == 0.5

    def test_controls_see_no_image(self):
        for kind in (Constant, Scalar, Static, Random):
            made = kind(4)
            assert torch.equal(made(branches(2, 4))[0], made(branches(2, 4, seed=1))[0])

    @pytest.mark.parametrize(
        ("unit", "count"), [("constant", 0), ("scalar", 1), ("static", 8), ("random", 0), ("ie", 16)]
    )
    def test_controls_have_so_many_parameters(self, unit, count):
        assert sum(p.numel() for p in make(unit, 8).parameters()) == count

    def test_a_random_gate_is_drawn_from_the_seed_and_stored(self):
        one, same, other = (make("random", 64, seed=seed).state_dict()["drawn"] for seed in (1, 1, 2))
        assert torch.equal(one, same) and not torch.equal(one, other)
        assert one.min() >= 0 and one.max() <= 0.5


class TestLSTMLadder:
    """Without a gate, that gate is 1 and its maps are gone."""

    @pytest.mark.parametrize("missing", ["input_gate", "forget_gate", "output_gate"])
    def test_a_missing_gate_is_a_gate_of_one(self, missing):
        made = make("lstm", 6, **{missing: False}).double()
        x, h, c = torch.randn(3, 2, 6).double()
        i, f, g, o = made.cells[0].gates(x, h)
        absent = {"input_gate": i, "forget_gate": f, "output_gate": o}
        assert [name for name, gate in absent.items() if gate is None] == [missing]
        one = torch.ones(2, 6).double()
        full_i, full_f, full_o = (one if gate is None else gate for gate in (i, f, o))
        new_c = full_f * c + full_i * g
        expected = full_o * torch.sigmoid(new_c)
        torch.testing.assert_close(made.cells[0].update(i, f, g, o, c), (expected, new_c))

    def test_without_output_gate_it_is_the_dsu_and_starts_at_a_half(self):
        made = make("lstm", output_gate=False)
        assert made.initial_gate == 0.5
        assert made.cells[0].input_map.up.out_features == 3 * CHANNELS

    def test_a_hidden_width_may_exceed_the_channels(self):
        assert make("lstm", 8, hidden=20).cells[0].input_map.down.out_features == 20
        assert make("se", 8, hidden=20).map.down.out_features == 20
