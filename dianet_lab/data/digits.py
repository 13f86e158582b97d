"""The digits that come with scikit-learn: 1,797 images of 8x8, enough for a study in seconds and without a download."""

import hashlib

import numpy as np
import torch
from sklearn.datasets import load_digits

from dianet_lab.data.draw import stratified_order
from dianet_lab.data.images import Source, SourcePart
from dianet_lab.errors import DataError
from dianet_lab.seeding import digest_of

CONTENT = "65e5b4619795efb40c1082f4c350c049e4ad552200d369b6ae99e21eef5e72c5"
"""SHA-256 over the images, uint8 in 0..16, and the labels, little-endian int64."""

TEST_SIZE = 1000


def read_digits() -> Source:
    """The digits: 1,000 fixed test images, and 797 from which a seed draws the training and validation parts.

    The grey levels 0..16 become 0..255; an image's id is its position in scikit-learn's array. The test split is
    stratified and is the same for every seed and size. It is a split by image, not by writer: the file does not record
    its writers, a writer's digits can stand in both parts, and so the accuracy flatters. Compare arms by it; do not
    quote it as the accuracy on a new writer's digits.

    Raises:
        DataError: scikit-learn's file is not the known one.
    """
    bunch = load_digits()
    levels, labels = bunch.images.astype(np.uint8), bunch.target.astype("<i8")
    if (digest := hashlib.sha256(levels.tobytes() + labels.tobytes()).hexdigest()) != CONTENT:
        raise DataError(
            f"scikit-learn's digits have changed: SHA-256 {digest[:16]}..., expected {CONTENT[:16]}...; "
            "reinstall scikit-learn, or use a version whose load_digits() has the 1,797 known images"
        )
    images = np.rint(levels * (255 / 16)).astype(np.uint8)[:, None]
    order = stratified_order(labels, digest_of("digits test part"))
    test, rest = np.sort(order[:TEST_SIZE]), np.sort(order[TEST_SIZE:])

    def part(positions: np.ndarray) -> SourcePart:
        return SourcePart(*map(torch.from_numpy, (images[positions], labels[positions].astype(np.int64), positions)))

    return Source("digits", part(rest), part(test), tuple("0123456789"), flip=False)
