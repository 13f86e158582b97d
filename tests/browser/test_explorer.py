"""The explorer in a real JupyterLab: opened, run, a control moved, and the picture changes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "30_explorer.ipynb"
OTHER = "ResNet-14, SE shared, digits, seed 0"
START, RUN, MOVE = 30, 80, 15
"""Seconds that the server, the notebook and a moved control may take, on a machine that does other things too."""

pytestmark = [pytest.mark.browser, pytest.mark.heavy]


@pytest.fixture
def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        message = "this test needs chromium, chromium-browser or google-chrome on the PATH"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def notebooks(tmp_path) -> Path:
    """A folder with the notebook alone, whose defaults are small."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    notebook = json.loads((ROOT / "notebooks" / NOTEBOOK).read_text())
    cell = next(cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", []))
    text = "".join(cell["source"])
    for name, value in {"profile": '"smoke"', "seeds": "1", "epochs": "1", "workers": "1"}.items():
        text, count = re.subn(rf"^({name}: [^=]+= )\S+", rf"\g<1>{value}", text, flags=re.MULTILINE)
        assert count == 1
    cell["source"] = text
    (folder / NOTEBOOK).write_text(json.dumps(notebook))
    return folder


@pytest.fixture
def address(notebooks, lab_home, tmp_path):
    """Of a JupyterLab of its own: a free port of this machine alone, its settings in a folder that goes away."""
    own = {name: str(tmp_path / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    environment = os.environ | own | {"DIANET_LAB_HOME": str(lab_home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment.pop("DIANET_LAB_REPORT_TOKEN", None)
    quiet = tmp_path / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false"}')
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    options = [
        f"--ServerApp.root_dir={notebooks}",
        "--IdentityProvider.token=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        f"--LabApp.workspaces_dir={tmp_path / 'workspaces'}",
        f"--LabApp.user_settings_dir={tmp_path / 'settings'}",
    ]
    log = tmp_path / "server.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            command + options, cwd=notebooks, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            yield _address(server, log)
        finally:
            _end(server)


def _address(server: subprocess.Popen, log: Path) -> str:
    limit = time.monotonic() + START
    while time.monotonic() < limit and server.poll() is None:
        if found := re.search(r"http://(?:127\.0\.0\.1|localhost):[1-9]\d*/", log.read_text()):
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def _end(server: subprocess.Popen) -> None:
    """End the server, which ends its kernels; by force if it does not."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_a_moved_control_changes_the_picture(chromium, address, lab_home, tmp_path):
    page = chromium.new_page(viewport={"width": 1300, "height": 1400})
    page.goto(f"{address}lab/tree/{NOTEBOOK}")
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=1000 * START)
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=1000 * START)  # or it asks which kernel
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    expect(page.locator("img.widget-image")).to_be_visible(timeout=1000 * RUN)
    first = Picture(page)
    handle = page.locator(".widget-slider", has_text="how far").locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowLeft")
    first.wait_for_another(page)
    second = Picture(page)
    if name := os.environ.get("EXPLORER_SCREENSHOT"):  # to look at it
        page.screenshot(path=name)
    page.locator(".widget-dropdown select").first.select_option(label=OTHER)
    second.wait_for_another(page)
    pictures = [first, second, Picture(page)]
    assert len({picture.digest for picture in pictures}) == 3
    assert all(picture.width > 500 for picture in pictures)
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    _wait_for(lab_home / "results" / "smoke" / "30_explorer" / "report.json")  # the last cell writes it


class Picture:
    """What the picture is now: its address, its width and a digest of its bytes."""

    def __init__(self, page: Page):
        found = page.evaluate(
            """async () => {
              const image = document.querySelector('img.widget-image');
              await image.decode();
              const bytes = await (await fetch(image.src)).arrayBuffer();
              const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
              return [image.src, image.naturalWidth, Array.from(digest).join(' ')];
            }"""
        )
        self.source, self.width, self.digest = found

    def wait_for_another(self, page: Page) -> None:
        page.wait_for_function(
            "old => document.querySelector('img.widget-image').src != old", arg=self.source, timeout=1000 * MOVE
        )


def _wait_for(path: Path) -> None:
    limit = time.monotonic() + MOVE
    while not path.exists() and time.monotonic() < limit:
        time.sleep(0.1)
    assert path.exists()
