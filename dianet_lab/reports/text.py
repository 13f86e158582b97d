"""Text is data: a class name, a caption or an error message must never become markup."""

import re

# Entities, not backslashes: JupyterLab takes a doubled backslash before a bracket for a formula.
_MARKUP = re.compile(r"[\\`*\[\]<>&$|~]|(?<!\w)_|_(?!\w)|:(?=//)|^\s*(?:[-+=#]|\d+[.)])", re.MULTILINE)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escape_markdown(text: object) -> str:
    """The text as one Markdown paragraph that reads exactly like it: no emphasis, link, formula, list or HTML."""
    lines = [line.strip() for line in plain_text(str(text)).splitlines()]
    one_line = " ".join(line for line in lines if line)
    return _MARKUP.sub(lambda match: "".join(f"&#{ord(char)};" for char in match[0]), one_line)


def plain_text(text: str) -> str:
    """Terminal output as a reader saw it: no colours, no control characters, the last state of a progress bar."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return _CONTROL.sub("", "\n".join(lines))
