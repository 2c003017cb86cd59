"""Where coverage is measured, tests that add nothing to it are not traced: tracing makes a test three times as slow.

Traced are the tests of what the gate looks at; not those that only repeat others, with other seeds, faults or loops.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

TRACED: Final = ("actors", "drop_ins", "runtime", "session")
"""Below `tests/`."""
REPEATED: Final = re.compile(
    "any_order|always|whenever|seed|uvloop|random_faults|killed_actor|private_fields|waits_already"
)
"""In a test's id."""

HERE: Final = Path(__file__).parents[1]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("cov_source", default=[]):
        return
    for item in items:
        if not adds_to_coverage(item):
            item.add_marker(pytest.mark.no_cover)


def adds_to_coverage(item: pytest.Item) -> bool:
    """Whether a test is worth being traced."""
    below = item.path.relative_to(HERE).parts[0]
    return below in TRACED and REPEATED.search(item.nodeid.lower()) is None
