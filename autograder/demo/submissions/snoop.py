"""Hostile: reads the course, gradebook, seed, reference and other submissions; leaves marks behind.

The demo puts the real paths in place of @COURSE@ and @REPOSITORY@. What could be opened or written is said
in the exception, which is in the report.
"""

import os

WANTED = [
    "@COURSE@/nbgrader_config.py",
    "@COURSE@/gradebook.db",
    "@COURSE@/.handgrad/seed-a1",
    "@COURSE@/submitted/ada/a1/handgrad/layers/affine.py",
    "@COURSE@/reports/a1/ada.json",
    "@REPOSITORY@/handgrad/layers/affine.py",
    "@REPOSITORY@/autograder/checks/__init__.py",
    "/etc/shadow",
    "/proc/1/environ",
]
PLACES = ["@COURSE@", "@COURSE@/submitted/ada/a1", "@COURSE@/reports/a1", "@REPOSITORY@", "/etc", "/var/tmp"]


def _attempt(action):
    try:
        return action()
    except Exception:
        return None


def _read(path):
    with open(path, "rb") as file:
        return file.read(64)


def _mark(folder):
    with open(os.path.join(folder, "snoop-was-here"), "w") as file:
        return file.write("snoop")


def relu_forward(x):
    read = [path for path in WANTED if _attempt(lambda path=path: _read(path))]
    written = [folder for folder in PLACES if _attempt(lambda folder=folder: _mark(folder))]
    raise RuntimeError(f"read {read} and wrote to {written}")
