"""What keeps the run quick: thousands of tests on few cores.

Tests that wait for the real world (mark: waits) are begun first: there are more workers than cores, so others compute
meanwhile. And the garbage collector rests while tests are collected, and never again looks at what was made then: the
modules of five vendors and thousands of items, all of which live to the end.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)
