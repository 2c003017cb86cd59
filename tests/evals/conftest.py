"""Modules that the tests of the evals write are imported as a user's are: afterwards nothing of them is left."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def imports_as_before() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith(("desk_agent", "judges_beside")):
            del sys.modules[name]
    sys.path[:] = path
