"""Notebooks in batch, with real kernels: what was written decides, and one failure stops nothing else."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dianet_lab.errors import ConfigError
from dianet_lab.reports import batch, run_reports

PARAMETERS = 'profile: str = "quick"  # the scale\nepochs: int | None = None  # epochs of a run'
START = """
from dianet_lab.reports import Report
report = Report("{name}", profile=profile, title="Title of {name}", question="Does it?", badge="nothing")
"""
FINE = """
import os, sys, matplotlib.pyplot as plt
from ipykernel import get_connection_info
transport = get_connection_info(unpack=True)["transport"]
if transport == "ipc":
    transport = "a private socket"
for step in range(3):
    print(f"step {step}")
for step in range(50):
    print(f"\\rbar {step}", end="", flush=True)
print(f"\\n{sys.executable} {transport} {epochs!r}")
report.figure(plt.figure(), "arms", caption="c", key=True)
report.conclude(["One.", "Two.", "Three."], "We see.")
report.finish()
"""


def write(home, name, *cells):
    first = [new_markdown_cell(f"# Heading of {name}"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    notebook = new_notebook(cells=[*first, *(new_code_cell(cell) for cell in cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (home / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, home / "notebooks" / f"{name}.ipynb")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One batch: a notebook that works, one that raises, one whose kernel is killed, one that writes no report."""
    home = tmp_path_factory.mktemp("lab {x}")  # braces, which papermill would take for a parameter
    write(home, "01_fine", START.format(name="01_fine"), FINE)
    write(home, "02_broken", START.format(name="02_broken"), "print('about to fail')\n1 / 0", "print('never')")
    write(home, "03_dead", "import os, time\nprint('dying', flush=True)\ntime.sleep(0.5)\nos.kill(os.getpid(), 9)")
    write(home, "04_silent", "x = 1")
    stale = home / "results" / "smoke" / "04_silent" / "report.json"
    stale.parent.mkdir(parents=True)
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setenv("DIANET_LAB_HOME", str(home))
        outcomes = run_reports(["01"], "smoke", {"epochs": "5"})
        stale.write_text((home / "results/smoke/01_fine/report.json").read_text())
        outcomes += run_reports(["notebooks/02_broken.ipynb", "03_dead", "04", "02"], "smoke")
    return {outcome.name: outcome for outcome in outcomes}, home / "results" / "smoke", output.getvalue()


@pytest.mark.heavy
def test_a_notebook_that_wrote_its_report_is_ok(finished):
    outcomes, folder, _ = finished
    fine = outcomes["01_fine"]
    assert (fine.status, fine.error, fine.html) == ("ok", "", folder / "01_fine.html")
    assert "One." in fine.html.read_text()
    assert json.loads((folder / "01_fine" / "report.json").read_text())["token"]


@pytest.mark.heavy
def test_its_lines_reach_the_terminal_with_its_name_and_bars_do_not_pile_up(finished):
    lines = finished[2].splitlines()
    assert "01_fine | step 0" in lines
    assert [line for line in lines if "bar" in line] == ["01_fine | bar 49"]
    assert any(line.startswith("01_fine | ok after") for line in lines)


@pytest.mark.heavy
def test_the_kernel_is_this_python_behind_a_private_socket_and_parameters_have_their_type(finished):
    transport = "a private socket" if os.name == "posix" else "tcp"
    assert f"01_fine | {sys.executable} {transport} 5" in finished[2]


@pytest.mark.heavy
def test_an_exception_is_the_error_and_the_page_says_failed(finished):
    broken = finished[0]["02_broken"]
    assert broken.status == "FAILED"
    assert broken.error.startswith("ZeroDivisionError: division by zero") and "\x1b" not in broken.error
    page = broken.html.read_text()
    assert "<title>FAILED: Heading of 02_broken</title>" in page and "ZeroDivisionError" in page
    assert "about to fail" in page


@pytest.mark.heavy
def test_a_dead_kernel_is_a_failure_whatever_the_metadata_says(finished):
    outcomes, folder, _ = finished
    notebook = nbformat.read(folder / "03_dead" / "03_dead.ipynb", as_version=4)
    assert {cell.metadata.papermill.status for cell in notebook.cells} == {"completed"}
    assert outcomes["03_dead"].status == "FAILED" and "kernel died" in outcomes["03_dead"].error
    assert "kernel died" in outcomes["03_dead"].html.read_text()


@pytest.mark.heavy
def test_an_old_report_is_no_success(finished):
    silent = finished[0]["04_silent"]
    assert silent.status == "FAILED" and "without report.finish()" in silent.error


