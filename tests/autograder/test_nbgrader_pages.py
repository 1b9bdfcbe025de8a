"""What people see: the formgrader over HTTP, feedback pages, nbgrader's commands, a real browser."""

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from itertools import chain

import nbformat
import pytest
import tiny_course as tiny
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from payloads import DO, LOADS, MARKDOWN, PAGES, TEX
from playwright.sync_api import Error, sync_playwright
from sample_reports import NOTEBOOK, sample_assignment, sample_report, unhappy, wrong_db

from autograder.class_report import write_class_report
from autograder.course import Course
from autograder.feedback import feedback_page
from autograder.nbgrader import writer
from autograder.nbgrader.self_contained import POLICY
from autograder.scores import Score, Sheet

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ELEMENTS = "script style iframe object embed svg math link meta base form button video template"


PATIENCE = 180_000  # milliseconds: a browser starts slowly on a busy machine
RENDERED = ("text/html", "text/markdown", "text/latex", "text/plain")
ACTIVE = (
    "application/javascript",
    "text/javascript",
    "application/x-javascript",
    "image/svg+xml",
    "application/pdf",
    "text/vnd.mermaid",
    "application/vnd.plotly.v1+json",
    "application/vnd.bokehjs_exec.v0+json",
    "application/vnd.dataresource+json",
    "text/x-unheard-of",
)
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": f"</script>{PAGES[0]}"}}


def attack(notebook):
    """Every payload in every place where a notebook can hold text."""
    for text in [*PAGES, *MARKDOWN, *TEX]:
        notebook.cells.append(new_markdown_cell(text))
    picture = new_markdown_cell(f"![a](attachment:a.png)\n\n![b](attachment:{PAGES[1]})")
    picture.attachments = {
        "a.png": {"image/svg+xml": PAGES[2], "text/html": PAGES[0], "image/png": f'{tiny.PNG}"{PAGES[1]}'},
        PAGES[1]: {"image/png": tiny.PNG},
    }
    notebook.cells.append(picture)
    # A heading becomes the name under which the formgrader looks for the field of a question.
    names = "# affine_forward\n\nquestion-comment\n=====\n\n# statusmessage"
    notebook.cells.insert(0, new_markdown_cell(names))
    shown = []
    for text in PAGES:
        shown += [new_output("display_data", data={kind: text}) for kind in ("text/html", "text/latex")]
        shown.append(new_output("display_data", data={"text/markdown": text, "image/svg+xml": text}))
        shown.append(new_output("stream", text=text))
    shown += [new_output("display_data", data={"text/markdown": text}) for text in MARKDOWN]
    shown += [new_output("display_data", data={kind: text}) for text in TEX for kind in RENDERED]
    active = [*PAGES[:4], DO]
    shown += [new_output("display_data", data={kind: text}) for text in active for kind in ACTIVE]
    framed = {"text/html": {"isolated": True}}
    shown += [new_output("display_data", data=d, metadata=framed) for d in (WIDGET, {"text/html": PAGES[0]})]
    shown.append(new_output("error", ename=PAGES[0], evalue=PAGES[1], traceback=[PAGES[0]]))
    for output in (o for o in shown if o.output_type == "display_data"):
        output.setdefault("metadata", {})["image/png"] = {"width": "1 onload=alert(1)", "alt": PAGES[0]}
    notebook.cells += [new_code_cell(text, outputs=shown[i::5]) for i, text in enumerate(PAGES[:5])]
    notebook.cells += [new_raw_cell(text, metadata={"raw_mimetype": "text/html"}) for text in PAGES]
    tiny.cell(notebook, "question").source += "\n\n" + "\n\n".join(PAGES)
    tiny.cell(notebook, "affine_forward").outputs = shown
    for cell in notebook.cells:
        cell.metadata |= {"name": PAGES[1], "alt": PAGES[1], "slideshow": {"slide_type": PAGES[0]}}
        cell.metadata["tags"] = [f'"><img src=x {PAGES[1]}']
        cell.metadata["magics_language"] = f'ipython"><{PAGES[0]}'
    notebook.metadata["title"] = PAGES[0]
    notebook.metadata["language_info"] = {"name": "x", "pygments_lexer": f'"><{PAGES[0]}'}
    spec = {"name": PAGES[1], "display_name": PAGES[0], "language": f'python"><{PAGES[0]}'}
    notebook.metadata["kernelspec"] = spec
    notebook.metadata["authors"] = [{"name": PAGES[0]}]
    model = {"model_name": PAGES[0], "model_module": "http://127.0.0.1:9/x.js", "state": {"value": PAGES[1]}}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"a": model}}}


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
        for _ in range(1800):
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


