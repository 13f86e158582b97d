"""Markdown, HTML and formulas as markup in which nothing can act: an explicit list of tags and attributes.

The page has no scripts, asks nobody for anything and has no address outside itself in ``href`` or ``src``; what a link
outside would point to is written behind its text, which also survives printing.
"""

import html
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from xml.etree import ElementTree

import nh3
from latex2mathml.converter import convert_to_element
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathBlockParser, MathInlineParser
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES

from dianet_lab.reports.text import plain_text


def _words(text: str) -> set[str]:
    return set(text.split())


_TAGS = _words(
    """
    a abbr b blockquote br caption cite code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4
    h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead
    tr tt u ul var
    """
)
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
    **{f"h{level}": {"id"} for level in range(1, 7)},
}
_TOKENS = {name for name in STANDARD_TYPES.values() if name}
_PNG = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=\s]+")
_NOTEBOOK = re.compile(r"([\w-]+)\.ipynb(#[^\s\"<>]*)?")
_MATH_TAGS = _words(
    """
    math mrow mi mn mo mtext mspace ms mfrac msqrt mroot mstyle mpadded mphantom menclose msub msup msubsup munder
    mover munderover mmultiscripts mprescripts none mtable mtr mtd merror
    """
)
_MATH_ATTRIBUTES = _words(
    """
    display displaystyle scriptlevel mathvariant stretchy fence form separator accent accentunder largeop
    movablelimits symmetric lspace rspace minsize maxsize width height depth voffset linethickness columnalign
    rowspacing columnspacing columnlines rowlines notation
    """
)
_ENVIRONMENTS = {"aligned": "align*", "gathered": "matrix"}  # that the converter does not know, and what does instead


