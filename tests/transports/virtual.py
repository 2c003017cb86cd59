"""A loop whose clock jumps to the next timer when nothing else is to be done, for exact positions without waiting.

Unlike `sessionactors.testing.virtual_loop` it lets a coroutine wait for a thread for as long as that takes.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike as FileObject

P = ParamSpec("P")
T = TypeVar("T")


class _JumpingSelector(selectors.BaseSelector):
    """Never waits for time, only (without a timeout) for threads and sockets."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(None if timeout is None else 0)
        if timeout is not None and not ready:
            self.now += max(0.0, timeout)
        return ready

    def register(self, fileobj: FileObject, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: FileObject) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping[FileObject, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at 0.0 seconds. `advance` makes the loop late, as a handler that takes that long would."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def advance(self, seconds: float) -> None:
        self._jumping.now += seconds


def run(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Make a plain test of a coroutine: virtual time, independent of pytest-asyncio's loops."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return wrapper


def now() -> float:
    """Seconds on the running loop's clock."""
    return asyncio.get_running_loop().time()


def late(seconds: float) -> None:
    """Let the running virtual loop be late by that much."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.advance(seconds)
