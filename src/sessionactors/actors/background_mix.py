"""Several sounds as one, to the sample. Pure; used by ``background`` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sessionactors.model.audio import BYTES_PER_SAMPLE

Samples = npt.NDArray[np.int16]
Gains = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Playing:
    """A sound under way."""

    sound: str
    """Names the playing."""
    pcm: bytes = b""
    """int16 mono: the whole of it, or (streamed) what has come and was not played."""
    loop: bool = False
    """Again from the beginning, until it is stopped."""
    streamed: bool = False
    more: bool = False
    """More of it may come."""
    volume: float = 1.0
    fade_in: int = 0
    """Samples."""
    fade_out: int = 0
    at: int = 0
    """Samples of it that were mixed."""
    stopped_at: int | None = None
    """Sample at which it was told to fade out."""
    until: int = 0
    """When the last of those samples is heard, ns."""

    @property
    def waiting(self) -> int:
        """Samples that can be mixed now; of one that loops, one at least."""
        there = len(self.pcm) // BYTES_PER_SAMPLE
        if self.loop:
            return min(there, 1)
        return there if self.streamed else there - self.at

    @property
    def over(self) -> bool:
        """Nothing more of it is to be mixed."""
        if self.stopped_at is not None and self.at - self.stopped_at >= self.fade_out:
            return True
        return not self.more and not self.waiting

    def take(self, samples: int) -> tuple[Samples, Playing]:
        """Up to so many samples of it as they are, and what is left."""
        if self.stopped_at is not None:
            samples = min(samples, self.stopped_at + self.fade_out - self.at)
        whole = np.frombuffer(self.pcm, np.dtype("<i2"))
        if self.loop:
            taken: Samples = whole.take(np.arange(self.at, self.at + samples), mode="wrap")
            return taken, replace(self, at=self.at + samples)
        if self.streamed:
            taken = whole[:samples]
            left = self.pcm[len(taken) * BYTES_PER_SAMPLE :]
            return taken, replace(self, pcm=left, at=self.at + len(taken))
        taken = whole[self.at : self.at + samples]
        return taken, replace(self, at=self.at + len(taken))

    def gains(self, samples: int) -> Gains:
        """The volume of its next samples: fades are of equal power, a quarter of a sine."""
        places = np.arange(self.at, self.at + samples, dtype=np.float32)
        gains: Gains = np.full(samples, self.volume, dtype=np.float32)
        if self.at < self.fade_in:
            gains *= np.sin(np.clip(places / self.fade_in, 0.0, 1.0) * (np.pi / 2)).astype(np.float32)
        if self.stopped_at is not None and self.fade_out:
            gone = np.clip((places - self.stopped_at) / self.fade_out, 0.0, 1.0)
            gains *= np.cos(gone * (np.pi / 2)).astype(np.float32)
        return gains


@dataclass(frozen=True, slots=True)
class Mixed:
    """A block of the mix."""

    pcm: bytes
    """int16 mono."""
    playing: tuple[Playing, ...]
    """What goes on behind it."""
    reached: Mapping[str, int]
    """The sample of the block up to which each sound went that is heard in it."""
    ended: tuple[str, ...]
    """What is over with it."""


def mix(playing: tuple[Playing, ...], samples: int) -> Mixed:
    """The next block: the sum of all sounds, cut off where it is too loud for 16 bits.

    A sound that has less than a block is silent in the rest of it.
    """
    together = np.zeros(samples, dtype=np.float32)
    left: list[Playing] = []
    reached: dict[str, int] = {}
    ended: list[str] = []
    for one in playing:
        if not one.waiting:
            left.append(one)
            continue
        taken, after = one.take(samples)
        together[: len(taken)] += taken * one.gains(len(taken))
        reached[one.sound] = len(taken)
        if after.over:
            ended.append(one.sound)
        else:
            left.append(after)
    pcm = np.rint(np.clip(together, -32768, 32767)).astype("<i2").tobytes()
    return Mixed(pcm, tuple(left), reached, tuple(ended))
