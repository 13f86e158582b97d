"""Interventions: exact where they change nothing, composable, seen by captures, and nothing left behind."""

import contextlib
import copy
import threading

import numpy as np
import pytest
import torch
import torchvision

from dianet_lab import AttentionConfig, ModelConfig, attach_attention, build_model
from dianet_lab.analysis.capture import capture, capture_data
from dianet_lab.analysis.interventions import HoldForget, Intervention, Replace, SetState, intervene
from dianet_lab.analysis.points import attentions
from dianet_lab.analysis.under import accuracy, logits_under, norms_anew, walk
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import LabError

IMAGES = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LAST = "classifier.weight"


def network(attention=None, depth=20):
    return build_model(ModelConfig(depth=depth, width=8, attention=attention or AttentionConfig()), 1, 10).eval()


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def traced(model, *interventions, images=IMAGES):
    with torch.no_grad(), intervene(model, *interventions), capture(model) as trace:
        logits = model(images)
    return logits, trace


class TestExactness:
    def test_a_gate_replaced_by_itself_changes_no_bit(self, attention):
        model = network(attention)
        with torch.no_grad(), capture(model, ["gate", "map"]) as trace:
            expected = model(IMAGES)
        name = "map" if trace.has("map") else "gate"
        same = [
            Replace(stage, int(block), gate=gates.sel(block=block).values)
            for stage, gates in enumerate(trace.stages(name))
            for block in gates.block
        ]
        assert torch.equal(traced(model, *same)[0], expected)

    def test_a_state_replaced_by_itself_changes_no_bit(self):
        model = network()
        expected, trace = traced(model)
        h, c = (trace.array(name, 1).sel(block=1).values for name in "hc")
        assert torch.equal(traced(model, SetState(1, 1, h=h, c=c))[0], expected)

    def test_a_forget_gate_held_where_it_is_changes_no_bit(self):
        model = network()
        with torch.no_grad(), capture(model, ["f"]) as trace:
            expected = model(IMAGES)
        held = HoldForget(2, 2, forget=trace.array("f", 2).sel(block=2).values)
        assert torch.equal(traced(model, held)[0], expected)

    def test_no_intervention_at_all_is_the_intact_network(self):
        model = network()
        assert torch.equal(traced(model)[0], model(IMAGES))


