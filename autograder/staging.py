"""From what students hand in to what is graded: receive, collect, stage.

Submissions are hostile until shown otherwise, and broken more often than hostile. Neither stops the class:
what cannot be taken is left out with a note, and the released file stands in its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from autograder import arrivals, durable
from autograder.course import Assignment, Course, CourseError
from autograder.packed import manifest_notes
from autograder.release import released_folder
from autograder.salvage import Unsalvageable, all_questions, salvage, same_notebook
from autograder.student_folder import hash_of, released_files
from autograder.untrusted import MAX_BYTES, Archive, Folder, MiB, Refused, ignored, open_submission, shown
from autograder.whose import Nobody, everybody, owner

STUDENT_ID = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9._@+-]{0,63}")
MAX_MODULE_BYTES = 1 * MiB
MAX_NOTEBOOK_BYTES = 40 * MiB
MOST_VERSIONS = 3  # of a notebook that came under other names
MAX_SAVED_BYTES = 64 * MiB


@dataclass(frozen=True)
class Arrival:
    """One student's submission, as it lies in the folder of submissions: a folder or a zip."""

    student: str
    path: Path
    notes: tuple[str, ...] = ()
    problem: str = ""  # why it cannot be taken


@dataclass(frozen=True)
class Staged:
    """A folder to grade: the release, with the files that count taken from the student."""

    tree: Path
    notes: list[str]
    submission_hash: str
    person: tuple[str, ...] = ()  # questions that a person grades if they do not earn everything


@dataclass
class _Taken:
    """The files that count, by their path in the assignment folder."""

    files: dict[str, bytes] = field(default_factory=dict)
    came: dict[str, bytes] = field(default_factory=dict)  # the same before anything was mended or completed
    notes: list[str] = field(default_factory=list)
    person: list[str] = field(default_factory=list)
    timestamp: bytes | None = None

    @property
    def hash(self) -> str:
        return hash_of(self.files)

    @property
    def handed_in(self) -> str:
        """What `handgrad pack` prints for these files; "" when there are none."""
        return hash_of(self.came) if self.came else ""


def receive(folder: Path, assignment: Assignment) -> list[Arrival]:
    """Find submissions in a folder: <student>/, <student>/<assignment>/, <student>.zip, <student>/<any>.zip,
    and what `handgrad pack` writes, <assignment>-<student>.zip.

    Args:
        folder: the folder of submissions.
        assignment: the assignment that was handed in.
    Returns:
        one arrival a student, sorted by student. A name that is no student id gets a safe one, and a note;
        one that does not say whose the submission is, a problem.
    Raises:
        CourseError: the folder does not exist.
    """
    if not folder.is_dir():
        raise CourseError(f"There is no folder {folder} with submissions.")
    found: dict[str, tuple[Arrival, str]] = {}
    paths = [path for path in sorted(folder.iterdir()) if not ignored(path.name) and not path.is_symlink()]
    roster = cache(lambda: everybody(assignment.course))  # not read anew for each of a class
    came = [(path, arrival) for path in paths if (arrival := _arrival(path, assignment, roster))]
    # Folders first: where somebody has both, the folder is what an instructor unpacked or mended. Then those
    # whose name is just the student's.
    for path, arrival in sorted(came, key=lambda each: (each[0].is_file(), bool(each[1].notes))):
        if arrival.student in found:
            first, name = found[arrival.student]
            note = f"{shown(path.name)} arrived too, and was left out: {shown(name)} is graded."
            found[arrival.student] = replace(first, notes=(*first.notes, note)), name
        else:
            found[arrival.student] = arrival, path.name
    return [found[student][0] for student in sorted(found)]


def _arrival(path: Path, assignment: Assignment, roster: Callable[[], set[str]]) -> Arrival | None:
    """What one file or folder of the inbox is; None when it is no submission of this assignment."""
    if not path.is_dir() and not (path.suffix.lower() == ".zip" and path.is_file()):
        return None
    where = _handed_in(path, assignment) if path.is_dir() else path
    if where is None:
        return None
    name, notes = path.name if path.is_dir() else path.stem, ()
    if not (path.is_dir() and where.name == assignment.name):  # nbgrader's layout leaves no doubt
        try:
            name, notes = owner(name, assignment.name, roster)
        except Nobody as error:
            return Arrival(path.name, where, problem=str(error))
    student, unusual = _student(name)
    return Arrival(student, where, (*notes, *unusual))


