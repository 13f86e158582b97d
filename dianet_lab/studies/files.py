"""Studies as YAML files. Everything but the arms, or the factors, may be left out::

    name: cells                  # the file's name if not given
    profile: quick               # base, seeds, threads and whether it is a demonstration come from here
    base:                        # changes of the profile's base, nested or dotted
      train: {epochs: 50}
      data.train_size: 200
    arms:                        # changes of the base; an arm without any is the base itself
      one cell:
      two cells: {model.attention.cells: 2}
    factors:                     # every combination is a further arm, called like `reduction=8, width=4`
      model.attention.reduction: [8, 16]
      model.width: [4]
    seeds: 6                     # how many, or which: [0, 1, 5]
    baseline: one cell           # the first arm if not given
    arm_seeds: {two cells: 3}    # arms with fewer seeds: how many, or which
    contrasts:                   # each arm against the baseline if not given
      two - one: {weights: {two cells: 1, one cell: -1}, delta: 0.01, primary: true, best_of: []}
    tuning:                      # each arm's own learning rate, chosen on validation images
      arms: [one cell, two cells]
      rates: [0.03, 0.1, 0.3]
      seeds: [1000, 1001]        # none of those above
    threads: 1                   # CPU threads of one run
    keep_weights: false
    snapshots: [0]               # seeds whose runs keep their weights on the way too: how many, or which
    demonstration: true          # if not given: as the profile, or true with fewer seeds, epochs or images than it has

A file and the same study in Python have the same run ids, so they share their runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from dianet_lab.config import RunConfig, dotted_fields
from dianet_lab.config_base import Config, Positive
from dianet_lab.errors import ConfigError, LabError, suggestion, unknown_name
from dianet_lab.profiles import get_profile
from dianet_lab.strict_yaml import read_mapping
from dianet_lab.studies.catalog import customised, smaller
from dianet_lab.studies.catalog.building import FIRST_TUNING_SEED
from dianet_lab.studies.contrast import Contrast
from dianet_lab.studies.study import Study, Tuning

FIELDS = [field for field in dotted_fields(RunConfig) if field != "seed"]
SECTIONS = {field[:end] for field in FIELDS for end in range(len(field)) if field[end] == "."}


Seed = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]


class StudyFile(Config):
    """What a file may say; ``None`` is what the profile has."""

    name: str = ""
    profile: str = "quick"
    base: Any = None
    arms: dict[str, Any] = {}
    factors: Any = None
    seeds: Count | list[Seed] | None = None
    arm_seeds: dict[str, Count | list[Seed]] = {}
    tuning: dict[str, Any] | None = None
    baseline: str = ""
    contrasts: dict[str, dict[str, Any]] = {}
    threads: Positive | None = None
    keep_weights: bool = False
    snapshots: Annotated[int, Field(ge=0, strict=True)] | list[Seed] = 0
    demonstration: bool | None = None

    @field_validator("name", "profile", "baseline", mode="before")
    @classmethod
    def _text(cls, value: Any, field: ValidationInfo) -> Any:
        """A key is text however it is written, so an arm may be called 1; its name as a value must be quoted."""
        if isinstance(value, bool | int | float):
            raise ConfigError(f"StudyFile.{field.field_name}: got {value!r}, expected text; put it in quotes")
        return value


class ContrastEntry(Config):
    """A contrast of a file."""

    weights: dict[str, float] = {}
    delta: float = Field(Contrast.delta, gt=0)
    primary: bool = Contrast.primary
    best_of: list[str] = []


class TuningEntry(Config):
    """The tuning of a file."""

    arms: list[str] = []
    rates: list[Annotated[float, Field(gt=0)]] = []
    seeds: Count | list[Seed] = 6


def is_study(values: Mapping[str, Any]) -> bool:
    """Whether the content of a file is a study; else it is a single run, with ``model``, ``data``, ``train``, ``seed``.

    Raises:
        ConfigError: it has keys of both, or of neither.
    """
    of_study = [key for key in values if key in StudyFile.model_fields]
    of_run = [key for key in values if key in RunConfig.model_fields]
    if of_study and of_run:
        raise ConfigError(
            f"this is a study ({', '.join(of_study)}) and a single run ({', '.join(of_run)}) at once: in a study, "
            "model, data and train stand under base, and seed is seeds"
        )
    if values and not of_study and not of_run:
        valid = [*StudyFile.model_fields, *RunConfig.model_fields]
        key = next(iter(values))
        raise ConfigError(
            f"unknown key {key!r}{suggestion(key, valid)}: a study has {', '.join(StudyFile.model_fields)}; "
            f"a single run has {', '.join(RunConfig.model_fields)}"
        )
    return bool(of_study)


def read_study(text: str, name: str = "study", **changes: Any) -> Study:
    """The study of a YAML or JSON text.

    Args:
        name: what it is called if the text does not say.
        changes: as of :func:`study_of`.

    Raises:
        ConfigError: no YAML, an unknown key, a value that does not fit, or a study that can't be run.
        DataError: a Parquet folder that is not there.
    """
    return study_of(read_mapping(text), name, **changes)


def study_of(
    values: Mapping[str, Any],
    name: str = "study",
    *,
    profile: str | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    data: str | None = None,
    train_size: int | None = None,
) -> Study:
    """The study that the values of a file describe, with changes as of :func:`~dianet_lab.studies.catalog.get_study`.

    Args:
        name: what it is called if the values do not say.
        profile, seeds: in place of those of the values.
        epochs, data, train_size: change the base; the schedule is squeezed or stretched with the epochs.

    Raises:
        ConfigError, DataError: as :func:`read_study`.
    """
    asked = StudyFile(**{key: value for key, value in values.items() if value is not None})
    scale = get_profile(profile or asked.profile)
    with about("base"):
        written = scale.base.override(dotted_changes(asked.base))
    base = customised(replace(scale, base=written), epochs=epochs, data=data, train_size=train_size)
    numbers = asked.seeds if isinstance(asked.seeds, list) else range(asked.seeds or scale.seeds)
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"seeds: got {numbers}, expected each of them once")
    chosen = numbers if seeds is None else range(seeds)
    study = Study(
        asked.name or name,
        base,
        factors=_factors(asked.factors),
        arms={arm: _arm(arm, changes, base) for arm, changes in asked.arms.items()},
        seeds=chosen,
        arm_seeds=_arm_seeds(asked.arm_seeds, numbers, chosen),
        tuning=_tuning(asked.tuning),
        planned=len(numbers),
        baseline=asked.baseline,
        contrasts=[_contrast(title, entry) for title, entry in asked.contrasts.items()],
        threads=asked.threads or scale.threads,
        keep_weights=asked.keep_weights,
        snapshots=_some_seeds("snapshots", asked.snapshots, numbers, chosen),
    )
    if asked.demonstration is not None:  # then what the file asks for is what the changes are measured by
        scale = replace(scale, base=written, seeds=len(numbers), demonstration=asked.demonstration)
    return replace(study, demonstration=scale.demonstration or smaller(study, scale))


def dotted_changes(changes: Any) -> dict[str, Any]:
    """Changes of a run, nested or dotted or both, as dotted ones: ``{"train": {"lr": 1}}`` is ``{"train.lr": 1}``.

    Raises:
        ConfigError: no mapping, an unknown field (with the closest valid one), or a field that is given twice.
    """
    if changes is None:
        return {}
    if not isinstance(changes, dict):
        raise ConfigError(f"got {changes!r}, expected fields and their values, such as `model.width: 8`")
    found: dict[str, Any] = {}
    for path, value in _leaves("", changes):
        if path == "seed":
            raise ConfigError("seed: a study has seeds; leave it out here")
        if path in SECTIONS:
            raise ConfigError(f"{path}: got {value!r}, expected its fields, such as `{path}: {{field: value}}`")
        if path not in FIELDS:
            raise unknown_name("configuration field", path, FIELDS)
        if path in found:
            raise ConfigError(f"{path} is given twice, nested and dotted: leave one of them out")
        found[path] = value
    return found


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    section = path in SECTIONS or not path
    if isinstance(value, dict) and (value or section):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    elif not (section and value is None):  # a section whose content is commented out
        yield path, value


def _arm(arm: str, changes: Any, base: RunConfig) -> dict[str, Any]:
    with about(f"arm {arm!r}"):
        found = dotted_changes(changes)
        base.override(found)  # refused here, where the arm has a name
        return found


def _factors(factors: Any) -> dict[str, list[Any]]:
    with about("factors"):
        found = dotted_changes(factors)
        for path, values in found.items():
            if not isinstance(values, list) or not values:
                raise ConfigError(f"{path}: got {values!r}, expected a list of its values, such as [1, 2]")
        return found


def _contrast(name: str, entry: Mapping[str, Any]) -> Contrast:
    with about(f"contrast {name!r}"):
        checked = ContrastEntry(**entry)
        if not checked.weights:
            raise ConfigError("it has no weights, expected those of its arms, such as weights: {this: 1, that: -1}")
        return Contrast(name, checked.weights, checked.delta, checked.primary, checked.best_of)


def _arm_seeds(asked: Mapping[str, Any], written: Sequence[int], seeds: Sequence[int]) -> dict[str, list[int]]:
    """The seeds of the arms that have fewer: a number takes the first ones, a list those that the study still has."""
    return {arm: _some_seeds(f"arm_seeds: arm {arm!r}", own, written, seeds) for arm, own in asked.items()}


def _some_seeds(what: str, asked: int | list[int], written: Sequence[int], seeds: Sequence[int]) -> list[int]:
    if isinstance(asked, int):
        return list(seeds[:asked])
    if wrong := [seed for seed in asked if seed not in written]:
        raise ConfigError(f"{what}: seed {wrong[0]} is none of the study's, {list(written)}")
    return [seed for seed in asked if seed in seeds]


def _tuning(entry: Mapping[str, Any] | None) -> Tuning | None:
    if entry is None:
        return None
    with about("tuning"):
        checked = TuningEntry(**entry)
        for name in ("arms", "rates"):
            if not getattr(checked, name):
                raise ConfigError(f"it has no {name}, expected a list of them")
        asked, first = checked.seeds, FIRST_TUNING_SEED
        return Tuning(checked.arms, checked.rates, asked if isinstance(asked, list) else range(first, first + asked))


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Each line of an error from within begins with what it is about."""
    try:
        yield
    except LabError as error:
        raise type(error)("\n".join(f"{subject}: {line}" for line in str(error).splitlines())) from None