class TestWhatIsChanged:
    def test_a_replaced_gate_is_what_the_branch_is_multiplied_by(self):
        """By hand: the stage is run block by block with that gate."""
        model = network()
        logits, trace = traced(model, Replace(1, 1, gate=0.7))
        x = model.stages[0](model.stem(IMAGES))
        state, stage = None, model.stages[1]
        for index, block in enumerate(stage.blocks):
            branch, shortcut = block(x)
            gate, state = stage.attention(index, branch, state)
            x = torch.relu(branch * (torch.full_like(gate, 0.7) if index == 1 else gate) + shortcut)
        expected = model.classifier(model.stages[2](x).mean((2, 3)))
        torch.testing.assert_close(logits, expected)
        assert (trace.array("gate", 1).sel(block=1) == np.float32(0.7)).all()
        assert not (trace.array("h", 1).sel(block=1) == np.float32(0.7)).any()  # the memory goes on as it was computed

    def test_values_may_be_of_one_channel_vector_or_of_each_image(self):
        model, vector, each = network(), torch.rand(8), torch.rand(5, 8)
        for values, expected in ((vector, vector.expand(5, 8)), (each, each)):
            _, trace = traced(model, Replace(0, 0, gate=values))
            np.testing.assert_array_equal(trace.array("gate", 0)[:, 0], expected)

    def test_a_state_that_is_reset_makes_the_next_block_a_first_one(self):
        model = network()
        _, trace = traced(model, SetState(1, 0, h=0.0, c=0.0))
        attention = model.stages[1].attention
        squeeze = torch.from_numpy(trace.array("squeeze", 1).sel(block=1).values)
        gate, _ = attention.units[0].excite(squeeze, None)
        np.testing.assert_allclose(trace.array("gate", 1).sel(block=1), gate[:, :, 0, 0].detach(), atol=1e-6)

    def test_setting_one_half_of_a_state_leaves_the_other(self):
        model = network()
        before = traced(model)[1].array("h", 0).sel(block=0)
        after = traced(model, SetState(0, 0, c=9.0))[1]
        np.testing.assert_array_equal(after.array("h", 0).sel(block=0), before)
        assert (after.array("c", 0).sel(block=0) == 9).all()

    def test_a_forget_gate_of_zero_forgets_all(self):
        model = network()
        with torch.no_grad(), intervene(model, HoldForget(0, 2, forget=0.0)), capture(model, ["c", "i", "g"]) as trace:
            model(IMAGES)
        c, i, g = (trace.array(name, 0).sel(block=2) for name in "cig")
        np.testing.assert_allclose(c, i * g, atol=1e-6)

    def test_a_block_or_a_stage_that_is_not_named_means_all(self):
        _, trace = traced(network(), Replace(gate=0.5))
        assert all((stage == 0.5).all() for stage in trace.stages())
        _, trace = traced(network(), Replace(stage=[0, 2], block=[1], gate=0.5))
        changed = [(stage == 0.5).all(("image", "channel")).values.tolist() for stage in trace.stages()]
        assert changed == [[False, True, False], [False] * 3, [False, True, False]]

    def test_they_compose_in_the_order_in_which_they_stand_and_captures_see_the_result(self):
        model = network()
        with torch.no_grad(), capture(model) as outer, intervene(model, Replace(0, 0, gate=0.1)):
            with intervene(model, Replace(0, 0, gate=0.9)), capture(model) as inner:
                model(IMAGES)
            model(IMAGES)
        assert (inner.array("gate", 0)[:, 0] == np.float32(0.9)).all()
        assert (outer.array("gate", 0)[5:, 0] == np.float32(0.1)).all()
        _, trace = traced(model, Replace(0, 0, gate=0.1), Replace(0, 0, gate=0.9))
        assert (trace.array("gate", 0)[:, 0] == np.float32(0.9)).all()

    def test_ones_own_intervention_sees_the_whole_call(self):
        seen = []

        class Spy(Intervention):
            def __call__(self, call):
                seen.append((call.position, call.before is None, call.squeeze.shape, call.state.c.shape))
                return call.gate, call.state

        traced(network(), Spy(stage=1))
        assert [position for position, *_ in seen] == [(1, 0), (1, 1), (1, 2)]
        assert [first for _, first, *_ in seen] == [True, False, False]
        assert seen[0][2:] == (torch.Size([5, 16]), torch.Size([1, 5, 16]))

    def test_a_forget_gate_is_held_in_every_pass_of_a_context(self):
        """The state before a block is that of the same pass, not of the one before."""
        model, other = network(), torch.randn(3, 1, 8, 8)
        with torch.no_grad(), intervene(model, HoldForget(1, forget=0.5)):
            first, second = model(IMAGES), model(other)
        with torch.no_grad(), intervene(model, HoldForget(1, forget=0.5)):
            assert torch.equal(model(other), second) and torch.equal(model(IMAGES), first)

    def test_an_attached_unit_is_intervened_on_in_the_same_way(self):
        model = attach_attention(torchvision.models.resnet18(num_classes=10), AttentionConfig()).eval()
        images = torch.randn(2, 3, 32, 32)
        expected, trace = traced(model, images=images)
        gates = trace.array("gate", 3).sel(block=1).values
        assert torch.equal(traced(model, Replace(3, 1, gate=gates), images=images)[0], expected)
        assert not torch.allclose(traced(model, Replace(3, 1, gate=0.0), images=images)[0], expected)


class TestRefusals:
    @pytest.mark.parametrize(
        "intervention, told",
        [
            (Replace(3, 0), "stage: got 3.*0 to 2"),
            (Replace(0, [1, 7]), "block: got 7.*0 to 2"),
            (Replace(0, 0, gate=torch.ones(9)), r"gate at \(0, 0\).*\[1?9?.*spreads over \[5, 8, 1, 1\]"),
            (SetState(0, 0, h=torch.ones(4, 4)), r"h at \(0, 0\)"),
        ],
    )
    def test_what_does_not_fit_is_said(self, intervention, told):
        with pytest.raises(LabError, match=told):
            traced(network(), intervention)

    def test_what_is_no_intervention(self):
        with pytest.raises(LabError, match="expected an intervention such as Replace"):
            traced(network(), 0.25)

    def test_a_unit_without_a_memory(self):
        with pytest.raises(LabError, match="without a memory"):
            traced(network(AttentionConfig(unit="se")), SetState(0, 0, h=0.0))
        with pytest.raises(LabError, match="only a DIA-LSTM of one cell"):
            traced(network(AttentionConfig(unit="gru")), HoldForget(0, 1))
        with pytest.raises(LabError, match="under the memory 'clock' no state of an image"):
            traced(network(AttentionConfig(memory="clock")), HoldForget(0, 1))

    def test_a_compiled_and_a_plain_model(self):
        with pytest.raises(LabError, match="is compiled"), intervene(torch.compile(network()), Replace()):
            pass
        with pytest.raises(LabError, match="no attention unit"), intervene(network(AttentionConfig(unit="none"))):
            pass

    def test_a_context_in_which_nothing_came_by(self):
        with pytest.raises(LabError, match="no forward pass came by"), intervene(network(), Replace(1, 1)):
            pass

    def test_nothing_is_left_behind_after_an_error(self):
        model = network()
        with pytest.raises(ZeroDivisionError), intervene(model, Replace()):
            raise ZeroDivisionError
        with pytest.raises(LabError):
            traced(model, Replace(0, 0, gate=torch.ones(9)))
        assert hooks(model) == 0

    def test_another_thread_is_left_alone(self):
        model, found = network(), []
        expected = model(IMAGES)
        with intervene(model, Replace(gate=0.0)):
            thread = threading.Thread(target=lambda: found.append(model(IMAGES)))
            thread.start()
            thread.join()
            assert not torch.equal(model(IMAGES), expected)
        assert torch.equal(found[0], expected)


