"""What of the state reaches the next block, and who owns a unit."""

import math

import pytest
import torch
from test_units import branches, make

from dianet_lab.attention.memory import Clock
from dianet_lab.attention.recurrent import ACTIVATIONS
from dianet_lab.attention.stage import StageAttention, owners
from dianet_lab.initial import initialise


class TestMemory:
    def stage(self, memory, unit="lstm", **options):
        attention = StageAttention(4, 3, unit, memory=memory, hidden=8, **options).double()
        initialise(attention, 0)
        return attention

    def gates(self, attention, xs):
        state, gates = None, []
        for block, x in enumerate(xs):
            gate, state = attention(block, x, state)
            gates.append(gate[:, :, 0, 0])
        return gates

    def xs(self, batch=5):
        return [branches(batch, 4, 3, seed=seed).double() * 3 for seed in range(3)]

    @pytest.mark.parametrize("unit", ["lstm", "gru", "rnn"])
    @pytest.mark.parametrize(("memory", "other_images", "gradient"), [
        ("carried", False, True), ("detached", False, False), ("clock", True, True), ("none", False, False),
    ])  # fmt: skip
    def test_says_what_of_an_early_squeeze_reaches_a_late_gate(self, unit, memory, other_images, gradient):
        """Through the clock, an image's early squeeze reaches others' late gates just as much as its own."""
        xs = [x.requires_grad_() for x in self.xs()]
        late = self.gates(self.stage(memory, unit).train(), xs)[2]
        grad = torch.autograd.grad(late[0].sum(), xs[0], allow_unused=True)[0]
        reached = torch.zeros(5, dtype=torch.bool) if grad is None else (grad.abs().sum((1, 2, 3)) > 0)
        assert reached[0].item() is gradient
        assert reached[1:].any().item() is other_images

    def test_detached_has_the_values_of_carried(self):
        carried, detached = self.stage("carried"), self.stage("detached")
        for a, b in zip(self.gates(carried, self.xs()), self.gates(detached, self.xs()), strict=True):
            assert torch.equal(a, b)

    def test_the_clocks_state_is_that_of_the_cell_run_on_mean_squeezes(self):
        """Hand-rolled: the state from the batch means, each image's gate from it and its own squeeze."""
        attention, xs = self.stage("clock").train(), self.xs()
        unit, state, expected = attention.units[0], None, []
        for x in xs:
            squeeze = x.mean((2, 3))
            wide = None if state is None else type(state)(*(v.expand(-1, 5, -1) for v in state))
            expected.append(unit.excite(squeeze, wide)[0][:, :, 0, 0])
            state = unit.excite(squeeze.mean(0, keepdim=True), state)[1]
        for gate, hand in zip(self.gates(attention, xs), expected, strict=True):
            torch.testing.assert_close(gate, hand)

    def test_in_eval_mode_the_clock_runs_on_running_means_and_sees_no_other_image(self):
        attention, xs = self.stage("clock"), self.xs()
        for _ in range(60):
            self.gates(attention.train(), xs)
        for position, x in enumerate(xs):
            torch.testing.assert_close(attention.clock.means[position], x.mean((0, 2, 3)), rtol=1e-2, atol=1e-2)
        alone = self.gates(attention.eval(), [x[:1] for x in xs])
        for one, all_of_them in zip(alone, self.gates(attention, xs), strict=True):
            torch.testing.assert_close(one[0], all_of_them[0])

    def test_the_clock_is_saved_with_the_weights(self):
        assert "clock.means" in self.stage("clock").state_dict()
        assert isinstance(self.stage("clock").clock, Clock)

    def test_with_a_unit_each_the_state_passes_from_one_cell_to_the_next(self):
        attention, xs = self.stage("carried", sharing="none"), self.xs()
        state = None
        for block, gate in enumerate(self.gates(attention, xs)):
            hand, state = attention.units[block](xs[block], state)
            assert torch.equal(gate, hand[:, :, 0, 0])

    @pytest.mark.parametrize("unit", ["lstm", "gru", "rnn"])
    @pytest.mark.parametrize("memory", ["carried", "none"])
    def test_a_layer_embedding_tells_blocks_apart(self, unit, memory):
        attention = self.stage(memory, unit, layer_embedding=True)
        x = self.xs()[0]
        first = self.gates(attention, [x, x, x])
        if memory == "none":
            assert torch.equal(first[0], first[1])  # it starts at zero
        with torch.no_grad():
            attention.embedding.weight[1] += 1
        second = self.gates(attention, [x, x, x])
        assert torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])


class TestOwnership:
    def test_tied_units_start_equal_and_are_not_one(self):
        for tied in (True, False):
            attention = StageAttention(4, 3, "lstm", sharing="none", tied_init=tied)
            initialise(attention, 0)
            values = [torch.cat([p.flatten() for p in unit.parameters()]) for unit in attention.units]
            assert torch.equal(values[0], values[1]) is tied and len(attention.units) == 3

    @pytest.mark.parametrize(
        ("sharing", "share_from", "owner"),
        [("stage", 2, (None, None, 0, 0, 0)), ("none", 3, (None,) * 3 + (0, 1)), (2, 1, (None, 0, 0, 1, 1))],
    )
    def test_the_first_blocks_may_have_no_unit(self, sharing, share_from, owner):
        assert owners(5, sharing, share_from) == owner
        attention = StageAttention(4, 5, "se", sharing, share_from)
        for block, unit in enumerate(owner):
            gate, _ = attention(block, branches(2, 4), None)
            assert (gate is None) == (unit is None)

    def test_an_initial_gate_of_an_activation_is_that_of_zero_cell_state(self):
        for name, function in ACTIVATIONS.items():
            half = 0.5 * function(torch.zeros(())).item()
            assert math.isclose(make("lstm", activation=name).initial_gate, half, abs_tol=1e-7)
