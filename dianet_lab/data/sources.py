"""From a configuration and a seed to the three parts of a data set."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from dianet_lab.config import DataConfig
from dianet_lab.data.draw import check_sizes, stratified_order
from dianet_lab.data.images import ImageData, Source, SourcePart, Splits, channel_statistics
from dianet_lab.errors import DataError
from dianet_lab.paths import in_home
from dianet_lab.seeding import digest_of


def load_data(config: DataConfig, seed: int) -> Splits:
    """The training, validation and test part of a data set, as ``seed`` draws them.

    The draw is stratified and depends on the seed and the sizes only, so all arms of a study see the same images.
    Training images are taken from the front of a drawn order and validation images from its back: for one seed a
    smaller part is contained in a larger one. The test part is the same for every seed. A process keeps what it used
    last, so that a pool worker decodes a data set once.

    Args:
        config: which data set, and how many images of it.
        seed: of the run; draws the training and validation parts.

    Raises:
        DataError: data that are absent, damaged or not those of the fingerprint, or sizes that do not fit.
    """
    return _draw(config, _folder(config), seed)


def _folder(config: DataConfig) -> Path | None:
    """Where the data set lies: resolved before the caches look, because the lab's folder may change."""
    if config.source == "digits":
        return None
    if config.source == "parquet":
        if not config.path:
            raise DataError("DataConfig.path: source 'parquet' needs the folder of the data set, but the path is empty")
        return in_home(config.path)
    return in_home("data")


@lru_cache(maxsize=2)
def _read(source: str, folder: Path | None, fingerprint: str | None) -> Source:
    # Each reader brings a library that takes about a second to import: a worker needs one of them.
    if source == "digits":
        from dianet_lab.data.digits import read_digits

        return read_digits()
    if source == "parquet":
        from dianet_lab.data.parquet import read_parquet

        return read_parquet(folder, fingerprint)
    from dianet_lab.data.cifar import read_cifar

    return read_cifar(source, folder)


@lru_cache(maxsize=2)
def _draw(config: DataConfig, folder: Path | None, seed: int) -> Splits:
    source = _read(config.source, folder, config.fingerprint)
    labels = source.train.labels.numpy()
    # Without a train_size at least one image for each class must be left over.
    train_size = config.train_size or max(len(labels) - config.val_size, len(np.unique(labels)))
    check_sizes(f"{source.name} (training)", {"train_size": train_size, "val_size": config.val_size}, labels)
    order = stratified_order(labels, digest_of("training and validation parts", seed))
    chosen = np.sort(order[:train_size]), np.sort(order[len(order) - config.val_size :])
    train, val = (_select(source.train, positions) for positions in chosen)
    test = _limit(source, config.test_limit)

    mean, std = channel_statistics(train.images)
    flip = source.flip if config.flip is None else config.flip

    def data(part: SourcePart) -> ImageData:
        return ImageData(
            source.name, part.images, part.labels, source.class_names, mean, std, flip, part.index, source.jpeg
        )

    return Splits(data(train), data(val), data(test))


def _select(part: SourcePart, positions: np.ndarray) -> SourcePart:
    return SourcePart(*(tensor[torch.from_numpy(positions)] for tensor in part))


def _limit(source: Source, limit: int | None) -> SourcePart:
    """The test part, or a stratified subset of it that is the same for every seed."""
    if limit is None:
        return source.test
    labels = source.test.labels.numpy()
    check_sizes(f"{source.name} (test)", {"test_limit": limit}, labels)
    return _select(source.test, np.sort(stratified_order(labels, digest_of("test subset"))[:limit]))
