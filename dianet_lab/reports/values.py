"""Values that JSON, YAML and a notebook's parameters can all hold."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from dianet_lab.errors import ConfigError


def plain(value: Any, name: str = "value") -> Any:
    """Pure Python: numpy and pandas values become numbers and lists, tuples lists, paths text.

    Raises:
        ConfigError: a value that has no plain form.
    """
    if isinstance(value, np.generic | np.ndarray) or (hasattr(value, "tolist") and hasattr(value, "dtype")):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind.__str__(value) if kind is str else kind(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple | range):
        return [plain(item, name) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {plain(key, name): plain(item, name) for key, item in value.items()}
    got = f"{name}: got {value!r} ({type(value).__name__})"
    raise ConfigError(f"{got}, expected a number, text, None, a list or a dictionary with text keys")
