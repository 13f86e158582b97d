"""What the explorer measures: known answers on networks that were built to have them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis.capture import capture_data
from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.interventions import Replace, SetState
from dianet_lab.analysis.under import logits_under
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.explore import KINDS, State, by_arm, everywhere, of_one_image, over_images
from dianet_lab.explore.inside import Inside, log_odds
from dianet_lab.explore.seen import complete, correlation, look_at, of_another_class

DIGITS = load_data(DataConfig(train_size=40, val_size=20, test_limit=20), 0)
PLACE = {"stage": 1, "block": 1}


def network(attention=None, **options):
    return build_model(ModelConfig(depth=20, width=8, attention=attention or AttentionConfig(**options)), 1, 10).eval()


def inside(attention=None, **options) -> Inside:
    return Inside(network(attention, **options), DIGITS.test, DIGITS.train)


def seen(within: Inside, **fields):
    return look_at(within, complete(within, State("run", **fields)), "title", "DIA")


def se_that_sees_only_at(stage: int, block: int):
    """SE for each block, of which all but one give the same gate to every image."""
    model = network(unit="se", sharing="none", reduction=2)
    with torch.no_grad():
        for number, attention in enumerate(model.stages):
            for place, unit in enumerate(attention.attention.units):
                linear = [module for module in unit.modules() if isinstance(module, torch.nn.Linear)][-1]
                linear.weight.mul_(100.0 if (number, place) == (stage, block) else 0.0)
    return Inside(model, DIGITS.test, DIGITS.train)


class TestUsualGates:
    def test_are_the_mean_and_deviation_over_training_images(self):
        within = inside()
        captured = capture_data(within.model, DIGITS.train, ["gate"])
        for (stage, block), (whole, mean, spread) in within.usual.items():
            gates = captured[stage]["gate"].sel(block=block).astype(float)
            np.testing.assert_allclose(mean, gates.mean("image"), rtol=1e-6)
            np.testing.assert_allclose(spread, gates.std("image"), atol=1e-7)
            np.testing.assert_allclose(whole[0, :, 0, 0], mean, rtol=1e-6)

    def test_of_a_spatial_gate_are_maps(self):
        within = inside(unit="cbam", reduction=2)
        maps = capture_data(within.model, DIGITS.train, ["map"])[1]["map"].sel(block=1)
        torch.testing.assert_close(within.usual[1, 1][0][0], torch.tensor(maps.mean("image").values))
        assert within.spatial


class TestLogOdds:
    @given(st.lists(st.floats(-10, 10), min_size=3, max_size=6), st.integers(0, 2))
    def test_are_those_of_the_probability(self, logits, true):
        logits = torch.tensor([logits], dtype=torch.float64)
        p = logits.softmax(1)[0, true]
        odds = log_odds(logits, torch.tensor([true]))
        torch.testing.assert_close(odds[0], torch.log(p / (1 - p)), rtol=1e-6, atol=1e-6)

    def test_tell_what_a_saturated_probability_hides(self):
        logits = torch.tensor([[60.0, 0.0, 0.0], [50.0, 0.0, 0.0]], dtype=torch.float64)
        assert torch.equal(*logits.softmax(1)[:, 0])
        odds = log_odds(logits, torch.tensor([0, 0]))
        assert (odds[1] - odds[0]).item() == pytest.approx(-10)


class TestAttribution:
    def test_is_found_where_it_was_planted_and_nowhere_else(self):
        within = se_that_sees_only_at(1, 2)
        changes, all_layers = within.attribution(3)
        at = within.positions.index((1, 2))
        assert abs(changes[at]) > 1e-3
        np.testing.assert_allclose(np.delete(changes, at), 0, atol=1e-5)
        assert all_layers == pytest.approx(changes[at], abs=1e-5)

    def test_equals_one_replacement_after_the_other(self, attention):
        within = inside(attention)
        one = DIGITS.test.select(torch.tensor([4]))
        before = log_odds(logits_under(within.model, one).double(), one.labels)
        expected = [
            log_odds(
                logits_under(within.model, one, lambda _, p=place: [Replace(*p, gate=within.usual[p][0])]).double(),
                one.labels,
            )
            - before
            for place in within.positions
        ]
        np.testing.assert_allclose(within.attribution(4)[0], torch.cat(expected), atol=2e-5)

    def test_of_gates_that_see_no_image_is_nothing(self):
        changes, all_layers = inside(unit="static", sharing="none").attribution(0)
        np.testing.assert_allclose([*changes, all_layers], 0, atol=1e-5)


class TestSeen:
    def test_shows_the_gates_and_probabilities_of_the_image(self, attention):
        within = inside(attention)
        shown = seen(within, image=5, **PLACE)
        captured = capture_data(within.model, DIGITS.test, ["gate"])[1]["gate"][5]
        np.testing.assert_allclose(shown.gates, captured, atol=1e-6)
        expected = logits_under(within.model, DIGITS.test).softmax(1)[5]
        np.testing.assert_allclose(shown.before, expected, atol=1e-5)
        assert shown.label == DIGITS.test.labels[5] and shown.row == 1

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "state reset"])
    def test_each_gate_goes_where_it_is_said_to_go(self, kind):
        within = inside()
        shown = seen(within, image=2, kind=kind, other=7, **PLACE)
        target = {
            "training mean": within.usual[1, 1][1],
            "0.25": 0.25,
            "another image's gate": within.gate_of((1, 1), [7])[0, :, 0, 0],
        }[kind]
        np.testing.assert_allclose(shown.changed[1], np.broadcast_to(target, shown.changed[1].shape), atol=1e-6)
        np.testing.assert_array_equal(shown.changed[0], shown.gates[0])

    def test_a_reset_reaches_the_blocks_after_it_only(self):
        within = inside()
        shown = seen(within, kind="state reset", **PLACE)
        np.testing.assert_array_equal(shown.changed[:2], shown.gates[:2])
        assert np.abs(shown.changed[2] - shown.gates[2]).max() > 1e-4
        one = DIGITS.test.select(torch.tensor([0]))
        reset = logits_under(within.model, one, lambda _: [SetState(1, 1, h=0.0, c=0.0)])
        np.testing.assert_allclose(shown.after, reset.softmax(1)[0], atol=1e-5)

    @pytest.mark.parametrize("amount", [0.0, 0.4])
    def test_no_way_is_no_effect(self, amount):
        shown = seen(inside(), kind="0.25", amount=amount, **PLACE)
        assert (shown.effect == 0) == (amount == 0)

    @pytest.mark.parametrize(
        ("options", "place", "note"),
        [
            ({"unit": "se", "reduction": 2}, PLACE, "no memory"),
            ({"memory": "none"}, PLACE, "no memory"),
            ({}, {"stage": 1, "block": 2}, "nothing reads the state"),
        ],
    )
    def test_a_reset_that_can_do_nothing_says_so(self, options, place, note):
        shown = seen(inside(**options), kind="state reset", **place)
        assert note in " ".join(shown.notes) and shown.effect == 0

    def test_a_spatial_gate_is_said_to_be_one(self):
        assert "over space" in " ".join(seen(inside(unit="cbam", parts="spatial")).notes)

    def test_neighbours_are_those_of_the_stage_with_their_correlation(self):
        shown = seen(inside(), **PLACE)
        before, after = shown.neighbours
        assert (before.block, after.block) == (0, 2)
        assert before.r == pytest.approx(np.corrcoef(shown.gates[1], shown.gates[0])[0, 1])
        own = shown.gates - shown.usual
        assert after.r_own == pytest.approx(np.corrcoef(own[1], own[2])[0, 1])
        assert seen(inside(), stage=1, block=0).neighbours[0] is None
        assert seen(inside(), stage=1, block=2).neighbours[1] is None

    def test_places_that_are_not_there_are_refused(self):
        within = inside()
        for field, value, ends in (("image", 20, "0 to 19"), ("stage", 3, "0 to 2"), ("block", 3, "0 to 2")):
            state = State("run", **({"image": 0, "stage": 0, "block": 0, "other": 1} | {field: value}))
            with pytest.raises(LabError, match=f"{field}: got {value}, expected {ends}"):
                look_at(within, state, "", "DIA")


class TestState:
    def test_is_completed_at_the_nearest_place_that_there_is(self):
        within = inside(share_from=1)
        state = complete(within, State("run", image=99, stage=7, block=0))
        assert (state.image, state.stage, state.block) == (19, 2, 1)
        free = complete(within, State("run"))
        assert (free.stage, free.block) == (2, 2)
        assert DIGITS.test.labels[free.other] != DIGITS.test.labels[0]

    def test_names_and_amounts_are_checked(self):
        with pytest.raises(ConfigError, match="unknown intervention 'training maen'.*did you mean"):
            State("run", kind="training maen")
        with pytest.raises(ConfigError, match="unknown view"):
            State("run", view="SE")
        with pytest.raises(ConfigError, match="amount: got 2"):
            State("run", amount=2)


def test_correlation_is_unknown_where_nothing_varies():
    assert correlation(np.arange(4.0), 2 * np.arange(4.0)) == pytest.approx(1)
    assert np.isnan(correlation(np.ones(4), np.arange(4.0))) and np.isnan(correlation(np.ones(1), np.ones(1)))


def test_another_class_is_the_first_one():
    assert of_another_class(torch.tensor([2, 2, 1, 2])).tolist() == [2, 2, 0, 2]


class TestEverywhere:
    def networks(self, **options):
        model = network(**options)
        which = {"arm": "A", "seed": 0}
        return [
            Network(which | {"when": "start"}, model, DIGITS.test, DIGITS.train),
            Network(which | {"when": "end"}, model, DIGITS.test, DIGITS.train),
        ]

    def test_is_the_mean_of_what_the_picture_says_of_each_image(self):
        frame = everywhere(self.networks(), State("run", image=3, kind="another image's gate", other=9, **PLACE))
        within = inside()
        single = [
            seen(within, image=k, kind="another image's gate", other=9 if k == 3 else None, **PLACE) for k in range(20)
        ]
        assert frame["arm"].tolist() == ["A, untrained", "A"]
        assert frame["change"].iloc[1] == pytest.approx(np.mean([s.effect for s in single]), abs=1e-5)
        assert frame["image"].iloc[1] == pytest.approx(single[3].effect, abs=1e-5)
        flips = [s.before.argmax() != s.after.argmax() for s in single]
        assert frame["flipped"].iloc[1] == pytest.approx(np.mean(flips))

    def test_of_a_reset_without_memory_is_unknown(self):
        state = State("run", kind="state reset", **PLACE)
        frame = everywhere(self.networks(unit="se", reduction=2), state)
        assert frame["change"].isna().all()
        assert "has no memory" in over_images(frame, state, "A") and "nothing" in of_one_image(frame, state, "A")
        assert len(by_arm(frame)) == 2

    def test_one_network_has_no_interval_and_several_have(self):
        state = State("run", **PLACE)
        one = everywhere(self.networks(), state)
        assert "one network, so no interval" in over_images(one, state, "A")
        three = one.iloc[[1, 1, 1]].assign(seed=[0, 1, 2], change=[0.1, 0.2, 0.3], image=[-1.0, 0.0, 1.0])
        assert "+0.200 nats" in over_images(three, state, "A") and "−0.048 to +0.448" in over_images(three, state, "A")
        assert "−1.000 to +1.000 nats from seed to seed" in of_one_image(three, state, "A")
        assert "training images, 50 % of the way (A, stage 1" in over_images(
            three, State("run", amount=0.5, **PLACE), "A"
        )
        assert by_arm(three)["95 % interval"].item() == "−0.048 to +0.448"
