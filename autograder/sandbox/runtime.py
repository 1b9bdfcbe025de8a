"""The Python that student code runs in: the interpreter, the standard library and a few packages in a folder.

The sandbox sees this folder and nothing else of the grader's environment, so neither the reference package
nor the grader's libraries are there to be read. Files are hard links where that is possible, copies where
not; the folder is made once for each set of versions and kept in the cache.
"""

from __future__ import annotations

import compileall
import errno
import hashlib
import os
import shutil
import stat
import sys
import sysconfig
import tempfile
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

LAYOUT = "4"  # raise when the folder's layout changes
PACKAGES = ("numpy", "matplotlib", "tqdm")
OPTIONAL = ("torch", "safetensors")  # for notebooks with PyTorch, where it is installed
OWN = ("protocol.py", "notebook.py", "runner.py", "stand_ins.py", "mending.py")  # this side's own files in it
NOT_NEEDED = {".h", ".hpp", ".cuh", ".a", ".cmake"}  # half of PyTorch's files
NOT_IN_STDLIB = {
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
}
SIDE = Path(__file__).parent
ANOTHER = "The environment variable HANDGRAD_CACHE can name another folder"


class SandboxUnavailable(Exception):
    """This machine cannot isolate student code; the message says what to do."""


def cache_folder() -> Path:
    """Where runtimes are kept: $HANDGRAD_CACHE, or the system's cache for root, or the user's."""
    if "HANDGRAD_CACHE" in os.environ:
        return Path(os.environ["HANDGRAD_CACHE"])
    if os.geteuid() == 0:  # not below /root: sandboxes run as another user, who must be able to reach it
        return Path("/var/cache/handgrad")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "handgrad"


def open_cache() -> Path:
    """The folder in which runtimes are kept, made when it is not there yet.

    Whatever the umask, everybody may read what is in it, and this account alone may write.

    Raises:
        SandboxUnavailable: it cannot be made, or somebody else could have put something into it.
    """
    folder = cache_folder()
    try:
        for parent in [*folder.parents][::-1]:
            if not parent.is_dir():
                _make_folder(parent)
        if not folder.is_dir():
            _make_folder(folder)
        _check_own(folder)
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o555 != 0o555 and folder.stat().st_uid == os.geteuid():
            folder.chmod(mode | 0o555)
    except OSError as error:
        raise SandboxUnavailable(
            f"The folder {folder}, where the sandbox's Python is kept, cannot be used: {error.strerror}. "
            f"{ANOTHER}."
        ) from None
    return folder


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755)
    except FileExistsError:
        if folder.is_dir():  # another worker was quicker
            return
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    if os.geteuid() == 0:  # sandboxes run as another user, who must get through
        folder.chmod(0o755)


def _check_own(folder: Path) -> None:
    """Raise SandboxUnavailable where another user could change the Python in which students are graded."""
    about = folder.stat()
    if about.st_uid not in (0, os.geteuid()):
        why = f"it belongs to the user with the number {about.st_uid}"
    elif about.st_mode & 0o022:
        why = "other users may write there"
    else:
        return
    raise SandboxUnavailable(
        f"The folder {folder} cannot keep the sandbox's Python: {why}. Remove that folder, and it is made "
        f"anew. {ANOTHER}."
    )


@cache
def distributions(
    packages: tuple[str, ...] = PACKAGES, optional: tuple[str, ...] = ()
) -> tuple[Distribution, ...]:
    """The installed distributions of these packages and all that they require."""
    found: dict[str, Distribution] = {}
    waiting = [*packages]
    for name in optional:
        try:
            distribution(name)
            waiting.append(name)
        except PackageNotFoundError:
            pass
    while waiting:
        name = waiting.pop()
        try:
            dist = distribution(name)
        except PackageNotFoundError:
            continue  # an optional platform's requirement; a needed one shows when it is imported
        about = dist.metadata  # parsed anew by each of dist.name, dist.version and dist.requires
        if about["Name"].lower() in found:
            continue
        found[about["Name"].lower()] = dist
        for line in about.get_all("Requires-Dist") or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return tuple(found[name] for name in sorted(found))


@cache
def runtime() -> Path:
    """The runtime folder for this interpreter and these package versions, made when it is not there yet.

    Raises:
        SandboxUnavailable: the cache cannot be made, or is open to others.
    """
    dists = distributions(optional=OPTIONAL)
    identity = [LAYOUT, sys.version, sys.base_prefix, *(f"{d.name}=={d.version}" for d in dists)]
    identity += [hashlib.sha256((SIDE / name).read_bytes()).hexdigest() for name in OWN]
    key = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]
    folder = open_cache() / f"runtime-{key}"
    if folder.is_dir():
        _check_own(folder)
        return folder
    building = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
    try:
        _fill(building, dists)
        _set_modes(building)
        try:
            building.rename(folder)
        except OSError:  # another worker was quicker
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _set_modes(building: Path) -> None:
    """Let everybody read and nobody else write, whatever the umask; links are the environment's own files."""
    for path in [building, *building.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
        elif path.stat().st_nlink == 1:
            path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def interpreter() -> str:
    """The interpreter's path below the runtime folder."""
    return f"python/bin/{Path(sys.executable).resolve().name}"


def _fill(folder: Path, dists: tuple[Distribution, ...]) -> None:
    python = folder / "python"
    base = Path(sys.base_prefix).resolve()
    _place(Path(sys.executable).resolve(), folder / interpreter())
    for stdlib in {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}:
        # In a virtual environment `platstdlib` may point into it; the interpreter needs the base's.
        if stdlib.is_relative_to(base):
            _copy_tree(stdlib, python / stdlib.relative_to(base), NOT_IN_STDLIB)
    if base != Path("/usr"):  # a prefix of its own brings shared libraries of its own
        for library in (base / "lib").glob("*.so*"):
            if library.is_file():
                _place(library.resolve(), python / "lib" / library.name)
    for dist in dists:
        for file in dist.files or ():
            if ".." not in file.parts and file.suffix not in NOT_NEEDED:
                source = Path(str(dist.locate_file(file)))
                if source.is_file():
                    _place(source, folder / "site" / Path(*file.parts))
    for name in OWN:
        _place(SIDE / name, folder / "runner" / name, copy=True)
    # Nothing can be written there later, and compiling PyTorch's sources takes a minute: what pip has not
    # compiled, or another installer, is compiled now.
    compileall.compile_dir(folder / "site", quiet=2)
    compileall.compile_dir(folder / "runner", quiet=2)


def _copy_tree(source: Path, target: Path, leave_out: set[str]) -> None:
    for folder, names, files in os.walk(source):
        names[:] = [n for n in names if n not in leave_out and not n.startswith("config-")]
        for name in files:
            path = Path(folder) / name
            if path.is_file():
                _place(path, target / path.relative_to(source))


def _place(source: Path, target: Path, copy: bool = False) -> None:
    """Hard-link, or copy when the file system, the owner or the permissions do not allow a link."""
    if not target.parent.is_dir():
        target.parent.mkdir(mode=0o755, parents=True)
        for parent in [target.parent, *target.parent.parents]:
            if parent.name.startswith("building-"):
                break
            parent.chmod(0o755)
    if not copy and stat.S_IMODE(source.stat().st_mode) & 0o004:
        try:
            os.link(source, target, follow_symlinks=True)
            return
        except OSError:
            pass
    shutil.copyfile(source, target)
    os.utime(target, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))  # compiled files name it
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
