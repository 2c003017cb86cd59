"""Users' callbacks, run on the loop one is on. Whatever one of them raises is logged and hurts nobody."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import structlog

from sessionactors.runtime.containment import escapes

log = structlog.get_logger("sessionactors.session")


class Callbacks:
    """Runs callbacks, and keeps those that are ``async`` until they are over."""

    def __init__(self) -> None:
        self.running: set[asyncio.Task[None]] = set()
        """The ``async`` ones that are not over."""

    def call(self, name: str, callback: Callable[..., object], argument: object) -> None:
        """Call ``callback(argument)``; what it gives to await is awaited in a task of its own."""
        try:
            result = callback(argument)
        except BaseException as error:  # a SystemExit here would end the loop, and every room on it
            if escapes(error):
                raise
            log.exception("callback_failed", callback=name, error=repr(error))
            return
        if inspect.isawaitable(result):
            self.run(name, result)

    def run(self, name: str, awaitable: Awaitable[object], then: Callable[[], object] | None = None) -> None:
        """Await something in a task of its own, ``then`` call back: also if it was cancelled before it began."""
        task = self.start(name, awaitable)
        if then is not None:
            task.add_done_callback(lambda _: then())

    def start(self, name: str, awaitable: Awaitable[object]) -> asyncio.Task[None]:
        """The same, for who may have to cancel it."""
        task = asyncio.ensure_future(_contained(name, awaitable))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task


async def _contained(name: str, awaitable: Awaitable[object]) -> None:
    try:
        await awaitable
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if escapes(error):
            raise
        log.exception("callback_failed", callback=name, error=repr(error))
