"""Tests in virtual time, by a decorator."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from sessionactors.testing.virtual_loop import run


def virtual(test: Callable[[], Coroutine[object, object, None]]) -> Callable[[], None]:
    """Runs a test in virtual time."""

    def in_virtual_time() -> None:
        run(test)

    in_virtual_time.__name__ = test.__name__
    in_virtual_time.__doc__ = test.__doc__
    return in_virtual_time
