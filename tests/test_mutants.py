"""The mutants fit the tree: each guard is where its patch looks for it, and each named test exists.

That the tests fail without the guards takes minutes: `make mutants` shows it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.mutants import orders
from tests.mutants.run import ROOT, Mutant, load

MUTANTS = load()


def label(mutant: Mutant) -> str:
    return f"{mutant.promise}-{mutant.removes}"


def test_each_mutant_fits_the_tree() -> None:
    stale = {label(mutant): problem for mutant in MUTANTS if (problem := mutant.stale(ROOT)) is not None}
    assert stale == {}, "a guard or its test has moved: find it, and mend its entry in tests/mutants"


@pytest.mark.parametrize(
    "change, says",
    [
        ({"file": "src/nowhere.py"}, "src/nowhere.py does not exist"),
        ({"old": "no such guard"}, "0 times"),
        ({"old": "import"}, "times in"),
        ({"test": "tests/test_nowhere.py::test_a"}, "tests/test_nowhere.py does not exist"),
        ({"test": "tests/test_layout.py::test_module_says"}, "tests/test_layout.py has no test_module_says"),
    ],
)
def test_a_mutant_that_no_longer_fits_is_named(change: dict[str, str], says: str) -> None:
    problem = replace(MUTANTS[0], **change).stale(ROOT)
    assert problem is not None
    assert says in problem


def test_no_two_mutants_are_called_the_same() -> None:
    assert len({label(mutant) for mutant in MUTANTS}) == len(MUTANTS)


ORDERS = orders.load()


def test_each_mutant_of_order_fits_the_tree_and_stands_in_the_table() -> None:
    stale = {mutant.name: problem for mutant in ORDERS if (problem := mutant.problem(ROOT)) is not None}
    assert stale == {}, "the code has moved: mend the entry in tests/mutants/orders.toml"
    page = orders.PAGE.read_text()
    assert [mutant.name for mutant in ORDERS if f"| {mutant.name} |" not in page] == []
    assert len({mutant.name for mutant in ORDERS}) == len(ORDERS) >= 15
