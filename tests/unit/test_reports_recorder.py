"""``Report`` shows what a notebook found and leaves it on disk, ``report.json`` last."""

import base64
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from matplotlib.colors import to_rgb

from dianet_lab.errors import ConfigError, LabError
from dianet_lab.plots import ARM_STYLES
from dianet_lab.reports import Report
from dianet_lab.reports import recorder as module

SENTENCES = ["Sharing helps.", "By 1.3 points.", "On digits."]


@pytest.fixture
def shown(monkeypatch):
    """The outputs that a notebook would get: (mime bundle, metadata)."""
    outputs = []

    def display(thing, metadata=None):
        if hasattr(thing, "_repr_mimebundle_"):
            bundle, own = thing._repr_mimebundle_()
        else:
            name = type(thing).__name__.lower()
            bundle, own = {f"text/{name}": thing.data}, {}
        outputs.append((bundle, {**own, **(metadata or {})}))

    monkeypatch.setattr(module, "display", display)
    return outputs


def start(**changes) -> Report:
    head = {"profile": "smoke", "title": "Does sharing help?", "question": "Does it?", "badge": "8x8 digits"}
    return Report("01_sharing", **{**head, **changes})


def a_figure():
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2])
    return figure


def test_the_colour_of_every_arm_survives_in_the_small_file(lab_home):
    """A file of few colours that merged those of small marks would give two arms one colour."""
    figure, axes = plt.subplots(figsize=(8, 6))
    axes.imshow(np.linspace(0, 1, 4000).reshape(40, 100), cmap="viridis", aspect="auto", extent=(0, 1, 0, 1))
    colours = sorted({to_rgb(style.color) for style in ARM_STYLES.values()})
    for index, colour in enumerate(colours):
        axes.plot([index / len(colours)], [1.2], marker="s", markersize=7, color=colour, linestyle="none")
    start().figure(figure, "arms", caption="All arms")
    with PIL.Image.open(lab_home / "results/smoke/01_sharing/figures/arms.png") as picture:
        assert picture.mode == "P"
        pixels = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0).astype(int)
    for colour in colours:
        assert np.abs(pixels - 255 * np.array(colour)).max(1).min() < 16, colour


def test_a_figure_is_saved_closed_and_shown_with_its_caption(shown, lab_home):
    figure = a_figure()
    start().figure(figure, "arms", caption="Accuracy of <arms>")
    png = (lab_home / "results/smoke/01_sharing/figures/arms.png").read_bytes()
    (image, metadata), (caption, role) = shown
    assert base64.b64decode(image["image/png"]) == png
    assert metadata["image/png"]["alt"] == "Accuracy of <arms>"
    assert caption == {"text/markdown": "Accuracy of &#60;arms&#62;"} and role == {"dianet_lab": "caption"}
    assert not plt.fignum_exists(figure.number)


@pytest.mark.parametrize("beyond", [False, True])
def test_a_figure_is_what_matplotlib_saves_tightly_also_where_something_lies_outside_it(beyond, lab_home):
    figure = a_figure()
    if beyond:
        figure.axes[0].text(1.2, 0.5, "far out, and long", transform=figure.axes[0].transAxes)
    figure.set_dpi(module.DPI)
    saved = io.BytesIO()
    figure.savefig(saved, dpi=module.DPI, bbox_inches="tight", facecolor="white")
    ours, theirs = module._drawn(figure), PIL.Image.open(saved).convert("RGB")
    assert np.abs(np.subtract(ours.size, theirs.size)).max() <= 2
    ink = [(np.asarray(picture).min(2) < 128).sum() for picture in (ours, theirs)]
    assert ink[0] == pytest.approx(ink[1], rel=0.05)


def test_axes_and_seaborn_grids_stand_for_their_figure(shown, lab_home):
    start().figure(a_figure().axes[0], "arms", caption="c")
    assert (lab_home / "results/smoke/01_sharing/figures/arms.png").is_file()


def test_a_table_is_saved_with_all_digits_and_shown_rounded(shown, lab_home):
    frame = pd.DataFrame({"arm": ["<b>dia</b>", "x" * 80], "accuracy": [1 / 3, np.nan]})
    start().table(frame, "summary", caption="All & more", formats={"accuracy": "{:.1f}"})
    stored = pd.read_csv(lab_home / "results/smoke/01_sharing/tables/summary.csv")
    pd.testing.assert_frame_equal(stored, frame)
    html = shown[0][0]["text/html"]
    assert "<td>0.3</td>" in html and "<td>–</td>" in html and "x" * 80 in html
    assert "&lt;b&gt;dia&lt;/b&gt;" in html and "<b>" not in html
    assert "<caption>All &amp; more</caption>" in html


def test_a_format_for_a_missing_column_is_an_error(shown):
    with pytest.raises(ConfigError, match="formats for"):
        start().table(pd.DataFrame({"a": [1]}), "t", caption="c", formats={"b": "{}"})


