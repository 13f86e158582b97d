"""Batches: the usual crop, flip and normalisation of torchvision, drawn for a whole epoch from (seed, epoch) only."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import functional as tv

from dianet_lab.data.batches import (
    TrainingStream,
    crop_padding,
    cut_in_numpy,
    cut_in_torch,
    evaluation_batches,
    normalise,
    steps_per_epoch,
)
from dianet_lab.data.images import ImageData, channel_statistics


def some_images(count: int, channels: int = 3, height: int = 32, width: int = 32, flip: bool = True) -> ImageData:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)
    names = tuple("abcde")
    return ImageData(
        "random", images, torch.arange(count) % 5, names, *channel_statistics(images), flip, torch.arange(count)
    )


def by_torchvision(data: ImageData, image: int, dy: int, dx: int, mirrored: bool) -> torch.Tensor:
    """One image as the usual transforms make it, for given offsets."""
    height, width = data.images.shape[2:]
    y, x = crop_padding(height), crop_padding(width)
    picture = tv.to_pil_image(data.images[image])
    picture = tv.crop(tv.pad(picture, [x, y]), dy, dx, height, width)
    picture = tv.hflip(picture) if mirrored else picture
    return tv.normalize(tv.to_tensor(picture), data.mean.tolist(), data.std.tolist())


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize(("channels", "height", "width"), [(3, 32, 32), (1, 8, 8), (3, 12, 20)])
def test_a_batch_equals_torchvision_for_the_same_offsets(channels, height, width, flip):
    data = some_images(48, channels, height, width, flip)
    stream = TrainingStream(data, 16)
    order, dy, dx, mirrored = stream.draw(seed=2, epoch=3)
    images, labels = (torch.cat(parts) for parts in zip(*stream.epoch(seed=2, epoch=3), strict=True))
    assert images.dtype == torch.float32 and images.is_contiguous()
    assert torch.equal(labels, data.labels[order])
    for position in range(48):
        draws = [int(drawn[position]) for drawn in (order, dy, dx)]
        expected = by_torchvision(data, *draws, bool(mirrored[position]) and flip)
        assert (images[position] - expected).abs().max() <= 2.4e-7


@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 8)])
def test_the_cpu_and_the_other_devices_make_the_same_batches_to_the_last_bit(channels, size):
    data = some_images(64, channels, size, size)
    stream = TrainingStream(data, 64)
    draws = stream.draw(0, 0)
    images = cut_in_torch(stream.crops, *draws)
    assert torch.equal(cut_in_numpy(stream.crops, *draws), images)
    in_torch = images.float().div_(255).sub_(stream.mean).div_(stream.std)
    assert torch.equal(normalise(images, stream.mean, stream.std), in_torch)


def test_evaluation_shows_every_image_once_in_order_as_torchvision_does():
    data = some_images(21, 1, 8, 8)
    batches = list(evaluation_batches(data, 8))
    assert [len(labels) for _, labels in batches] == [8, 8, 5]
    assert torch.equal(torch.cat([labels for _, labels in batches]), data.labels)
    images = torch.cat([images for images, _ in batches])
    expected = torch.stack([by_torchvision(data, image, 1, 1, False) for image in range(21)])
    assert (images - expected).abs().max() <= 2.4e-7
    assert not list(evaluation_batches(data.select(torch.arange(0)), 8))


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_give_others():
    data = some_images(64)

    def epoch(seed: int, number: int) -> torch.Tensor:
        return torch.cat([images for images, _ in TrainingStream(data, 32).epoch(seed, number)])

    first = epoch(0, 0)
    assert torch.equal(first, epoch(0, 0))
    assert not torch.equal(first, epoch(0, 1)) and not torch.equal(first, epoch(1, 0))
    assert not torch.equal(epoch(0, 1), epoch(1, 0))


def test_neither_the_global_generator_nor_an_earlier_epoch_matters():
    data, stream = some_images(32), TrainingStream(some_images(32), 16)
    state = torch.get_rng_state()
    list(stream.epoch(0, 0))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    for (image, _), (fresh, _) in zip(stream.epoch(0, 1), TrainingStream(data, 16).epoch(0, 1), strict=True):
        assert torch.equal(image, fresh)


def test_the_batch_size_only_cuts_the_order():
    data = some_images(96)
    small, large = (torch.cat([x for x, _ in TrainingStream(data, size).epoch(4, 5)]) for size in (16, 48))
    assert torch.equal(small, large)


def test_an_epoch_shows_every_image_once_whatever_is_augmented():
    data = some_images(60)
    for options in ({"augment": True}, {"augment": False}):
        order = TrainingStream(data, 20, **options).draw(0, 0)[0]
        assert sorted(order.tolist()) == list(range(60))
    orders = [TrainingStream(data, 20, augment).draw(0, 0)[0] for augment in (True, False)]
    assert torch.equal(*orders)


def test_without_augmentation_the_images_are_only_normalised():
    data = some_images(30)
    stream = TrainingStream(data, 10, augment=False)
    order = stream.draw(0, 0)[0]
    images = torch.cat([images for images, _ in stream.epoch(0, 0)])
    expected = torch.cat([images for images, _ in evaluation_batches(data.select(order), 30)])
    assert torch.equal(images, expected)


def test_crops_reach_every_offset_and_half_of_the_images_are_mirrored():
    _, dy, dx, mirrored = TrainingStream(some_images(2000, 1, 8, 8), 100).draw(0, 0)
    assert set(dy.tolist()) == set(dx.tolist()) == {0, 1, 2}
    assert 900 < int(mirrored.sum()) < 1100
    _, dy, _, _ = TrainingStream(some_images(2000, 1, 32, 32), 100).draw(0, 0)
    assert set(dy.tolist()) == set(range(9))


@pytest.mark.parametrize(("size", "padding"), [(32, 4), (64, 8), (28, 4), (16, 2), (8, 1), (2, 1)])
def test_the_padding_is_that_of_cifar_in_proportion(size, padding):
    assert crop_padding(size) == padding


@pytest.mark.parametrize(
    ("images", "batch_size", "steps"),
    [(50_000, 128, 391), (100, 32, 3), (112, 32, 4), (111, 32, 3), (5, 32, 1), (32, 32, 1), (33, 32, 1), (1, 1, 1)],
)
def test_a_rest_is_kept_if_it_is_half_full_or_all_there_is(images, batch_size, steps):
    assert steps_per_epoch(images, batch_size) == steps


@given(st.integers(1, 300), st.integers(1, 64))
def test_the_stream_yields_that_many_batches(count, batch_size):
    stream = TrainingStream(some_images(count, 1, 2, 2), batch_size)
    sizes = [len(labels) for _, labels in stream.epoch(0, 0)]
    assert len(sizes) == len(stream) == steps_per_epoch(count, batch_size)
    assert all(size == batch_size for size in sizes[:-1])
    assert 2 * sizes[-1] >= batch_size or len(sizes) == 1


def test_the_images_themselves_are_not_changed():
    data = some_images(16)
    before = data.images.clone()
    list(TrainingStream(data, 8).epoch(0, 0))
    list(TrainingStream(data, 8, augment=False).epoch(0, 0))
    list(evaluation_batches(data, 8))
    assert torch.equal(data.images, before)
