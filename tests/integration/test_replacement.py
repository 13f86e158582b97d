"""Gates that are replaced: exact where nothing changes, and what is planted is found."""

import numpy as np
import pandas as pd
import pytest
import torch

from dianet_lab import AttentionConfig, ModelConfig, build_model, plots
from dianet_lab.analysis import replacement, replacement_frames, replacement_words
from dianet_lab.analysis.capture import capture_images
from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.planted import planted
from dianet_lab.analysis.replacement import ANEW, INTACT, KEPT, KINDS, Replacement
from dianet_lab.analysis.replacement_frames import CONTROLS, replace_gates
from dianet_lab.config import DataConfig
from dianet_lab.data.sources import load_data


@pytest.fixture(scope="module")
def parts():
    splits = load_data(DataConfig(train_size=100, test_limit=80), 0)
    return splits.test, splits.train


def network(**attention):
    return build_model(ModelConfig(depth=20, width=8, attention=AttentionConfig(**attention)), 1, 10).eval()


def named(model, parts, arm="DIA"):
    return Network({"arm": arm, "seed": 0, "when": "end"}, model, *parts)


class TestReplacement:
    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "start"])
    def test_changes_nothing_where_gates_see_no_image(self, kind, parts):
        """The control of the notebook, and the planted constant: whatever is swapped is the same."""
        for model in (network(unit="static", sharing="none"), planted("constant", 0)):
            each = Replacement(model, *parts)
            found = each.outcome(kind, each.positions)
            assert found["flips"] == 0 and found["loss"] == pytest.approx(each.outcome(INTACT, [])["loss"], abs=1e-5)

    def test_puts_the_training_images_mean_in_the_place_of_every_gate(self, parts):
        model = network()
        means = [stage.mean("image").values for stage in capture_images(model, parts[1])]
        each = Replacement(model, *parts)
        for place in each.make("mean", [(1, 2)])(slice(0, 5)):
            np.testing.assert_allclose(place.gate, means[1][2], atol=1e-6)

    @pytest.mark.parametrize(("unit", "start"), [("lstm", 0.25), ("se", 0.5), ("cbam", 0.25)])
    def test_the_start_is_that_of_the_networks_own_unit(self, unit, start, parts):
        (place,) = Replacement(network(unit=unit), *parts).make("start", [(1, 2)])(slice(0, 5))
        assert (place.gate == start).all()

    def test_class_means_are_those_of_the_images_own_class(self, parts):
        model, (test, train) = network(), parts
        gates = capture_images(model, train)[0].sel(block=0).values
        (place,) = Replacement(model, test, train).make("class mean", [(0, 0)])(slice(7, 9))
        for row, label in zip(place.gate, test.labels[7:9], strict=True):
            np.testing.assert_allclose(row, gates[train.labels.numpy() == int(label)].mean(0), atol=1e-6)

    def test_another_images_gates_are_the_same_ones_in_all_layers_or_other_ones_in_each(self, parts):
        model = network()
        gates = [stage.values for stage in capture_images(model, parts[0])]
        each = Replacement(model, *parts)

        def whose(kind):
            found = []
            for place in each.make(kind, [(0, 0), (0, 1), (2, 2)])(slice(0, 80)):
                own = torch.from_numpy(gates[place.stage][:, place.block])
                distances = torch.cdist(place.gate.double(), own.double())
                assert distances.min(1).values.max() < 1e-6
                found.append(distances.argmin(1))
            return found

        together, apart = whose("another image's"), whose("another image's, each layer its own")
        assert torch.equal(together[0], together[2]) and not torch.equal(apart[0], apart[1])
        assert (together[0] != torch.arange(80)).all() and len(together[0].unique()) == 80

    @pytest.mark.parametrize("unit", ["cbam", "lstm", "se"])
    def test_changes_nothing_where_all_images_are_one_also_with_gates_that_are_maps(self, unit, parts):
        """The means of such maps over space, in their place, would change the output."""
        once = parts[0].select([3] * 20)
        each = Replacement(network(unit=unit), once, once)
        for kind in KINDS:
            assert (abs(each.outcome(kind, each.positions)["nats"]) < 1e-6) == (kind != "start"), kind

    def test_maps_that_would_take_too_much_memory_are_those_of_fewer_images(self, parts, monkeypatch):
        maps = sum(8 * 4 * size**2 * 2**stage * 3 for stage, size in enumerate((8, 4, 2)))
        monkeypatch.setattr(replacement, "MOST_BYTES", 30 * replacement.COPIES * maps + 1)
        each = Replacement(network(unit="cbam"), *parts)
        assert each.outcome("mean", each.positions, ANEW)["images"] == len(each.train) == 30
        assert each.images.labels.bincount().tolist() == [3] * 10

    def test_norms_that_are_estimated_anew_are_compared_with_an_intact_network_of_which_they_are_too(self, parts):
        each = Replacement(network(), *parts)
        intact = {norms: each.outcome(INTACT, [], norms) for norms in (KEPT, ANEW)}
        # An untrained network's running statistics are 0 and 1.
        assert abs(intact[KEPT]["loss"] - intact[ANEW]["loss"]) > 1e-4
        mean = each.outcome("mean", each.positions, ANEW)
        assert mean["nats"] == pytest.approx(mean["loss"] - intact[ANEW]["loss"])
        assert mean["points"] == pytest.approx(100 * (mean["accuracy"] - intact[ANEW]["accuracy"]))
        static = Replacement(network(unit="static", sharing="none"), *parts)
        assert static.outcome("mean", static.positions, ANEW)["nats"] == pytest.approx(0, abs=1e-4)


