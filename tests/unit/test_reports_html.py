"""What a reader sees of an executed notebook."""

import base64

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dianet_lab.reports import export_html
from dianet_lab.reports.record import ReportRecord
from dianet_lab.reports.sanitize import formula, safe_html, safe_markdown
from dianet_lab.reports.text import plain_text

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


@pytest.fixture
def page(tmp_path):
    """Export cells and return the page."""

    def export(cells, record=None, **options) -> str:
        nbformat.write(new_notebook(cells=cells), tmp_path / "n.ipynb")
        report = None
        if record:
            report = tmp_path / "report.json"
            report.write_text(record.model_dump_json())
            (tmp_path / "figures").mkdir(exist_ok=True)
            (tmp_path / "figures" / "arms.png").write_bytes(PNG)
        export_html(tmp_path / "n.ipynb", report, tmp_path / "n.html", **options)
        return (tmp_path / "n.html").read_text()

    return export


def a_record(**changes) -> ReportRecord:
    arms = {"name": "arms", "file": "figures/arms.png", "caption": "The arms"}
    values = {
        "notebook": "n", "profile": "quick", "title": "Does sharing help?", "question": "Does it?",
        "badge": "8x8 digits", "in_short": ["One.", "Two.", "Three."], "what_we_see": ["x"], "key_figure": "arms",
        "figures": [arms], "tables": [], "started": "now", "seconds": 2.0, "provenance": {}, "token": "",
    }  # fmt: skip
    return ReportRecord(**{**values, **changes})


def test_the_page_opens_with_title_question_conclusion_and_key_figure(page):
    text = page([new_markdown_cell("# Does sharing help?\n\nIntro."), new_code_cell("x = 1")], a_record())
    assert text.count("Does sharing help?</h1>") == 1
    order = [
        "<h1>",
        "Does it?",
        "This is a demonstration, not evidence",
        "In short",
        "One.",
        'alt="The arms"',
        "Intro.",
    ]
    assert sorted(order, key=text.index) == order
    assert "8x8 digits · profile quick" in text


@pytest.mark.parametrize(("profile", "loud"), [("smoke", True), ("quick", True), ("digits", False), ("paper", False)])
def test_only_small_scales_are_called_a_demonstration(page, profile, loud):
    assert ("This is a demonstration" in page([new_markdown_cell("x")], a_record(profile=profile))) == loud


def test_a_failed_notebook_says_so_in_title_and_banner(page):
    text = page([new_markdown_cell("# Sharing")], failed="ValueError: no data\ntrace", profile="quick")
    assert "<title>FAILED: Sharing</title>" in text
    assert "<h2" in text and ">FAILED</h2>" in text
    assert '<p class="reason">ValueError: no data</p>' in text
    assert "This is a demonstration" in text


def test_a_damaged_record_counts_as_none(page, tmp_path):
    (tmp_path / "report.json").write_text("{}")
    nbformat.write(new_notebook(cells=[new_markdown_cell("# T")]), tmp_path / "n.ipynb")
    export_html(tmp_path / "n.ipynb", tmp_path / "report.json", tmp_path / "n.html")
    assert "In short" not in (tmp_path / "n.html").read_text()


def test_code_is_folded_and_the_parameters_are_named(page):
    cells = [
        new_code_cell("epochs = 1", metadata={"tags": ["parameters"]}),
        new_code_cell("epochs = 5", metadata={"tags": ["injected-parameters"]}),
        new_code_cell("run()"),
    ]
    text = page(cells)
    assert text.count("<details") == 3 and "<details open" not in text
    for summary in ("Parameters and their defaults", "Parameters of this run", "Code"):
        assert f"<summary>{summary}</summary>" in text


def test_headings_of_the_second_and_third_level_are_the_contents(page):
    text = page([new_markdown_cell("# T\n## The arms & $x$\n### Deep\n#### Deeper"), new_markdown_cell("## Deep")])
    assert '<h2 id="The-arms">' in text and 'href="#The-arms"' in text
    assert '<h3 id="Deep">' in text and '<h2 id="Deep-2">' in text
    assert text.count('<li class="level-') == 3


def test_papermills_own_error_marks_are_left_out(page):
    mark = new_markdown_cell("An Exception was encountered", metadata={"tags": ["papermill-error-cell-tag"]})
    assert "An Exception was encountered" not in page([mark, new_markdown_cell("x")])


def test_the_richest_harmless_form_of_an_output_is_shown(page):
    both = new_output("display_data", {"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "PLAIN"})
    image = {"image/png": base64.b64encode(PNG).decode(), "text/html": "HTML", "image/svg+xml": "<svg/>"}
    text = page([new_code_cell("x", outputs=[both, new_output("display_data", image)])])
    assert "<td>1</td>" in text and "PLAIN" not in text
    assert "data:image/png" in text and "HTML</div>" not in text


def test_printed_lines_are_one_text_and_messages_are_folded(page):
    streams = [("stdout", "a\n"), ("stdout", "\x1b[32mb\x1b[0m\n"), ("stderr", "warned"), ("stdout", "10%\r100%\n")]
    outputs = [new_output("stream", name=name, text=text) for name, text in streams]
    text = page([new_code_cell("x", outputs=outputs)])
    assert '<pre class="text">a\nb</pre>' in text
    assert "<summary>Messages</summary><pre>warned</pre>" in text
    assert '<pre class="text">100%</pre>' in text


@pytest.mark.parametrize(
    ("source", "display"),
    [("$x$", "inline"), (r"\(x\)", "inline"), (r"\\(x\\)", "inline"), ("$$x$$", "block"), (r"\[x\]", "block")],
)
def test_formulas_become_mathml(source, display):
    text, _ = safe_markdown(f"so {source} is")
    assert f'<math display="{display}"' in text and "<mi>x</mi>" in text
    assert source not in text


def test_environments_are_formulas():
    text, _ = safe_markdown(
        "$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$\n\n\\begin{equation}x\\end{equation}"
    )
    assert text.count("<math") == 2 and text.count("<mtr>") == 2
    assert "begin" not in text and "(1)" not in text


def test_a_formula_that_cant_be_read_is_shown_as_it_was_written():
    assert formula(r"\left( x", display=False) == r"<code>\left( x</code>"
    assert formula("{" * 5000, display=False).startswith("<code>")


def test_underscores_and_stars_in_a_formula_are_no_emphasis():
    assert "<em>" not in safe_markdown("$a_1 * b_2 * c_3$")[0]


def test_an_outside_address_is_written_out_and_a_neighbouring_notebook_is_its_html():
    text, _ = safe_markdown("[paper](https://a.test/x?a=1&b=2), [next](02_activation.ipynb#gates), https://b.test")
    assert "paper <small>(https://a.test/x?a=1&amp;b=2)</small>" in text
    assert '<a href="02_activation.html#gates">next</a>' in text
    assert "https://b.test" in text


def test_a_table_can_be_reached_by_keyboard_and_loses_its_inline_style():
    assert safe_html('<table class="dataframe" border=1><tr style="x"><td>1</td></tr></table>').startswith(
        '<table tabindex="0"><tbody><tr><td>1</td></tr>'
    )


def test_terminal_text_is_read_as_on_a_terminal():
    assert plain_text("a\x1b[1;31mb\x1b]8;;http://x\x07c\r\nd\re\x00\n") == "abc\ne\n"
