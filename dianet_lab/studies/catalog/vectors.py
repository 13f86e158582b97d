"""Networks worth looking into: few arms, with their weights."""

from dataclasses import replace

from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import arm_changes
from dianet_lab.studies.contrast import minus
from dianet_lab.studies.study import Study, dotted

SEEDS = 3


def vectors_study(scale: Profile) -> Study:
    """DIA, the same cell per block, and SE per block."""
    arms = arm_changes(scale.base, ["DIA", "per block, carried", "SE per block"])
    contrasts = minus("DIA", "per block, carried", "SE per block", delta=scale.delta)
    return Study(
        "vectors",
        scale.base,
        arms=arms,
        seeds=range(scale.seeds),
        contrasts=contrasts,
        threads=scale.threads,
        keep_weights=True,
    )


def for_looking_into(scale: Profile, source: str) -> Profile:
    """The scale of ``vectors``: three seeds; on digits, all the images there are, since 100 hardly move a gate.

    These are six times the images, so a third of the epochs are twice the updates.
    """
    base = scale.base
    if source == "digits":
        train = base.train.with_epochs(max(2, round(base.train.epochs / 3)))
        train = train.model_copy(update={"eval_every": train.epochs})
        base = base.override({"data.train_size": None, **dotted("train", train.model_dump())})
    return replace(scale, base=base, seeds=min(SEEDS, scale.seeds))
