"""YAML as a person means it: no key twice, numbers and words as in YAML 1.2, and errors that name the line.

PyYAML silently keeps the last of two equal keys, and reads ``1e-4`` as text, ``no`` as false, ``010`` as 8 and ``1:30``
as 90. Here a key is always text, as it is written; ``true`` and ``false`` alone are truth values; and nothing but plain
values is ever made, as by ``yaml.safe_load``. JSON is read too: it is YAML.
"""

import re
from typing import Any

import yaml

from dianet_lab.errors import ConfigError

_NOT_TEXT = {
    "null": (r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    "int": (r"[-+]?[0-9]+\Z", list("-+0123456789")),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", list("-+.0123456789")),
    "merge": (r"<<\Z", ["<"]),
}
"""What an unquoted word is where it is no text: its kind, pattern, and first characters."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}
    yaml_constructors: dict[str | None, Any] = {None: yaml.SafeLoader.construct_undefined}

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"line {line}: expected text as a key, got a list or a mapping")
            if key.value in lines:
                raise ConfigError(
                    f"line {line}: {key.value!r} is already there, in line {lines[key.value]}: leave one of them out"
                )
            lines[key.value] = line
        return node

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "expected a mapping", node.start_mark)
        self.flatten_mapping(node)
        return {_whole(key.value): self.construct_object(value, deep=True) for key, value in node.value}


def _whole(text: str) -> str:
    """Text with the two halves of a character that JSON escapes as ``\\ud83d\\ude00`` put together."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would not read as text, so that every reader reads the same."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        # Line breaks that only Unicode knows are lost in any other style.
        return self.represent_scalar("tag:yaml.org,2002:str", data, None if data.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.text)

_CONSTRUCTORS = {
    "null": lambda loader, node: None,
    "bool": lambda loader, node: loader.construct_scalar(node).lower() == "true",
    "int": lambda loader, node: int(loader.construct_scalar(node)),
    "float": lambda loader, node: float(loader.construct_scalar(node)),
    "str": lambda loader, node: _whole(loader.construct_scalar(node)),
    "seq": lambda loader, node: loader.construct_sequence(node, deep=True),
    "map": _Loader.mapping,
}

for _kind, (_pattern, _first) in _NOT_TEXT.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)
for _kind, _constructor in _CONSTRUCTORS.items():
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _constructor)


def read_mapping(text: str) -> dict[str, Any]:
    """The mapping that a YAML or JSON text is, of plain values.

    Raises:
        ConfigError: no YAML, no mapping, or a key twice in one mapping; with the line.
    """
    try:
        values = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        why = ", ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(f"{line}this is no YAML or JSON: {why}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"line {line}: this is no text: it has the character #x{error.character:02x}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(f"this is no YAML that can be read: {why}") from None
    if not isinstance(values, dict):
        found = "nothing" if values is None else f"{type(values).__name__} {values!r:.40}"
        raise ConfigError(f"expected a mapping, such as `name: value` in each line, got {found}")
    return values


def read_value(text: str) -> Any:
    """A single value as YAML would read it (a number, true, null, a list, text); text that is no YAML stays text."""
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError, ConfigError):
        return text


def write_mapping(values: dict[str, Any]) -> str:
    """Plain values as YAML that any reader reads back; innermost mappings and lists stand in a line."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118, default_flow_style=None)
