"""The networks that a stored run was on its way, from its snapshots, and what their gates were like."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd

from dianet_lab.analysis.gates import Network, gate_measures, reference_images, shown_images
from dianet_lab.analysis.interval import written
from dianet_lab.analysis.phrases import listed
from dianet_lab.data.images import ImageData
from dianet_lab.studies.store import RunStore

HALF = 0.5


def along_the_way(store: RunStore, run_id: str, arm: str, images: ImageData | None = None) -> Iterator[Network]:
    """A stored run after each epoch whose weights it kept, 0 (the initial values) and the last among them.

    Args:
        arm: what it is called.
        images: to show to it; its own test images if not given.

    Yields:
        networks whose ``which`` is ``{"arm", "seed", "epoch"}``; none of an imported run, whose past nobody knows.
    """
    config, epochs = store.config(run_id), store.snapshot_epochs(run_id)
    if not epochs:
        return
    shown, train = images or shown_images(config), reference_images(config)
    for epoch in epochs:
        which = {"arm": arm, "seed": config.seed, "epoch": epoch}
        yield Network(which, store.load_model(run_id, epoch=epoch), shown, train)


def gate_epochs(networks: Iterable[Network]) -> pd.DataFrame:
    """:func:`~dianet_lab.analysis.gates.gate_measures` of networks along the way: a row an arm, epoch and stage."""
    columns = ["arm", "seed", "epoch", "stage", "mean", "spread", "relative", "class_share", "correlation"]
    return pd.DataFrame(gate_measures(networks), columns=columns)


class Course(NamedTuple):
    """Of the epochs that were looked at: the first after which gates vary over images by half of what they do last; the
    one after which they vary most; and how many times as much as after the last."""

    half: int
    most: int
    times: float


def half_way(course: pd.DataFrame) -> dict[str, Course]:
    """When the gates of each arm began to vary over images; their deviation is the mean over the stages.

    Arms whose gates vary less at the end than at the start are left out.
    """
    found = {}
    for arm, rows in course.groupby("arm", sort=False):
        spread = rows.groupby("epoch")["spread"].mean()
        last = spread.iloc[-1]
        if last > spread.iloc[0]:
            half = int(spread.index[spread >= HALF * last][0])
            found[arm] = Course(half, int(spread.idxmax()), float(spread.max() / last))
    return found


def half_way_sentence(course: pd.DataFrame) -> str:
    """When gates began to vary over images, in a sentence; that it can't be told where nothing was kept on the way."""
    if course.empty or course["epoch"].nunique() < 3:
        return "No weights were kept on the way, so when the gates began to answer to the image can't be told."
    found = half_way(course)
    if not found:
        return "No gates vary more over images after training than before it."
    told = listed(f"{each.half} ({arm})" for arm, each in found.items())
    last = course["epoch"].max()
    past = listed(
        f"{each.most} ({arm}{f', {written(each.times, 1)} times the last' if each.most < last else ''})"
        for arm, each in found.items()
    )
    return (
        f"Half of the last deviation over images is first reached after epoch {told}; the largest is that after epoch "
        f"{past}. All of it of one seed and the epochs looked at."
    )
