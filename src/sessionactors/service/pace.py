"""Whose room is opened next, and when: to open one costs as much as seconds of a call. Those who talk come first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

LATE: Final = 0.025
"""Seconds by which actors may be late when another room is opened. From a text to the first sound of its answer some
twenty messages follow each other, and each of them is so late."""
APART: Final = 0.02
"""Seconds between two openings: what the last one costs shows in the lateness before the next one is let through."""
MOST: Final = 0.25
"""Seconds after which it is looked again whether they are still late, and who still waits."""


class Pace:
    """Turns, so many at once and so many a second, in the order in which they were asked for.

    Args:
        per_second: turns a second, over a while; > 0.
        at_once: turns that may be taken at once; >= 1.
    """

    def __init__(self, per_second: float, at_once: int) -> None:
        self._every = 1 / per_second
        self._slack = (at_once - 1) * self._every
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """Take a turn; gives the seconds until it has come.

        Args:
            now: seconds, on a clock that does not go back.
        """
        turn = max(self._next, now - self._slack)
        self._next = turn + self._every
        return max(0.0, turn - now)


class Turns:
    """Lets callers through one by one: at a pace, and none while the actors are late. To be used on one loop.

    Args:
        pace: how many a second.
        lateness: seconds by which the actors are late now.
        within: seconds for a turn to come.
    """

    def __init__(self, pace: Pace, lateness: Callable[[], float], within: float) -> None:
        self._pace = pace
        self._lateness = lateness
        self._within = within
        self._line: dict[asyncio.Future[bool], Callable[[], bool]] = {}
        self._calling: asyncio.Task[None] | None = None

    async def take(self, wanted: Callable[[], bool]) -> bool:
        """Wait for a turn, behind those who wait already; False: it did not come in time, or was not wanted any more.

        Args:
            wanted: whether the caller is still there; asked again and again.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line[turn] = wanted
        if self._calling is None:
            self._calling = loop.create_task(self._call(loop), name="turns of callers")
        try:
            async with asyncio.timeout(self._within):
                return await turn
        except TimeoutError:
            return False
        finally:
            self._line.pop(turn, None)
            self._stop_calling()

    async def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        """One after the other, until nobody waits."""
        while self._any_wanted():
            await asyncio.sleep(max(APART, self._pace.wait(loop.time())))
            while self._any_wanted() and (late := self._lateness()) > LATE:  # noqa: ASYNC110  nobody tells of it
                await asyncio.sleep(min(late, MOST))
            if self._any_wanted():
                turn = next(iter(self._line))
                del self._line[turn]
                turn.set_result(True)
        self._calling = None

    def _stop_calling(self) -> None:
        if not self._line and self._calling is not None:
            self._calling.cancel()
            self._calling = None

    def _any_wanted(self) -> bool:
        """Send those away who have left, and say whether there are others."""
        for turn in [turn for turn, wanted in self._line.items() if turn.done() or not wanted()]:
            del self._line[turn]
            if not turn.done():
                turn.set_result(False)
        return bool(self._line)
