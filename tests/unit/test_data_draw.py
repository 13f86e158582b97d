"""The stratified draw: every prefix of the drawn order has its share of every class, rounded up or down."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dianet_lab.data.draw import check_sizes, stratified_order
from dianet_lab.errors import DataError
from dianet_lab.seeding import digest_of

class_counts = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def labels_with(counts: list[int]) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.RandomState(0).permutation(labels)


@given(class_counts, st.integers(0, 2**40))
def test_the_order_is_a_permutation(counts, seed):
    order = stratified_order(labels_with(counts), digest_of("test", seed))
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(sum(counts)))


@given(class_counts, st.integers(0, 2**40))
def test_every_prefix_and_every_suffix_is_within_one_of_proportional(counts, seed):
    labels, total = labels_with(counts), sum(counts)
    drawn = labels[stratified_order(labels, digest_of("test", seed))]
    for size in range(total + 1):
        for part in (drawn[:size], drawn[total - size :]):
            found = np.bincount(part, minlength=len(counts))
            for count, images in zip(counts, found, strict=True):
                assert math.floor(count * size / total) <= images <= math.ceil(count * size / total)


@pytest.mark.parametrize("counts", [[1000] + [1] * 20, [5, 7, 3, 1], [300, 200, 100], [2, 2, 2, 997]])
def test_rare_classes_get_no_more_than_their_share(counts):
    labels, total = labels_with(counts), sum(counts)
    taken = np.cumsum(np.eye(len(counts))[labels[stratified_order(labels, digest_of("test"))]], axis=0)
    quota = np.arange(1, total + 1)[:, None] * np.array(counts) / total
    assert np.abs(taken - quota).max() < 1


@given(class_counts, st.integers(0, 2**40))
def test_the_same_seed_gives_the_same_order(counts, seed):
    labels = labels_with(counts)
    first, again = (stratified_order(labels, digest_of("test", seed)) for _ in range(2))
    assert np.array_equal(first, again)


def test_other_seeds_and_other_purposes_give_other_orders():
    labels = labels_with([30] * 10)
    orders = {stratified_order(labels, digest_of(p, s)).tobytes() for p in ("a", "b") for s in (0, 1, 2)}
    assert len(orders) == 6


def test_a_draw_that_does_not_come_out_even_favours_no_class():
    labels = labels_with([30] * 10)
    firsts = [labels[stratified_order(labels, digest_of("test", seed))[:3]] for seed in range(200)]
    assert np.bincount(np.concatenate(firsts), minlength=10).min() > 30  # 60 expected


def test_the_order_is_frozen():
    """A change of these numbers changes every stored run: it needs a new run-id format."""
    order = stratified_order(np.array([0, 1, 1, 2, 0, 1, 2, 2, 0, 0, 1, 2]), digest_of("test", 7))
    assert order.tolist() == [3, 5, 0, 11, 2, 4, 6, 10, 9, 7, 1, 8]


def test_sizes_that_do_not_fit_are_refused_with_the_numbers():
    labels = np.repeat(np.arange(10), 80)
    check_sizes("digits", {"train_size": 600, "val_size": 200}, labels)
    check_sizes("digits", {"train_size": 10, "val_size": 0}, labels)
    with pytest.raises(DataError, match=r"train_size 601 \+ val_size 200 is more than the 800 images of digits"):
        check_sizes("digits", {"train_size": 601, "val_size": 200}, labels)
    with pytest.raises(DataError, match=r"val_size 9 is less than the 10 classes of digits"):
        check_sizes("digits", {"train_size": 100, "val_size": 9}, labels)
