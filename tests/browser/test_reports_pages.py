"""The pages in a real browser: offline, silent, readable at both widths."""

import base64
import io
import os
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import sync_playwright

from dianet_lab import paths
from dianet_lab.reports import export_html, write_index
from dianet_lab.reports.record import OutcomeRecord, ReportRecord, report_folder

pytestmark = pytest.mark.browser
FORMULAS = r"The gate is $h = o \odot \sigma(c)$, so \( y = s + h \odot b \) and $$\sum_{k=1}^{C} \frac{h_k}{b}$$"


@pytest.fixture(scope="module")
def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        message = "these tests need chromium, chromium-browser or google-chrome on the PATH"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def picture() -> bytes:
    figure, axes = plt.subplots(figsize=(9, 4))
    axes.plot([1, 3, 2])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    plt.close(figure)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A profile with a report that has everything wide, a failed one and the index."""
    home = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIANET_LAB_HOME", str(home))
        build("01_sharing", "ok", picture())
        build("02_activation", "FAILED", picture())
        return write_index("quick").parent


def build(name: str, status: str, png: bytes) -> None:
    folder = report_folder("quick", name)
    row = "".join(f"<td>{'w' * 12}{column}</td>" for column in range(12))
    image = {"image/png": base64.b64encode(png).decode()}
    outputs = [
        new_output("display_data", image, metadata={"image/png": {"alt": "The arms", "width": 864}}),
        new_output("display_data", {"text/html": f"<table><tbody><tr>{row}</tr></tbody></table>"}),
        new_output("stream", name="stdout", text="x" * 300),
        new_output("error", ename="ValueError", evalue="y" * 300, traceback=["z" * 300]),
    ]
    hostile = "<script>document.title = 'owned'</script><img src='https://a.test/x.png' onerror='document.title=1'>"
    cells = [
        new_markdown_cell(f"# Title\n\n{hostile}\n\n{FORMULAS}"),
        new_markdown_cell("## First part\n\n" + "word " * 800),
        new_markdown_cell("## The $x$ part\n\n### Deep\n\n" + "v" * 200),
        new_code_cell("print('a long line of code')  # " + "c" * 300, outputs=outputs),
    ]
    paths.write_atomically(folder / f"{name}.ipynb", nbformat.writes(new_notebook(cells=cells)))
    paths.write_atomically(folder / "figures" / "arms.png", png)
    record = ReportRecord(
        notebook=name, profile="quick", title="Does sharing help?", question="Does it?", badge="8x8 digits",
        in_short=["One.", "Two.", "t" * 120], what_we_see=["x"], key_figure="arms", tables=[], started="", seconds=1,
        figures=[{"name": "arms", "file": "figures/arms.png", "caption": "The arms"}], provenance={}, token="t",
    )  # fmt: skip
    failed = "ValueError: " + "e" * 300 if status == "FAILED" else None
    outcome = OutcomeRecord(notebook=name, title="Title", status=status, seconds=1, error=failed or "", token="t")
    paths.write_atomically(folder / "outcome.json", outcome.model_dump_json())
    if not failed:
        paths.write_atomically(folder / "report.json", record.model_dump_json())
    report = None if failed else folder / "report.json"
    export_html(folder / f"{name}.ipynb", report, folder.parent / f"{name}.html", profile="quick", failed=failed)


class Visit:
    """A page opened from a file, with everything that it asked for and said."""

    def __init__(self, browser, path: Path, width: int = 1200):
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.requests, self.messages = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.goto(path.as_uri(), wait_until="load")


PAGES = ["01_sharing.html", "02_activation.html", "index.html"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nobody_for_anything_and_reports_no_error(chromium, folder, name):
    visit = Visit(chromium, folder / name)
    outside = [url for url in visit.requests if not url.startswith("data:") and url != (folder / name).as_uri()]
    assert outside == [] and visit.messages == []
    assert "owned" not in visit.page.title()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1200, 400])
def test_nothing_sticks_out_sideways(chromium, folder, name, width):
    page = Visit(chromium, folder / name, width).page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_wide_table_scrolls_in_itself(chromium, folder):
    table = Visit(chromium, folder / "01_sharing.html", 400).page.locator("table").first
    assert table.evaluate("t => t.scrollWidth > t.clientWidth")


def test_every_image_is_loaded_and_has_an_alternative_text(chromium, folder):
    for name in ("01_sharing.html", "index.html"):
        images = Visit(chromium, folder / name).page.locator("img[src]")
        assert images.count() >= 1
        for index in range(images.count()):
            assert images.nth(index).evaluate("i => i.naturalWidth > 0 && i.alt.length > 0")


def test_formulas_are_drawn(chromium, folder):
    formulas = Visit(chromium, folder / "01_sharing.html").page.locator("main .cell math")
    assert formulas.count() >= 4
    for index in range(formulas.count()):
        box = formulas.nth(index).bounding_box()
        assert box["width"] > 5 and box["height"] > 5


def test_code_unfolds_and_folds(chromium, folder):
    page = Visit(chromium, folder / "01_sharing.html").page
    code = page.locator("details.code").first
    assert not code.locator("pre").is_visible()
    code.locator("summary").click()
    assert code.locator("pre").is_visible() and "a long line of code" in code.inner_text()
    code.locator("summary").click()
    assert not code.locator("pre").is_visible()


def test_the_contents_lead_to_each_heading(chromium, folder):
    page = Visit(chromium, folder / "01_sharing.html").page
    page.emulate_media(reduced_motion="reduce")
    links = page.locator("nav a")
    assert links.count() == 3
    for index in range(links.count()):
        links.nth(index).click()
        anchor = links.nth(index).get_attribute("href")
        target = page.locator(f"[id='{anchor[1:]}']")
        assert target.count() == 1 and target.evaluate("t => t.getBoundingClientRect().top < innerHeight")
        page.evaluate("scrollTo(0, 0)")


def test_the_index_leads_to_the_report_and_back(chromium, folder):
    page = Visit(chromium, folder / "index.html").page
    page.get_by_role("link", name="Does sharing help?").click()
    assert page.url.endswith("/01_sharing.html")
    page.get_by_role("link", name="All reports").click()
    assert page.url.endswith("/index.html")


def test_the_warning_of_a_demonstration_is_large(chromium, folder):
    for name in PAGES:
        banner = Visit(chromium, folder / name).page.locator(".demonstration")
        assert float(banner.evaluate("b => getComputedStyle(b).fontSize").removesuffix("px")) >= 24


@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out_from_its_background(chromium, folder, name):
    """WCAG AA: a contrast of 4.5 for every element that has text of its own."""
    worst = Visit(chromium, folder / name).page.evaluate(
        """() => {
          const light = c => c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                              .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const numbers = text => text.match(/[\\d.]+/g).map(Number);
          const behind = e => {
            for (; e; e = e.parentElement) {
              const c = numbers(getComputedStyle(e).backgroundColor);
              if (c.length == 3 || c[3] > 0) return c.slice(0, 3);
            }
            return [255, 255, 255];
          };
          const texts = [...document.querySelectorAll('body *')].filter(
            e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()));
          return Math.min(...texts.map(e => {
            const [a, b] = [light(numbers(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          }));
        }"""
    )
    assert worst >= 4.5


def test_printed_the_page_shows_text_and_no_folded_code(chromium, folder):
    page = Visit(chromium, folder / "01_sharing.html").page
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible() and not page.locator("details.code").first.is_visible()
    assert page.locator(".in-short").is_visible()
