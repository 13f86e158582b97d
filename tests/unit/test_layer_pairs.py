"""Pairs of layers over many networks, on planted gates."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dianet_lab.analysis import layer_pairs as lab
from dianet_lab.analysis import similarity_words as words
from dianet_lab.analysis.gates import Network
from dianet_lab.analysis.subject import Subject
from dianet_lab.errors import LabError
from dianet_lab.studies.contrast import minus

MEASURES = ["pearson", "pearson_centred", "cosine", "cosine_centred", "cka", "kl", "js"]


def noise(seed, blocks=4, images=100) -> np.ndarray:
    return 0.5 + 0.05 * np.random.default_rng(seed).normal(size=(images, blocks, 6))


def copied(seed, blocks=4) -> np.ndarray:
    return np.repeat(noise(seed, blocks=1), blocks, axis=1)


def walk(seed, blocks=4) -> np.ndarray:
    """Gates that drift from layer to layer, so that near layers are more alike than far ones."""
    return 0.5 + np.cumsum(noise(seed, blocks) - 0.5, axis=1)


def stage(values, first=0) -> xr.DataArray:
    coords = {"block": range(first, first + values.shape[1])}
    return xr.DataArray(values, dims=("image", "block", "channel"), coords=coords)


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    """In these tests a network's model is its gates."""
    monkeypatch.setattr(lab, "capture_images", lambda model, images: [stage(values) for values in model])


def network(arm, seed, *stages, when="end") -> Network:
    return Network({"arm": arm, "seed": seed, "when": when}, stages, None, None)


def study(signed=False) -> list[Network]:
    found = []
    for seed in range(3):
        found.append(network("DIA", seed, noise(seed + 10), noise(seed + 20), when="start"))
        found.append(network("DIA", seed, walk(seed + 30), walk(seed + 40)))
        found.append(network("SE per block", seed, noise(seed + 50), noise(seed + 60) - signed))
    return found


@pytest.fixture
def pairs():
    return lab.layer_pairs(study())


def subject(arms=("DIA", "SE per block"), arm="DIA") -> Subject:
    runs = pd.DataFrame({"arm": arms})
    return Subject(arm, [], None, runs, minus(arm, *(other for other in arms if other != arm)), "", "", {})


class TestPairs:
    def test_every_pair_of_layers_has_a_row_together_and_shuffled(self, pairs):
        assert len(pairs) == 9 * 2 * 2 * 6
        assert list(pairs) == ["arm", "when", "seed", "images", "stage", "first", "second", "distance", *MEASURES]
        assert (pairs["second"] - pairs["first"] == pairs["distance"]).all() and pairs["distance"].min() == 1
        assert pairs[MEASURES].notna().all(axis=None)

    def test_copies_are_alike_together_and_at_chance_when_shuffled(self):
        found = lab.layer_pairs([network("DIA", 0, copied(0))]).groupby("images")[MEASURES].mean()
        together, shuffled = found.loc[lab.TOGETHER], found.loc[lab.SHUFFLED]
        assert together[["pearson", "pearson_centred", "cosine_centred", "cka"]].to_numpy() == pytest.approx(1)
        assert together[["kl", "js"]].to_numpy() == pytest.approx(0)
        assert abs(shuffled[["pearson_centred", "cosine_centred", "cka"]]).max() < 0.05 and shuffled["js"] > 1e-4

    def test_blocks_keep_their_numbers_and_the_first_of_a_divergence_comes_first(self):
        values = np.array([[0.9, 0.1], [0.5, 0.5]]) + 0.001 * np.random.default_rng(0).random((9, 2, 2))
        (row,) = lab.stage_pairs(stage(values, first=3)).to_dict("records")
        assert (row["first"], row["second"]) == (3, 4)
        assert row["kl"] == pytest.approx(0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5), abs=0.01)

    def test_signed_gates_have_no_divergence_and_a_constant_layer_nothing_centred(self):
        still = noise(0)
        still[:, 1] = 0.3
        found = lab.layer_pairs([network("DIA", 0, noise(0) - 1, still)])
        assert found.groupby("stage")["js"].apply(lambda js: js.isna().mean()).tolist() == [1, 0]
        touched = (found["stage"] == 1) & ((found["first"] == 1) | (found["second"] == 1))
        assert (found["pearson_centred"].isna() == touched).all()

    def test_one_layer_has_no_pair(self):
        with pytest.raises(LabError, match="no stage of these networks has two layers"):
            lab.layer_pairs([network("DIA", 0, noise(0, blocks=1))])

    def test_the_same_networks_give_the_same_frame(self, pairs):
        pd.testing.assert_frame_equal(lab.layer_pairs(study()), pairs)


