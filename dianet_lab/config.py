"""What a run is asked to do: frozen, validated configurations, and the run id that is their hash.

An id is equal on every machine and changes when, and only when, something that affects the result changes: it hashes
the fields that differ from their defaults (so that a new field leaves old ids alone) and a format number; data counts
by its content, never by its path; device, threads and versions are provenance and no part of it. What only the data can
tell is told apart: ``train_size=None`` and the number that it stands for have two ids.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, model_validator

from dianet_lab.config_base import Config, Positive
from dianet_lab.data.fingerprint import folder_fingerprint
from dianet_lab.errors import ConfigError, unknown_name
from dianet_lab.model_config import AttentionConfig, ModelConfig
from dianet_lab.paths import in_home
from dianet_lab.strict_yaml import read_mapping

__all__ = ["AttentionConfig", "DataConfig", "ModelConfig", "RunConfig", "TrainConfig", "differences", "dotted_fields"]

ID_FORMAT = 1


class DataConfig(Config):
    """Which images, and how many of them. The test part is fixed; the seed draws the training and validation parts."""

    source: Literal["digits", "cifar10", "cifar100", "parquet"] = "digits"
    path: str | None = Field(None, description="folder of a Parquet data set; no part of the run id")
    fingerprint: str | None = Field(None, description="content of that folder; computed where it is not given")
    train_size: Positive | None = Field(
        None, description="training images that the seed draws; None for all that are left"
    )
    val_size: Annotated[int, Field(ge=0)] = Field(200, description="validation images that the seed draws")
    test_limit: Positive | None = Field(None, description="a fixed stratified subset of the test images")
    augment: bool = Field(True, description="random crop, and flip where it makes sense")
    flip: bool | None = Field(None, description="None: as the data set says (never for digits)")

    not_hashed = frozenset({"path"})

    @classmethod
    def named(cls, text: str, **fields: Any) -> "DataConfig":
        """The data of ``digits``, ``cifar10``, ``cifar100`` or ``parquet:FOLDER``, as notebooks name them.

        Raises:
            ConfigError: another name.
            DataError: a folder that is not there.
        """
        source, _, path = text.partition(":")
        return cls(source=source, path=path or None, **fields)

    @model_validator(mode="before")
    @classmethod
    def _fingerprint_of_path(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("source") == "parquet" and not values.get("fingerprint"):
            if not values.get("path"):
                raise ConfigError("DataConfig.path: source 'parquet' needs the folder of the data set")
            if not isinstance(values["path"], str | Path):
                raise ConfigError(f"DataConfig.path: got {values['path']!r}, expected the folder of the data set")
            return {**values, "path": str(values["path"]), "fingerprint": folder_fingerprint(in_home(values["path"]))}
        return values

    @model_validator(mode="after")
    def _fields_fit_the_source(self) -> Self:
        if self.flip is not None and (self.source == "digits" or not self.augment):
            why = "a mirrored digit is no digit" if self.source == "digits" else "augment is off"
            raise ConfigError(f"DataConfig.flip: got {self.flip}, but {why}; leave it out")
        if self.source != "parquet" and (self.path or self.fingerprint):
            raise ConfigError(f"DataConfig.path: only source 'parquet' has one, but the source is {self.source!r}")
        return self


class TrainConfig(Config):
    """SGD with momentum, its schedule and its evaluation. The defaults are those of the official CIFAR code."""

    epochs: Positive = 180
    batch_size: Positive = 128
    lr: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(1e-4, ge=0)
    attention_lr_scale: float = Field(1.0, gt=0, description="rate of the attention's parameters over the others'")
    schedule: Literal["step", "cosine"] = Field("step", description="step without milestones is constant")
    milestones: tuple[Positive, ...] = Field(
        (), description="0-based epochs at which a step schedule multiplies by gamma"
    )
    gamma: float = Field(0.1, gt=0, le=1)
    warmup_epochs: Annotated[int, Field(ge=0)] = Field(0, description="linear warm-up over so many epochs")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Literal["float32", "mixed"] = "float32"
    eval_every: Positive = Field(1, description="epochs between evaluations; the last epoch is always evaluated")

    def with_epochs(self, epochs: int) -> "TrainConfig":
        """The same schedule squeezed or stretched to ``epochs``: milestones and warm-up keep their share."""
        share = epochs / self.epochs
        scaled = sorted({max(1, round(milestone * share)) for milestone in self.milestones})
        milestones = tuple(milestone for milestone in scaled if milestone < epochs)
        changed = {
            "epochs": epochs,
            "milestones": milestones,
            "gamma": self.gamma if milestones else type(self).model_fields["gamma"].default,
            "warmup_epochs": min(round(self.warmup_epochs * share), epochs - 1),
        }
        return TrainConfig(**(self.model_dump() | changed))

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        if self.milestones and self.schedule != "step":
            raise ConfigError(f"TrainConfig.milestones: only schedule 'step' has them, but it is {self.schedule!r}")
        if self.gamma != type(self).model_fields["gamma"].default and not self.milestones:
            raise ConfigError("TrainConfig.gamma: does nothing without milestones")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"TrainConfig.milestones: got {self.milestones}, expected increasing epochs")
        if self.milestones and self.milestones[-1] >= self.epochs:
            raise ConfigError(
                f"TrainConfig.milestones: {self.milestones[-1]} lies beyond the last epoch ({self.epochs - 1}); "
                "give milestones that fit, or use schedule 'cosine'"
            )
        if self.nesterov and not self.momentum:
            raise ConfigError("TrainConfig.nesterov: needs a momentum above 0")
        if self.warmup_epochs >= self.epochs:
            raise ConfigError(
                f"TrainConfig.warmup_epochs: got {self.warmup_epochs}, expected less than {self.epochs} epochs"
            )
        return self


class RunConfig(Config):
    """One training of one configuration with one seed."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def run_id(self) -> str:
        """A readable head and 16 hexadecimal digits of SHA-256 over what was asked."""
        text = json.dumps({"format": ID_FORMAT, "asked": self.asked()}, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{self.model.backbone}{self.model.depth}-{self.model.attention.unit}-s{self.seed}-{digest}"

    def override(self, changes: dict[str, Any]) -> "RunConfig":
        """A copy with dotted fields changed, for example ``{"model.attention.reduction": 8}``.

        Raises:
            ConfigError: an unknown path (with the closest valid one) or a value that does not fit.
        """
        values = self.model_dump()
        valid = dotted_fields(RunConfig)
        for path, value in changes.items():
            if path not in valid:
                raise unknown_name("configuration field", path, valid)
            *sections, name = path.split(".")
            section = values
            for part in sections:
                section = section[part]
            section[name] = value
        if {"data.path", "data.source"} & changes.keys() and "data.fingerprint" not in changes:
            values["data"]["fingerprint"] = None
        return RunConfig(**values)

    def without_paths(self) -> "RunConfig":
        """The same run without the folder of its data, which names a machine; the fingerprint says which data."""
        return self.model_copy(update={"data": self.data.model_copy(update={"path": None})})

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    def to_json(self) -> str:
        return self.model_dump_json(indent=2)

    @classmethod
    def from_text(cls, text: str) -> "RunConfig":
        """A configuration from YAML or JSON text (JSON is YAML); fields that are left out have their defaults.

        Raises:
            ConfigError: text that is no YAML mapping, or has a key twice; an unknown field, a value that does not fit.
        """
        return cls(**read_mapping(text))


def dotted_fields(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every leaf field of a configuration as a dotted path."""
    fields = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Config):
            fields += dotted_fields(kind, f"{prefix}{name}.")
        else:
            fields.append(prefix + name)
    return fields


def differences(one: RunConfig, other: RunConfig) -> str:
    """The fields in which two runs differ, as ``train.epochs (100 and 200)``, in the order of the fields."""
    values = [config.without_paths().model_dump() for config in (one, other)]
    found = []
    for field in dotted_fields(RunConfig):
        pair = []
        for value in values:
            for part in field.split("."):
                value = value[part]
            pair.append(value)
        if pair[0] != pair[1]:
            found.append(f"{field} ({pair[0]!r} and {pair[1]!r})")
    return ", ".join(found) or "nothing"
