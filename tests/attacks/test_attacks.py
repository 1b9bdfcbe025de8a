"""The corpus: no attack gets what it wants, and the class around it gets its exact grades."""

import re
from pathlib import Path

import archives
import exhaustion
import forging
import harm
import looking
import notebooks
import pytest
from corpus import NEIGHBOURS, table

FAMILIES = {
    module.__name__: module.ATTACKS for module in (forging, notebooks, looking, harm, exhaustion, archives)
}
CORPUS = [attack for attacks in FAMILIES.values() for attack in attacks]
README = Path(__file__).with_name("README.md")

graded = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore:Object of type .* not in session"
)


@graded
@pytest.mark.parametrize("attack", CORPUS, ids=lambda attack: f"{attack.family}-{attack.name}")
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


@graded
def test_the_class_around_gets_its_exact_grades(found, released):
    for student, start, _, points in NEIGHBOURS:
        expected = released.expected(points, start)
        assert found[student].points == expected
        assert found[student].recorded == dict.fromkeys(found[student].recorded, 0.0) | expected
        assert {name: p for name, p in found[student].recorded.items() if p} == {
            name: p for name, p in expected.items() if p
        }


def test_names_are_unique_and_goals_are_sentences():
    names = [attack.name for attack in CORPUS]
    assert len(set(names)) == len(names)
    for attack in CORPUS:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", attack.name)
        assert re.fullmatch(r"[A-Z][^|\n]{20,}\.", attack.goal), attack.name
        assert attack in FAMILIES[attack.family], f"{attack.name} names another family than its module's"


def test_there_are_at_least_sixty_attacks():
    assert len(CORPUS) >= 60


def test_the_readme_lists_the_corpus():
    """Write it anew with `python tests/attacks/test_attacks.py`."""
    assert README.read_text(encoding="utf-8").endswith(f"\n\n{table(CORPUS)}")


if __name__ == "__main__":
    head, _, _ = README.read_text(encoding="utf-8").partition("| family |")
    README.write_text(head + table(CORPUS), encoding="utf-8")
