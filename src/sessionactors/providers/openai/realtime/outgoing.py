"""What is to be sent over a realtime connection: a bounded queue, filled at once and emptied by one writer. No I/O.

Orders keep their place. Of audio the newest seconds wait: a server that takes none for so long would hear the past.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Mapping

from sessionactors.model.audio import BYTES_PER_SAMPLE

SAMPLE_RATE = 24000
"""Hertz of the audio in both directions."""
CHUNK = SAMPLE_RATE * BYTES_PER_SAMPLE // 20
"""Bytes of audio in one event: 50 ms."""
LEAST = SAMPLE_RATE * BYTES_PER_SAMPLE // 10
"""Bytes of audio that make a turn: the server refuses to commit less than 100 ms."""
AUDIO_KEPT = 10 * SAMPLE_RATE * BYTES_PER_SAMPLE
"""Bytes of audio that wait at most: 10 s."""
ORDERS_KEPT = 4096
"""Events other than audio. More of them wait only where nobody reads any more."""

_HEAD, _TAIL = '{"type":"input_audio_buffer.append","audio":"', '"}'


class Outgoing:
    """Events that wait to be sent, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, int]] = deque()
        """Text, and bytes of audio in it."""
        self._filled = asyncio.Event()
        self._gathered = bytearray()
        self._since_commit = 0
        """Bytes of audio since the last commit, gathered ones included."""
        self.audio = 0
        """Bytes of audio that wait."""
        self.dropped = 0
        """Bytes of audio that waited too long."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits that the connection must be dead."""
        return len(self._waiting) > ORDERS_KEPT

    def put(self, event: Mapping[str, object]) -> None:
        """Send an event behind all that waits."""
        self._add(json.dumps(event), 0)

    def put_audio(self, pcm: bytes) -> None:
        """Send audio, in events of 50 ms."""
        self._gathered += pcm
        self._since_commit += len(pcm)
        while len(self._gathered) >= CHUNK:
            self._append(bytes(self._gathered[:CHUNK]))
            del self._gathered[:CHUNK]

    def commit(self) -> bool:
        """Send what is gathered, as the end of a turn. Gives whether it is enough for one."""
        enough = self._since_commit >= LEAST
        if self._gathered:
            self._append(bytes(self._gathered))
            self._gathered.clear()
        self._since_commit = 0 if enough else self._since_commit
        return enough

    def clear(self) -> None:
        """Forget what is gathered of the next event."""
        self._gathered.clear()
        self._since_commit = 0

    def _append(self, pcm: bytes) -> None:
        self._add(_HEAD + base64.b64encode(pcm).decode() + _TAIL, len(pcm))
        self.audio += len(pcm)
        while self.audio > AUDIO_KEPT:
            place = next(place for place, (_, size) in enumerate(self._waiting) if size)
            size = self._waiting[place][1]
            del self._waiting[place]
            self.audio -= size
            self.dropped += size

    def _add(self, text: str, size: int) -> None:
        self._waiting.append((text, size))
        self._filled.set()

    async def next(self) -> str:
        """The oldest, as soon as there is one. It is out of the queue then."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        text, size = self._waiting.popleft()
        self.audio -= size
        return text
