"""Feature integration on planted states, of which it is known which layer depends on which."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis import integration_study as study
from dianet_lab.analysis import integration_words as words
from dianet_lab.analysis import subject
from dianet_lab.analysis.capture import capture_data
from dianet_lab.analysis.gates import Network, reference_images, shown_images
from dianet_lab.analysis.integration import integration
from dianet_lab.analysis.layer_gain import NOTICED, gains, integrates
from dianet_lab.analysis.layer_states import LayerStates, layer_states, of_captured
from dianet_lab.analysis.planted import SOURCE, TARGET, planted
from dianet_lab.analysis.regression import Split, bends, explained, ridge_score, scaled, within_reach
from dianet_lab.config import DataConfig, RunConfig
from dianet_lab.errors import DataError, LabError
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.store import RunStore

IMAGES, BLOCKS, CHANNELS, CLASSES = 300, 5, 6, 5


def stage(values: np.ndarray, squeezes: np.ndarray | None = None, labels: np.ndarray | None = None) -> LayerStates:
    """``values [image, block, channel]``: the first half to fit, the second held out."""
    labels = np.arange(len(values)) % CLASSES if labels is None else labels

    def halves(array):
        return None if array is None else Split(*np.split(array, 2))

    return LayerStates(1, range(values.shape[1]), halves(values), halves(squeezes), halves(labels))


def noise(seed: int, channels: int = CHANNELS, images: int = 2 * IMAGES) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(images, BLOCKS, channels))


def cell(frame: pd.DataFrame, target: int) -> pd.DataFrame:
    return frame[frame["target"] == target].set_index("source")


@pytest.fixture(scope="module")
def digits():
    return shown_images(RunConfig(data=DataConfig(train_size=120)))


@pytest.fixture(scope="module")
def few_images():
    config = RunConfig(data=DataConfig(train_size=60, test_limit=40))
    return shown_images(config), reference_images(config)


@pytest.fixture(scope="module")
def of_layer_two():
    """h_4 is a linear function of h_2; everything else is noise."""
    values = noise(0)
    values[:, 4] = values[:, 2] @ np.random.default_rng(1).normal(size=(CHANNELS, CHANNELS))
    return stage(values)


class TestForestMap:
    def test_what_depends_on_one_layer_gives_it_the_importance(self, of_layer_two):
        found = integration([of_layer_two])
        four = cell(found.cells, 4)
        assert four["mdi"].idxmax() == 2 and four["mdi"][2] > 0.7
        assert four["permutation"][2] > 0.5 and four["permutation"].drop(2).abs().max() < 0.1
        assert four["ridge"][2] > 1.5 and four["ridge"].drop(2).abs().max() < 0.05
        scores = found.layers.set_index("target").loc[4]
        assert scores["ridge"] > 0.99 and scores["ridge_centred"] > 0.99 and scores["forest"] > 0.5

    def test_of_noise_nothing_is_explained_and_the_importances_still_add_up_to_one(self):
        found = integration([stage(noise(2))])
        assert (found.layers[["forest", "ridge", "forest_centred", "ridge_centred"]] < 0.05).all(axis=None)
        np.testing.assert_allclose(found.cells.groupby("target")["mdi"].sum(), 1)
        assert (found.cells[["permutation", "ridge"]].abs() < 0.1).all(axis=None)

    def test_shuffled_targets_are_not_explained_and_their_importances_add_up_to_one(self, of_layer_two):
        found = integration([of_layer_two], shuffled=True)
        assert (found.layers[["forest", "ridge"]] < 0.05).all(axis=None)
        np.testing.assert_allclose(found.cells.groupby("target")["mdi"].sum(), 1)

    def test_what_all_layers_owe_to_the_class_is_gone_from_class_centred_states(self):
        rng, labels = np.random.default_rng(3), np.arange(2 * IMAGES) % CLASSES
        means = rng.normal(size=(CLASSES, BLOCKS, CHANNELS))
        values = means[labels] + 0.3 * noise(3)
        layers = integration([stage(values, labels=labels)]).layers.set_index("target").loc[4]
        assert layers["forest"] > 0.8 and layers["ridge"] > 0.8
        assert layers["forest_centred"] < 0.05 and layers["ridge_centred"] < 0.05

    def test_a_cell_for_every_earlier_layer(self, of_layer_two):
        cells = integration([of_layer_two]).cells
        pairs = list(zip(cells["source"], cells["target"], strict=True))
        assert sorted(pairs) == [(s, t) for s in range(BLOCKS) for t in range(BLOCKS) if s < t]
        assert set(cells["stage"]) == {1}

    def test_a_layer_that_never_varies_is_no_target_and_no_source(self):
        values = noise(4)
        values[:, [1, 3]] = 0.25
        found = integration([stage(values)])
        scores = found.layers.set_index("target")
        assert scores.loc[[1, 3]].drop(columns="stage").isna().all(axis=None) and scores.loc[4].notna().all()
        assert cell(found.cells, 4)["mdi"][[1, 3]].eq(0).all() and cell(found.cells, 3)["mdi"].isna().all()

    def test_components_may_be_left_out(self, of_layer_two):
        reduced, whole = (integration([of_layer_two], components=k).layers["ridge"] for k in (CHANNELS, None))
        np.testing.assert_allclose(reduced, whole, atol=1e-3)  # all components are a rotation

    def test_the_same_seed_gives_the_same_map_and_another_one_another(self, of_layer_two):
        one, again, other = (integration([of_layer_two], trees=3, seed=s).cells["mdi"] for s in (0, 0, 1))
        assert one.equals(again) and not one.equals(other)

    def test_a_stage_of_one_block_has_no_cell(self):
        found = integration([stage(noise(0)[:, :1])])
        assert found.cells.empty and found.layers.empty and "mdi" in found.cells


class TestGains:
    def test_a_chain_of_copies_gains_nothing_beyond_the_layer_before(self):
        squeezes = noise(10)
        values = np.repeat(noise(11)[:, :1], BLOCKS, axis=1)
        found = gains([stage(values, squeezes)])
        assert (found.layers["known"] > 0.999).all()
        assert found.cells[["gain", "gain_bent"]].abs().max(axis=None) < 1e-3

    def test_what_a_layer_adds_is_found_and_has_the_size_that_was_planted(self):
        values, squeezes = noise(12, images=2000), noise(10, images=2000)
        values[:, 4] = values[:, 3] + squeezes[:, 4] + values[:, 1]  # a third of its variance
        four = cell(gains([stage(values, squeezes)]).cells, 4)
        assert four["gain"][1] == pytest.approx(1 / 3, abs=0.05) and four["gain"][[0, 2]].abs().max() < 0.03
        assert four["gain_bent"][1] == pytest.approx(1 / 3, abs=0.05) and four["gain_bent"][[0, 2]].abs().max() < 0.03

    def test_a_sigmoid_of_the_squeeze_is_a_gain_to_a_line_but_not_to_a_bend(self):
        """Both layers see the same image: an early one then stands in for the curvature that a line misses."""
        shared = np.random.default_rng(13).normal(size=(2 * IMAGES, 1, 2))
        squeezes = np.repeat(shared, BLOCKS, axis=1)
        values = squeezes + 0.5 * squeezes**2
        values[:, 3] = noise(14, 2)[:, 3]
        four = cell(gains([stage(values, squeezes)]).cells, 4)
        assert four["gain"][0] > 0.1 and abs(four["gain_bent"][0]) < 0.01

    def test_no_row_for_the_layer_just_before_which_is_known(self):
        cells = gains([stage(noise(15), noise(10))]).cells
        assert (cells["source"] < cells["target"] - 1).all() and len(cells) == 6

    def test_a_unit_that_sees_more_than_a_squeeze_has_no_gain(self):
        found = gains([stage(noise(16))])
        assert found.cells.empty and list(found.cells) == ["stage", "source", "target", "gain", "gain_bent"]


class TestIntegrates:
    """Whether one layer tells of a later one what its squeeze and the other layers do not."""

    def captured(self, scenario, digits, seed=5):
        found = capture_data(planted(scenario, seed), digits, ["h", "squeeze"])[1]
        return found["h"].values, found["squeeze"].values

    def test_finds_the_planted_path_and_only_it(self, digits):
        states, squeezes = self.captured("reads block 2 at block 6", digits)
        for source in range(TARGET - 1):
            gain, p = integrates(states, squeezes, source, TARGET, rounds=39)
            assert (gain >= NOTICED and p <= 0.05) == (source == SOURCE), (source, gain, p)

    def test_finds_nothing_where_each_block_looks_at_its_own_squeeze(self, digits):
        states, squeezes = self.captured("own squeeze", digits)
        assert all(integrates(states, squeezes, s, 6, rounds=9)[0] < NOTICED for s in range(5))

    def test_other_layers_that_saw_the_same_image_stand_in_for_the_source_unless_it_must_act_alone(self, digits):
        states, squeezes = self.captured("reads block 2 at block 6", digits)
        assert integrates(states, squeezes, 1, TARGET, alone=False, rounds=19)[0] > NOTICED
        assert integrates(states, squeezes, 1, TARGET, alone=True, rounds=19)[0] < NOTICED

    def test_a_clock_integrates_nothing(self, digits):
        assert integrates(*self.captured("clock", digits), 2, 6) == (0.0, 1.0)

    def test_the_layer_just_before_is_known(self):
        assert integrates(noise(20), noise(21), 3, 4) == (0.0, 1.0)

    def test_of_noise_p_is_uniform_so_that_one_in_ten_is_below_a_tenth(self):
        found = [integrates(noise(s, 2), noise(s + 500, 2), 0, 3, rounds=19, seed=s)[1] for s in range(60)]
        assert 0 <= np.mean(np.array(found) <= 0.1) <= 0.25 and 0.35 < np.mean(found) < 0.65

    @pytest.mark.parametrize(("source", "target"), [(3, 3), (4, 2), (-1, 2), (0, BLOCKS)])
    def test_refuses_a_source_that_is_not_before_its_target(self, source, target):
        with pytest.raises(LabError, match="expected 0 <= source < target"):
            integrates(noise(0), noise(1), source, target)

    def test_refuses_arrays_that_do_not_fit(self):
        with pytest.raises(LabError, match="twice"):
            integrates(noise(0), noise(1)[:, :2], 0, 2)


class TestRegression:
    def test_explained_weighs_channels_by_their_variance(self):
        truth = np.stack([np.tile([3.0, -3.0], 50), np.tile([1.0, -1.0], 50)], 1)
        guessed = truth * [1, 0]
        assert explained(truth, guessed) == pytest.approx(0.9)
        assert explained(truth, 0 * truth) == 0 and np.isnan(explained(0 * truth, truth))

    def test_predictions_stay_in_the_range_that_was_seen(self):
        seen = np.array([[0.0, 1.0], [2.0, 3.0]])
        np.testing.assert_allclose(within_reach(np.array([[-5.0, 9.0]]), seen), [[0, 3]])

    @settings(max_examples=15)
    @given(st.floats(1e-3, 1e3), st.floats(-5, 5), st.integers(0, 99))
    def test_the_score_does_not_depend_on_a_layers_unit(self, factor, shift, seed):
        rng = np.random.default_rng(seed)
        inputs, target = Split(*rng.normal(size=(2, 60, 3))), Split(*rng.normal(size=(2, 60, 2)))
        moved = Split(*(factor * part + shift for part in inputs))
        assert ridge_score(scaled(moved), target) == pytest.approx(ridge_score(scaled(inputs), target), abs=1e-6)

    def test_bends_do_not_depend_on_the_images_held_out(self):
        inputs = Split(noise(1)[:, 0], noise(2)[:, 0])
        other = Split(inputs.train, inputs.test[:10])
        np.testing.assert_allclose(bends(other).test, bends(inputs).test[:10])

    def test_bends_of_a_constant_are_none(self):
        assert bends(Split(np.ones((5, 2)), np.ones((3, 2)))).test.shape == (3, 0)


class TestLayerStates:
    def test_class_means_come_from_the_training_images_alone(self):
        states = stage(noise(1))
        changed = dataclasses.replace(states, states=Split(states.states.train, 5 + states.states.test))
        np.testing.assert_allclose(changed.class_centred().states.train, states.class_centred().states.train)
        np.testing.assert_allclose(changed.class_centred().states.test, 5 + states.class_centred().states.test)
        train, labels = states.class_centred().states.train, states.labels.train
        np.testing.assert_allclose([train[labels == k].mean(0) for k in range(CLASSES)], 0, atol=1e-12)

    def test_a_class_that_training_lacks_has_the_overall_mean_taken(self):
        states = stage(noise(1), labels=np.repeat([0, 1], IMAGES))
        np.testing.assert_allclose(
            states.class_centred().states.test, states.states.test - states.states.train.mean(0), atol=1e-12
        )

    def test_come_from_a_network_with_h_and_squeezes(self):
        config = RunConfig(data=DataConfig(train_size=20, test_limit=30))
        train, test = reference_images(config), shown_images(config)
        model = build_model(ModelConfig(depth=20, width=8), 1, 10).eval()
        found, direct = layer_states(model, train, test), capture_data(model, test, ["h", "squeeze"])
        assert [states.quantity for states in found] == ["h"] * 3
        np.testing.assert_allclose(found[2].states.test, direct[2]["h"].values)
        np.testing.assert_allclose(found[2].squeezes.test, direct[2]["squeeze"].values)
        assert found[0].states.train.shape == (20, 3, 8)

    def test_a_unit_without_a_state_gives_its_gates(self):
        gate = xr.DataArray(np.ones((4, 2, 3)), dims=("image", "block", "channel"), coords={"block": [1, 2]})
        data = xr.Dataset({"gate": gate}, attrs={"stage": 0}).assign_coords(label=("image", list("abab")))
        states = of_captured(data, data)
        assert (states.quantity, states.blocks, states.squeezes) == ("gate", [1, 2], None)
        assert states.class_centred().squeezes is None

    def test_of_another_shape_are_refused(self):
        with pytest.raises(DataError, match=r"expected \[image, block, channel\]"):
            stage(noise(0)[:, :, 0])


class TestAgreement:
    @pytest.fixture
    def memory(self):
        rng = np.random.default_rng(0)
        pairs = [(n, s, t) for n in range(2) for t in range(6) for s in range(t)]
        frame = pd.DataFrame(pairs, columns=["stage", "source", "target"])
        return frame.assign(seed=0, effect=rng.random(len(frame)) / (frame["target"] - frame["source"]))

    def compared(self, memory, values):
        cells = memory.drop(columns="effect").assign(arm="DIA", mdi=values)
        return study.agreement(cells, memory, ["mdi"]).set_index("measure")

    def test_of_a_map_that_ranks_alike_is_one_however_it_is_scaled(self, memory):
        found = self.compared(memory, np.exp(memory["effect"]))
        assert found["rho"]["mdi"] == pytest.approx(1) and found["at_distance"]["mdi"] == pytest.approx(1)
        assert found["pairs"]["mdi"] == 30
        assert self.compared(memory, -memory["effect"])["rho"]["mdi"] == pytest.approx(-1)

    def test_that_is_all_due_to_distance_is_gone_at_equal_distance(self, memory):
        near = 1.0 / (memory["target"] - memory["source"])
        found = self.compared(memory, near)
        assert found["rho"]["mdi"] == pytest.approx(found["rho"]["nearness"]) and found["rho"]["mdi"] > 0.3
        assert np.isnan(found["at_distance"]["mdi"])

    def test_of_a_map_without_memory_or_of_few_pairs_is_unknown(self, memory):
        assert self.compared(memory.assign(effect=0.0), memory["effect"])["rho"].isna().all()
        assert self.compared(memory[memory["target"] < 2], 1.0)["rho"].isna().all()

    def test_is_empty_without_a_memory(self, memory):
        cells = memory.assign(arm="SE", mdi=1.0).drop(columns="effect")
        assert study.agreement(cells, memory.iloc[:0], ["mdi"]).empty


class TestMeasured:
    def network(self, few_images, arm="DIA", when="end", **attention):
        model = build_model(ModelConfig(depth=26, width=4, attention=AttentionConfig(**attention)), 1, 10).eval()
        return Network({"arm": arm, "seed": 0, "when": when}, model, *few_images)

    def test_has_the_network_untrained_and_shuffled_and_its_memory(self, few_images):
        networks = [
            self.network(few_images),
            self.network(few_images, when="start"),
            self.network(few_images, "SE", unit="se"),
        ]
        found = study.measured(networks, "DIA", trees=2)
        assert list(dict.fromkeys(found.cells["arm"])) == ["DIA", "DIA, targets shuffled", "DIA, untrained", "SE"]
        assert len(found.memory) == 3 * 6 and len(found.layers) == 4 * 3 * 3
        assert found.cells.groupby("arm")["gain"].count()["DIA"] == 3 * 3
        agreed = study.agreement(found.cells, found.memory)
        assert set(agreed["measure"]) == {*study.MEASURES, "nearness"} and set(agreed["arm"]) == set(found.cells["arm"])
        frame = study.per_network(found.layers, study.SCORES)
        assert list(frame["arm"]) == list(dict.fromkeys(found.layers["arm"])) and (frame["status"] == "finished").all()
        assert [c.name for c in study.comparisons("DIA", frame)] == [
            "DIA - DIA, targets shuffled",
            "DIA - DIA, untrained",
            "DIA - SE",
        ]

    def test_without_a_memory_there_is_no_map_of_it(self, few_images):
        found = study.measured([self.network(few_images, "SE", unit="se")], "SE", trees=2)
        assert found.memory.empty and len(found.cells) and study.agreement(found.cells, found.memory).empty

    def test_a_unit_that_sees_whole_branches_does_not_stop_it(self, few_images):
        found = study.measured([self.network(few_images, "CBAM", unit="cbam", sharing="none")], "CBAM", trees=2)
        assert found.memory.empty and found.cells["mdi"].notna().any()

    def test_means_over_seeds_have_t_intervals(self):
        frame = pd.DataFrame({"arm": ["a", "a", "b"], "rho": [0.0, 1.0, 0.5]})
        found = study.over_seeds(frame, "rho").set_index("arm")
        assert found["mean"]["a"] == 0.5 and found["high"]["a"] == pytest.approx(0.5 + 12.706 * 0.5, abs=0.01)
        assert found["n"]["b"] == 1 and np.isnan(found["low"]["b"])


class TestSentences:
    @pytest.fixture
    def agreed(self):
        rows = [("DIA", "mdi", 0.7, -0.1), ("DIA", "nearness", 0.9, np.nan), ("DIA, untrained", "mdi", 0.6, 0.0)]
        one = pd.DataFrame(rows, columns=["arm", "measure", "rho", "at_distance"])
        return pd.concat([one.assign(seed=0), one.assign(seed=1, rho=one["rho"] + 0.02)], ignore_index=True)

    def test_agreement_names_its_controls_and_what_a_ruler_reaches(self, agreed):
        said = words.agreement_sentence(agreed, "DIA", ["DIA, untrained", "SE per block"])
        assert "ρ = 0.71 [" in said and "DIA, untrained 0.61 [" in said and "nearness alone reaches 0.91" in said
        assert "SE per block" not in said

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ((0.5, 0.51), "more than distance."),
            ((-0.5, -0.51), "against the memory."),
            ((-0.1, 0.3), "0.10 [−2.44, 2.64], not clearly other than 0."),
            ((0.5,), "0.50."),
        ],
    )
    def test_what_is_left_at_equal_distance_is_told_by_its_interval(self, agreed, values, expected):
        own = agreed[agreed["arm"].eq("DIA") & agreed["measure"].eq("mdi")].iloc[: len(values)]
        assert expected in words.agreement_sentence(own.assign(at_distance=values), "DIA", [])

    @pytest.mark.parametrize(
        ("own", "control", "expected"),
        [
            ((-0.2, -0.18), (-0.3, -0.31), "(DIA, untrained −0.30), not clearly more than DIA, untrained (+0.1"),
            ((-0.2, -0.18), (-0.3, 0.31), "not clearly more than DIA, untrained (−0."),
            ((-0.8, -0.81), (-0.05, -0.06), "ranks them against the memory, beyond every control."),
            ((0.5, 0.51), (0.1, 0.11), "(DIA, untrained 0.11): more than distance, and more than every control."),
            ((0.5, 0.51), (0.4, 0.6), "not clearly more than DIA, untrained (+0.01 [−1.20, +1.21]): no finding"),
            ((-0.05, 0.05), (-0.45, -0.35), "more than every control, and not clearly other than 0."),
        ],
    )
    def test_what_the_controls_show_too_is_no_finding(self, agreed, own, control, expected):
        rows = agreed[agreed["measure"] == "mdi"].sort_values(["arm", "seed"])
        rows = rows.assign(at_distance=[*own, *control])
        assert expected in words.agreement_sentence(rows, "DIA", ["DIA, untrained"])

    def test_without_a_memory_there_is_nothing_to_compare_with(self, agreed):
        assert "no memory path" in words.agreement_sentence(agreed.iloc[:0], "SE", [])

    def test_explained_tells_the_shuffled_score_beside_the_sum_of_importances(self):
        layers = pd.DataFrame({"arm": ["DIA", "DIA, targets shuffled"], "seed": 0, "stage": 0, "target": 1})
        cells = layers.assign(mdi=1.0)
        layers = layers.assign(forest=[0.8, -0.1], forest_centred=[0.5, -0.1])
        said = words.explained_sentence(layers, cells, "DIA")
        assert "R² 0.80" in said and "0.50 once the class" in said and "−0.10 where" in said and "up to 1.00" in said
        assert "do not vary" in words.explained_sentence(layers.assign(forest=np.nan), cells, "DIA")
        without = layers.iloc[:1].assign(arm="shared, no memory", forest=0.75)
        said = words.explained_sentence(pd.concat([layers, without]), cells, "DIA")
        assert "taken out; 0.75 in shared, no memory, where" in said

    def test_gain_is_told_in_thousandths_or_said_not_to_apply(self):
        cells = pd.DataFrame({"arm": ["DIA", "shared, no memory"], "seed": 0, "gain": [0.002, 0.003]})
        cells["gain_bent"] = [0.0001, 0.0002]
        said = words.gain_sentence(cells, "DIA", ["shared, no memory"])
        assert "(median pair): DIA 2.00; shared, no memory 3.00." in said
        assert said.endswith("may bend: DIA 0.10; shared, no memory 0.20.")  # one seed: nothing to pair
        assert "does not apply" in words.gain_sentence(cells.assign(gain=np.nan), "DIA", [])

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ((0.005, 0.0051), "DIA has more (linear) than there: minus it +2.05 ["),
            ((0.002, 0.0021), "DIA has no more than there: minus it −0.95 ["),
            ((0.002, 0.005), "DIA has not clearly more than there: minus it +0.50 ["),
        ],
    )
    def test_a_gain_is_read_against_that_of_the_cell_without_memory_seed_by_seed(self, line, expected):
        rows = [
            ("DIA", 0, line[0]),
            ("DIA", 1, line[1]),
            ("shared, no memory", 0, 0.003),
            ("shared, no memory", 1, 0.003),
        ]
        cells = pd.DataFrame(rows, columns=["arm", "seed", "gain"]).assign(gain_bent=0.0001)
        assert expected in words.gain_sentence(cells, "DIA", ["shared, no memory"])
        assert "true gain" not in words.gain_sentence(cells, "shared, no memory", [])


class TestSubjects:
    """What the notebook asks of a study, and of one stored run."""

    @pytest.mark.heavy
    def test_a_study_has_its_arms_trained_and_its_own_untrained_too_and_a_single_run_is_called_so(self):
        smoke, store = get_study("vectors", "smoke", seeds=1, epochs=1), RunStore()
        seen = subject.look(smoke, store, workers=1)
        names = [(network.which["arm"], network.which["when"]) for network in study.looked_at(seen)]
        assert names == [*((arm, "end") for arm in study.ARMS), ("DIA", "start")]
        single = subject.of_run(store, smoke.config("SE shared", 0).run_id)
        names = [(network.which["arm"], network.which["when"]) for network in study.looked_at(single)]
        assert names == [("this run", "end"), ("this run", "start")]