class TestSummaries:
    def test_a_network_has_a_row_and_its_shuffled_self_another(self, pairs):
        frame = lab.per_network(pairs)
        assert frame["arm"].value_counts().to_dict() == dict.fromkeys(
            ["DIA, untrained", "DIA, untrained, pairs shuffled", "DIA", "DIA, pairs shuffled"]
            + ["SE per block", "SE per block, pairs shuffled"],
            3,
        )
        assert (frame["status"] == "finished").all()

    def test_its_similarity_is_that_of_all_pairs_and_its_divergence_that_of_neighbours(self, pairs):
        row = lab.per_network(pairs).query("arm == 'DIA' and seed == 1").iloc[0]
        own = pairs.query("arm == 'DIA' and when == 'end' and seed == 1 and images == 'together'")
        assert row["cka"] == pytest.approx(own["cka"].mean())
        near = own["distance"] == 1
        assert row["js"] == pytest.approx(own.loc[near, "js"].mean()) and row["js"] < own.loc[~near, "js"].mean()

    def test_an_infinite_divergence_is_unknown(self, pairs):
        closed = pairs.assign(kl=np.inf)
        assert lab.per_network(closed)["kl"].isna().all() and lab.per_network(closed)["js"].notna().all()

    def test_near_layers_of_a_walk_are_more_alike_than_far_ones(self, pairs):
        frame = lab.by_distance(pairs)
        means = frame[frame["images"] == lab.TOGETHER].groupby(["arm", "distance"])["pearson_centred"].mean()
        assert means["DIA", 1] > means["DIA", 2] > means["DIA", 3] > 0.3
        assert abs(means["DIA, untrained"]).max() < 0.1

    def test_neighbours_are_the_pairs_one_apart_over_seeds(self, pairs):
        frame = lab.neighbours(pairs).query("arm == 'DIA' and images == 'together'")
        assert frame[["stage", "second"]].to_numpy().tolist() == [[s, b] for s in (0, 1) for b in (1, 2, 3)]

    def test_contrasts_are_exploratory_and_against_chance_too(self):
        found = lab.contrasts(subject())
        assert [contrast.name for contrast in found] == [
            "DIA - pairs shuffled",
            "DIA, untrained - pairs shuffled",
            "SE per block - pairs shuffled",
            "DIA - SE per block",
        ]
        assert found[0].weights == {"DIA": 1, "DIA, pairs shuffled": -1}
        assert not any(contrast.primary for contrast in found)
        alone = lab.contrasts(subject(["a run with a long name"], "a run with a long name"))
        assert [contrast.name for contrast in alone] == ["trained - pairs shuffled", "untrained - pairs shuffled"]


class TestWords:
    def test_a_level_has_its_interval_and_that_of_one_network_none(self):
        frame = pd.DataFrame({"arm": "DIA", "cka": [0.4, 0.5, 0.6], "js": [0.001] * 3, "kl": np.nan})
        assert words.level(frame, "DIA", "cka") == "0.50 [0.25, 0.75]"
        assert words.level(frame[:1], "DIA", "js") == "0.0010"
        assert words.level(frame, "DIA", "kl") == words.level(frame, "SE shared", "cka") == "unknown"

    def test_every_contrast_is_compared_by_every_measure(self, pairs):
        table = words.compared(lab.per_network(pairs), subject())
        assert len(table) == 7 * 4 and set(table["verdict"]) == {"exploratory"} and (table["n"] == 3).all()
        found = table.set_index(["measure", "contrast"])["estimate"]
        assert (
            found["pearson_centred", "DIA - SE per block"]
            > 0.4
            > 0.1
            > abs(found["cka", "SE per block - pairs shuffled"])
        )

    def test_the_published_case_stands_beside_the_shared_one(self, pairs):
        networks = lab.per_network(pairs)
        said = words.published_sentence(networks, subject(), answers=True)
        assert (
            f"{words.level(networks, 'SE per block', 'pearson')} in SE per block" in said and "channel profile" in said
        )
        assert "channel profile" not in words.published_sentence(networks, subject(), answers=False)

    def test_what_images_without_a_shape_evoke_stands_beside_it_and_is_no_network_of_its_own(self, pairs):
        shuffled = [network("DIA, pixels shuffled", seed, noise(seed) - 1) for seed in range(3)]
        both = pd.concat([pairs, lab.layer_pairs(shuffled)], ignore_index=True)
        networks = lab.per_network(both)
        expected = f"{words.level(networks, 'DIA, pixels shuffled', 'cka')} with pixels shuffled"
        assert expected in words.image_sentence(networks, subject())
        assert "pixels shuffled" not in words.image_sentence(lab.per_network(pairs), subject())
        assert words.undefined_sentence(both) == ""

    def test_of_one_network_alone_nothing_is_said_about_another(self):
        alone = lab.layer_pairs([network("mine", 0, noise(1), when="start"), network("mine", 0, walk(2))])
        seen, networks = subject(["mine"], "mine"), lab.per_network(alone)
        said = words.published_sentence(networks, seen, True) + words.image_sentence(networks, seen)
        assert "SE per block" not in said and "unknown" not in said and "[" not in said
        assert "in mine (" in said

    def test_neighbours_and_the_farthest_layers_are_told(self, pairs):
        said = words.neighbours_sentence(lab.per_network(pairs), lab.by_distance(pairs), subject())
        assert "(distance 1)" in said and "(distance 3)" in said and "Jensen-Shannon divergence (nats) of 0.00" in said

    def test_what_is_not_defined_is_said(self, pairs):
        assert words.undefined_sentence(pairs) == ""
        signed = words.undefined_sentence(lab.layer_pairs(study(signed=True)))
        assert signed.startswith(
            "KL and JS are not defined, in part or as a whole, for SE per block, with gates below 0"
        )
        still, half = np.full((100, 4, 6), 0.3), noise(0)
        half[:, 1] = 0.3
        told = words.undefined_sentence(lab.layer_pairs([network("static", 0, still), network("half", 0, half)]))
        assert "The gates of static vary over no image" in told and "half (50 % of the pairs)" in told

    def test_without_a_distribution_the_divergence_is_not_told(self):
        pairs = lab.layer_pairs([network("tanh", 0, walk(2) - 0.5), network("tanh", 0, noise(0) - 0.5, when="start")])
        seen = subject(["tanh"], "tanh")
        assert "KL and JS are not defined" in words.neighbours_sentence(
            lab.per_network(pairs), lab.by_distance(pairs), seen
        )
