"""What a name on the command line means: a study of the catalogue, a file of ``studies/``, or the path of a file."""

from pathlib import Path
from typing import Any

from dianet_lab.config import RunConfig
from dianet_lab.errors import ConfigError, unknown_name
from dianet_lab.paths import home, in_home
from dianet_lab.strict_yaml import read_mapping
from dianet_lab.studies.catalog import STUDIES, get_study
from dianet_lab.studies.files import about, is_study, study_of
from dianet_lab.studies.study import Study


def _folder() -> Path:
    """Where studies are files: in the lab's folder; DIANET_LAB_HOME may be a folder for results only."""
    own = home() / "studies"
    return own if own.is_dir() else Path(__file__).parents[2] / "studies"


def study_names() -> list[str]:
    """What can be asked by name: the catalogue, then the files ``studies/*.yaml``, sorted."""
    return [*STUDIES, *sorted(path.stem for path in _folder().glob("*.yaml"))]


def find(what: str, **changes: Any) -> Study | RunConfig:
    """The study, or the single run, that ``what`` means.

    Args:
        what: a name of :func:`study_names`, or the path of a study's or a run's YAML or JSON file, as it is or relative
            to the lab's folder.
        changes: ``profile``, ``seeds``, ``epochs``, ``data``, ``train_size``, for a study; ``None`` is no change.

    Raises:
        ConfigError: nothing of that name (with the closest one), a name of both kinds, a file that can't be read or
            does not fit, or changes of a single run.
        DataError: a Parquet folder that is not there.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    own = _folder() / f"{what}.yaml"
    if what in STUDIES:
        if own.is_file():
            raise ConfigError(f"{what!r} is a study of the catalogue and {own} too: give the file another name")
        return get_study(what, **changes)
    path = next((path for path in (own, Path(what), in_home(what)) if path.is_file()), None)
    if path is None:
        raise ConfigError(f"{unknown_name('study', what, study_names())}, or the path of a YAML file")
    with about(str(path)):
        values = read_mapping(_text(path))
        if is_study(values):
            return study_of(values, path.stem, **changes)
        if changes.keys() - {"profile"}:
            raise ConfigError(
                f"this is a single run, and {', '.join(changes)} change a study; change the file's fields"
            )
        return RunConfig(**values)


def find_study(what: str, **changes: Any) -> Study:
    """As :func:`find`, for where a single run is of no use.

    Raises:
        ConfigError: also for a single run.
    """
    found = find(what, **changes)
    if isinstance(found, RunConfig):
        raise ConfigError(f"{what} is a single run, expected a study: give it arms")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read as text ({error}); expected a study's or a run's YAML or JSON file") from None
