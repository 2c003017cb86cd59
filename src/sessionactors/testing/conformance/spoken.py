"""Audio as a session gives it to those that listen: frames, flushes, and a line that stays open."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from sessionactors.model.audio import AudioFrame
from sessionactors.model.sentinel import FlushSentinel

FRAME = 0.02
"""Seconds of a frame."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What somebody says."""

    audio: AudioFrame
    """Mono, with silence around the words."""
    text: str | None
    """The words; None: any will do."""


class Heard(AsyncIterator[AudioFrame | FlushSentinel]):
    """A line. Not a generator: nobody closes those that a provider stops reading.

    Args:
        items: what is heard.
        speed: seconds of audio that come in one second; None: as fast as they are read.
        silence: heard behind it until :meth:`hang_up`; None: the line ends with its items.
    """

    def __init__(
        self, items: Iterable[AudioFrame | FlushSentinel], speed: float | None, silence: AudioFrame | None
    ) -> None:
        self._items = deque(items)
        self._speed = speed
        self._silence = silence
        self._hung_up = False
        self.taken = 0.0
        """Seconds of audio that were read."""

    def hang_up(self) -> None:
        """The line ends."""
        self._hung_up = True

    async def frames(self) -> AsyncGenerator[AudioFrame, None]:
        """Without the flushes: for those that know of none."""
        async for item in self:
            if isinstance(item, AudioFrame):
                yield item

    async def __anext__(self) -> AudioFrame | FlushSentinel:
        if self._hung_up or (not self._items and self._silence is None):
            raise StopAsyncIteration
        item = self._items.popleft() if self._items else self._silence
        assert item is not None  # noqa: S101 - for the type checker
        if isinstance(item, AudioFrame):
            behind = not self._items  # an open line is heard in real time, or a quick one would never stop
            await asyncio.sleep(0 if self._speed is None and not behind else item.duration / (self._speed or 1.0))
            self.taken += item.duration
        return item


def heard(
    parts: Iterable[Utterance | FlushSentinel],
    speed: float | None,
    *,
    samples: int | None = None,
    stays_open: bool = False,
) -> Heard:
    """A line on which this is said.

    Args:
        parts: utterances and flushes, in order.
        speed: see :class:`Heard`.
        samples: length of the frames; None: 20 ms.
        stays_open: silence follows, until somebody hangs up.
    """
    parts = list(parts)
    said = [part.audio for part in parts if isinstance(part, Utterance)]
    rate = said[0].sample_rate if said else 16000
    items = [item for part in parts for item in _items(part, samples)]
    return Heard(items, speed, AudioFrame(bytes(2 * round(FRAME * rate)), rate) if stays_open else None)


def _items(part: Utterance | FlushSentinel, samples: int | None) -> Iterator[AudioFrame | FlushSentinel]:
    if isinstance(part, FlushSentinel):
        yield part
        return
    rest = part.audio
    length = samples or round(FRAME * rest.sample_rate)
    while rest.data:
        frame, rest = rest.split(length)
        yield frame
