"""What a scripted recogniser hears: the audio on a timeline, read in a task of its own.

The recogniser itself sleeps until its script says something or until what is heard may matter: most frames wake nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel

AT_ONCE = 0.001
"""Seconds: what comes closer together than this was buffered, and is audio of the past."""
NEAR = 0.1
"""Seconds of audio before a moment that must have been heard for it to be understood."""

NEXT_TO = 1e-6
"""Seconds; frames as close as this follow one another."""


class Timeline:
    """Where a double is: seconds since its first sample."""

    def __init__(self) -> None:
        self._origin: float | None = None
        self._loop: asyncio.AbstractEventLoop

    def begin(self, first: AudioFrame) -> None:
        """The first frame has just come, complete."""
        if self._origin is None:
            self._loop = asyncio.get_running_loop()
            self._origin = self._loop.time() - first.duration

    def now(self) -> float:
        """Seconds since the first sample; 0.0 before it."""
        return 0.0 if self._origin is None else self._loop.time() - self._origin

    @property
    def begun(self) -> bool:
        """Whether there was a sample."""
        return self._origin is not None


class Hearing:
    """Reads the audio of one stream, and knows which times it has heard.

    A frame that comes when it is expected ends now. After a gap (at the start of a stream, or when an actor before it
    was restarted) all that comes at once is audio of the past: the last of it ends now, the first is as much older.
    """

    def __init__(self, audio: AsyncIterable[AudioFrame | FlushSentinel], timeline: Timeline) -> None:
        self._audio = audio
        self._timeline = timeline
        self._loop = asyncio.get_running_loop()
        self._heard: list[tuple[float, float]] = []
        """(begin, end) of what was heard without a gap."""
        self._flushes: list[float] = []
        self._told = 0
        self.position = -1.0
        """Where the newest frame ends."""
        self._backlog: list[AudioFrame | FlushSentinel] = []
        self._settling: asyncio.TimerHandle | None = None
        """While the backlog grows: when it is thought to be complete."""
        self._news = False
        self._frames_matter = False
        self._sleeper: asyncio.Future[None] | None = None
        self._task = self._loop.create_task(self._listen())
        self._task.add_done_callback(self._ended)

    # -- the task ----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        async for item in self._audio:
            self._take(item)

    def _take(self, item: AudioFrame | FlushSentinel) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._gather(item)
            return
        if isinstance(item, AudioFrame):
            self._news = self._news or not self._timeline.begun
            self._timeline.begin(item)
            now = self._timeline.now()
            if now - self.position >= 2 * item.duration:
                self._gather(item)
                return
            self._place(item, now)
        else:
            self._place(item, self._timeline.now())
            self._news = True
        if self._news or self._frames_matter:
            self._wake()

    def _gather(self, item: AudioFrame | FlushSentinel) -> None:
        self._backlog.append(item)
        self._settling = self._loop.call_later(AT_ONCE, self._settle, AT_ONCE)

    def _settle(self, ago: float) -> None:
        self._settling = None
        end = self._timeline.now() - ago
        for past in reversed(self._backlog):
            self._place(past, end)
            if isinstance(past, AudioFrame):
                end -= past.duration
        self._backlog.clear()
        self._wake()

    def _place(self, item: AudioFrame | FlushSentinel, end: float) -> None:
        if isinstance(item, AudioFrame):
            begin = end - item.duration
            if self._heard and abs(begin - self._heard[-1][1]) < NEXT_TO:
                begin = self._heard.pop()[0]
            self._heard.append((begin, end))
            self.position = max(self.position, end)
        else:
            self._flushes.append(end)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # taken: audio that breaks off has ended, whatever the reason
        if self._settling is not None:
            self._settling.cancel()
            self._settle(0.0)
        self._wake()

    def _wake(self) -> None:
        self._news = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    # -- the recogniser ----------------------------------------------------------------------------------------------

    async def until(self, at: float | None, *, frames: bool) -> bool:
        """Wait until the timeline is at ``at``, or something was heard that may matter; False when the audio has ended.

        Args:
            at: seconds of the timeline; it stands still until the first sample.
            frames: each frame may matter: something is to be said as soon as its words have been heard.
        """
        if not self._news and not self._task.done():
            self._frames_matter = frames
            self._sleeper = self._loop.create_future()
            timer: asyncio.TimerHandle | None = None
            if at is not None and (self._timeline.begun or at <= 0):
                timer = self._loop.call_later(max(0.0, at - self._timeline.now()), self._wake)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
                if timer is not None:
                    timer.cancel()
        self._news = False
        return not self._task.done()

    def heard(self, moment: float) -> bool:
        """Whether the audio before a moment was heard."""
        slack = 0.05
        return any(begin < moment + slack and end > moment - NEAR + slack for begin, end in self._heard)

    def flushed_after(self, moment: float) -> bool:
        """Whether a flush came behind a moment."""
        return any(flush >= moment - 0.05 for flush in self._flushes)

    def new_flushes(self) -> list[float]:
        """Flushes since the last call."""
        new, self._told = self._flushes[self._told :], len(self._flushes)
        return new

    def stop(self) -> None:
        """Read nothing more."""
        self._task.cancel()

    async def aclose(self) -> None:
        """Read nothing more, and be over."""
        self.stop()
        await asyncio.wait([self._task])
        if self._settling is not None:
            self._settling.cancel()
