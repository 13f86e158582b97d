"""Notebooks in batch: each in its own process, judged by the file that it wrote, shown as soon as it ends."""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_core.paths import jupyter_path

from dianet_lab import paths
from dianet_lab.errors import ConfigError, unknown_name
from dianet_lab.profiles import get_profile
from dianet_lab.reports import execute
from dianet_lab.reports.execute import DEAD_KERNEL, FAILED_CELL, INTERRUPTED, TIMEOUT
from dianet_lab.reports.html import export_html, notebook_title
from dianet_lab.reports.index import write_index
from dianet_lab.reports.parameters import check_batch
from dianet_lab.reports.record import (
    SLUG,
    TOKEN_VARIABLE,
    OutcomeRecord,
    ReportRecord,
    profile_folder,
    read_record,
    report_folder,
)
from dianet_lab.reports.text import plain_text

PATIENCE = 20  # seconds that an interrupted notebook has for ending its kernel


@dataclass(frozen=True)
class ReportOutcome:
    """How one notebook ended: ``ok`` or ``FAILED``, with its HTML and the error text."""

    name: str
    status: str
    seconds: float
    html: Path
    error: str


def run_reports(
    names: list[str] | None,
    profile: str,
    parameters: dict[str, Any] | None = None,
    *,
    kernel: str = "python3",
    timeout: int | None = None,
) -> list[ReportOutcome]:
    """Run notebooks one after the other; after each, its HTML and the index are on disk.

    Args:
        names: ``01``, ``01_sharing`` or ``notebooks/01_sharing.ipynb``; all in ``notebooks/`` if None.
        parameters: for every notebook that has them; text is read as the declared type.
        timeout: seconds that one cell may take.

    Raises:
        ConfigError: before any kernel starts: an unknown notebook, profile, parameter or kernel, a wrong value.
        KeyboardInterrupt: on Ctrl-C, after the notebook under way was ended.
    """
    get_profile(profile)
    if parameters and "profile" in parameters:
        raise ConfigError("the profile is an argument of its own (--profile), not a parameter")
    notebooks = resolve(names)
    values = check_batch(notebooks, {**(parameters or {}), "profile": profile})
    for notebook in notebooks:
        if "profile" not in values[notebook]:
            raise ConfigError(f"{notebook.name}: has no parameter 'profile' in a cell tagged 'parameters'")
    check_kernel(kernel)
    outcomes = []
    for notebook in notebooks:
        print(f"{notebook.stem} | started", flush=True)
        outcome = _report(notebook, profile, ["--parameters", json.dumps(values[notebook]), *_options(kernel, timeout)])
        outcomes.append(outcome)
        index = write_index(profile)
        print(f"{outcome.name} | {outcome.status} after {outcome.seconds:.0f} s: {outcome.html}", flush=True)
        if outcome.error:
            print(f"{outcome.name} | {outcome.error.splitlines()[0]}", flush=True)
    print(f"All reports: {index}", flush=True)
    return outcomes


def resolve(names: list[str] | None) -> list[Path]:
    """The notebooks that are meant, each once; by default all whose file name is a slug, in order.

    Raises:
        ConfigError: a name that no notebook has.
    """
    folder = paths.home() / "notebooks"
    if not folder.is_dir():  # DIANET_LAB_HOME may be a folder for results only
        folder = Path(__file__).parents[2] / "notebooks"
    found = {path.stem: path for path in sorted(folder.glob("*.ipynb")) if SLUG.fullmatch(path.stem)}
    if not found:
        raise ConfigError(f"no notebooks in {folder}")
    return list(dict.fromkeys(_find(name, found) for name in names)) if names else list(found.values())


def _find(name: str, found: dict[str, Path]) -> Path:
    for stem, path in found.items():
        if name == stem or name == stem.partition("_")[0] or path in (paths.in_home(name), Path(name).resolve()):
            return path
    raise unknown_name("notebook", name, found)


def check_kernel(name: str) -> None:
    """Make sure that a kernel exists, and that ``python3`` is this Python and not another environment's.

    Raises:
        ConfigError: it is not so; says what to do.
    """
    manager = KernelSpecManager(kernel_dirs=[str(_own_kernels() / "kernels"), *jupyter_path("kernels")])
    install = f"run: {sys.executable} -m ipykernel install --sys-prefix"
    try:
        program = manager.get_kernel_spec(name).argv[0]
    except NoSuchKernel:
        raise ConfigError(f"{unknown_name('kernel', name, manager.find_kernel_specs())}; or {install}") from None
    own = Path(program).name == program or Path(program).parent == Path(sys.executable).parent
    if name == "python3" and not own:
        raise ConfigError(f"kernel 'python3' starts {program}, which is not this Python; {install}")


