"""The DIA-LSTM against a plain-numpy transcription of its equations, written from the paper and not from the module."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dianet_lab.attention.lstm import DIALSTM, LSTMState
from dianet_lab.attention.recurrent import ACTIVATIONS
from dianet_lab.attention.unit import hidden_width
from dianet_lab.initial import initialise


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


NUMPY_ACTIVATIONS = {
    "sigmoid": sigmoid,
    "sigmoid(c-4)": lambda z: sigmoid(z - 4),
    "tanh": np.tanh,
    "tanh(c+0.549)": lambda z: np.tanh(z + 0.549),
    "tanh(c/3+0.549)": lambda z: np.tanh(z / 3 + 0.549),
    "relu": lambda z: np.maximum(z, 0),
    "hardsigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "identity": lambda z: z,
}


def numpy_map(weights, prefix, v):
    """Linear - ReLU - Linear, or the single Linear."""
    if f"{prefix}.weight" in weights:
        return v @ weights[f"{prefix}.weight"].T + weights[f"{prefix}.bias"]
    inner = np.maximum(v @ weights[f"{prefix}.down.weight"].T + weights[f"{prefix}.down.bias"], 0)
    return inner @ weights[f"{prefix}.up.weight"].T + weights[f"{prefix}.up.bias"]


def numpy_dia(weights, squeezes, activation, cells, carried=True):
    """All gates of a stage ``[block, batch, channel]`` for squeezes of that shape, and the last state."""
    _, batch, channels = squeezes.shape
    h, c = np.zeros((cells, batch, channels)), np.zeros((cells, batch, channels))
    gates = []
    for x in squeezes:
        if not carried:
            h, c = np.zeros_like(h), np.zeros_like(c)
        for cell in range(cells):
            z = numpy_map(weights, f"cells.{cell}.input_map", x)
            if carried:
                z = z + numpy_map(weights, f"cells.{cell}.hidden_map", h[cell])
            i, f, g, o = (z[:, k * channels : (k + 1) * channels] for k in range(4))
            c[cell] = sigmoid(f) * c[cell] + sigmoid(i) * np.tanh(g)
            h[cell] = sigmoid(o) * NUMPY_ACTIVATIONS[activation](c[cell])
            x = h[cell]
        gates.append(x.copy())
    return np.stack(gates), h, c


def torch_dia(unit, squeezes):
    state, gates = None, []
    for squeeze in squeezes:
        gate, state = unit.excite(squeeze, state)
        gates.append(gate[:, :, 0, 0])
    return torch.stack(gates), state


def make(channels=6, seed=0, **options):
    unit = DIALSTM(channels, **options).double().eval()
    initialise(unit, seed)
    return unit


class TestEquations:
    @given(
        channels=st.integers(1, 9),
        reduction=st.one_of(st.none(), st.integers(1, 12)),
        activation=st.sampled_from(sorted(ACTIVATIONS)),
        cells=st.integers(1, 3),
        memory=st.sampled_from(["carried", "none"]),
        batch=st.integers(1, 4),
        seed=st.integers(0, 1000),
    )
    @settings(max_examples=60, deadline=None)
    def test_agree_with_the_numpy_transcription(self, channels, reduction, activation, cells, memory, batch, seed):
        unit = make(channels, seed, reduction=reduction, activation=activation, cells=cells, memory=memory)
        weights = {name: value.numpy() for name, value in unit.state_dict().items()}
        squeezes = np.random.RandomState(seed).randn(5, batch, channels) * 2
        gates, state = torch_dia(unit, torch.from_numpy(squeezes))
        expected, h, c = numpy_dia(weights, squeezes, activation, cells, memory == "carried")
        np.testing.assert_allclose(gates.detach().numpy(), expected, atol=1e-12)
        np.testing.assert_allclose(state.h.detach().numpy(), h, atol=1e-12)
        np.testing.assert_allclose(state.c.detach().numpy(), c, atol=1e-12)

    @pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
    @pytest.mark.parametrize("options", [{}, {"reduction": None}, {"cells": 2}, {"memory": "none"}])
    def test_gradients_pass_gradcheck(self, activation, options):
        torch.manual_seed(0)
        unit = make(4, activation=activation, **options)
        squeezes = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: torch_dia(unit, x)[0], squeezes)

    def test_every_weight_gets_a_gradient(self):
        unit = make(4, cells=2)
        torch_dia(unit, torch.randn(3, 2, 4, dtype=torch.float64))[0].sum().backward()
        assert all(parameter.grad is not None for parameter in unit.parameters())

    def test_tanh_is_the_standard_lstm(self):
        """Without a bottleneck and with tanh the cell is torch's own LSTMCell (whose chunks are i, f, g, o too)."""
        unit = make(5, reduction=None, activation="tanh")
        cell = torch.nn.LSTMCell(5, 5).double()
        with torch.no_grad():
            for ours, theirs in ((unit.cells[0].input_map, "ih"), (unit.cells[0].hidden_map, "hh")):
                getattr(cell, f"weight_{theirs}").copy_(ours.weight)
                getattr(cell, f"bias_{theirs}").copy_(ours.bias)
        x = torch.randn(3, 5, dtype=torch.float64)
        h, c = cell(x)
        h, c = cell(x, (h, c))
        _, state = unit.excite(x, unit.excite(x)[1])
        torch.testing.assert_close(state.h[0], h)
        torch.testing.assert_close(state.c[0], c)


