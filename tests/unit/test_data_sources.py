"""What a run sees: three parts that depend on the seed and the sizes only. Here on the digits."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from dianet_lab.config import DataConfig
from dianet_lab.data import digits
from dianet_lab.data.images import channel_statistics
from dianet_lab.data.sources import load_data
from dianet_lab.errors import DataError


def ids(part) -> set[int]:
    return set(part.index.tolist())


def test_the_digits_are_8x8_grey_images_that_must_not_be_mirrored():
    splits = load_data(DataConfig(), 0)
    assert [len(part) for part in splits] == [597, 200, 1000]
    for part in splits:
        assert part.images.dtype == torch.uint8 and part.images.shape[1:] == (1, 8, 8)
        assert part.labels.dtype == part.index.dtype == torch.int64
        assert part.in_channels == 1 and part.num_classes == 10 and part.class_names == tuple("0123456789")
        assert not part.flip
        assert part.images.max() == 255


def test_an_index_is_the_position_in_the_source():
    bunch = load_digits()
    for part in load_data(DataConfig(), 0):
        at = part.index.numpy()
        assert np.array_equal(part.labels.numpy(), bunch.target[at])
        assert np.abs(part.images[:, 0].numpy() / 255 - bunch.images[at] / 16).max() < 0.5 / 255 + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 500), st.integers(10, 290) | st.just(0), st.integers(0, 2**40))
def test_the_seed_draws_disjoint_parts_of_the_exact_sizes(train_size, val_size, seed):
    train, val, test = load_data(DataConfig(train_size=train_size, val_size=val_size), seed)
    assert (len(train), len(val), len(test)) == (train_size, val_size, 1000)
    assert len(ids(train) | ids(val) | ids(test)) == train_size + val_size + 1000
    pool = np.bincount(load_digits().target) - np.bincount(test.labels)
    for part in (train, val):
        counts = torch.bincount(part.labels, minlength=10).numpy()
        assert np.abs(counts - len(part) * pool / pool.sum()).max() < 1


def test_for_one_seed_smaller_parts_are_contained_in_larger_ones():
    by_size = [load_data(DataConfig(train_size=size), 3) for size in (100, 250, 597)]
    assert ids(by_size[0].train) < ids(by_size[1].train) < ids(by_size[2].train)
    assert ids(by_size[0].val) == ids(by_size[1].val) == ids(by_size[2].val)
    assert ids(load_data(DataConfig(val_size=50), 3).val) < ids(by_size[0].val)


def test_seeds_differ_in_training_and_validation_but_not_in_test():
    first, second = (load_data(DataConfig(train_size=200), seed) for seed in (0, 1))
    assert ids(first.train) != ids(second.train) and ids(first.val) != ids(second.val)
    assert torch.equal(first.test.index, second.test.index)


def test_what_is_no_matter_of_the_draw_does_not_change_it():
    plain, augmented = (load_data(DataConfig(train_size=200, augment=augment), 5) for augment in (False, True))
    assert torch.equal(plain.train.index, augmented.train.index)


def test_a_test_limit_is_a_fixed_stratified_subset():
    limited, other = (load_data(DataConfig(test_limit=100), seed).test for seed in (0, 1))
    assert torch.equal(limited.index, other.index)
    assert ids(limited) < ids(load_data(DataConfig(), 0).test)
    assert set(torch.bincount(limited.labels).tolist()) <= {9, 10, 11}
    assert ids(limited) < ids(load_data(DataConfig(test_limit=300), 0).test)


def test_mean_and_std_are_those_of_the_training_part_in_all_parts():
    splits = load_data(DataConfig(train_size=100), 0)
    pixels = splits.train.images.double() / 255
    for part in splits:
        assert torch.equal(part.mean, pixels.mean((0, 2, 3)).float())
        torch.testing.assert_close(part.std, pixels.std((0, 2, 3), correction=0).float())


def test_a_channel_without_contrast_has_a_std_of_one_grey_level():
    images = torch.zeros(4, 2, 3, 3, dtype=torch.uint8)
    images[:2, 1] = 255
    mean, std = channel_statistics(images)
    assert mean.tolist() == [0, 0.5]
    assert std.tolist() == [pytest.approx(1 / 255), 0.5]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train_size": 700}, r"train_size 700 \+ val_size 200 is more than the 797 images"),
        ({"val_size": 797}, "is more than the 797 images"),
        ({"test_limit": 1001}, "test_limit 1,001 is more than the 1,000 images"),
        ({"train_size": 9}, "train_size 9 is less than the 10 classes"),
        ({"val_size": 3}, "val_size 3 is less than the 10 classes"),
        ({"test_limit": 9}, "test_limit 9 is less than the 10 classes"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_with_the_numbers(sizes, message):
    with pytest.raises(DataError, match=message):
        load_data(DataConfig(**sizes), 0)


def test_digits_of_another_content_are_refused(monkeypatch):
    bunch = load_digits()
    bunch.images[0, 0, 0] += 1
    monkeypatch.setattr(digits, "load_digits", lambda: bunch)
    with pytest.raises(DataError, match=r"digits have changed: SHA-256 .* reinstall scikit-learn"):
        digits.read_digits()


def test_a_data_set_is_read_once_a_process(monkeypatch):
    config = DataConfig(train_size=123)
    first = load_data(config, 0)
    monkeypatch.setattr("dianet_lab.data.digits.read_digits", lambda: pytest.fail("read again"))
    assert load_data(config, 0) is first
    assert len(load_data(config, 1).train) == 123


def test_the_split_of_the_digits_is_frozen():
    """A change of these numbers changes every stored run: it needs a new run-id format."""
    train, val, test = load_data(DataConfig(train_size=20, val_size=10), 0)
    assert train.index.tolist()[:5] == [27, 28, 155, 189, 368]
    assert val.index.tolist()[:5] == [60, 176, 185, 751, 846]
    assert test.index.tolist()[-5:] == [1789, 1790, 1793, 1794, 1796]


def test_select_takes_positions_or_a_mask_and_keeps_the_statistics():
    train = load_data(DataConfig(), 0).train
    some = train.select(torch.tensor([5, 2]))
    assert some.index.tolist() == train.index[[5, 2]].tolist() and some.mean is train.mean
    assert torch.equal(some.images, train.images[[5, 2]])
    assert len(train.select(train.labels == 3)) == int((train.labels == 3).sum())
    with pytest.raises(dataclasses.FrozenInstanceError):
        train.name = "other"