def collect(arrival: Arrival, course: Course, assignment: Assignment) -> str:
    """Keep an arrival as it came, and put the files that count where nbgrader looks for them.

    What came stays in received/<assignment>/<student>/, a folder for each version, and a log there says what
    arrived when. What counts goes to submitted/<student>/<assignment>/, which is replaced at once or not at
    all. The released notebook stands there for one that is missing or unreadable.

    Returns:
        the submission's hash, the same that `stage` finds.
    Raises:
        CourseError: nobody knows whose it is, the student's id is not one, or the assignment is not released.
        OSError: it cannot be kept, say because the disk is full; what was there before is there still.
    """
    if arrival.problem:
        raise CourseError(arrival.problem)
    check_student_id(arrival.student)
    release = released_folder(assignment)
    target = course.submitted(assignment.name, arrival.student)
    nbgrader = arrival.path.name == assignment.name
    with durable.scratch(course.private) as scratch:
        raw, taken = scratch / "raw", _Taken()
        try:
            with open_submission(arrival.path) as source:
                taken = _take(source, assignment, release)
                if isinstance(source, Folder) and nbgrader:
                    taken.timestamp = _timestamp(source)
                source.copy_to(raw)
        except Refused as error:
            taken.notes.append(f"The submission was not taken as it came. {error}")
            _keep_file(arrival.path, raw)
        _complete(taken, assignment, release)
        received = course.received(assignment.name, arrival.student)
        if arrival.path.resolve() == target.resolve() and _contents(target) == _files(taken):
            counts = arrivals.counting(arrivals.read(received))
            if counts is not None and counts.submission_hash == taken.hash:
                return taken.hash  # it lies there as it must, and its notes with it
        arrived = arrivals.note_arrival(received, raw if raw.is_dir() else None, arrival.path, nbgrader)
        _submit(taken, arrived, arrival.notes, assignment, arrival.student, scratch)
    return taken.hash


def check_student_id(student: str) -> None:
    """Raise CourseError for what is no student id: it would stand in file names and in nbgrader's pages."""
    if not STUDENT_ID.fullmatch(student):
        raise CourseError(f"{student!r} is not a student id: use 1 to 64 of A-Z a-z 0-9 . _ @ + -")


def resume(assignment: Assignment) -> None:
    """Finish what a killed run had begun: hand on what it had received, and remove what it left.

    Raises:
        OSError: a folder cannot be written.
    """
    course = assignment.course
    durable.sweep(course.private)
    durable.sweep_temporaries(course.private)
    durable.restore(course.release(assignment.name))
    for student in (course.root / "submitted").glob("*/"):
        durable.restore(student / assignment.name)
    for log in sorted(course.received(assignment.name, "_").parent.glob(f"*/{arrivals.LOG}")):
        durable.sweep_temporaries(log.parent)
        if (arrived := arrivals.pending(arrivals.read(log.parent))) is None:
            continue
        kept = log.parent / arrived.kept
        packed = kept / "submission.zip"
        with durable.scratch(course.private) as scratch:
            taken = _Taken()
            came = packed if packed.is_file() else kept
            with contextlib.suppress(Refused), open_submission(came) as source:
                taken = _take(source, assignment, released_folder(assignment))
                if isinstance(source, Folder) and arrived.nbgrader:
                    taken.timestamp = _timestamp(source)
            _complete(taken, assignment, released_folder(assignment))
            _submit(taken, arrived, (), assignment, log.parent.name, scratch)


def _keep_file(path: Path, raw: Path) -> None:
    """Copy a zip that was refused: somebody may ask for it. Larger ones than may be handed in are left."""
    status = os.lstat(path) if os.path.lexists(path) else None
    if status and stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES and not raw.exists():
        raw.mkdir()
        shutil.copyfile(path, raw / "submission.zip", follow_symlinks=False)


def _complete(taken: _Taken, assignment: Assignment, release: Path) -> None:
    for name in assignment.notebooks:
        path = f"{name}.ipynb"
        taken.files.setdefault(path, (release / path).read_bytes())


def _submit(
    taken: _Taken,
    arrived: arrivals.Entry,
    notes: Iterable[str],
    assignment: Assignment,
    student: str,
    scratch: Path,
) -> None:
    """Put what counts where nbgrader looks for it, and note that it counts."""
    course = assignment.course
    received, target = course.received(assignment.name, student), course.submitted(assignment.name, student)
    kept = {"submission_hash": taken.hash, "notes": _distinct([*notes, *taken.notes])}
    content = (json.dumps(kept, indent=1) + "\n").encode()
    if not _is(received / "notes.json", content):
        durable.write(received / "notes.json", content)
    if _contents(target) != _files(taken):
        fresh = scratch / "fresh"
        _write(fresh, _files(taken))
        durable.sync_tree(fresh)
        durable.put_in_place(fresh, target)
    arrivals.note_counting(received, arrived, taken.hash, taken.handed_in)


