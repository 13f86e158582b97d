"""Networks worth looking into: trained on all images that there are, few arms, with their weights."""

from dataclasses import replace

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import arm_changes
from dianet_lab.studies.contrast import minus
from dianet_lab.studies.study import Study, dotted

ARMS = ("DIA", "per block, carried", "shared, no memory", "SE shared", "SE per block", "static per block")
"""DIA, and what stands beside it: its cell per block, its cell without memory, SE shared and per block, and a gate
that was trained without an image."""

SEEDS, FULL_SEEDS = 3, 5
"""Of a demonstration and of the other scales: with three, an interval excludes little."""

DEEP = {"digits": 56}
"""By scale: with nine blocks a stage there is room to see how far the memory reaches; six are the least that count."""

SHARE = 0.4
"""Of the scale's epochs on all digits: eight times the images of a usual run in 0.4 of its epochs."""


def vectors_study(scale: Profile) -> Study:
    """Arms and seeds of the networks that the notebooks 10 to 15 and 30 look into."""
    return Study(
        "vectors",
        scale.base,
        arms=arm_changes(scale.base, ARMS),
        seeds=range(scale.seeds),
        contrasts=minus(*ARMS, delta=scale.delta),
        threads=scale.threads,
        keep_weights=True,
        snapshots=[0],
    )


def for_looking_into(scale: Profile, source: str) -> Profile:
    """The scale of ``vectors``: few seeds; on digits, all training images, since 100 hardly move a gate.

    No learning rate is chosen, so that no validation images are needed either.
    """
    base = scale.base
    if source == "digits":
        train = base.train.with_epochs(max(2, round(SHARE * base.train.epochs)))
        train = train.model_copy(update={"eval_every": train.epochs})
        changes = {"data.train_size": None, "data.val_size": 0, "model.depth": DEEP.get(scale.name, base.model.depth)}
        base = base.override({**changes, **dotted("train", train.model_dump())})
    few = SEEDS if scale.demonstration else FULL_SEEDS
    return replace(scale, base=base, seeds=min(few, scale.seeds))
