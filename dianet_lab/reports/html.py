"""One HTML file for an executed notebook: it opens offline, asks nobody for anything and holds no scripts."""

import base64
import binascii
import re
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from nbformat import NotebookNode
from papermill.execute import ERROR_MARKER_TAG

from dianet_lab import paths
from dianet_lab.reports.record import DEMONSTRATION, ReportRecord, is_demonstration, read_record
from dianet_lab.reports.sanitize import Heading, highlighted, safe_html, safe_markdown
from dianet_lab.reports.text import escape_markdown, plain_text

_ACTIVE = ("application/javascript", "application/vnd.jupyter.widget-view+json", "image/svg+xml")
_TITLE = re.compile(r"\A\s*# +(.+?)[ #]*$", re.MULTILINE)
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"

templates = Environment(
    loader=PackageLoader("dianet_lab.reports"),
    autoescape=lambda name: not (name or "").endswith(".md.j2"),
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters["md"] = escape_markdown
templates.filters["plain"] = plain_text
templates.globals.update(is_demonstration=is_demonstration, demonstration=DEMONSTRATION)


def export_html(
    executed: Path, report: Path | None, out: Path, *, profile: str = "", failed: str | None = None
) -> None:
    """Write the page for an executed notebook.

    Args:
        executed: the notebook as papermill left it.
        report: its ``report.json``; None where it has none.
        profile: said at the top where there is no ``report.json`` to say it.
        failed: the error text of a notebook that did not reach its end; title and head then say FAILED.
    """
    notebook = nbformat.read(executed, as_version=4)
    record = read_record(report, ReportRecord) if report else None
    title = record.title if record else notebook_title(notebook, executed.stem)
    cells, headings = _cells(notebook)
    page = templates.get_template("report.html.j2").render(
        title=title,
        record=record,
        profile=record.profile if record else profile,
        key_figure=key_figure(report.parent, record) if record else None,
        failed=failed,
        cells=cells,
        contents=[heading for heading in headings if heading.level in (2, 3)],
    )
    paths.write_atomically(out, page)


def notebook_title(notebook: NotebookNode, default: str) -> str:
    """The first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := _TITLE.search(cell.source)):
            return match[1]
    return default


def key_figure(folder: Path, record: ReportRecord) -> Markup | None:
    """The report's key figure as an ``img`` that embeds it; None where it has none or the file is no PNG."""
    for figure in record.figures:
        path = folder / "figures" / f"{figure.name}.png"
        if figure.name == record.key_figure and path.is_file():
            return _image(path.read_bytes(), alt=figure.caption)
    return None


def _image(png: bytes, alt: str, width: Any = None) -> Markup | None:
    if not png.startswith(_PNG_HEAD):
        return None
    size = Markup(' width="{}"').format(width) if isinstance(width, int) else ""
    data = base64.b64encode(png).decode()
    return Markup('<img src="data:image/png;base64,{}" alt="{}"{}>').format(data, plain_text(alt), size)


def _cells(notebook: NotebookNode) -> tuple[list[Markup], list[Heading]]:
    """The cells as markup, without the notebook's title, which the page has already."""
    cells, headings, taken = [], [], {"top", "contents", "in-short"}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if ERROR_MARKER_TAG in tags or not cell.source.strip():
            continue
        if cell.cell_type == "markdown":
            source = cell.source if headings else _TITLE.sub("", cell.source, count=1)
            text, found = safe_markdown(source, cell.get("attachments"), taken)
            cells.append(Markup('<div class="cell prose">{}</div>').format(text))
            headings += found
        elif cell.cell_type == "code":
            code = Markup('<details class="code"><summary>{}</summary><pre>{}</pre></details>')
            code = code.format(_summary(tags), highlighted(cell.source))
            cells.append(Markup('<div class="cell">{}{}</div>').format(code, _outputs(cell.outputs)))
    return cells, headings


def _summary(tags: list[str]) -> str:
    if "injected-parameters" in tags:
        return "Parameters of this run"
    return "Parameters and their defaults" if "parameters" in tags else "Code"


def _outputs(outputs: list[NotebookNode]) -> Markup:
    """All outputs of a cell; neighbouring streams of one name are one text."""
    parts: list[Markup] = []
    streams: list[str] = []
    for position, output in enumerate(outputs):
        if output.output_type != "stream":
            parts.append(_error(output) if output.output_type == "error" else _bundle(output))
            continue
        streams.append(output.text)
        following = outputs[position + 1] if position + 1 < len(outputs) else {}
        if following.get("name") != output.name:
            parts.append(_stream(output.name, plain_text("".join(streams)).rstrip()))
            streams.clear()
    return Markup("\n").join(parts)


def _stream(name: str, text: str) -> Markup:
    if not text:
        return Markup()
    if name == "stderr":
        return Markup('<details class="messages"><summary>Messages</summary><pre>{}</pre></details>').format(text)
    return Markup('<pre class="text">{}</pre>').format(text)


def _error(output: NotebookNode) -> Markup:
    trace = plain_text("\n".join(output.get("traceback", [])))
    details = Markup("<details><summary>Traceback</summary><pre>{}</pre></details>").format(trace)
    box = Markup('<div class="error"><p><strong>{}</strong>: {}</p>{}</div>')
    return box.format(plain_text(output.ename), plain_text(output.evalue), details)


def _bundle(output: NotebookNode) -> Markup:
    """The first of image, HTML, Markdown and text; what only a script or an SVG could show is left out."""
    data, metadata = output.data, output.metadata
    if "image/png" in data:
        details = metadata.get("image/png", {})
        image = _png(data["image/png"], str(details.get("alt") or "Figure"), details.get("width"))
        return Markup("<figure>{}</figure>").format(image) if image else Markup()
    if "text/html" in data:
        return Markup('<div class="output">{}</div>').format(safe_html(_text(data["text/html"])))
    if "text/markdown" in data:
        kind = "caption" if metadata.get("dianet_lab") == "caption" else "prose"
        return Markup('<div class="{}">{}</div>').format(kind, safe_markdown(_text(data["text/markdown"]))[0])
    if "text/plain" in data and not any(kind in data for kind in _ACTIVE):
        return Markup('<pre class="text">{}</pre>').format(plain_text(_text(data["text/plain"])))
    return Markup()


def _png(encoded: str, alt: str, width: Any) -> Markup | None:
    try:
        return _image(base64.b64decode("".join(encoded.split()), validate=True), alt, width)
    except (binascii.Error, ValueError):
        return None


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)