@pytest.fixture(scope="module")
def found(parts):
    networks = [named(network(), parts), named(network(unit="static", sharing="none"), parts, "static per block")]
    return replace_gates(networks, staged=["DIA"], layered={"DIA": CONTROLS}, masked=["static per block"], draws=2)


class TestFrames:
    def test_each_network_is_replaced_everywhere_and_taken_apart_where_that_is_asked(self, found):
        assert found.everywhere.groupby("arm").size().tolist() == [2 * (len(KINDS) + 1)] * 2
        assert set(found.stages["arm"]) == {"DIA"} and len(found.stages) == 3 * len(KINDS)
        assert set(found.layers["arm"]) == {"DIA"} and len(found.layers) == 9 * len(CONTROLS)
        assert set(found.masks["arm"]) == {"static per block"}

    def test_the_intact_network_has_changed_by_nothing(self, found):
        intact = found.everywhere[found.everywhere["kind"] == INTACT]
        assert (intact[["points", "nats", "flips"]] == 0).all(axis=None) and len(intact) == 4

    def test_a_stage_or_a_block_is_replaced_alone(self, found, parts):
        whole = Replacement(network(), *parts)
        of_stage = found.stages.set_index(["stage", "kind"]).loc[(1, "mean"), "loss"]
        assert of_stage == pytest.approx(whole.outcome("mean", [(1, 0), (1, 1), (1, 2)], ANEW)["loss"])
        of_block = found.layers.set_index(["stage", "block"]).loc[(2, 1), "loss"]
        assert of_block == pytest.approx(whole.outcome("mean", [(2, 1)], ANEW)["loss"])

    def test_no_mask_is_the_intact_network_and_a_full_one_all_means(self, parts):
        (each,) = [named(network(), parts)]
        masks = replace_gates([each], masked=["DIA"], draws=2).masks
        sizes = [1 if fraction in (0, 1) else 2 for fraction in replacement_frames.FRACTIONS]
        assert masks.groupby("fraction").size().tolist() == sizes
        whole = Replacement(*each[1:])
        ends = masks.set_index("fraction")["loss"]
        assert ends[1] == pytest.approx(whole.outcome(INTACT, [], ANEW)["loss"])
        assert ends[0] == pytest.approx(whole.outcome("mean", whole.positions, ANEW)["loss"])

    def test_leaving_out_a_block_that_sees_no_image_changes_nothing(self, parts):
        found = replace_gates([named(planted("constant", 0), parts)], layered={"DIA": CONTROLS}).layers
        assert len(found) == 3 * 8 and found["nats"].abs().max() < 1e-4


class TestWords:
    def test_have_the_numbers_of_the_frame(self):
        rows = [
            {
                "arm": "DIA",
                "seed": seed,
                "kind": kind,
                "norms": norms,
                "images": 50,
                "points": -0.1 * (seed + 1),
                "nats": 0.002 * seed,
            }
            for seed in range(3)
            for kind in KINDS
            for norms in (KEPT, ANEW)
        ]
        said = replacement_words.replaced_sentence(pd.DataFrame(rows), "DIA")
        assert "by −0.20 [−0.45, +0.05] points and its loss by +0.0020 [−0.0030, +0.0070] nats" in said
        assert "(50 test images, norms estimated anew; with" in said
        alone = pd.DataFrame([row for row in rows if row["seed"] == 0])
        assert "by −0.10 points and its loss by 0.0000 nats" in replacement_words.replaced_sentence(alone, "DIA")

    def test_the_block_that_costs_most_is_said_to_be_chosen_after_looking(self):
        frame = pd.DataFrame(
            {"kind": "mean", "seed": [0, 0, 1, 1], "block": [0, 1, 0, 1], "nats": [0.0, 0.002, 0.004, 0.0]}
        )
        both = pd.concat([frame.assign(arm="DIA"), frame.assign(arm="DIA, untrained", nats=0.001)])
        said = replacement_words.worst_block_sentence(both, "DIA")
        assert (
            "by +1.50 [−4.85, +7.85] thousandths of a nat on average" in said
            and "chosen after looking, by +3.00" in said
        )
        assert said.endswith("in the untrained network by +1.00 [+1.00, +1.00].")
        assert "untrained" not in replacement_words.worst_block_sentence(frame.assign(arm="DIA"), "DIA")


class TestFigures:
    def test_blocks_are_drawn_in_forward_order_with_a_place_free_between_stages(self):
        frame = pd.DataFrame(
            [
                {"arm": "DIA", "seed": seed, "stage": stage, "block": block, "loss": 10 * stage + block + seed}
                for seed in (0, 2)
                for stage in (0, 1)
                for block in (0, 1)
            ]
        )
        ax = plots.plot_by_block(frame, value="loss", label="change")
        (line,) = [line for line in ax.lines if line.get_gid() == "DIA"]
        assert line.get_xdata().tolist() == [0, 1, 3, 4] and line.get_ydata().tolist() == [1, 2, 11, 12]

    def test_masks_are_drawn_in_percent(self):
        masks = pd.DataFrame({"arm": "DIA", "seed": [0, 0, 0], "fraction": [0, 1, 1], "accuracy": [90, 92, 94]})
        ax = plots.plot_connected(masks, value="accuracy", label="accuracy (%)")
        assert ax.lines[0].get_xdata().tolist() == [0, 100] and ax.lines[0].get_ydata().tolist() == [90, 93]
