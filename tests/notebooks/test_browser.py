"""A student's first minutes: the release in JupyterLab, the first exercise solved there and checked."""

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from autograder.demo.show import course_of_one_notebook
from autograder.regions import solutions
from autograder.student_folder import build, package_files

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AFFINE = "handgrad/layers/affine.py"
PATIENCE = 180_000  # milliseconds: a kernel starts slowly on a busy machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def release(tmp_path):
    assignment = course_of_one_notebook(tmp_path / "course").assignment("a1")
    build(assignment, tmp_path / "a1")
    return tmp_path / "a1"


@pytest.fixture
def lab(release, tmp_path):
    """The address of a JupyterLab that serves the release."""
    options = [
        "--no-browser",
        "--allow-root",
        "--port=0",
        "--expose-app-in-browser",
        "--IdentityProvider.token=",
    ]
    home = {
        name: str(tmp_path / name)
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), **home}
    environment |= {"HANDGRAD_FAST_NOTEBOOKS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with (tmp_path / "lab.log").open("w") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(command, cwd=release, env=environment, stdout=log, stderr=log)
    try:
        yield _address(server, tmp_path)
    finally:
        server.terminate()
        server.wait(timeout=60)


def _address(server, tmp_path):
    for _ in range(600):
        for record in (tmp_path / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"):
            url = json.loads(record.read_text())["url"]
            try:
                urllib.request.urlopen(f"{url}api", timeout=10).close()
                return url
            except (urllib.error.URLError, TimeoutError):
                pass
        assert server.poll() is None, (tmp_path / "lab.log").read_text()
        time.sleep(0.2)
    raise AssertionError((tmp_path / "lab.log").read_text())


@pytest.fixture
def page():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def run_cells(page, upto):
    """Run the cells of the current notebook up to and with this one, as Run All Above and then Run do."""
    page.evaluate(
        """async (id) => {
            const app = window.jupyterapp, notebook = app.shell.currentWidget.content;
            const index = notebook.widgets.findIndex((cell) => cell.model.id === id);
            notebook.activeCellIndex = index;
            await notebook.scrollToItem(index);
            await app.commands.execute("notebook:run-all-above");
            notebook.activeCellIndex = index;
            await app.commands.execute("notebook:run-cell");
        }""",
        upto,
    )


def output_of(page, cell_id):
    """The text below a cell of the notebook."""
    return page.evaluate(
        """(id) => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            const cell = notebook.widgets.find((cell) => cell.model.id === id);
            return cell.model.outputs.toJSON().map((o) => o.text ?? `${o.ename}: ${o.evalue}`).join("");
        }""",
        cell_id,
    )


def test_first_exercise_is_solved_in_jupyterlab_without_a_restart(lab, page, release):
    page.goto(f"{lab}lab/tree/3_two_layer_net.ipynb")
    page.get_by_role("heading", name="A two-layer network, by hand").wait_for()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    run_cells(page, upto="affine-forward")
    assert "NotImplementedError" in output_of(page, "affine-forward")
    assert AFFINE in output_of(page, "affine-forward")
    started = page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")

    # The link of the exercise opens the module beside the notebook; the stub's line is typed over and saved.
    page.get_by_role("link", name=AFFINE).first.click()
    stub = page.locator(".jp-FileEditor .cm-line").filter(has_text="affine_forward is not written yet")
    stub.scroll_into_view_if_needed()
    stub.click(click_count=3)
    text = package_files()[AFFINE].decode()
    region = solutions(text, AFFINE)[0]
    page.keyboard.insert_text("\n".join(text.split("\n")[region.start : region.end - 1]))
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert "out = rows @ w + b" in (release / AFFINE).read_text()

    page.get_by_role("tab", name="3_two_layer_net.ipynb").click()
    run_cells(page, upto="affine-forward")
    assert "affine_forward: passed" in output_of(page, "affine-forward")
    running = page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    assert running == started
