"""Whatever data says, nothing acts in a report: poison goes in on every path, and the parsed page holds no life."""

import base64
import html.parser
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dianet_lab import paths
from dianet_lab.reports import export_html, write_index
from dianet_lab.reports.record import Artifact, OutcomeRecord, ReportRecord, report_folder
from dianet_lab.reports.sanitize import safe_html, safe_markdown
from dianet_lab.reports.text import escape_markdown

POISON = '<script>alert(1)</script> "><img src=x onerror=alert(1)> [x](javascript:alert(1)) $\\text{<script>}$ \x1b[31m'
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")
FORBIDDEN = {"script", "iframe", "object", "embed", "form", "input", "button", "link", "base", "svg", "audio", "video"}
MUTATIONS = [
    "<svg><script>alert(1)</script></svg>",
    "<svg onload=alert(1)><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<img alt='<table><img src=x onerror=alert(1)>' src='https://a.test/x.png'>",
    "<img alt='<h2>x</h2>' onerror=alert(1) src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<a href='javascript:alert(1)'>a</a><a href='data:text/html,<script>alert(1)</script>'>b</a>",
    "<a href=' java\tscript:alert(1)'>a</a><a href='//a.test'>b</a><a href='x.html\"onclick=\"alert(1)'>c</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data=x></object><form action=//a.test><input>",
    "<div style='background:url(https://a.test)' class='banner' id='top' onclick='alert(1)'>x</div>",
    "<style>body{background:url(https://a.test)}</style><link rel=stylesheet href=//a.test><meta http-equiv=refresh>",
    '![a $"onerror=alert(1)$ b](data:image/png;base64,AAAA)',
    "<b title='$\"onmouseover=alert(1)$'>x</b>",
    "$\\href{javascript:alert(1)}{x}\\class{a}{b}\\style{a:url(//a.test)}{c}$",
    "[a](https://a.test) ![b](https://a.test/b.png) <https://a.test> [c](file:///etc/passwd) [d](../../x.html)",
    "```mermaid\n<script>alert(1)</script>\n```\n\n```html\n<script>alert(1)</script>\n```",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
]


class Page(html.parser.HTMLParser):
    """The elements of a page, its text and its style."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(str(text))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def assert_inert(text: str) -> Page:
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in FORBIDDEN
        for name, value in attributes.items():
            assert not name.startswith("on") and name not in ("style", "srcset", "srcdoc", "formaction")
            assert "javascript:" not in (value or "") or name in ("alt", "title", "content")
        if "src" in attributes:
            assert tag == "img" and attributes["src"].startswith("data:image/png;base64,")
        if "href" in attributes:
            assert tag == "a" and re.fullmatch(r"#\S*|[\w-]+\.html(#\S*)?", attributes["href"])
    assert "url(" not in "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    return page


def poisoned_notebook():
    data = {
        "text/html": POISON + "".join(MUTATIONS),
        "text/markdown": POISON + "\n\n".join(MUTATIONS),
        "text/plain": POISON,
        "image/png": base64.b64encode(PNG).decode(),
    }
    one_each = [new_output("display_data", {mime: value}) for mime, value in data.items()]
    dropped = ["application/javascript", "image/svg+xml", "application/vnd.jupyter.widget-view+json", "text/latex"]
    active = [new_output("display_data", {mime: POISON, "text/plain": "DROPPED"}) for mime in dropped[:3]]
    outputs = [
        *one_each,
        *active,
        new_output("display_data", {"image/png": "no image" + POISON}),
        new_output(
            "display_data",
            {"image/png": base64.b64encode(PNG).decode()},
            metadata={"image/png": {"alt": POISON, "width": POISON}},
        ),
        new_output("stream", name="stdout", text=POISON),
        new_output("stream", name="stderr", text=POISON),
        new_output("error", ename=POISON, evalue=POISON, traceback=[POISON]),
    ]
    cells = [
        new_markdown_cell("# " + POISON),
        new_markdown_cell(f"## {POISON}\n\n{POISON}\n\n" + "\n\n".join(MUTATIONS)),
        new_code_cell(POISON, outputs=outputs),
        new_markdown_cell(
            "![x](attachment:a.png)", attachments={"a.png": {"image/png": POISON, "image/svg+xml": POISON}}
        ),
    ]
    return new_notebook(cells=cells)


@pytest.fixture
def poisoned(lab_home):
    """A finished and a failed report in which every text is poison."""
    artifact = Artifact(name="arms", file="../../" + POISON, caption=POISON)
    for name, status in (("01_ok", "ok"), ("02_bad", "FAILED")):
        folder = report_folder("smoke", name)
        paths.write_atomically(folder / "figures" / "arms.png", PNG)
        record = ReportRecord(
            notebook=name, profile="smoke", title=POISON, question=POISON, badge=POISON, in_short=[POISON] * 3,
            what_we_see=[POISON], key_figure="arms", figures=[artifact], tables=[], started=POISON, seconds=1.0,
            provenance={POISON: POISON}, token="t",
        )  # fmt: skip
        outcome = OutcomeRecord(notebook=name, title=POISON, status=status, seconds=1, error=POISON, token="t")
        paths.write_atomically(folder / "outcome.json", outcome.model_dump_json())
        if status == "ok":
            paths.write_atomically(folder / "report.json", record.model_dump_json())
        paths.write_atomically(folder / f"{name}.ipynb", nbformat.writes(poisoned_notebook()))
        report = folder / "report.json" if status == "ok" else None
        failed = None if status == "ok" else POISON
        export_html(folder / f"{name}.ipynb", report, folder.parent / f"{name}.html", profile="smoke", failed=failed)
    write_index("smoke")
    return report_folder("smoke", "01_ok").parent


@pytest.mark.parametrize("name", ["01_ok.html", "02_bad.html", "index.html"])
def test_a_page_full_of_poison_is_inert_and_still_shows_the_text(poisoned, name):
    text = (poisoned / name).read_text()
    page = assert_inert(text)
    assert "<script>alert(1)</script>" in page.text
    assert "DROPPED" not in page.text
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["01_ok.html", "02_bad.html", "index.html"])
def test_a_page_forbids_itself_everything_but_its_own_images_and_style(poisoned, name):
    policies = [
        a["content"] for tag, a in Page((poisoned / name).read_text()).elements if tag == "meta" and "content" in a
    ]
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in policies


def test_the_readme_shows_poison_as_text(poisoned):
    text = (poisoned / "README.md").read_text()
    assert "<script" not in text and "<img" not in text and "](javascript" not in text
    assert set(re.findall(r"\]\(([^)]*)\)", text)) == {"01_ok/figures/arms.png"}
    assert_inert(safe_markdown(text)[0])


@pytest.mark.parametrize("source", MUTATIONS)
def test_known_tricks_leave_nothing_active(source):
    assert_inert(safe_html(source))
    assert_inert(safe_markdown(source)[0])


def test_a_figure_outside_the_folder_is_not_read(lab_home, poisoned):
    assert (lab_home / "results/smoke/01_ok/report.json").read_text().count("../../")
    with pytest.raises(ValueError, match="pattern"):
        Artifact(name="../secret", file="x")


@pytest.mark.parametrize("text", [POISON, *MUTATIONS, "a_b_c *d* `e` 1. x", "- a\n- b", "    code", "# h", "a\\(b\\)"])
def test_escaped_text_is_one_paragraph_that_reads_the_same(text):
    page = Page(safe_markdown(escape_markdown(text))[0])
    assert [tag for tag, _ in page.elements] == ["p"]
    shown = text.replace("\x1b[31m", "")
    assert "".join(page.text.split()) == "".join(shown.split())
