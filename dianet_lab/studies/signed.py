"""JSON files that carry the SHA-256 of their own content, so that a changed value is seen and not believed."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dianet_lab.paths import write_atomically

SIGNATURE = "sha256_of_the_rest"


def write_signed(path: Path, values: dict[str, Any]) -> None:
    """Write ``values`` with their signature, atomically."""
    write_atomically(path, json.dumps({**values, SIGNATURE: _signature(values)}, indent=2))


def read_signed(path: Path, older: Callable[[dict[str, Any]], bool] = lambda values: False) -> dict[str, Any]:
    """The values of a file that :func:`write_signed` wrote.

    Args:
        older: whether these values are of a format that had no signature yet.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON object, or was changed after it was written.
    """
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError(f"{path.name} is cut or damaged: it is no JSON") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} is no JSON object")
    signature = values.pop(SIGNATURE, None)
    if signature is None and older(values):
        return values
    if signature != _signature(values):
        raise ValueError(f"{path.name} was changed after it was written: it has not the SHA-256 that it says")
    return values


def _signature(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