@pytest.fixture(scope="module")
def digits():
    return load_data(DataConfig(train_size=60, test_limit=40), 0)


class TestOverADataSet:
    def test_each_image_gets_its_own_values_whatever_the_batches(self, digits):
        model = network()
        gates = capture_data(model, digits.test, ["gate"])[1]["gate"]
        other = torch.from_numpy(gates.values[::-1].copy())  # the gates of other images

        def make(images):
            return [Replace(1, block, gate=other[images, block]) for block in range(3)]

        whole = logits_under(model, digits.test, make, batch_size=40)
        torch.testing.assert_close(logits_under(model, digits.test, make, batch_size=7), whole)
        assert not torch.allclose(whole, logits_under(model, digits.test))

    def test_accuracy_is_the_share_of_right_answers(self, digits):
        right = torch.nn.functional.one_hot(digits.test.labels, 10).float()
        right[:10] = right[:10].roll(1, 1)
        assert accuracy(right, digits.test) == 0.75

    def test_norms_are_estimated_anew_under_the_intervention(self, digits):
        model, seen = network(), []
        norm = model.stages[1].blocks[0].last_norm
        with norms_anew(model, digits.train, lambda images: [Replace(0, gate=0.9)], batch_size=60):
            handle = norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
            logits_under(model, digits.train, lambda images: [Replace(0, gate=0.9)], batch_size=60)
            handle.remove()
            # Layers before it are normalised by the batch in training and by its statistics in eval mode: the same
            # numbers but for the unbiased variance.
            torch.testing.assert_close(norm.running_mean, seen[0].mean((0, 2, 3)), atol=1e-3, rtol=1e-2)

    @pytest.mark.parametrize("error", [False, True])
    def test_afterwards_the_norms_are_what_they_were_to_the_bit(self, digits, error):
        model = network()
        before, start = copy.deepcopy(model.state_dict()), model.stages[1].blocks[0].last_norm.running_mean.clone()
        with contextlib.suppress(ZeroDivisionError), norms_anew(model, digits.train):
            changed = model.stages[1].blocks[0].last_norm.running_mean.clone()
            1 / (not error)
        after = model.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items()) and not model.training
        assert not torch.equal(changed, start)


class TestMemoryPath:
    def test_a_walk_over_recorded_squeezes_gives_the_recorded_gates(self, attention):
        model = network(attention)
        _, trace = traced(model)
        for stage, unit in enumerate(attentions(model)):
            if attention.unit == "cbam":
                with pytest.raises(LabError, match="sees whole branches"):
                    walk(unit, torch.zeros(1, 3, 8))
                return
            gates = walk(unit, torch.from_numpy(trace.array("squeeze", stage).values))
            np.testing.assert_allclose(gates, trace.array("gate", stage), atol=1e-6)

    def test_a_state_reaches_later_gates_through_the_memory_alone(self):
        """In the other mode the features change too, so that the squeezes of later blocks do."""
        model = network()
        _, trace = traced(model)
        squeezes = torch.from_numpy(trace.array("squeeze", 1).values)
        with intervene(model, SetState(1, 0, h=0.0, c=0.0)):
            gates = walk(model.stages[1].attention, squeezes)
        np.testing.assert_allclose(gates[:, 0], trace.array("gate", 1)[:, 0], atol=1e-6)
        assert not np.allclose(gates[:, 1], trace.array("gate", 1)[:, 1], atol=1e-4)

    @pytest.mark.parametrize("memory", ["none"])
    def test_without_a_memory_it_reaches_none(self, memory):
        model = network(AttentionConfig(memory=memory))
        _, trace = traced(model)
        with intervene(model, SetState(1, 0, h=5.0, c=5.0)):
            gates = walk(model.stages[1].attention, torch.from_numpy(trace.array("squeeze", 1).values))
        np.testing.assert_allclose(gates, trace.array("gate", 1), atol=1e-6)
