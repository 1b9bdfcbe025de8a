"""Submissions that want to use everything up: each loses what is its own, and nobody else anything."""

from exhaustion import ATTACKS
from graded import test_the_attack_fails, test_the_class_around_gets_its_exact_grades

__all__ = ["ATTACKS", "test_the_attack_fails", "test_the_class_around_gets_its_exact_grades"]
