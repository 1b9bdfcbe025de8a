"""Submissions that want to do harm: none does any."""

from graded import test_the_attack_fails, test_the_class_around_gets_its_exact_grades
from harm import ATTACKS

__all__ = ["ATTACKS", "test_the_attack_fails", "test_the_class_around_gets_its_exact_grades"]
