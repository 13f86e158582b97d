"""The published claims as ``claims.yaml`` has them: what was said, how sure that is, and what would have to be true.

The file is one mapping, id -> claim. A number stands in it only if a stored source was seen to have it, or if it was
computed here; what is remembered is told in words and marked "not verified".
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from dianet_lab.backbones.resnet import BLOCKS
from dianet_lab.config_base import Config
from dianet_lab.errors import ConfigError, LabError
from dianet_lab.strict_yaml import read_mapping

FILE = Path(__file__).parents[1] / "claims.yaml"

EXPECTATIONS = ("better", "worse", "equivalent", "different", "more", "fewer", "not better", "not worse")
"""How the contrast comes out if the claim is true. ``more`` and ``fewer`` are ``better`` and ``worse`` of a count."""

NOT_VERIFIED = "remembered (not verified)"

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESULT = re.compile(r"\d\.\d|\d\s*(%|percent|points?\b)")
"""What a remembered result would look like: a decimal number, a percentage, or points."""

Count = Annotated[int, Field(ge=1, strict=True)]
Text = Annotated[str, Field(min_length=1, strict=True)]


class Preconditions(Config):
    """What a run must be so that a claim can be settled by it. A field that is left out asks for nothing.

    ``min_updates`` are steps of the optimiser, ``min_images`` training images, ``min_width`` channels of the stem.
    """

    data: tuple[Literal["digits", "cifar10", "cifar100", "parquet"], ...] = ()
    block: Literal[tuple(BLOCKS)] | None = None
    min_depth: Count | None = None
    min_blocks: Count | None = Field(None, description="blocks a stage")
    min_width: Count | None = None
    min_images: Count | None = None
    min_epochs: Count | None = None
    min_updates: Count | None = None


class Claim(Config):
    """One published claim, and the contrast of a study, or the computation, that tests it.

    Args:
        claim: one sentence, as published.
        source: who published it, with the arXiv id where there is one.
        grade: ``seen`` in a stored source, ``computed`` here, or ``remembered`` and so not verified.
        numbers: the published numbers; none for a remembered claim.
        note: how the contrast reads the claim, where that needs saying.
        kind: an ``accuracy`` claim must name its data; the other kinds may hold at any scale.
        expects: one of :data:`EXPECTATIONS`, for the sign in which the contrast is written.
        computed: a name in :data:`~dianet_lab.analysis.computed.CHECKS`, in place of study, contrast and expects.
    """

    id: str
    claim: Text
    source: Text
    grade: Literal["seen", "computed", "remembered"]
    numbers: Text | None = None
    note: Text | None = None
    kind: Literal["accuracy", "cost", "exactness", "mechanism"]
    expects: Literal[EXPECTATIONS] | None = None
    preconditions: Preconditions = Preconditions()
    study: Text | None = None
    contrast: Text | None = None
    computed: Text | None = None

    @property
    def sureness(self) -> str:
        """The grade in words for readers."""
        return NOT_VERIFIED if self.grade == "remembered" else self.grade

    @model_validator(mode="after")
    def _slug(self) -> Self:
        if not _SLUG.fullmatch(self.id):
            raise ConfigError(f"Claim.id: got {self.id!r}, expected a-z and digits in words joined by hyphens")
        return self

    @model_validator(mode="after")
    def _one_way_of_testing(self) -> Self:
        tested = [name for name in ("study", "contrast", "expects") if getattr(self, name) is not None]
        if self.computed is not None and tested:
            raise ConfigError(f"Claim.computed: a computation settles it; leave {' and '.join(tested)} out")
        if self.computed is None and len(tested) < 3:
            raise ConfigError("Claim.study: expected study, contrast and expects, or computed in their place")
        if self.computed is not None and self.preconditions != Preconditions():
            raise ConfigError("Claim.preconditions: a computation has no scale; leave them out")
        if self.kind == "accuracy" and not self.preconditions.data:
            raise ConfigError("Claim.preconditions: an accuracy was claimed for some data; name them in data")
        if self.kind == "accuracy" and "digits" in self.preconditions.data:
            raise ConfigError("Claim.preconditions: nothing about accuracy was claimed for digits; leave them out")
        return self

    @model_validator(mode="after")
    def _no_remembered_number(self) -> Self:
        if self.grade != "remembered":
            return self
        if self.numbers is not None:
            raise ConfigError("Claim.numbers: what is only remembered has no numbers; leave them out")
        for name in ("claim", "note"):
            if found := _RESULT.search(getattr(self, name) or ""):
                raise ConfigError(f"Claim.{name}: {found[0]!r} is a remembered number; say it in words")
        return self


def read_claims(text: str | None = None, name: str = FILE.name) -> list[Claim]:
    """The claims of a YAML text, in its order; those of the package if none is given.

    Args:
        name: of the file, for the error.

    Raises:
        ConfigError: no YAML, an id twice, an unknown field, a value that does not fit; with the file, the line and the
            claim.
    """
    text = FILE.read_text(encoding="utf-8") if text is None else text
    try:
        entries = read_mapping(text)
    except LabError as error:
        raise ConfigError(f"{name}, {error}") from None
    return [
        _claim(slug, values, f"{name}, line {_line(slug, text)}, claim {slug!r}") for slug, values in entries.items()
    ]


def _claim(slug: str, values: Any, where: str) -> Claim:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: got {values!r:.40}, expected its fields, such as `source: paper`")
    if "id" in values:
        raise ConfigError(f"{where}: its id is the key it stands under; leave the field id out")
    try:
        given = {**values, "preconditions": Preconditions(**(values.get("preconditions") or {}))}
        return Claim(id=slug, **given)
    except LabError as error:
        raise ConfigError(f"{where}: {error}") from None
    except TypeError:
        raise ConfigError(f"{where}: preconditions: expected a mapping, such as `{{data: [cifar100]}}`") from None


def _line(slug: str, text: str) -> int:
    """The line in which a claim begins; 1 for a key that is written in another way than plainly."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.partition(":")[0].strip("'\" ") == slug and not line.startswith(" "):
            return number
    return 1