def safe_html(source: str, *, mark: str = "", ids: Sequence[str] = ()) -> Markup:
    """Foreign HTML with everything removed that is not on the list.

    Args:
        mark: of the renderer below: attributes that hold it are dropped, but ``id="<mark>-3"`` becomes ``ids[3]``.
            Nothing is pasted into the result by pattern, because an attribute's text may look like a tag.
    """

    def keep(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "id":
            number = value.removeprefix(f"{mark}-")
            return ids[int(number)] if mark and number != value and number.isdecimal() else None
        if mark and mark in value:
            return None
        if attribute == "href":
            return _inner_address(value)
        if attribute == "src":
            return value if _PNG.fullmatch(value) else None
        return value

    clean = nh3.clean(
        plain_text(source),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        allowed_classes={"span": _TOKENS},
        set_tag_attribute_values={"table": {"tabindex": "0"}},
        url_schemes={"data"},
        link_rel=None,
    )
    return Markup(clean)


def _inner_address(address: str) -> str | None:
    """An anchor of this page, or the HTML of a notebook beside it; nothing else is an address."""
    if address.startswith("#"):
        return address
    if match := _NOTEBOOK.fullmatch(address):
        return f"{match[1]}.html{match[2] or ''}"
    return None


def formula(latex: str, display: bool) -> Markup:
    """MathML of a LaTeX formula; its source where it can't be read.

    The converter's own text output is not used: it leaves ``<script>`` in ``\\text{}`` and ``href`` as they are.
    """
    for inner, known in _ENVIRONMENTS.items():
        latex = latex.replace(f"{{{inner}}}", f"{{{known}}}")
    try:
        root = convert_to_element(latex.strip(), display="block" if display else "inline")
    except Exception:  # the converter raises errors of many kinds, and a formula must not cost the report
        return Markup("<code>{}</code>").format(latex)
    for element in root.iter():
        if element.tag not in _MATH_TAGS:
            return Markup("<code>{}</code>").format(latex)
        element.text = html.unescape(element.text) if element.text else element.text
        element.attrib = {name: value for name, value in element.attrib.items() if name in _MATH_ATTRIBUTES}
    root.set("xmlns", "http://www.w3.org/1998/Math/MathML")
    return Markup(ElementTree.tostring(root, encoding="unicode"))


class _Inline(MathInlineParser):
    r"""Formulas also in ``\( \)`` and ``\[ \]`` with one backslash, as LaTeX has them."""

    SPECIFICATION: ClassVar = {
        **MathInlineParser.SPECIFICATION,
        "block_math_latex": r"(?s:\\{1,2}\[(?P<math_block_latex>.+?)\\{1,2}\])",
        "inline_math_latex": r"(?s:\\{1,2}\((?P<math_inline_latex>.+?)\\{1,2}\))",
    }


class _Block(MathBlockParser):
    SPECIFICATION: ClassVar = {
        **MathBlockParser.SPECIFICATION,
        "multiline_math": MathBlockParser.MULTILINE_MATH.replace(r"\\\\\[.*?\\\\\]", r"\\{1,2}\[.*?\\{1,2}\]"),
    }


@dataclass(frozen=True)
class Heading:
    """A heading of the table of contents."""

    level: int
    anchor: str
    text: Markup


class _Renderer(IPythonRenderer):
    """Formulas become placeholders, so that what the sanitizer sees holds none of the MathML it would have to trust."""

    def __init__(self, mark: str, taken: set[str]):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.mark = mark
        self.taken = taken
        self.formulas: list[Markup] = []
        self.headings: list[Heading] = []

    def fill_in(self, clean: str) -> Markup:
        """The sanitized text with its formulas."""
        return Markup(re.sub(rf"{self.mark}(\d+)x", lambda match: self.formulas[int(match[1])], str(clean)))

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        bare = nh3.clean(plain_text(text), tags=set())
        words = re.sub(rf"{self.mark}\d+x|[^\w\s.-]", "", html.unescape(bare)).split()
        anchor = base = "-".join(words) or "section"  # as JupyterLab names them
        number = 2
        while anchor in self.taken:
            anchor, number = f"{base}-{number}", number + 1
        self.taken.add(anchor)
        self.headings.append(Heading(level, anchor, self.fill_in(bare)))
        return f'<h{level} id="{self.mark}-{len(self.headings) - 1}">{text}</h{level}>\n'

    def _keep(self, latex: str, display: bool) -> str:
        self.formulas.append(formula(latex, display))
        return f"{self.mark}{len(self.formulas) - 1}x"

    def inline_math(self, body: str) -> str:
        return self._keep(body, display=False)

    def block_math(self, body: str) -> str:
        return self._keep(body, display=True)

    def latex_environment(self, name: str, body: str) -> str:
        alone = name.rstrip("*") in ("equation", "math", "displaymath")
        return self._keep(body if alone else rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if _inner_address(url):
            return f'<a href="{html.escape(url)}">{text}</a>'
        if url.startswith(("https://", "http://", "mailto:")):
            address = html.escape(url.removeprefix("mailto:"))
            return text if text in (url, address) else f"{text} <small>({address})</small>"
        return text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        if _PNG.fullmatch(url):
            return f'<img src="{url}" alt="{html.escape(text)}">'
        return f"[{html.escape(text)}]"

    def block_code(self, code: str, info: str | None = None) -> str:
        return f"<pre><code>{highlighted(code)}</code></pre>" if info == "python" else f"<pre>{html.escape(code)}</pre>"


def safe_markdown(
    source: str, attachments: dict[str, Any] | None = None, taken: set[str] | None = None
) -> tuple[Markup, list[Heading]]:
    """A Markdown text as sanitized HTML with MathML for its formulas, and its headings.

    Args:
        taken: the anchors already on the page; those of this text are added.
    """
    mark = f"formula{secrets.token_hex(8)}x"
    renderer = _Renderer(mark, set() if taken is None else taken)
    for name, data in (attachments or {}).items():
        source = source.replace(f"attachment:{name}", f"data:image/png;base64,{data.get('image/png', '')}")
    rendered = MarkdownWithMath(renderer, block=_Block(), inline=_Inline(hard_wrap=False)).render(source)
    clean = safe_html(rendered, mark=mark, ids=[heading.anchor for heading in renderer.headings])
    return renderer.fill_in(clean), renderer.headings


def highlighted(code: str) -> Markup:
    """Python code with a class for each kind of token."""
    return Markup(highlight(plain_text(code), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n"))
