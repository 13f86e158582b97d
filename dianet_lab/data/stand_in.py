"""Random images in place of CIFAR, for where only their shape and number matter, such as timing: nothing is read."""

import torch

from dianet_lab.config import DataConfig
from dianet_lab.data.draw import check_sizes
from dianet_lab.data.images import ImageData, Splits
from dianet_lab.data.sources import load_data

CLASSES = {"cifar10": 10, "cifar100": 100}
TRAIN, TEST, SHAPE = 50_000, 10_000, (3, 32, 32)


def load_or_stand_in(config: DataConfig, seed: int) -> Splits:
    """The images of a run, but random ones of the same shape and number for CIFAR, which may not be downloaded.

    Raises:
        DataError: sizes that do not fit, or a Parquet folder that can't be read.
    """
    if config.source not in CLASSES:
        return load_data(config, seed)
    classes = CLASSES[config.source]
    train_size = config.train_size or max(TRAIN - config.val_size, classes)
    labels = (torch.arange(TRAIN) % classes).numpy()
    check_sizes(f"{config.source} (training)", {"train_size": train_size, "val_size": config.val_size}, labels)
    test_size = TEST if config.test_limit is None else config.test_limit
    check_sizes(f"{config.source} (test)", {"test_limit": test_size}, labels[:TEST])
    flip = config.flip is not False
    return Splits(*(_random(config.source, size, classes, flip) for size in (train_size, config.val_size, test_size)))


def _random(name: str, size: int, classes: int, flip: bool) -> ImageData:
    index = torch.arange(size)
    images = torch.randint(256, (size, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    names = tuple(map(str, range(classes)))
    return ImageData(name, images, index % classes, names, torch.full((3,), 0.5), torch.full((3,), 0.25), flip, index)