def _is(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def stage(submission: Path, assignment: Assignment, dest: Path) -> Staged:
    """Write the folder that is graded: the release, with the files that count taken from the submission.

    Args:
        submission: a folder or a zip; it is only read, and need not have gone through `collect`.
        assignment: the assignment, which must be released.
        dest: a new or empty folder; any user can read it afterwards.
    Raises:
        CourseError: the assignment is not released.
    """
    release = released_folder(assignment)
    taken = _take_path(submission, assignment, release)
    _write(
        dest,
        {p.relative_to(release).as_posix(): p.read_bytes() for p in released_files(release)} | taken.files,
    )
    notes = taken.notes
    student = submission.parent.name
    if submission == assignment.course.submitted(assignment.name, student):
        notes = [*received_notes(assignment, student, taken.hash), *notes]
    return Staged(dest, _distinct(notes), taken.hash, tuple(taken.person))


def submission_hash(submission: Path, assignment: Assignment) -> str:
    """SHA-256 over the paths and contents of the files that count; of nothing else, such as their dates."""
    return _take_path(submission, assignment, released_folder(assignment)).hash


def handed_in_hash(submission: Path, assignment: Assignment, hash: str) -> str | None:
    """The hash of the files that count as they lie in a submission, before anything is mended.

    Args:
        submission: a folder or a zip.
        assignment: the assignment, which must be released.
        hash: of the submission as it was graded.
    Returns:
        what `handgrad pack` prints for them, "" when there are none; None when another version lies there.
    """
    taken = _take_path(submission, assignment, released_folder(assignment))
    return taken.handed_in if taken.hash == hash else None


def received_notes(assignment: Assignment, student: str, hash: str) -> list[str]:
    """What `collect` noted about the submission with this hash, if that is the last one it took."""
    path = assignment.course.received(assignment.name, student) / "notes.json"
    try:
        kept = json.loads(path.read_bytes())
        return [str(note) for note in kept["notes"]] if kept["submission_hash"] == hash else []
    except FileNotFoundError:
        return []
    except (ValueError, LookupError, TypeError):
        return ["What was noted when this arrived cannot be read any more."]


def _handed_in(folder: Path, assignment: Assignment) -> Path | None:
    """Where a student's folder holds this assignment; None when it holds others only."""
    try:
        inner = [p for p in sorted(folder.iterdir()) if not ignored(p.name) and not p.is_symlink()]
    except OSError:
        return folder  # opening it says what is wrong
    names = {path.name for path in inner if path.is_dir()}
    if assignment.name in names:
        return folder / assignment.name
    others = {path.parent.name for path in assignment.course.source.glob("*/manifest.toml")}
    if names and names <= others:
        return None
    if len(inner) == 1 and inner[0].suffix.lower() == ".zip" and inner[0].is_file():
        return inner[0]
    return folder


def _student(name: str) -> tuple[str, tuple[str, ...]]:
    """The student id in a file's name. Other names are made safe, with a hash so that no two become one."""
    if STUDENT_ID.fullmatch(name):
        return name, ()
    plain = re.sub(r"[^A-Za-z0-9_@+]+", "_", name)[:50] or "_"
    student = f"{plain}-{hash_of({name: b''})[:8]}"
    return student, (f"{shown(name)!r} is not a student id, so this is graded as {student}.",)


def _take_path(submission: Path, assignment: Assignment, release: Path) -> _Taken:
    try:
        with open_submission(submission) as source:
            return _take(source, assignment, release)
    except Refused as error:
        return _Taken(notes=[f"The submission was not taken. {error}"])


def _take(source: Folder | Archive, assignment: Assignment, release: Path) -> _Taken:
    """Read the files that count, each within its limit and each notebook made readable."""
    saved = assignment.saved
    notebooks = [f"{name}.ipynb" for name in assignment.notebooks]
    expected = [*notebooks, *assignment.manifest.editable, *saved]
    taken = _Taken(notes=source.notes)
    root = _root(source, expected, taken.notes)
    if root is None:
        taken.notes.append(
            f"Nothing of {assignment.name} was found: a submission has {notebooks[0]} and a folder handgrad."
        )
        return taken
    for path in expected:
        if path in notebooks:
            _take_notebook(source, root, path, release, taken)
        elif root + path not in source.entries:
            if path not in saved:
                taken.notes.append(f"{path} was not handed in. The released one is in its place.")
        else:
            try:
                limit = MAX_SAVED_BYTES if path in saved else MAX_MODULE_BYTES
                taken.files[path] = taken.came[path] = source.read(root + path, limit)
            except Refused as error:
                stand_in = "" if path in saved else " The released one is in its place."
                taken.notes.append(f"{path} was not taken.{stand_in} {error}")
    taken.notes += manifest_notes(source, root, assignment.name, expected)
    taken.notes += _changes_without_effect(source, root, expected, release)
    return taken


def _root(source: Folder | Archive, expected: list[str], notes: list[str]) -> str | None:
    """The folder in the submission, as "" or "path/", that holds most of the expected files."""
    hits: Counter[str] = Counter()
    for entry in source.entries:
        for path in expected:
            folder, slash, name = entry.rpartition("/")
            if entry == path or entry.endswith(f"/{path}"):
                hits[entry.removesuffix(path)] += 1
            elif path.endswith(".ipynb") and same_notebook(name, path.removesuffix(".ipynb")):
                hits[folder + slash] += 1
    if not hits:
        return None
    best, *others = sorted(hits, key=lambda root: (-hits[root], root.count("/"), root))
    if others:
        left_out = ", ".join(shown(root) or "the top folder" for root in others[:3])
        notes.append(
            f"The assignment's files lie in {len(hits)} folders. Those in {shown(best) or 'the top folder'} "
            f"were taken, which has the most; left out: {left_out}{' and more' if len(others) > 3 else ''}."
        )
    return best


def _take_notebook(source: Folder | Archive, root: str, path: str, release: Path, taken: _Taken) -> None:
    """Take a notebook, under its own name or one that a download gave it; what is broken is salvaged."""
    renamed = _renamed(source, root, path)
    names = [root + path] if root + path in source.entries else renamed[: -MOST_VERSIONS - 1 : -1]
    stand_in = "The released one is in its place."
    if not names:
        taken.notes.append(f"{path} was not handed in. {stand_in}")
        return
    try:
        first, *others = [source.read(name, MAX_NOTEBOOK_BYTES) for name in names]
        taken.came[path] = first
        salvaged = salvage(first, (release / path).read_bytes(), path, others)
    except Exception as error:
        why = str(error)
        if not isinstance(error, Refused | Unsalvageable):  # a fault of ours, which must not stop the class
            why = f"It is broken in a way that was not foreseen ({type(error).__name__})."
        taken.notes.append(f"{path} was not taken. {stand_in} {why} A person grades what stood in it.")
        taken.person += all_questions((release / path).read_bytes())
        return
    taken.files[path] = salvaged.content
    if names[0] != root + path:
        taken.notes.append(f"{shown(names[0])} was taken for {path}, which was not handed in.")
    for name in renamed:
        if name != names[0]:
            what = "is kept where it differs" if name in names else "was left out"
            taken.notes.append(f"{path} came as {shown(name)} too, which {what}.")
    taken.notes += salvaged.notes
    taken.person += salvaged.person


def _renamed(source: Folder | Archive, root: str, path: str) -> list[str]:
    """Files beside a notebook's place whose names are what downloads and copies make of its name."""
    stem = path.removesuffix(".ipynb")
    return sorted(
        entry
        for entry in source.entries
        if entry.startswith(root) and entry != root + path and "/" not in entry[len(root) :]
        if same_notebook(entry[len(root) :], stem)
    )


def _changes_without_effect(
    source: Folder | Archive, root: str, expected: list[str], release: Path
) -> list[str]:
    """Tells students who edited other modules than they should that this has no effect."""
    changed = []
    for path in released_files(release / "handgrad"):
        name = path.relative_to(release).as_posix()
        if name in expected or path.suffix != ".py" or root + name not in source.entries:
            continue
        try:
            theirs = source.read(root + name, MAX_MODULE_BYTES)
        except Refused:
            theirs = b""
        if theirs.split() != path.read_bytes().split():
            changed.append(name)
    return [f"Changes in {name} have no effect: it is not among the files that count." for name in changed]


def _timestamp(source: Folder) -> bytes | None:
    """nbgrader's note of when the folder was handed in, if it is one: a bad one would stop nbgrader."""
    from nbgrader.utils import parse_utc

    try:
        content = source.read("timestamp.txt", 100)
        parse_utc(content.decode().strip())
    except (Refused, ValueError, OverflowError):
        return None
    return content


def _files(taken: _Taken) -> dict[str, bytes]:
    """What belongs into the submitted folder."""
    return taken.files | ({"timestamp.txt": taken.timestamp} if taken.timestamp else {})


def _contents(folder: Path) -> dict[str, bytes] | None:
    """The files in a submitted folder, or None when it is missing or has anything but plain files."""
    if not folder.is_dir() or folder.is_symlink():
        return None
    paths = list(folder.rglob("*"))
    if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in paths):
        return None
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write files below a folder, readable for everybody."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _distinct(notes: list[str]) -> list[str]:
    return list(dict.fromkeys(notes))
