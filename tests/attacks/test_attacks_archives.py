"""Submissions that upset whoever unpacks them: nothing gets out of its folder."""

from archives import ATTACKS
from graded import test_the_attack_fails, test_the_class_around_gets_its_exact_grades

__all__ = ["ATTACKS", "test_the_attack_fails", "test_the_class_around_gets_its_exact_grades"]