def test_nbgraders_feedback_loads_nothing_and_forbids_everything(feedback):
    for page in feedback.values():
        soup = BeautifulSoup(page, "html.parser")
        assert not soup(["script", "link", "iframe"])
        assert soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"] == POLICY
        assert not [tag["src"] for tag in soup(src=True) if not tag["src"].startswith("data:image/")]
        styles = "".join(tag.text for tag in soup("style"))
        assert not re.findall(r"""url\(\s*['"]?(?:\w+:)?//[^)]*|@import""", styles)


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


def test_no_heading_of_a_student_takes_the_name_of_a_field(course, formgrader):
    soup = BeautifulSoup(get(submission_page(formgrader, "mallory")[0]), "html.parser")
    for name in ("affine_forward", "affine_forward_extra_credit", "question-comment", "statusmessage"):
        [element] = soup(id=name)
        assert element.name in ("input", "textarea", "div")


def test_mathjax_finds_nothing_but_mathematics(course, feedback, formgrader):
    for page in (feedback["mallory"], get(submission_page(formgrader, "mallory")[0])):
        soup = BeautifulSoup(page, "html.parser")
        for element in soup(["pre", "code", "script", "style", "textarea"]):  # where MathJax does not look
            element.decompose()
        assert "x" in soup.text
        assert not re.search(
            r"\\(href|style|class|cssId|require|unicode|smash|[rR]ule|raise|llap)\b", soup.text
        )


@pytest.fixture(scope="module")
def hostile_reports(tmp_path_factory):
    """Handgrad's own pages about somebody whose every text is a payload."""
    assignment = sample_assignment(tmp_path_factory.mktemp("hostile"))
    text = "\n".join([*PAGES, *MARKDOWN, *TEX])
    question = unhappy("relu_forward", "error", f"It raised `ValueError`: {text}")
    question.advice, question.misconception, question.title = text, PAGES[0], PAGES[1]
    question.substituted = PAGES[:3]
    notes = [f"Left out: {name}" for name in [*PAGES, *MARKDOWN]]
    report = sample_report("mallory", question, wrong_db(), notes=notes)
    cells = {(NOTEBOOK, "relu_forward"): Score(0, 1, by_person=True, pending=False, comment=text)}
    sheet = Sheet("mallory", submitted=True, cells=cells)
    page = feedback_page(report, assignment, sheet, [f"{PAGES[1]}.html", f"javascript:{DO}"])
    for student, name in (("mallory", "mallory"), ("somebody", PAGES[1])):
        sample_report(name, question, notes=notes).write(assignment.course.report("a1", student))
    named = sample_report(PAGES[1], question, notes=notes)
    return [page, feedback_page(named, assignment), write_class_report(assignment)]


