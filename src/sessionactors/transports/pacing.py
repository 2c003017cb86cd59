"""Frames at the pace of a live line, on the loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessionactors.model.errors import OptionError

# uvloop's clock has whole milliseconds and wakes up to half of one early. Less than that is not worth another timer.
_EARLY = 0.0005


def check_frame_ms(frame_ms: int) -> int:
    """Return ``frame_ms`` if sources may deliver such frames.

    Raises:
        OptionError: it is not within 10 to 100 ms.
    """
    if not 10 <= frame_ms <= 100:
        raise OptionError(f"frame_ms must be within 10 and 100, got {frame_ms}")
    return frame_ms


class FramePacer:
    """Asks for frame ``n`` at ``origin + (n + 1) * period``: when its last sample has been spoken, as on a live line.

    Deadlines are absolute. A loop that ran late gets all frames that are due at once and is on time again.

    Args:
        loop: the loop whose clock paces.
        origin: loop time in seconds at which frame 0 begins.
        period: seconds of one frame, > 0.
        deliver: delivers frame ``n``; returns False when there are no more frames.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origin: float, period: float, deliver: Callable[[int], bool]
    ) -> None:
        self._loop = loop
        self._origin = origin
        self._period = period
        self._deliver = deliver
        self._next = 0
        self._stopped = False
        self._timer = loop.call_at(self._deadline, self._tick)

    def stop(self) -> None:
        """Ask for nothing more. Safe to call twice, also from within ``deliver``."""
        self._stopped = True
        self._timer.cancel()

    @property
    def _deadline(self) -> float:
        return self._origin + (self._next + 1) * self._period

    def _tick(self) -> None:
        while not self._stopped and self._deadline <= self._loop.time() + _EARLY:
            frame, self._next = self._next, self._next + 1
            if not self._deliver(frame):
                self._stopped = True
        if not self._stopped:
            self._timer = self._loop.call_at(self._deadline, self._tick)