@pytest.mark.parametrize("name", ["../out", "a/b", "A", "", ".hidden", "a.b", "x\n", "a" * 81, None])
def test_no_name_leaves_the_folder(shown, name):
    report = start()
    for save in (
        lambda: report.figure(a_figure(), name, caption="c"),
        lambda: report.table(pd.DataFrame(), name, caption="c"),
        lambda: Report(name, profile="smoke", title="", question="", badge=""),
        lambda: start(profile=name),
    ):
        with pytest.raises(ConfigError, match="expected 1 to 80 lower-case"):
            save()


def test_what_we_see_is_text_and_not_markup(shown):
    start().conclude(SENTENCES, ["<script>alert(1)</script> *a* [b](c) $d$", "# no heading\n- no list", "3. no list"])
    text = shown[0][0]["text/markdown"]
    assert not set(text) & set("<>*[]$") and "\n\n" in text
    assert text.splitlines()[2].startswith("&#35; no heading")
    assert text.splitlines()[4].startswith("&#51;&#46; no list")


@pytest.mark.parametrize("sentences", [[], ["one"], ["a", "b", " "], "abc"])
def test_in_short_is_three_sentences(shown, sentences):
    with pytest.raises(ConfigError, match="list of 3 sentences"):
        start().conclude(sentences, "x")


def test_finish_writes_the_record_with_provenance_and_token(shown, lab_home, monkeypatch):
    monkeypatch.setenv("DIANET_LAB_REPORT_TOKEN", "fresh")
    report = start()
    report.figure(a_figure(), "first", caption="c")
    report.figure(a_figure(), "arms", caption="c", key=True)
    report.table(pd.DataFrame({"a": [1]}), "summary", caption="c")
    report.conclude(SENTENCES, "We see this.")
    report.finish({"run_ids": ("a", "b")}, seeds=np.arange(3), configuration="model:\n  depth: 20")
    record = json.loads((lab_home / "results/smoke/01_sharing/report.json").read_text())
    assert record["key_figure"] == "arms"
    assert [figure["file"] for figure in record["figures"]] == ["figures/first.png", "figures/arms.png"]
    assert record["tables"] == [{"name": "summary", "file": "tables/summary.csv", "caption": "c"}]
    assert record["in_short"] == SENTENCES and record["what_we_see"] == ["We see this."]
    assert record["token"] == "fresh" and record["seconds"] >= 0
    assert record["provenance"]["seeds"] == [0, 1, 2] and record["provenance"]["run_ids"] == ["a", "b"]
    assert {"versions", "commit", "machine", "started"} <= record["provenance"].keys()
    assert "<pre>model:\n  depth: 20</pre>" in shown[-1][0]["text/html"]


def test_a_long_row_of_the_provenance_is_folded(shown):
    report = start()
    report.conclude(SENTENCES, "x")
    report.finish(seeds=range(3), run_ids=[f"run-{number}" for number in range(240)])
    html = shown[-1][0]["text/html"]
    assert "<summary>240 values</summary>run-0, run-1" in html and "<td>0, 1, 2</td>" in html


def test_the_first_figure_is_the_key_where_none_is_named(shown, lab_home):
    report = start()
    report.figure(a_figure(), "only", caption="c")
    report.conclude(SENTENCES, "x")
    report.finish()
    assert json.loads((lab_home / "results/smoke/01_sharing/report.json").read_text())["key_figure"] == "only"


def test_a_second_key_figure_is_an_error_but_the_cell_may_be_run_again(shown):
    report = start()
    report.figure(a_figure(), "arms", caption="c", key=True)
    report.figure(a_figure(), "arms", caption="c", key=True)
    with pytest.raises(ConfigError, match="already 'arms'"):
        report.figure(a_figure(), "other", caption="c", key=True)


def test_a_report_needs_a_conclusion(shown):
    with pytest.raises(LabError, match="conclude"):
        start().finish()


def test_a_new_start_removes_the_old_record(shown, lab_home):
    report = start()
    report.conclude(SENTENCES, "x")
    report.finish()
    assert (lab_home / "results/smoke/01_sharing/report.json").is_file()
    start()
    assert not (lab_home / "results/smoke/01_sharing/report.json").exists()


def test_figures_and_tables_of_an_earlier_version_are_removed(shown, lab_home):
    for name in ("old", "new"):
        report = start()
        report.figure(a_figure(), name, caption="A figure.")
        report.table(pd.DataFrame({"x": [1]}), name, caption="A table.")
        report.conclude(SENTENCES, "Seen.")
        report.finish()
    folder = lab_home / "results" / "smoke" / "01_sharing"
    assert [path.name for path in sorted(folder.glob("*/*"))] == ["new.png", "new.csv"]
