"""Runs student code, and nothing else does: bubblewrap, limits, and a channel that carries data only."""

from autograder.sandbox.process import Limits, SandboxUnavailable, check_available
from autograder.sandbox.session import Handle, Session, Student, StudentError

__all__ = ["Handle", "Limits", "SandboxUnavailable", "Session", "Student", "StudentError", "check_available"]
