"""A study of the catalogue at a scale, with the changes that a notebook's parameters allow."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, unknown_name
from dianet_lab.profiles import Profile, Shaky, get_profile
from dianet_lab.studies.catalog.activation import activation_study
from dianet_lab.studies.catalog.cell import cell_study
from dianet_lab.studies.catalog.depth import depth_study
from dianet_lab.studies.catalog.networks import networks_study
from dianet_lab.studies.catalog.recipe import recipe_study
from dianet_lab.studies.catalog.reduction import reduction_study
from dianet_lab.studies.catalog.sharing import sharing_study
from dianet_lab.studies.catalog.stability import stability_study
from dianet_lab.studies.catalog.units import units_study
from dianet_lab.studies.catalog.vectors import for_looking_into, vectors_study
from dianet_lab.studies.study import Study, dotted

STUDIES: dict[str, Callable[[Profile], Study]] = {
    "sharing": sharing_study,
    "activation": activation_study,
    "reduction": reduction_study,
    "cell": cell_study,
    "networks": networks_study,
    "units": units_study,
    "depth": depth_study,
    "stability": stability_study,
    "recipe": recipe_study,
    "vectors": vectors_study,
}


def sisters(study: Study) -> list[Study]:
    """The other studies with primary contrasts, at the scale of this one: with it, the family of Holm's correction."""
    if study.scale is None:
        return []
    return [STUDIES[name](study.scale) for name in study.scale.family if name != study.name]


def get_study(
    name: str,
    profile: str = "quick",
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    data: str | None = None,
    train_size: int | None = None,
) -> Study:
    """A study of the catalogue at a scale.

    Args:
        seeds: of the core arms, instead of the profile's number; the others have no more than these. Of all arms where
            a study has no core arms.
        epochs: training length; the schedule is squeezed or stretched with it.
        data: ``digits``, ``cifar10``, ``cifar100`` or ``parquet:FOLDER``, instead of the profile's.
        train_size: how many training images each seed draws.

    Raises:
        ConfigError: an unknown study or profile, or a change that does not fit.
        DataError: a Parquet folder that is not there.
    """
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    usual = get_profile(profile)
    if seeds is not None and seeds < 1:
        raise ConfigError(f"seeds: got {seeds}, expected at least 1")
    scale = for_looking_into(usual, data or usual.base.data.source) if name == "vectors" else usual
    base = customised(scale, epochs=epochs, data=data, train_size=train_size)
    asked = replace(scale, base=base, shaky=shorter(scale, base, seeds))
    if seeds is not None:
        asked = replace(asked, seeds=seeds, few=max(seeds, scale.few) if seeds > scale.seeds else min(seeds, scale.few))
    if seeds is not None and STUDIES[name](asked).tuning is None:  # no core arms: all have the seeds that are asked for
        asked = replace(asked, few=seeds)
    study = STUDIES[name](asked)
    planned = STUDIES[name](replace(asked, seeds=scale.seeds, few=scale.few, shaky=scale.shaky)).seeds
    fewer = len(study.seeds) < len(planned) or has_less(base, scale.base)
    return replace(study, planned=len(planned), demonstration=scale.demonstration or fewer)


def shorter(scale: Profile, base: RunConfig, seeds: int | None) -> Shaky:
    """The grid of stability with its epochs stretched as the base's were, and with other seeds where asked."""
    share = base.train.epochs / scale.base.train.epochs
    epochs = max(1, round(scale.shaky.epochs * share))
    return scale.shaky._replace(epochs=epochs, seeds=scale.shaky.seeds if seeds is None else seeds)


def smaller(study: Study, scale: Profile) -> bool:
    """Whether a study has less of anything than its scale: then it is a demonstration, whatever it is called."""
    return len(study.seeds) < scale.seeds or has_less(study.base, scale.base)


def has_less(asked: RunConfig, usual: RunConfig) -> bool:
    """Whether a base has fewer epochs or training images than another."""
    every = float("inf")
    fewer_images = (asked.data.train_size or every) < (usual.data.train_size or every)
    return asked.train.epochs < usual.train.epochs or fewer_images


def customised(
    profile: Profile, *, epochs: int | None = None, data: str | None = None, train_size: int | None = None
) -> RunConfig:
    """The profile's base configuration with other epochs, data or number of training images."""
    changes: dict[str, Any] = {}
    if epochs is not None:
        changes |= dotted("train", profile.base.train.with_epochs(epochs).model_dump())
    if data is not None:
        source, _, path = data.partition(":")
        changes |= {"data.source": source, "data.path": path or None}
    if train_size is not None:
        changes["data.train_size"] = train_size
    return profile.base.override(changes)
