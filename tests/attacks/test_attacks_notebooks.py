"""Notebooks that claim points: none gets one."""

from graded import test_the_attack_fails, test_the_class_around_gets_its_exact_grades
from notebooks import ATTACKS

__all__ = ["ATTACKS", "test_the_attack_fails", "test_the_class_around_gets_its_exact_grades"]
