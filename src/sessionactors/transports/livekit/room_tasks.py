"""Work on a room that is done one thing after the other, and hurts nobody when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("sessionactors.livekit")


class InOrder:
    """Does what is wanted, one thing at a time, as long as there is a room.

    Args:
        name: of the work, for people.
        work: does the next thing; False: there is nothing to do. What it raises is counted, and logged the first time.
        pause: seconds to wait after a failure.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[bool]], *, pause: float = 0.0) -> None:
        self._name = name
        self._work = work
        self._pause = pause
        self._open = False
        self._worker: asyncio.Task[None] | None = None
        self._failed = 0

    @property
    def failed(self) -> int:
        """How often it failed."""
        return self._failed

    def open(self) -> None:
        """There is a room: do what waits."""
        self._open = True
        self.go_on()

    def close(self) -> None:
        """There is none: what is being done is given up."""
        self._open = False
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()

    def go_on(self) -> None:
        """There is something to do."""
        if self._open and (self._worker is None or self._worker.done()):
            self._worker = asyncio.get_running_loop().create_task(self._run(), name=f"livekit-{self._name}")

    async def drained(self, seconds: float) -> None:
        """Wait until nothing is left to be done, but no longer than so many seconds."""
        worker = self._worker
        if worker is not None and not worker.done():
            await asyncio.wait((worker,), timeout=seconds)

    async def _run(self) -> None:
        while True:
            try:
                if not await self._work():
                    return
            except Exception as error:  # noqa: BLE001  # the SDK raises plain ones; whatever it is, the session goes on
                self._failed += 1
                level = log.warning if self._failed == 1 else log.debug
                level(
                    f"livekit_{self._name}_failed",
                    room="",
                    actor="",
                    message_id=0,
                    error=repr(error),
                    times=self._failed,
                )
                if self._pause:
                    await asyncio.sleep(self._pause)
