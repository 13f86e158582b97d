"""The notebooks of the lab: their form, and that each runs alone under papermill and in the batch."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from dianet_lab.reports.batch import run_reports
from dianet_lab.reports.parameters import read_parameters
from dianet_lab.reports.record import ReportRecord, read_record

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST = 11
"""Lines of a code cell; the cell that imports may be longer."""

ALONE = ("01_sharing",)
"""Run by papermill too, like the tour below. All of them run in one of three batches, which share their trainings."""

WITH_SUMMARY = ("00", "01", "02", "03", "04", "20")
INSIDE = ("10", "11", "12", "13", "14", "15", "16", "30")
OTHERS = tuple(path.stem[:2] for path in NOTEBOOKS if path.stem[:2] not in (*WITH_SUMMARY, *INSIDE))
BATCHES = (INSIDE, OTHERS, WITH_SUMMARY)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> Path:
    return request.param


@pytest.fixture
def cells(notebook):
    return nbformat.read(notebook, as_version=4).cells


class TestForm:
    def test_is_stored_without_outputs(self, cells):
        code = [cell for cell in cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)

    def test_parameters_are_typed_and_explained(self, notebook):
        parameters = read_parameters(notebook)
        assert parameters["profile"].type is str
        for name, parameter in parameters.items():
            assert parameter.type_text != "Any" and len(parameter.help) > 10, name

    def test_papermill_lists_every_parameter(self, notebook):
        from papermill.inspection import inspect_notebook

        listed = inspect_notebook(str(notebook))
        assert list(listed) == list(read_parameters(notebook))
        assert all(entry["inferred_type_name"] not in ("", "None") and entry["help"] for entry in listed.values())

    def test_cells_are_short_and_define_nothing(self, cells):
        for cell in cells:
            if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
                lines = cell.source.splitlines()
                imports = all(line.startswith(("import ", "from ")) for line in lines if line)
                assert len(lines) <= LONGEST or imports, cell.source
                assert not any(
                    isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(ast.parse(cell.source))
                )

    def test_prose_introduces_every_picture(self, cells):
        """At most two code cells in a row, the set-up after the parameters counted too."""
        kinds = "".join("p" if "parameters" in c.metadata.get("tags", []) else c.cell_type[0] for c in cells)
        assert not re.search("ccc", kinds), kinds

    def test_opens_with_one_title_and_ends_with_what_we_see(self, cells):
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert cells[0].source.startswith("# ") and len(re.findall("^# ", text, re.MULTILINE)) == 1
        assert "## What we see" in text and text.rstrip().endswith("## Where this comes from")

    def test_links_lead_to_notebooks_that_are_there(self, notebook, cells):
        links = re.findall(r"\]\(([^)]+)\)", "\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))
        assert all((notebook.parent / link).is_file() for link in links)


@pytest.mark.heavy
class TestRun:
    @pytest.mark.parametrize("name", ALONE)
    def test_alone_under_papermill_from_the_root_of_the_repository(self, name, lab_home, tmp_path):
        command = [sys.executable, "-m", "papermill", f"notebooks/{name}.ipynb", str(tmp_path / "out.ipynb")]
        options = ["-k", "python3", "-p", "profile", "smoke", "-p", "epochs", "1", "-p", "seeds", "1"]
        options += ["--no-progress-bar"]
        done = subprocess.run(command + options, cwd=ROOT, env=environment(lab_home), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        check_record(lab_home / "results" / "smoke" / name)

    @pytest.mark.parametrize("numbers", BATCHES, ids="-".join)
    def test_in_a_batch_each_gets_a_page_and_the_index_has_them_all(self, numbers, lab_home):
        (lab_home / "notebooks").symlink_to(ROOT / "notebooks")
        (lab_home / "pyproject.toml").write_text("")
        names = [path.stem for path in NOTEBOOKS if path.stem[:2] in numbers]
        parameters = {"epochs": "1", "seeds": "1"} | ({"steps": "4"} if "40" in numbers else {})
        outcomes = run_reports(list(numbers), "smoke", parameters)
        assert [(outcome.name, outcome.status) for outcome in outcomes] == [(name, "ok") for name in names]
        folder = lab_home / "results" / "smoke"
        index, readme = (folder / "index.html").read_text(), (folder / "README.md").read_text()
        for name in names:
            page = (folder / f"{name}.html").read_text()
            assert (
                "In short" in page and "data:image/png;base64," in page and not re.search(r'(src|href)="https?:', page)
            )
            assert f"{name}.html" in index and name in readme
            check_record(folder / name)

    def test_the_tour_shows_the_network_of_the_paper_too(self, lab_home, tmp_path):
        command = [sys.executable, "-m", "papermill", "notebooks/00_tour.ipynb", str(tmp_path / "out.ipynb")]
        options = ["-k", "python3", "-p", "profile", "paper", "-p", "images", "4", "--no-progress-bar"]
        done = subprocess.run(command + options, cwd=ROOT, env=environment(lab_home), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]


def check_record(folder: Path) -> None:
    """A report that is whole: its files are there, it has three sentences, and it owns to being a demonstration."""
    record = read_record(folder / "report.json", ReportRecord)
    assert all((folder / artifact.file).is_file() for artifact in [*record.figures, *record.tables])
    assert record.figures and record.tables and len(record.in_short) == 3 and record.badge
    assert "demonstration" in record.in_short[2] or folder.name == "00_tour"


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"DIANET_LAB_HOME": str(home), "OMP_NUM_THREADS": "1"}
