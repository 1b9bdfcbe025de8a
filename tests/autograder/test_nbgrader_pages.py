"""What people see: the formgrader over HTTP, feedback pages, nbgrader's commands, a real browser."""

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from itertools import chain

import nbformat
import pytest
import tiny_course as tiny
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from payloads import MARKDOWN, PAGES

from autograder.course import Course
from autograder.nbgrader import writer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ELEMENTS = "script style iframe object embed svg math link meta base form button video template"


def attack(notebook):
    """Every payload in every place where a notebook can hold text."""
    for text in [*PAGES, *MARKDOWN]:
        notebook.cells.append(new_markdown_cell(text))
    shown = []
    for text in PAGES:
        shown += [new_output("display_data", data={kind: text}) for kind in ("text/html", "text/latex")]
        shown.append(new_output("display_data", data={"text/markdown": text, "image/svg+xml": text}))
        shown.append(new_output("stream", text=text))
    shown += [new_output("display_data", data={"text/markdown": text}) for text in MARKDOWN]
    shown.append(new_output("display_data", data={"application/javascript": "document.title = 'pwned'"}))
    shown.append(new_output("error", ename=PAGES[0], evalue=PAGES[1], traceback=[PAGES[0]]))
    for output in (o for o in shown if o.output_type == "display_data"):
        output.setdefault("metadata", {})["image/png"] = {"width": "1 onload=alert(1)", "alt": PAGES[0]}
    notebook.cells += [new_code_cell(text, outputs=shown[i::5]) for i, text in enumerate(PAGES[:5])]
    notebook.cells += [new_raw_cell(text, metadata={"raw_mimetype": "text/html"}) for text in PAGES]
    tiny.cell(notebook, "question").source += "\n\n" + "\n\n".join(PAGES)
    tiny.cell(notebook, "affine_forward").outputs = shown
    for cell in notebook.cells:
        cell.metadata["tags"] = [f'"><img src=x {PAGES[1]}']
        cell.metadata["magics_language"] = f'ipython"><{PAGES[0]}'
    notebook.metadata["title"] = PAGES[0]
    notebook.metadata["language_info"] = {"name": "x", "pygments_lexer": f'"><{PAGES[0]}'}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


@pytest.fixture(scope="module")
def course(tiny_release, tmp_path_factory):
    """A graded course: ann is honest, mallory attacks whoever looks."""
    course = Course(shutil.copytree(tiny_release.root, tmp_path_factory.mktemp("pages") / "course"))
    tiny.submit(course, "ann", lambda n: tiny.cell(n, "question").update(source="An answer."))
    tiny.submit(course, "mallory", attack)
    for name in ("ann", "mallory"):
        tiny.grade(course, name)
        assert writer.write(course, "a1", name)
    return course


@pytest.fixture(scope="module")
def feedback(course):
    """The feedback pages, by student."""
    return {name: tiny.feedback(course, name) for name in ("ann", "mallory")}


