"""What a report leaves on disk: ``report.json``, written last by the notebook, and ``outcome.json``, by the batch.

Both are read back as data that anyone may have written: names are slugs, so that no path leaves the report's folder.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dianet_lab import paths
from dianet_lab.errors import ConfigError
from dianet_lab.profiles import PROFILES

FORMAT = 1
TOKEN_VARIABLE = "DIANET_LAB_REPORT_TOKEN"
DEMONSTRATION = "This is a demonstration, not evidence"
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
Slug = Annotated[str, Field(pattern=rf"^{SLUG.pattern}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Artifact(_Record):
    """A saved figure or table."""

    name: Slug
    file: str
    caption: str = ""


class ReportRecord(_Record):
    """The content of ``report.json``: what the notebook asked, saw and concluded."""

    format: Literal[FORMAT] = FORMAT
    notebook: Slug
    profile: Slug
    title: str
    question: str
    badge: str
    demonstration: bool | None = None
    in_short: list[str]
    what_we_see: list[str]
    key_figure: Slug | None
    figures: list[Artifact]
    tables: list[Artifact]
    started: str
    seconds: float
    provenance: dict[str, Any]
    token: str


class OutcomeRecord(_Record):
    """The content of ``outcome.json``: how the batch saw the notebook end."""

    notebook: Slug
    title: str
    status: Literal["ok", "FAILED"]
    seconds: float
    error: str = ""
    token: str


AnyRecord = TypeVar("AnyRecord", bound=_Record)


def slug(kind: str, name: str) -> str:
    """The name unchanged.

    Raises:
        ConfigError: it is no slug, so a file named after it could lie anywhere.
    """
    if not isinstance(name, str) or not SLUG.fullmatch(name):
        expected = "1 to 80 lower-case letters, digits, _ and -, the first a letter or digit"
        raise ConfigError(f"{kind} name {name!r}: expected {expected}")
    return name


def is_demonstration(profile: str, records: Iterable[ReportRecord | None] = ()) -> bool:
    """Whether all reports that say so are too small to conclude from, or their scale where none says anything.

    One walk-through in a folder of evidence is marked on its own page. A scale that the lab does not know makes no
    claim of its own.
    """
    said = [record.demonstration for record in records if record and record.demonstration is not None]
    return all(said) if said else profile in PROFILES and PROFILES[profile].demonstration


def profile_folder(profile: str) -> Path:
    """``results/<profile>/``: the HTML reports, their index and a folder for each notebook."""
    return paths.results_folder() / slug("profile", profile)


def report_folder(profile: str, notebook: str) -> Path:
    """``results/<profile>/<notebook>/``."""
    return profile_folder(profile) / slug("notebook", notebook)


def read_record(path: Path, kind: type[AnyRecord]) -> AnyRecord | None:
    """The record in a file; None where there is none, or one that this version can't read."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def report_folders(profile: str) -> Iterator[Path]:
    """The folders of a profile's reports, in the order of the notebooks."""
    folder = profile_folder(profile)
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_dir() and SLUG.fullmatch(path.name))
