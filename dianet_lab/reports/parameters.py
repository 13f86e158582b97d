"""Parameters of a notebook, strictly: papermill only warns about a typo, pastes names as code and turns what it
doesn't know into text (``np.False_`` into the true ``"False"``). Here a wrong name or type stops the batch at once.
"""

import ast
import io
import json
import tokenize
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional, Union

import nbformat
import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from dianet_lab.errors import ConfigError, suggestion
from dianet_lab.reports.values import plain

_TYPES = {
    **{kind.__name__: kind for kind in (int, float, bool, str, list, dict)},
    **{"Any": Any, "Literal": Literal, "Optional": Optional, "Union": Union},
}
_ANNOTATION = (ast.Expression, ast.Name, ast.Load, ast.BinOp, ast.BitOr, ast.Subscript, ast.Tuple, ast.Constant)
_STRICT = ConfigDict(strict=True)


@dataclass(frozen=True)
class Parameter:
    """One assignment in the cell tagged ``parameters``: ``epochs: int | None = None  # epochs of a run``."""

    name: str
    type_text: str
    type: Any
    help: str

    def __str__(self) -> str:
        return f"{self.name}: {self.type_text}" + (f"  ({self.help})" if self.help else "")

    def accept(self, value: Any) -> Any:
        """The value as plain Python, of the declared type; text (from a command line) is read as that type.

        Raises:
            ConfigError: it does not fit.
        """
        value = plain(value, self.name)
        adapter = TypeAdapter(self.type, config=_STRICT)
        for candidate in _readings(value, untyped=self.type is Any):
            with suppress(ValidationError):
                return adapter.validate_python(candidate)
        raise ConfigError(f"parameter {self.name}: got {value!r}, expected {self.type_text}")


def _readings(value: Any, untyped: bool) -> Iterable[Any]:
    """What a text may stand for, best first. Numbers never go through YAML, to which 12:30 is 750."""
    if not isinstance(value, str):
        return [value]
    if value in ("None", "null"):
        return [None, value]
    readings = []
    for read in (int, float, json.loads, yaml.safe_load):
        with suppress(ValueError, yaml.YAMLError, RecursionError):
            found = read(value)
            if read is not yaml.safe_load or isinstance(found, bool | list | dict):
                readings.append(found)
    return [*readings, value] if untyped else [value, *readings]


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """The parameters that a notebook declares; none where it has no cell tagged ``parameters``.

    papermill's own inspection is not used: it reads line by line and loses ``int | None``.

    Raises:
        ConfigError: a file that is no notebook, or a cell that can't be read.
    """
    try:
        content = nbformat.read(notebook, as_version=4)
        tagged = [cell.source for cell in content.cells if "parameters" in cell.metadata.get("tags", ())]
        source = tagged[0] if tagged else ""
        statements = ast.parse(source).body
        comments = _comments(source)
    except (OSError, ValueError, SyntaxError, tokenize.TokenError, nbformat.ValidationError) as error:
        raise ConfigError(f"{notebook.name}: its parameters can't be read: {error}") from None
    found = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        if isinstance(target, ast.Name):
            kind, text = _declared_type(statement, notebook.name)
            found[target.id] = Parameter(target.id, text, kind, comments.get(statement.end_lineno, ""))
    return found


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _declared_type(statement: ast.Assign | ast.AnnAssign, notebook: str) -> tuple[Any, str]:
    """The type of an annotation, or of the default; evaluated only where every part of it is a known type."""
    if isinstance(statement, ast.AnnAssign):
        text = ast.unparse(statement.annotation)
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
        names = [node.id for node in nodes if isinstance(node, ast.Name)]
        if all(isinstance(node, _ANNOTATION) for node in nodes) and all(name in _TYPES for name in names):
            with suppress(TypeError):
                return eval(text, {"__builtins__": {}}, _TYPES), text
        raise ConfigError(f"{notebook}: parameter type {text!r} can't be read; use {', '.join(_TYPES)}")
    with suppress(ValueError):
        default = ast.literal_eval(statement.value)
        if isinstance(default, int | float | str | list | dict):
            return type(default), type(default).__name__
    return Any, "Any"


def check_batch(notebooks: list[Path], values: Mapping[str, Any]) -> dict[Path, dict[str, Any]]:
    """For each notebook the values that it has; a name is wrong only where no notebook has it.

    Raises:
        ConfigError: a name that no notebook has (with all that are valid), a value that does not fit.
    """
    declared = {notebook: read_parameters(notebook) for notebook in notebooks}
    valid = {name: parameter for parameters in declared.values() for name, parameter in parameters.items()}
    for name in values:
        if name not in valid:
            which = ", ".join(notebook.stem for notebook in notebooks)
            known = "".join(f"\n  {parameter}" for parameter in valid.values()) or "\n  (none)"
            raise ConfigError(f"unknown parameter {name!r}{suggestion(name, valid)}: {which} has{known}")
    return {
        notebook: {name: parameters[name].accept(value) for name, value in values.items() if name in parameters}
        for notebook, parameters in declared.items()
    }
