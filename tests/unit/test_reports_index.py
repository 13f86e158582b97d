"""The overview: a card for each notebook in HTML, and the same in Markdown."""

import base64
from types import SimpleNamespace

import pytest

from dianet_lab import paths
from dianet_lab.reports import write_index
from dianet_lab.reports.record import OutcomeRecord, ReportRecord, is_demonstration, report_folder

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


@pytest.fixture
def leave(lab_home):
    """Leave what a notebook leaves; return the profile's folder."""

    def leave(name, *, report="t", outcome="t", status="ok", error="", seconds=75.0, profile="quick"):
        folder = report_folder(profile, name)
        figures = [{"name": figure, "file": "", "caption": f"Caption of {figure}"} for figure in ("other", "arms")]
        for figure in ("other", "arms"):
            paths.write_atomically(folder / "figures" / f"{figure}.png", PNG)
        record = ReportRecord(
            notebook=name, profile=profile, title=f"Title of {name}", question="Does it?", badge="8x8 digits",
            in_short=["One.", "Two.", "Three."], what_we_see=["x"], key_figure="arms", figures=figures, tables=[],
            started="", seconds=seconds, provenance={}, token=report or "",
        )  # fmt: skip
        end = OutcomeRecord(
            notebook=name, title=f"Title of {name}", status=status, seconds=seconds, error=error, token=outcome or ""
        )
        if report is not None:
            paths.write_atomically(folder / "report.json", record.model_dump_json())
        if outcome is not None:
            paths.write_atomically(folder / "outcome.json", end.model_dump_json())
            paths.write_atomically(folder.parent / f"{name}.html", "page")
        return folder.parent

    return leave


def overview(profile="quick") -> tuple[str, str]:
    index = write_index(profile)
    return index.read_text(), (index.parent / "README.md").read_text()


def test_a_card_shows_question_figure_conclusion_scale_and_links_to_the_report(leave):
    leave("01_sharing")
    html, readme = overview()
    for text in (html, readme):
        for part in ("Title of 01_sharing", "Does it?", "One.", "Two.", "Three.", "8x8 digits", "ok", "1 min 15 s"):
            assert part in text
    assert '<a href="01_sharing.html">' in html and "data:image/png;base64," in html
    assert "![Caption of arms](01_sharing/figures/arms.png)" in readme
    assert readme.index("arms.png") < readme.index("other.png")


def test_notebooks_stand_in_their_order(leave):
    for name in ("10_attention_vectors", "00_tour", "01_sharing"):
        leave(name)
    html, _ = overview()
    positions = [html.index(f"Title of {name}") for name in ("00_tour", "01_sharing", "10_attention_vectors")]
    assert positions == sorted(positions)


def test_a_failed_notebook_shows_its_error_and_no_conclusion(leave):
    leave("01_sharing", report=None, status="FAILED", error="ValueError: no data\nline 1\nline 2")
    html, readme = overview()
    assert "FAILED" in html and "ValueError: no data" in html and "line 2" in html
    assert "**FAILED**: ValueError: no data" in readme and "line 2" not in readme
    assert "One." not in html and '<a href="01_sharing.html">' in html


def test_a_report_that_was_run_elsewhere_is_shown_without_a_link_to_the_older_page(leave):
    leave("01_sharing", report="", outcome="t", status="FAILED", error="old error")
    leave("02_activation", report="", outcome=None)
    html, _ = overview()
    assert "old error" not in html and "FAILED" not in html
    assert "Title of 01_sharing" in html and "Title of 02_activation" in html
    assert "href" not in html.partition("<main")[2]


@pytest.mark.parametrize(("profile", "loud"), [("smoke", True), ("quick", True), ("digits", False)])
def test_the_head_says_what_the_scale_is_and_warns_of_a_demonstration(leave, profile, loud):
    leave("01_sharing", profile=profile)
    html, readme = overview(profile)
    assert f"Scale {profile}: " in html and f"Scale {profile}: " in readme
    assert ("This is a demonstration, not evidence" in html) == loud
    assert ("THIS IS A DEMONSTRATION, NOT EVIDENCE" in readme) == loud


def test_one_demonstration_does_not_mark_a_folder_of_evidence():
    walk, study, silent = (SimpleNamespace(demonstration=said) for said in (True, False, None))
    assert is_demonstration("cifar10", [walk, silent]) and not is_demonstration("cifar10", [walk, study])
    assert not is_demonstration("cifar10", [silent]) and is_demonstration("quick", [silent, None])


def test_an_empty_profile_has_an_overview_too(lab_home):
    html, readme = overview()
    assert "No notebook has been run" in html and "No notebook has been run" in readme


def test_foreign_folders_and_damaged_records_make_no_card(leave):
    folder = leave("01_sharing", report=None, outcome=None)
    (folder / "01_sharing" / "report.json").write_text("{")
    (folder / "My Notes").mkdir()
    assert "<article" not in overview()[0]
