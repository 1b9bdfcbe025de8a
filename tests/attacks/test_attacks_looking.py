"""Submissions that want to see what is not their own: none does."""

from graded import test_the_attack_fails, test_the_class_around_gets_its_exact_grades
from looking import ATTACKS

__all__ = ["ATTACKS", "test_the_attack_fails", "test_the_class_around_gets_its_exact_grades"]
