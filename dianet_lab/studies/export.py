"""A study as a YAML file: the other way round of :mod:`~dianet_lab.studies.files`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.profiles import PROFILES
from dianet_lab.strict_yaml import write_mapping
from dianet_lab.studies.catalog import smaller
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.files import dotted_changes
from dianet_lab.studies.study import Study


def study_to_yaml(study: Study) -> str:
    """A study as a file that reads back to the same runs, contrasts and options.

    Its base is told by what differs from that of the nearest profile. The arms of factors are written one by one.
    """
    scale = min(PROFILES.values(), key=lambda profile: len(_differences(profile.base, study.base)))
    values: dict[str, Any] = {"name": study.name, "profile": scale.name}
    if changes := _differences(scale.base, study.base):
        values["base"] = _nested(changes)
    values["arms"] = {arm: _differences(study.base, study.config(arm, study.seeds[0])) for arm in study.arms}
    seeds = [int(seed) for seed in study.seeds]
    values["seeds"] = len(seeds) if seeds == list(range(len(seeds))) else seeds
    values["baseline"] = study.baseline
    if study.arm_seeds:
        values["arm_seeds"] = {arm: _seeds(own, seeds) for arm, own in study.arm_seeds.items()}
    if study.contrasts != replace(study, contrasts=()).contrasts:
        values["contrasts"] = {contrast.name: _contrast(contrast) for contrast in study.contrasts}
    if study.tuning:
        tuning = study.tuning
        values["tuning"] = {
            "arms": list(tuning.arms),
            "rates": [float(rate) for rate in tuning.rates],
            "seeds": [int(seed) for seed in tuning.seeds],
        }
    if study.threads != scale.threads:
        values["threads"] = study.threads
    if study.keep_weights:
        values["keep_weights"] = True
    if study.snapshots:
        values["snapshots"] = [int(seed) for seed in study.snapshots]
    if study.demonstration != (scale.demonstration or smaller(study, scale)):
        values["demonstration"] = study.demonstration
    return write_mapping(values)


def _seeds(own: Sequence[int], seeds: list[int]) -> int | list[int]:
    """How many, where they are the first ones; else which."""
    own = [int(seed) for seed in own]
    return len(own) if own == seeds[: len(own)] else own


def _contrast(contrast: Contrast) -> dict[str, Any]:
    entry: dict[str, Any] = {"weights": _numbers(contrast.weights), "delta": float(contrast.delta)}
    if not contrast.primary:
        entry["primary"] = False
    if contrast.best_of:
        entry["best_of"] = list(contrast.best_of)
    return entry


def _differences(base: RunConfig, other: RunConfig) -> dict[str, Any]:
    """The dotted changes, plain JSON values, that turn ``base`` into ``other``, whatever its seed."""
    before, after = (dotted_changes(run.model_dump(mode="json", exclude={"seed"})) for run in (base, other))
    changes = {path: value for path, value in after.items() if value != before[path]}
    if {"data.source", "data.path"} & changes.keys() and (content := after["data.fingerprint"]):
        changes["data.fingerprint"] = content  # or it would be computed from a folder that may be elsewhere
    return changes


def _nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in changes.items():
        *sections, name = path.split(".")
        section = nested
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = value
    return nested


def _numbers(weights: Mapping[str, float]) -> dict[str, int | float]:
    return {arm: int(weight) if float(weight).is_integer() else float(weight) for arm, weight in weights.items()}
