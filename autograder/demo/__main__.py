"""`python -m autograder.demo`, the same as `autograder demo`."""

import sys

from autograder.cli import app

if __name__ == "__main__":
    sys.exit(app(["demo", *sys.argv[1:]]))