@pytest.fixture(scope="module")
def formgrader(course, tmp_path_factory):
    """The address of a Jupyter server in the course folder, with nbgrader's formgrader."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    options = {
        "ip": "127.0.0.1",
        "port": port,
        "port_retries": 0,
        "open_browser": False,
        "allow_root": True,
        "root_dir": str(course.root),
        "jpserver_extensions": "nbgrader.server_extensions.formgrader=True",
    }
    command = [sys.executable, "-m", "jupyter_server", "--IdentityProvider.token="]
    command += [f"--ServerApp.{name}={value}" for name, value in options.items()]
    environment = command_environment() | {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=course.root, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}/formgrader"
    try:
        for _ in range(600):
            try:
                get(f"{address}/api/status")
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None, (home / "log").read_text()
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def command_environment():
    """The environment in which nbgrader's commands find this repository."""
    paths = [str(tiny.REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "JUPYTER_PLATFORM_DIRS": "1"}


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def acting(page):
    """What acts in a page: elements, event handlers, and addresses that run or fetch something."""
    soup = BeautifulSoup(page, "html.parser")
    elements = [str(tag) for tag in soup(ELEMENTS.split())]
    attributes = chain.from_iterable(tag.attrs.items() for tag in soup.find_all())
    addresses = [f"{name}={value}" for name, value in attributes if suspicious(name, value)]
    return elements, addresses


def suspicious(name, value):
    value = "".join(str(value).split()).lower()
    loads = name == "src" and not value.startswith(
        ("data:image/png", "data:image/jpeg", "/formgrader", "https://cdn")
    )
    return name.startswith("on") or loads or value.startswith(("javascript:", "vbscript:", "data:text"))


def test_feedback_of_an_attacker_acts_no_more_than_that_of_an_honest_student(feedback):
    assert acting(feedback["mallory"]) == acting(feedback["ann"])


def test_the_formgrader_shows_the_reports_scores(course, formgrader):
    for page in ("manage_assignments", "manage_submissions/a1", "gradebook", f"gradebook/a1/{tiny.NOTEBOOK}"):
        assert "formgrader" in get(f"{formgrader}/{page}")
    assignment = json.loads(get(f"{formgrader}/api/assignment/a1"))
    assert (assignment["max_score"], assignment["num_submissions"]) == (7.0, 2)
    submissions = {s["student"]: s for s in json.loads(get(f"{formgrader}/api/submissions/a1"))}
    notebooks = json.loads(get(f"{formgrader}/api/submitted_notebooks/a1/{tiny.NOTEBOOK}"))
    assert len(notebooks) == 2
    for notebook in notebooks:
        grades = {
            g["name"]: g for g in json.loads(get(f"{formgrader}/api/grades?submission_id={notebook['id']}"))
        }
        assert [grades[name]["auto_score"] for name in ("affine_forward", "relu_forward")] == [1.5, 2.0]
        assert grades["question"]["needs_manual_grade"]
        assert submissions[notebook["student"]]["score"] == 3.5
        page = get(f"{formgrader}/submissions/{notebook['id']}/")
        assert "1.5 of 3 points: partly right" in page


def submission_page(formgrader, student):
    notebooks = json.loads(get(f"{formgrader}/api/submitted_notebooks/a1/{tiny.NOTEBOOK}"))
    number = next(n["id"] for n in notebooks if n["student"] == student)
    return f"{formgrader}/submissions/{number}/", number


def test_the_formgraders_page_of_an_attacker_acts_no_more_than_another(formgrader):
    found = []
    for student in ("mallory", "ann"):
        url, number = submission_page(formgrader, student)
        page = get(url).replace(number, "ID")
        found.append(
            acting("\n".join(line for line in page.splitlines() if 'onclick="toggle_name' not in line))
        )
    hostile, honest = found
    buttons = [element for element in hostile[0] if element.startswith("<button")]
    assert len(buttons) == 3 * 3  # nbgrader's own: three for each cell with points
    assert hostile == honest


def title(target, folder):
    """The title that a page has after a browser ran everything in it."""
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
    command = [
        CHROMIUM,
        *flags.split(),
        f"--user-data-dir={folder}",
        "--virtual-time-budget=3000",
        "--dump-dom",
    ]
    done = subprocess.run([*command, target], capture_output=True, text=True, timeout=120, check=True)
    return BeautifulSoup(done.stdout, "html.parser").title.text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine: apt-get install chromium")
def test_a_browser_runs_nothing_that_a_student_wrote(course, feedback, formgrader, tmp_path):
    control = tmp_path / "control.html"
    control.write_text("<title>calm</title>" + "\n".join(PAGES), encoding="utf-8")
    assert title(control.as_uri(), tmp_path / "1") == "pwned", "the payloads do nothing, so nothing is proved"
    page = course.feedback("a1", "mallory") / f"{tiny.NOTEBOOK}.html"
    assert title(page.as_uri(), tmp_path / "2") == tiny.NOTEBOOK
    assert title(submission_page(formgrader, "mallory")[0], tmp_path / "3") == tiny.NOTEBOOK


def test_nbgraders_commands_give_the_same_scores(course, tmp_path):
    copy = tmp_path / "course"
    shutil.copytree(course.root, copy)
    nbgrader = [sys.executable, "-m", "nbgrader"]
    for command in (
        ["autograde", "a1", "--force", "--student=ann"],
        ["export", f"--to={copy / 'grades.csv'}"],
    ):
        done = subprocess.run(
            [*nbgrader, *command], cwd=copy, env=command_environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    with (copy / "grades.csv").open() as file:
        found = {
            row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)
        }
    assert found == {"ann": (3.5, 7.0), "mallory": (3.5, 7.0)}
    notebook = nbformat.read(copy / "autograded" / "ann" / "a1" / f"{tiny.NOTEBOOK}.ipynb", as_version=4)
    assert "1.5 of 3 points" in tiny.cell(notebook, "affine_forward").outputs[0].data["text/plain"]
