"""Sound in a room beside the agent's voice: what is to be played, and where it goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from sessionactors.model.audio import AudioFrame


class BackgroundSink(ABC):
    """A second voice in a room. Called on the actor loop; every call returns at once.

    What it is given it plays without a gap, the first frame after a silence at once. It is never given more than a
    fraction of a second ahead of time, so it needs no way to take back what it has.
    """

    label: str = "background-sink"
    sample_rate: int = 48000
    """Hertz of the mono frames it takes, > 0."""

    @abstractmethod
    def play(self, frame: AudioFrame) -> None:
        """Play a frame behind what was given before."""

    @abstractmethod
    async def aclose(self) -> None:
        """Play nothing more, and release what it has of the room. On the transport's home. Safe to call twice."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Something that can be played. Either :attr:`load` or :attr:`stream` is there."""

    label: str
    """For people."""
    load: Callable[[int], Awaitable[bytes]] | None = None
    """Gives the whole sound in a rate in Hertz: int16 little-endian, mono. Called on the actor loop."""
    stream: AsyncIterator[AudioFrame] | None = None
    """Gives it frame by frame, on the user's loop: once."""
    volume: float = 1.0
    """>= 0; 1.0 leaves it as it is."""
    probability: float = 1.0
    """Of being chosen, 0..1, among several."""
    fade_in: float = 0.0
    """Seconds from silence to its volume."""
    fade_out: float = 0.0
    """Seconds to silence when it is stopped."""


def chosen(sounds: tuple[Sound, ...], draw: float) -> Sound | None:
    """One of several, by their probabilities; None where they add up to less than 1 and it is none of them.

    Args:
        sounds: in order.
        draw: a random number, 0 <= draw < 1.
    """
    whole = max(1.0, sum(max(0.0, sound.probability) for sound in sounds))
    so_far = 0.0
    for sound in sounds:
        so_far += max(0.0, sound.probability) / whole
        if draw < so_far:
            return sound
    return None
