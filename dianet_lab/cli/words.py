"""What the commands share: their common options, how words become values, and how a table is drawn."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dianet_lab.errors import ConfigError
from dianet_lab.strict_yaml import read_value

Profile = Annotated[str, typer.Option("--profile", help="The scale: smoke, quick, digits, cifar10 or paper.")]
Data = Annotated[str | None, typer.Option("--data", help="digits, cifar10, cifar100 or parquet:FOLDER.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Training length; the schedule is stretched with it.")]
TrainSize = Annotated[int | None, typer.Option("--train-size", help="Training images that a seed draws.")]
Seeds = Annotated[int | None, typer.Option("--seeds", help="Seeds of a study.")]
Workers = Annotated[str, typer.Option("--workers", help="auto (one a core or accelerator), or a number of processes.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]


def workers_of(text: str) -> int | None:
    """``auto`` as None, else the number.

    Raises:
        ConfigError: neither.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--workers: got {text!r}, expected auto or a number of at least 1")
    return int(text)


def absolute(data: str | None) -> str | None:
    """A folder given on the command line is relative to where the user stands, not to the lab's folder."""
    if data and data.startswith("parquet:"):
        return f"parquet:{Path(data.removeprefix('parquet:')).expanduser().resolve()}"
    return data


def changes(texts: list[str]) -> dict[str, Any]:
    """``--set`` words as a dictionary; values are read as YAML (numbers, true, null, lists, text)."""
    pairs = [split(text, "--set") for text in texts]
    return {name: read_value(value) if value else "" for name, value in pairs}


def split(text: str, option: str) -> tuple[str, str]:
    """``NAME=VALUE`` as a pair.

    Raises:
        ConfigError: it is none.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"{option}: got {text!r}, expected NAME=VALUE")
    return name, value


def table(frame: Any, formats: dict[str, str], title: str) -> Any:
    """A frame as a table of rich; missing values are dashes.

    Args:
        formats: column -> how its values are written.
    """
    from rich.table import Table

    made = Table(*frame.columns, title=title, title_justify="left")
    for row in frame.to_dict("records"):
        shown = {name: "–" if value != value else formats.get(name, "{}").format(value) for name, value in row.items()}
        made.add_row(*shown.values())
    return made