@pytest.mark.heavy
def test_the_index_has_all_four_and_no_notebook_ran_twice(finished):
    outcomes, folder, _ = finished
    index = (folder / "index.html").read_text()
    assert list(outcomes) == ["01_fine", "02_broken", "03_dead", "04_silent"]
    assert index.count("<article") == 4 and index.count('class="card failed"') == 3
    assert "Title of 01_fine" in index and "Heading of 02_broken" in index


@pytest.mark.heavy
def test_the_executed_notebook_names_no_folder_of_this_machine(finished):
    folder = finished[1]
    metadata = nbformat.read(folder / "01_fine" / "01_fine.ipynb", as_version=4).metadata
    assert str(folder.parent) not in json.dumps(metadata)


@pytest.mark.heavy
def test_ctrl_c_ends_the_kernel_and_says_that_the_work_is_kept(lab_home):
    write(lab_home, "05_long", "import os, time\nprint('kernel', os.getpid(), flush=True)\ntime.sleep(600)")
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from dianet_lab.reports import run_reports; run_reports(None, 'smoke')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kernel = next(int(found[1]) for line in process.stdout if (found := re.search(r"kernel (\d+)", line)))
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert "finished runs are stored, the same command continues" in output
    assert "KeyboardInterrupt" in errors and process.returncode != 0
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)


@pytest.fixture
def no_kernel(monkeypatch, lab_home):
    """A lab with two notebooks in which starting a kernel is an error."""

    def refuse(*_):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(batch, "_run", refuse)
    write(lab_home, "01_sharing")
    write(lab_home, "02_activation")
    return lab_home


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((["1_sharing"], "smoke"), {}, r"unknown notebook '1_sharing' \(did you mean '01_sharing'\?\)"),
        ((["../01_sharing.ipynb"], "smoke"), {}, "unknown notebook"),
        ((None, "smok"), {}, r"did you mean 'smoke'\?"),
        ((None, "smoke", {"epoch": 1}), {}, r"did you mean 'epochs'\?"),
        ((None, "smoke", {"epochs": "many"}), {}, "parameter epochs: got 'many', expected int | None"),
        ((None, "smoke", {"profile": "quick"}), {}, "--profile"),
        ((None, "smoke"), {"kernel": "pyhton3"}, r"unknown kernel 'pyhton3' \(did you mean 'python3'\?\)"),
    ],
)
def test_everything_is_checked_before_any_kernel_starts(no_kernel, arguments, options, message):
    with pytest.raises(ConfigError, match=message):
        run_reports(*arguments, **options)
    assert not (no_kernel / "results").exists()


def test_a_notebook_without_a_profile_is_refused(no_kernel):
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1")]), no_kernel / "notebooks" / "03_bare.ipynb")
    with pytest.raises(ConfigError, match=r"03_bare\.ipynb: has no parameter 'profile'"):
        run_reports(None, "smoke")


def test_by_default_all_slugs_run_in_order_and_a_folder_without_notebooks_says_so(no_kernel, tmp_path, monkeypatch):
    write(no_kernel, "Untitled")
    assert [path.stem for path in batch.resolve(None)] == ["01_sharing", "02_activation"]
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("DIANET_LAB_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="no notebooks in"):
        batch.resolve(None)


def test_a_home_for_results_only_has_the_notebooks_of_the_lab(no_kernel, tmp_path, monkeypatch):
    monkeypatch.setenv("DIANET_LAB_HOME", str(tmp_path))
    assert "01_sharing" in [path.stem for path in batch.resolve(None)]


def test_another_environments_python3_is_refused(lab_home, tmp_path, monkeypatch):
    spec = tmp_path / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        json.dumps({"argv": ["/elsewhere/bin/python", "-m", "x"], "display_name": "x", "language": "python"})
    )
    monkeypatch.setattr(batch, "_own_kernels", lambda: tmp_path / "share" / "jupyter")
    with pytest.raises(ConfigError, match="/elsewhere/bin/python, which is not this Python"):
        batch.check_kernel("python3")


def test_a_notebook_cut_off_while_it_was_saved_is_a_failure_and_not_the_end_of_the_batch(no_kernel, monkeypatch):
    def cut(name, arguments, token):
        (no_kernel / "results" / "smoke" / name / f"{name}.ipynb").write_text('{"cells": [')
        return -9, "killed"

    monkeypatch.setattr(batch, "_run", cut)
    outcomes = run_reports(None, "smoke")
    assert [outcome.status for outcome in outcomes] == ["FAILED", "FAILED"]
    assert "Heading of 01_sharing" in outcomes[0].html.read_text()


def test_a_port_that_another_kernel_took_is_tried_once_more(no_kernel, monkeypatch):
    ends = [(1, "zmq.error.ZMQError: Address already in use"), (1, "other")]
    monkeypatch.setattr(batch, "_run", lambda *_: ends.pop(0))
    (outcome,) = run_reports(["01"], "smoke")
    assert not ends and outcome.status == "FAILED" and outcome.error.endswith("other")
