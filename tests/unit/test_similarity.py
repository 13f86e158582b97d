"""How alike layers are, on gates whose answer is known."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr

from dianet_lab.analysis.copying import copies
from dianet_lab.analysis.similarity import (
    DIVERGENCES,
    MEASURES,
    distributions,
    layer_cka,
    layer_correlation,
    layer_cosine,
    layer_js,
    layer_kl,
    mean_off_diagonal,
    shuffled_pairs,
)
from dianet_lab.errors import LabError

SIMILARITIES = [name for name in MEASURES if name not in DIVERGENCES]
CENTRED = ["pearson_centred", "cosine_centred", "cka"]


def noise(images=400, blocks=3, channels=8, seed=0) -> np.ndarray:
    """Gates around 0.5 that have nothing in common."""
    return 0.5 + 0.05 * np.random.default_rng(seed).normal(size=(images, blocks, channels))


def with_profile(gates: np.ndarray, seed=1) -> np.ndarray:
    """The same plus a profile of the channels that all layers have and no image changes."""
    return gates + np.random.default_rng(seed).uniform(-0.3, 0.3, gates.shape[2])


def rotation(channels: int, seed=2) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(channels, channels)))[0]


@st.composite
def any_gates(draw) -> np.ndarray:
    """Gates between 0 and 1, of any shape, some exactly 0 but no whole vector."""
    shape = tuple(draw(st.integers(low, high)) for low, high in ((4, 12), (2, 4), (2, 6)))
    values = np.random.default_rng(draw(st.integers(0, 1000))).uniform(0, 1, shape)
    values[values < draw(st.sampled_from([0.0, 0.3]))] = 0.0
    values[..., 0] = np.maximum(values[..., 0], 0.1)
    return values


class TestEveryMeasure:
    @pytest.mark.parametrize("name", SIMILARITIES)
    def test_is_1_for_copies(self, name):
        copied = np.repeat(noise(blocks=1), 3, axis=1)
        np.testing.assert_allclose(MEASURES[name](copied), 1.0, atol=1e-12)

    @pytest.mark.parametrize("name", DIVERGENCES)
    def test_of_divergence_is_0_for_copies(self, name):
        copied = np.repeat(noise(blocks=1), 3, axis=1)
        np.testing.assert_allclose(MEASURES[name](copied), 0.0, atol=1e-12)

    @pytest.mark.parametrize("name", ["pearson", *CENTRED])
    def test_is_near_0_for_independent_noise(self, name):
        assert np.abs(MEASURES[name](noise())[np.triu_indices(3, 1)]).max() < 0.06

    @pytest.mark.parametrize("name", CENTRED)
    def test_that_is_centred_does_not_count_a_profile(self, name):
        gates = noise()
        np.testing.assert_allclose(MEASURES[name](with_profile(gates)), MEASURES[name](gates), atol=1e-9)

    @pytest.mark.parametrize("name", ["pearson", "cosine"])
    def test_that_is_raw_counts_a_profile_and_so_does_its_chance(self, name):
        gates = with_profile(noise())
        generator = np.random.default_rng(0)
        assert mean_off_diagonal(MEASURES[name](gates)) > 0.8
        assert mean_off_diagonal(MEASURES[name](shuffled_pairs(gates, generator))) > 0.8

    @pytest.mark.parametrize("name", MEASURES)
    def test_takes_labelled_gates_in_any_order(self, name):
        labelled = xr.DataArray(noise(), dims=("image", "block", "channel"))
        expected = MEASURES[name](labelled.values)
        np.testing.assert_allclose(MEASURES[name](labelled.transpose("channel", "block", "image")), expected)

    @pytest.mark.parametrize("name", MEASURES)
    def test_refuses_another_shape(self, name):
        with pytest.raises(LabError, match=r"gates have shape \(3, 4\), expected \[image, block, channel\]"):
            MEASURES[name](np.ones((3, 4)))

    @pytest.mark.parametrize("name", CENTRED)
    def test_that_is_centred_is_unknown_for_a_layer_that_varies_by_rounding_only(self, name):
        gates = noise().astype(np.float32)
        rounded = np.float32(0.3) * (1 + np.finfo(np.float32).eps * np.random.default_rng(0).integers(0, 3, 400))
        gates[:, 1] = rounded[:, None]
        found = MEASURES[name](gates)
        assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all()
        assert not np.isnan(found[np.ix_([0, 2], [0, 2])]).any()

    def test_off_the_diagonal_means_are_of_what_is_known(self):
        assert mean_off_diagonal(np.array([[1, 0.4, np.nan], [0.4, 1, 0.2], [np.nan, 0.2, 1]])) == pytest.approx(0.3)
        assert math.isnan(mean_off_diagonal(np.ones((1, 1))))


class TestPearsonAndCosine:
    def test_raw_pearson_is_that_of_numpy(self):
        gates = with_profile(noise())
        flat = gates.swapaxes(0, 1).reshape(3, -1)
        np.testing.assert_allclose(layer_correlation(gates), np.corrcoef(flat))

    def test_a_layer_that_does_the_opposite_has_minus_1(self):
        one = noise(blocks=1)
        gates = np.concatenate([one, 1 - one], axis=1)
        assert layer_correlation(gates, centred=True)[0, 1] == pytest.approx(-1)
        assert layer_cosine(gates, centred=True)[0, 1] == pytest.approx(-1)

    def test_the_cosine_is_a_mean_over_images(self):
        gates = np.array([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 1.0]]])
        assert layer_cosine(gates)[0, 1] == pytest.approx((1 + 0 + math.sqrt(0.5)) / 3)

    def test_an_image_without_a_vector_is_left_out(self):
        gates = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
        assert layer_cosine(gates)[0, 1] == pytest.approx(1)


class TestCKA:
    def test_does_not_change_when_channels_are_rotated_or_scaled_and_pearson_does(self):
        one = noise(blocks=1)
        gates = np.concatenate([one, 3 * one @ rotation(8)], axis=1)
        assert layer_cka(gates)[0, 1] == pytest.approx(1)
        assert abs(layer_correlation(gates, centred=True)[0, 1]) < 0.5

    def test_the_plain_estimate_is_kornblith_s_of_centred_features(self):
        gates = noise(images=30)
        x, y = (gates[:, k] - gates[:, k].mean(0) for k in (0, 1))
        expected = np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
        assert layer_cka(gates, debiased=False)[0, 1] == pytest.approx(expected)

    def test_the_debiased_estimate_is_song_s_of_gram_matrices(self):
        gates = noise(images=12)
        grams = [gates[:, k] @ gates[:, k].T for k in (0, 1)]
        for gram in grams:
            np.fill_diagonal(gram, 0)
        expected = hsic(*grams) / math.sqrt(hsic(grams[0], grams[0]) * hsic(grams[1], grams[1]))
        assert layer_cka(gates)[0, 1] == pytest.approx(expected)

    def test_noise_in_as_many_channels_as_images_deceives_the_plain_estimate_alone(self):
        many = [noise(images=40, blocks=6, channels=40, seed=seed) for seed in range(5)]
        plain, debiased = (
            np.mean([mean_off_diagonal(layer_cka(gates, debiased=kind)) for gates in many]) for kind in (False, True)
        )
        assert plain == pytest.approx(0.5, abs=0.05) and debiased == pytest.approx(0, abs=0.01)

    def test_needs_four_images(self):
        with pytest.raises(LabError, match="at least 4 images, got 3"):
            layer_cka(noise(images=3))
        assert layer_cka(noise(images=4)).shape == (3, 3)


def hsic(k, el):
    """Song et al. 2012, equation 5, for Gram matrices without their diagonals."""
    n, one = len(k), np.ones(len(k))
    middle = one @ k @ one * (one @ el @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ el @ one)
    return (np.trace(k @ el) + middle) / (n * (n - 3))


class TestDivergences:
    @given(any_gates())
    def test_js_is_symmetric_and_from_0_to_ln_2(self, gates):
        found = layer_js(gates)
        np.testing.assert_array_equal(found, found.T)
        assert found.min() >= 0 and found.max() <= math.log(2)

    @given(any_gates())
    def test_kl_is_that_of_the_definition_and_never_below_0(self, gates):
        p = distributions(gates)
        expected = [[rel_entr(p[:, a], p[:, b]).sum(1).mean() for b in range(p.shape[1])] for a in range(p.shape[1])]
        np.testing.assert_allclose(layer_kl(gates), expected, atol=1e-12)
        assert layer_kl(gates).min() >= 0

    def test_layers_that_open_different_channels_have_ln_2_and_an_infinite_kl(self):
        gates = np.tile([[[1.0, 0.0], [0.0, 1.0]]], (5, 1, 1))
        assert layer_js(gates)[0, 1] == pytest.approx(math.log(2)) and np.isinf(layer_kl(gates)[0, 1])

    def test_how_open_a_layer_is_as_a_whole_does_not_matter(self):
        one = noise(blocks=1)
        np.testing.assert_allclose(layer_js(np.concatenate([one, 0.3 * one], axis=1)), 0, atol=1e-12)

    @pytest.mark.parametrize("name", DIVERGENCES)
    def test_signed_gates_are_refused(self, name):
        with pytest.raises(LabError, match="gates below 0 are no distribution"):
            MEASURES[name](np.tanh(noise() - 0.5))

    def test_a_closed_layer_is_refused(self):
        with pytest.raises(LabError, match="closes all its channels"):
            layer_js(np.zeros((4, 2, 3)))


class TestChance:
    def test_every_layer_keeps_its_gates(self):
        gates = noise(images=20)
        shuffled = shuffled_pairs(gates, np.random.default_rng(0))
        for block in range(3):
            assert sorted(map(tuple, shuffled[:, block])) == sorted(map(tuple, gates[:, block]))
        assert not np.array_equal(shuffled[:, 0], gates[:, 0])

    @pytest.mark.parametrize("name", CENTRED)
    def test_copies_are_no_more_alike_than_noise_once_shuffled(self, name):
        copied = np.repeat(noise(blocks=1), 4, axis=1)
        assert abs(mean_off_diagonal(MEASURES[name](shuffled_pairs(copied, np.random.default_rng(0))))) < 0.06

    def test_a_seed_shuffles_the_same_way_twice(self):
        one, again = (shuffled_pairs(noise(), np.random.default_rng(5)) for _ in range(2))
        np.testing.assert_array_equal(one, again)


class TestCopies:
    def gates(self, copied=(), clock=(), seed=0, blocks=5) -> np.ndarray:
        gates = with_profile(noise(images=200, blocks=blocks, seed=seed))
        for block in copied:
            gates[:, block] = gates[:, block - 1]
        for block in clock:
            gates[:, block] = 0.1 * block
        return gates

    def test_finds_the_copy_and_only_it(self):
        found = copies(self.gates(copied=[2]), np.random.default_rng(0), permutations=199).set_index("block")
        assert list(found.index) == [1, 2, 3, 4] and list(found.columns) == ["similarity", "chance", "p"]
        assert found.similarity[2] == pytest.approx(1) and found.p[2] == pytest.approx(1 / 200)
        assert found.similarity.drop(2).abs().max() < 0.1
        assert found.chance.abs().max() < 0.02

    def test_p_of_independent_layers_is_uniform(self):
        seeds = range(40)
        p = np.concatenate(
            [copies(self.gates(seed=s), np.random.default_rng(s), permutations=99).p.to_numpy() for s in seeds]
        )
        assert 0.01 <= (p <= 0.05).mean() <= 0.1 and p.mean() == pytest.approx(0.5, abs=0.07)

    def test_a_clock_copies_nothing(self):
        found = copies(self.gates(clock=range(5)), np.random.default_rng(0), permutations=19)
        assert found.similarity.isna().all() and (found.p == 1).all()

    def test_blocks_keep_their_numbers(self):
        gates = xr.DataArray(noise(), dims=("image", "block", "channel"), coords={"block": [2, 3, 4]})
        assert list(copies(gates, np.random.default_rng(0), permutations=9).block) == [3, 4]
        assert copies(gates[:, :1], np.random.default_rng(0), permutations=9).empty