class TestShape:
    @pytest.mark.parametrize(
        ("channels", "reduction", "q"), [(16, 4, 4), (6, 4, 1), (3, 16, 1), (16, 1, 16), (8, None, None)]
    )
    def test_hidden_width_is_a_floor_of_at_least_one(self, channels, reduction, q):
        assert hidden_width(channels, reduction) == q

    @pytest.mark.parametrize(("channels", "reduction"), [(16, 4), (64, 4), (64, 16), (7, 3), (256, 1)])
    def test_a_cell_adds_10cq_2q_8c_parameters(self, channels, reduction):
        q = hidden_width(channels, reduction)
        count = sum(p.numel() for p in DIALSTM(channels, reduction=reduction).parameters())
        assert count == 10 * channels * q + 2 * q + 8 * channels

    def test_further_cells_have_plain_maps(self):
        extra = sum(p.numel() for p in DIALSTM(8, cells=2).cells[1].parameters())
        assert extra == 2 * (4 * 8 * 8 + 4 * 8)

    def test_without_memory_no_map_of_the_state_is_built(self):
        assert not [name for name, _ in DIALSTM(8, memory="none").named_parameters() if "hidden_map" in name]

    @pytest.mark.parametrize("batch", [1, 5])
    def test_the_gate_broadcasts_against_the_branch(self, batch):
        gate, state = DIALSTM(4, cells=2)(torch.randn(batch, 4, 3, 3))
        assert gate.shape == (batch, 4, 1, 1)
        assert state.h.shape == state.c.shape == (2, batch, 4)
        assert torch.equal(gate[:, :, 0, 0], state.h[-1])

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
    def test_the_first_state_is_zero_and_like_the_squeeze(self, dtype):
        state = DIALSTM(4).initial_state(torch.ones(3, 4, dtype=dtype))
        assert state.h.dtype == dtype and not state.h.any() and not state.c.any()

    def test_a_given_zero_state_is_the_same_as_none(self):
        unit, x = make(4), torch.randn(2, 4, dtype=torch.float64)
        zero = LSTMState(torch.zeros(1, 2, 4).double(), torch.zeros(1, 2, 4).double())
        assert torch.equal(unit.excite(x)[0], unit.excite(x, zero)[0])


class TestBehaviour:
    def test_the_gate_starts_at_a_quarter(self):
        gate, _ = make(64).excite(torch.randn(200, 64, dtype=torch.float64))
        assert 0.24 < gate.mean() < 0.27
        assert gate.min() > 0.05 and gate.max() < 0.5

    @pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
    def test_other_activations_start_near_zero(self, activation):
        gate, _ = make(64, activation=activation).excite(torch.randn(200, 64, dtype=torch.float64))
        assert abs(gate.mean()) < 0.1

    def test_memory_reaches_the_next_block_only_when_carried(self):
        x = torch.randn(2, 4, dtype=torch.float64)
        for memory, same in (("carried", False), ("none", True)):
            unit = make(4, memory=memory)
            _, state = unit.excite(torch.randn(2, 4, dtype=torch.float64) * 5)
            assert torch.equal(unit.excite(x, state)[0], unit.excite(x)[0]) is same

    def test_dropout_sits_only_on_the_input_of_a_further_cell(self):
        x = torch.ones(50, 8)
        single, stacked = DIALSTM(8).train(), DIALSTM(8, cells=2).train()
        assert torch.equal(single.excite(x)[0], single.excite(x)[0])
        assert not torch.equal(stacked.excite(x)[0], stacked.excite(x)[0])
