"""Whether user code runs because an agent entered: replies it asks for are not offered ``IGNORE_ON_ENTER`` tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

ON_ENTER: Final[ContextVar[bool]] = ContextVar("sessionactors_on_enter", default=False)
"""Set in ``on_enter``, in the tools of its replies, and in the tasks that they start."""


@contextmanager
def entering(because: bool) -> Iterator[None]:  # `entering(link.on_enter)`
    """While the body runs."""
    before = ON_ENTER.set(because)
    try:
        yield
    finally:
        ON_ENTER.reset(before)
