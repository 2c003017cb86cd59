"""What waits to be sent to one client: everything in order, audio not for long. Knows neither socket nor clock."""

from __future__ import annotations

from collections import deque

from .wire import Sound, Told


class SendQueue:
    """Messages in order. Audio that waited too long is dropped, other messages never.

    Args:
        max_audio_age: seconds that audio may wait.
    """

    def __init__(self, max_audio_age: float) -> None:
        self._max_audio_age = max_audio_age
        self._waiting: deque[tuple[float, Told]] = deque()
        self.dropped_bytes = 0
        """Bytes of PCM that were too old, or that nobody came to read."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, told: Told, now: float) -> None:
        """Behind all others."""
        self._waiting.append((now, told))

    def take(self, now: float) -> Told | None:
        """The next message; None if there is none."""
        while self._waiting:
            since, told = self._waiting.popleft()
            if isinstance(told, Sound) and now - since > self._max_audio_age:
                self.dropped_bytes += len(told.pcm)
                continue
            return told
        return None

    def waiting(self) -> list[Told]:
        """All that waits, in order."""
        return [told for _, told in self._waiting]

    def give_up(self) -> None:
        """Nobody reads: the audio that waits is missed."""
        self.dropped_bytes += sum(len(told.pcm) for _, told in self._waiting if isinstance(told, Sound))
        self._waiting.clear()

    def drop_audio(self) -> None:
        """Drop the audio that waits: nobody is to hear it."""
        self._waiting = deque(entry for entry in self._waiting if not isinstance(entry[1], Sound))

    def forgive(self, seconds: float) -> None:
        """Nothing could be taken for so long, for a reason of ours: nobody has waited for a reader."""
        self._waiting = deque((since + seconds, told) for since, told in self._waiting)

    def oldest(self, now: float) -> float:
        """Seconds that the oldest message has waited."""
        return now - self._waiting[0][0] if self._waiting else 0.0
