"""What is asserted of every family. Each has a test file, so that a worker grades it, once."""

import pytest
from corpus import NEIGHBOURS

WARNINGS = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:Object of type .* not in session"
)


@WARNINGS
def test_the_attack_fails(attack, found, released):
    outcome = found[attack.name]
    expected = released.expected(attack.points, attack.start)
    assert outcome.points == expected
    if not attack.limits:  # what the gradebook has, and nothing for answers that a person grades
        assert outcome.recorded == dict.fromkeys(outcome.recorded, 0.0) | expected
        assert outcome.sheet.points == sum(expected.values())
        assert outcome.worth == found["ada"].worth
    for check in attack.checks:
        check(outcome)
    assert outcome.report.times.seconds < attack.seconds


@WARNINGS
def test_the_class_around_gets_its_exact_grades(found, released):
    for student, start, _, points in NEIGHBOURS:
        expected = released.expected(points, start)
        assert found[student].points == expected
        assert found[student].recorded == dict.fromkeys(found[student].recorded, 0.0) | expected
        assert {name: p for name, p in found[student].recorded.items() if p} == {
            name: p for name, p in expected.items() if p
        }
