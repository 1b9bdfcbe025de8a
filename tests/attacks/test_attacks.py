"""The corpus as a whole: its names, its goals, and its table in README.md."""

import re
from importlib import import_module
from pathlib import Path

import archives
import exhaustion
import forging
import harm
import looking
import notebooks
from corpus import table

FAMILIES = {
    module.__name__: module.ATTACKS for module in (forging, notebooks, looking, harm, exhaustion, archives)
}
CORPUS = [attack for attacks in FAMILIES.values() for attack in attacks]
README = Path(__file__).with_name("README.md")


def test_names_are_unique_and_goals_are_sentences():
    names = [attack.name for attack in CORPUS]
    assert len(set(names)) == len(names)
    for attack in CORPUS:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", attack.name)
        assert re.fullmatch(r"[A-Z][^|\n]{20,}\.", attack.goal), attack.name
        assert attack in FAMILIES[attack.family], f"{attack.name} names another family than its module's"


def test_there_are_at_least_sixty_attacks():
    assert len(CORPUS) >= 60


def test_every_family_has_a_test_file_that_grades_it():
    for family, attacks in FAMILIES.items():
        assert import_module(f"test_attacks_{family}").ATTACKS is attacks


def test_the_readme_lists_the_corpus():
    """Write it anew with `python tests/attacks/test_attacks.py`."""
    assert README.read_text(encoding="utf-8").endswith(f"\n\n{table(CORPUS)}")


if __name__ == "__main__":
    head, _, _ = README.read_text(encoding="utf-8").partition("| family |")
    README.write_text(head + table(CORPUS), encoding="utf-8")
