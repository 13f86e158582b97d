"""From arms, contrasts and a scale to a study: who gets all the seeds, and who tries several learning rates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.profiles import Profile
from dianet_lab.studies.catalog.arms import CORE, arm_changes
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.study import Study, Tuning

FIRST_TUNING_SEED = 1000
"""Tuning has seeds of its own, so that no run that chose a learning rate is counted as evidence."""


def build(
    name: str,
    scale: Profile,
    names: Iterable[str],
    contrasts: Sequence[Contrast],
    baseline: str = "plain",
    full: Sequence[str] = (),
) -> Study:
    """A study of named arms, the core arms and those of its primary contrasts among them with all seeds.

    Contrasts over arms that a stage of this scale has too few blocks for are left out.

    Args:
        full: further arms with all seeds.
    """
    base = scale.base
    arms = fitting(base, arm_changes(base, [*CORE, *names]))
    return assembled(name, scale, arms, contrasts, baseline, full)


def assembled(
    name: str,
    scale: Profile,
    arms: Mapping[str, Mapping[str, Any]],
    contrasts: Sequence[Contrast],
    baseline: str,
    full: Sequence[str] = (),
) -> Study:
    """The same from arms with their changes; primary is nothing in a study that is not of its scale's family."""
    known = [contrast for contrast in contrasts if set(contrast.arms) <= arms.keys()]
    mattering = {arm for contrast in known if contrast.primary for arm in contrast.arms}
    core = [arm for arm in arms if arm in {*CORE, *full, *mattering}]
    few = range(min(scale.few, scale.seeds))
    if name not in scale.family:
        known = [replace(contrast, primary=False) for contrast in known]
    return Study(
        name,
        scale.base,
        arms=arms,
        seeds=range(scale.seeds) if core else few,
        arm_seeds={arm: few for arm in arms if arm not in core},
        baseline=baseline,
        contrasts=known,
        tuning=Tuning(core, scale.rates, tuning_seeds(scale)) if core else None,
        threads=scale.threads,
        scale=scale,
    )


def tuning_seeds(scale: Profile) -> range:
    return range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + scale.tuning_seeds)


def fitting(base: RunConfig, arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The arms that a stage of the base has enough blocks for: a group of 3 needs 4 of them."""
    blocks = base.model.blocks_per_stage
    found = {}
    for arm, changes in arms.items():
        group = changes.get("model.attention.sharing", 1)
        first = changes.get("model.attention.share_from", 0)
        if first < blocks and (isinstance(group, str) or group < blocks):
            found[arm] = changes
    return found
