"""What the lab says when something is wrong: one error class that the command line shows without a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class LabError(Exception):
    """Something the user can mend. The message says what was wrong, what was expected and what to do."""


class ConfigError(LabError):
    """A configuration that can't be run. Not a ValueError, so that pydantic hands it on unwrapped."""


class DataError(LabError):
    """Data that is missing, truncated, foreign or not what the configuration's fingerprint says."""


def suggestion(name: object, valid: Iterable[object]) -> str:
    """``" (did you mean 'lstm'?)"`` for the closest of ``valid``, or an empty string where none is close."""
    close = get_close_matches(str(name), [str(v) for v in valid], n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def unknown_name(kind: str, name: object, valid: Iterable[object]) -> ConfigError:
    """The error for a name that is not in a registry: the valid names and the closest one."""
    valid = sorted(str(v) for v in valid)
    return ConfigError(f"unknown {kind} {name!r}{suggestion(name, valid)}: expected one of {', '.join(valid)}")
