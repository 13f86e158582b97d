"""The lab's studies by name. An arm has one name everywhere, so that its runs are shared and its colour is fixed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, unknown_name
from dianet_lab.profiles import Profile, get_profile
from dianet_lab.studies.networks import networks_study
from dianet_lab.studies.study import Contrast, Study, dotted

_ATTENTION = "model.attention."

ARMS: dict[str, Mapping[str, Any]] = {
    "plain": {_ATTENTION + "unit": "none"},
    "plain, gain 0.25": {_ATTENTION + "unit": "none", "model.branch_gain": 0.25},
    "SE per block": {_ATTENTION + "unit": "se", _ATTENTION + "sharing": "none", _ATTENTION + "reduction": 16},
    "SE shared": {_ATTENTION + "unit": "se", _ATTENTION + "reduction": 16},
    "DIA": {},
    "shared, no memory": {_ATTENTION + "memory": "none"},
    "per block, carried": {_ATTENTION + "sharing": "none"},
    "per block, no memory": {_ATTENTION + "sharing": "none", _ATTENTION + "memory": "none"},
    "tanh": {_ATTENTION + "activation": "tanh"},
    "relu": {_ATTENTION + "activation": "relu"},
    "r=1": {_ATTENTION + "reduction": 1},
    "r=2": {_ATTENTION + "reduction": 2},
    "r=8": {_ATTENTION + "reduction": 8},
    "r=16": {_ATTENTION + "reduction": 16},
    "no bottleneck": {_ATTENTION + "reduction": None},
}
"""Arm -> its changes of the default network. ``DIA`` is shared by the stage, carried, sigmoid, r = 4."""


def _against(arm: str, *others: str) -> list[Contrast]:
    return [Contrast(f"{arm} - {other}", {arm: 1, other: -1}) for other in others]


def _sharing(base: RunConfig, seeds: range, threads: int) -> Study:
    """Shared or per block, with or without memory, beside SE and the controls of the start."""
    arms = list(ARMS)[:8]
    both, shared, carried, neither = arms[4:]
    contrasts = [
        Contrast("sharing (main effect)", {both: 0.5, shared: 0.5, carried: -0.5, neither: -0.5}),
        Contrast("memory (main effect)", {both: 0.5, carried: 0.5, shared: -0.5, neither: -0.5}),
        Contrast("sharing x memory (interaction)", {both: 1, shared: -1, carried: -1, neither: 1}),
        *_against("DIA", "plain", "plain, gain 0.25", "SE per block"),
        *_against("plain, gain 0.25", "plain"),
        *_against("SE shared", "SE per block"),
    ]
    return _study("sharing", base, arms, seeds, threads, "plain", contrasts)


def _activation(base: RunConfig, seeds: range, threads: int) -> Study:
    """What the cell state passes through on its way to the gate."""
    contrasts = [*_against("tanh", "DIA"), *_against("relu", "DIA"), *_against("DIA", "plain", "plain, gain 0.25")]
    arms = ["DIA", "tanh", "relu", "plain", "plain, gain 0.25"]
    return replace(_study("activation", base, arms, seeds, threads, "DIA", contrasts), keep_weights=True)


def _reduction(base: RunConfig, seeds: range, threads: int) -> Study:
    """The bottleneck ratio of the two maps: accuracy against parameters."""
    arms = ["DIA", "no bottleneck", "r=1", "r=2", "r=8", "r=16", "plain"]
    slope = {arm: weight / 10 for weight, arm in zip(range(-2, 3), ("r=1", "r=2", "DIA", "r=8", "r=16"), strict=True)}
    trend = Contrast("trend per doubling of r", slope, delta=0.0025)  # a point from r = 1 to r = 16
    contrasts = [trend, *_against("DIA", "plain"), *(c for arm in arms[1:-1] for c in _against(arm, "DIA"))]
    return _study("reduction", base, arms, seeds, threads, "DIA", contrasts)


def _vectors(base: RunConfig, seeds: range, threads: int) -> Study:
    """Networks worth looking into."""
    arms = ["DIA", "per block, carried", "SE per block"]
    return replace(_study("vectors", base, arms, seeds, threads, "DIA", []), keep_weights=True)


def _for_looking_into(scale: Profile, source: str) -> Profile:
    """The scale of ``vectors``: three seeds; on digits, all the images there are, since 100 hardly move a gate.

    These are six times the images, so a third of the epochs are twice the updates.
    """
    base = scale.base
    if source == "digits":
        train = base.train.with_epochs(max(2, round(base.train.epochs / 3)))
        train = train.model_copy(update={"eval_every": train.epochs})
        base = base.override({"data.train_size": None, **dotted("train", train.model_dump())})
    return replace(scale, base=base, seeds=min(3, scale.seeds))


STUDIES: dict[str, Callable[[RunConfig, range, int], Study]] = {
    "sharing": _sharing,
    "activation": _activation,
    "reduction": _reduction,
    "vectors": _vectors,
    "networks": networks_study,
}


def _study(name: str, base: RunConfig, arms: list[str], seeds: range, threads: int, baseline: str, contrasts) -> Study:
    chosen = {arm: ARMS[arm] for arm in arms}
    return Study(name, base, arms=chosen, seeds=seeds, baseline=baseline, contrasts=contrasts, threads=threads)


def get_study(
    name: str,
    profile: str = "quick",
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    data: str | None = None,
    train_size: int | None = None,
) -> Study:
    """A study of the catalogue at a scale, with the changes that a notebook's parameters allow.

    Args:
        seeds: how many seeds, instead of the profile's number.
        epochs: training length; the schedule is squeezed or stretched with it.
        data: ``digits``, ``cifar10``, ``cifar100`` or ``parquet:FOLDER``, instead of the profile's.
        train_size: how many training images each seed draws.

    Raises:
        ConfigError: an unknown study or profile, or a change that does not fit.
        DataError: a Parquet folder that is not there.
    """
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    scale = get_profile(profile)
    if name == "vectors":
        scale = _for_looking_into(scale, data or scale.base.data.source)
    if name == "networks":
        scale = replace(scale, seeds=min(3, scale.seeds))
    base = customised(scale, epochs=epochs, data=data, train_size=train_size)
    count = scale.seeds if seeds is None else seeds
    if count < 1:
        raise ConfigError(f"seeds: got {count}, expected at least 1")
    study = STUDIES[name](base, range(count), scale.threads)
    return replace(study, demonstration=scale.demonstration or smaller(study, scale))


def smaller(study: Study, scale: Profile) -> bool:
    """Whether a study has less of anything than its scale: then it is a demonstration, whatever it is called."""
    asked, usual = study.base, scale.base
    every = float("inf")
    fewer_images = (asked.data.train_size or every) < (usual.data.train_size or every)
    return len(study.seeds) < scale.seeds or asked.train.epochs < usual.train.epochs or fewer_images


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