class Elsewhere:
    """A server that stands for every other machine: it notes what a browser asks it for."""

    def __init__(self):
        self.asked = []
        self.server = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with suppress(OSError):  # it was closed
            while True:
                connection, _ = self.server.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection):
        with connection, suppress(OSError):
            connection.settimeout(60)
            request = connection.recv(10_000)
            if request[:1] == b"\x16":  # TLS, whose first message has the server's name in it
                self.asked.append(max(re.findall(rb"[a-z.-]+", request), key=len).decode())
            elif request:
                path, host = re.search(rb" (/[\w-]*)\S* HTTP.*?\r\nHost: (\S+)", request, re.DOTALL).groups()
                self.asked.append(f"{host.decode()}{path.decode()}")
                connection.sendall(
                    b"HTTP/1.1 404 Not found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )

    def take(self):
        """What pages asked for since the last call, without what the browser asks its maker."""
        asked, self.asked = set(self.asked), []
        return {what for what in asked if not what.split("/")[0].endswith(("googleapis.com", "google.com"))}


@pytest.fixture(scope="module")
def elsewhere():
    listener = Elsewhere()
    yield listener
    listener.server.close()


@pytest.fixture(scope="module")
def browser(elsewhere):
    """One browser for all pages. It takes every name on the internet for the listener's."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    arguments.append(f"--host-resolver-rules=MAP * 127.0.0.1:{elsewhere.port}, EXCLUDE 127.0.0.1")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=PATIENCE)
        yield chromium
        chromium.close()


# Follow links to other than web pages, send forms, and let happen what a grader's mouse would.
USE = """() => {
    for (const link of document.querySelectorAll("a[href]"))
        if (!/^(https?:|mailto:|file:|#)/.test(link.href))  // "void": no page of what it returns
            location.assign(link.href.replace(/^(javascript:)(.*)$/s, "$1void($2)"));
    for (const element of document.querySelectorAll("*"))
        for (const kind of ["mouseover", "toggle", "focus", "load", "error", "animationstart"])
            if (!element.closest(".navbar, head, button")) element.dispatchEvent(new Event(kind));
    for (const form of document.forms) HTMLFormElement.prototype.submit.call(form);
}"""
COVERING = """() => [...document.querySelectorAll("body *")].filter(element => {
    const style = getComputedStyle(element);
    return ["fixed", "absolute", "sticky"].includes(style.position)
        && !element.closest(".navbar, .help, #statusmessage, .tooltip")
        && element.offsetWidth > 200 && element.offsetHeight > 100;
}).map(element => element.outerHTML.slice(0, 200))"""


def happenings(browser, url, use=True):
    """What a page does when it is opened and used: title, dialogs, what covers it, its address.

    Its content security policy is switched off, so that it must be harmless without one.
    """
    page, dialogs = browser.new_page(bypass_csp=True), []
    page.set_default_timeout(PATIENCE)
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(url, wait_until="load")
    if use:
        page.evaluate(USE)
    page.wait_for_timeout(1000)
    found = (page.title(), dialogs, page.evaluate(COVERING), page.url)
    page.close()
    return found


def asked_for(browser, elsewhere, folder, policy=""):
    """What the listener is asked for by all of `LOADS`, each in a frame so that none stops another."""
    for number, load in enumerate(LOADS):
        page = f"<!doctype html><html><head>{policy}</head><body>{load}</body></html>"
        (folder / f"{number}.html").write_text(page)
    frames = "".join(f'<iframe src="{number}.html"></iframe>' for number in range(len(LOADS)))
    (folder / "all.html").write_text(f"<!doctype html><title>all</title>{frames}")
    elsewhere.take()
    page = browser.new_page()
    page.goto((folder / "all.html").as_uri(), wait_until="load", timeout=PATIENCE)
    for frame in page.frames[1:]:
        with suppress(Error):  # one that has left in the meantime
            frame.evaluate(USE)
    page.wait_for_timeout(1000)
    page.close()
    return elsewhere.take()


@pytest.mark.browser
def test_the_payloads_do_run_in_a_browser(browser, tmp_path):
    control = tmp_path / "control.html"
    calm = [page for page in PAGES if "display: none" not in page and page not in LOADS]
    control.write_text("<title>calm</title>" + "\n".join(calm))
    title, _, covering, _ = happenings(browser, control.as_uri(), use=False)
    assert title == "pwned", "the payloads do nothing, so nothing is proved"
    assert covering


@pytest.mark.browser
def test_the_listener_hears_each_payload_that_asks_for_something(browser, elsewhere, tmp_path):
    expected = {re.search(r"elsewhere\.test/[\w-]+", load)[0] for load in LOADS}
    assert asked_for(browser, elsewhere, tmp_path) == expected


@pytest.mark.browser
def test_the_policy_of_our_pages_stops_all_but_a_page_that_leaves(
    browser, elsewhere, hostile_reports, tmp_path
):
    page = BeautifulSoup(hostile_reports[0].read_text(encoding="utf-8"), "html.parser")
    policy = str(page.find("meta", {"http-equiv": "Content-Security-Policy"}))
    assert POLICY in policy
    assert asked_for(browser, elsewhere, tmp_path, policy) == {"elsewhere.test/refresh"}


def nothing_happens(browser, elsewhere, url, title):
    """Assert that a page stays what it is and asks no other machine for anything."""
    elsewhere.take()
    assert happenings(browser, url) == (title, [], [], url)
    assert elsewhere.take() == set()


@pytest.mark.browser
def test_a_browser_runs_nothing_on_our_pages(hostile_reports, browser, elsewhere):
    titles = ("a1: feedback for mallory", f"a1: feedback for {PAGES[1]}", "a1: class report")
    for page, title in zip(hostile_reports, titles, strict=True):
        nothing_happens(browser, elsewhere, page.as_uri(), title)


@pytest.mark.browser
def test_a_browser_runs_nothing_in_nbgraders_feedback(course, feedback, browser, elsewhere):
    page = course.feedback("a1", "mallory") / f"{tiny.NOTEBOOK}.html"
    nothing_happens(browser, elsewhere, page.as_uri(), tiny.NOTEBOOK)


@pytest.mark.browser
def test_a_browser_runs_nothing_in_the_formgrader(formgrader, browser, elsewhere):
    """The formgrader itself loads MathJax and its like; whatever a notebook asks for has another name."""
    elsewhere.take()
    url, _ = submission_page(formgrader, "mallory")
    title, dialogs, covering, stayed = happenings(browser, url)
    stayed = stayed.partition("?")[0]  # the formgrader notes there which field has the cursor
    assert (title, dialogs, covering, stayed) == (tiny.NOTEBOOK, [], [], url)
    assert {what for what in elsewhere.take() if "cdn" not in what} == set()


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
