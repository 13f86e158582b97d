"""Drawing images so that every class has its share: the same ones on every machine and in every library version."""

import math

import numpy as np

from dianet_lab.errors import DataError


def stratified_order(labels: np.ndarray, seed: bytes) -> np.ndarray:
    """A random order of all positions in which EVERY prefix, and so every suffix, is stratified.

    Among the first n of N images, a class that has a share p of all images has floor(p n) or ceil(p n). So smaller
    draws are nested in larger ones, and a draw from the front and one from the back are disjoint.

    Args:
        labels: integers ``[N]``.
        seed: of numpy's ``RandomState``, whose stream is frozen: no later numpy may change it.

    Returns:
        int64 ``[N]``, a permutation of 0..N-1.
    """
    random = np.random.RandomState(np.frombuffer(seed, "<u4"))
    shuffled = random.permutation(len(labels)).astype(np.int64)
    # The order of the classes is drawn too, or a draw that does not come out even would always favour the same ones.
    classes, counts = np.unique(labels, return_counts=True)
    turn = random.permutation(len(classes))
    class_at = classes[turn][_proportional_turns(counts[turn])]
    order = np.empty(len(labels), np.int64)
    order[np.argsort(class_at, kind="stable")] = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return order


def _proportional_turns(counts: np.ndarray) -> np.ndarray:
    """Whose turn it is, ``[counts.sum()]``, so that every prefix has its quota of each class, rounded up or down.

    The quota method of Balinski and Young (1975). Largest remainders would do for one size, but a class can lose an
    image when the draw grows, and then a smaller draw is not nested in a larger one.
    """
    period = math.gcd(*counts.tolist())
    counts = counts // period
    total = int(counts.sum())
    given = np.zeros_like(counts)
    turns = np.empty(total, np.int64)
    for position in range(total):
        below_quota = given * total < counts * (position + 1)
        turns[position] = chosen = np.argmax(np.where(below_quota, counts / (given + 1), -1.0))
        given[chosen] += 1
    return np.tile(turns, period)  # quotas are whole numbers after each period: CIFAR's is 10 or 100 images


def check_sizes(part: str, asked: dict[str, int], labels: np.ndarray) -> None:
    """Refuse draws that do not fit.

    Args:
        part: what is drawn from, for the message.
        asked: how many images, by the name of the field that asked for them; 0 asks for nothing.
        labels: the labels of ``part``.

    Raises:
        DataError: together more images than there are, or one of them fewer images than classes.
    """
    if sum(asked.values()) > len(labels):
        sizes = " + ".join(f"{name} {size:,}" for name, size in asked.items())
        raise DataError(f"{sizes} is more than the {len(labels):,} images of {part}: ask for fewer")
    classes = len(np.unique(labels))
    for name, size in asked.items():
        if 0 < size < classes:
            raise DataError(f"{name} {size} is less than the {classes} classes of {part}: ask for at least one of each")