def _own_kernels() -> Path:
    return Path(sys.prefix, "share", "jupyter")


def _options(kernel: str, timeout: int | None) -> list[str]:
    return ["--kernel", kernel] + (["--timeout", str(timeout)] if timeout else [])


def _report(notebook: Path, profile: str, options: list[str]) -> ReportOutcome:
    """Run one notebook, decide how it ended and write its outcome and HTML."""
    name, folder = notebook.stem, report_folder(profile, notebook.stem)
    executed, report = folder / f"{name}.ipynb", folder / "report.json"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (report, folder / "outcome.json", executed):
        stale.unlink(missing_ok=True)
    token, clock = secrets.token_hex(16), time.monotonic()
    code, output = _run(name, [str(notebook), str(executed), *options], token)
    if code and "ZMQError" in output and "Address already in use" in output:
        code, output = _run(name, [str(notebook), str(executed), *options], token)
    seconds = round(time.monotonic() - clock, 1)
    content = _tidy(executed, notebook)
    record = read_record(report, ReportRecord)
    record = record if record and record.token == token else None
    error = _error(code, output, content, written=record is not None)
    title = record.title if record else notebook_title(content, name)
    status = "FAILED" if error else "ok"
    outcome = OutcomeRecord(notebook=name, title=title, status=status, seconds=seconds, error=error, token=token)
    paths.write_atomically(folder / "outcome.json", outcome.model_dump_json(indent=2))
    page = profile_folder(profile) / f"{name}.html"
    export_html(executed, report if record else None, page, profile=profile, failed=error or None)
    return ReportOutcome(name, status, seconds, page, error)


def _run(name: str, arguments: list[str], token: str) -> tuple[int, str]:
    """Run ``execute.py`` in a process of its own and show its lines as they come; its exit code and last lines."""
    environment = {
        **os.environ,
        TOKEN_VARIABLE: token,
        "DIANET_LAB_HOME": str(paths.home()),
        "JUPYTER_PATH": os.pathsep.join(filter(None, [str(_own_kernels()), os.environ.get("JUPYTER_PATH")])),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # no warning about frozen modules from each kernel
    }
    # By its file, so that it does not import torch; -P, or the modules beside it would hide those of Python.
    command = [sys.executable, "-P", execute.__file__, *arguments]
    # A session of its own: Ctrl-C reaches this process only, which then ends the child by closing its input.
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    last: deque[str] = deque(maxlen=30)
    reader = threading.Thread(target=_relay, args=(process.stdout, name, last), daemon=True)
    reader.start()
    try:
        code = process.wait()
    except KeyboardInterrupt:
        _end(process)
        print(f"{name} | interrupted: finished runs are stored, the same command continues with the rest", flush=True)
        raise
    reader.join(timeout=2)  # a process that the kernel left behind may hold the pipe open for ever
    process.stdin.close()
    return code, "\n".join(last)


def _relay(stream: IO[bytes], name: str, last: deque[str]) -> None:
    for line in stream:
        text = plain_text(line.decode(errors="replace")).rstrip()
        if text and "KeyboardInterrupt caught in kernel" not in text:  # said by every kernel that is shut down
            last.append(text)
            print(f"{name} | {text}", flush=True)


def _end(process: subprocess.Popen) -> None:
    try:
        process.stdin.close()
        process.wait(timeout=PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def _tidy(executed: Path, source: Path) -> nbformat.NotebookNode:
    """The executed notebook, written back without the machine's paths that papermill notes in it.

    The source stands in where there is none, or half of one: papermill does not write atomically.
    """
    try:
        content = nbformat.read(executed, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        content = nbformat.read(source, as_version=4)
    for key in ("input_path", "output_path"):
        content.metadata.get("papermill", {}).pop(key, None)
    paths.write_atomically(executed, nbformat.writes(content))
    return content


def _error(code: int, output: str, content: nbformat.NotebookNode, written: bool) -> str:
    """Why a notebook failed, or nothing. Its metadata is no witness: it says completed of a cell whose kernel died."""
    if code == FAILED_CELL:
        errors = [out for cell in content.cells for out in cell.get("outputs", ()) if out.output_type == "error"]
        if errors:
            trace = "\n".join(errors[-1].get("traceback", []))
            return plain_text(f"{errors[-1].ename}: {errors[-1].evalue}\n\n{trace}").strip()
    if code == DEAD_KERNEL:
        return "The kernel died: it was killed, or the machine ran out of memory."
    if code == TIMEOUT:
        return "A cell took longer than the timeout."
    if code == INTERRUPTED:
        return "The notebook was interrupted."
    if code:
        return f"The notebook's process ended with code {code}. Its last lines:\n{output}"
    return "" if written else "The notebook ended without report.finish(), so it left no report.json."
