"""What the tests of transports say and hear: numbered samples, and listeners that keep what they were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sessionactors.interfaces.audio_io import AudioSource, PlaybackFinished, SinkEvent
from sessionactors.interfaces.transport import NO_ATTRIBUTES, ParticipantKind
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.audio import AudioFrame


def ramp(samples: int, *, rate: int = 24000, first: int = 1, channels: int = 1) -> AudioFrame:
    """Samples that are their own number, so that a lost or doubled one shows."""
    numbers = np.arange(first, first + samples * channels) % 30000 + 1
    return AudioFrame(numbers.astype("<i2").tobytes(), rate, channels)


def samples(pcm: bytes) -> list[int]:
    return np.frombuffer(pcm, "<i2").tolist()  # type: ignore[no-any-return]


@dataclass
class SinkLog:
    events: list[SinkEvent] = field(default_factory=list)

    def __call__(self, event: SinkEvent) -> None:
        self.events.append(event)

    def finished(self) -> list[PlaybackFinished]:
        return [event for event in self.events if isinstance(event, PlaybackFinished)]

    def take(self) -> list[SinkEvent]:
        events, self.events = self.events, []
        return events


@dataclass
class RoomLog:
    """A `TransportEvents` that remembers."""

    told: list[tuple[str, ...]] = field(default_factory=list)
    sources: dict[str, AudioSource | None] = field(default_factory=dict)

    def participant_joined(
        self,
        identity: str,
        audio: AudioSource | None,
        *,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        self.sources[identity] = audio
        self.told.append(("joined", identity))

    def participant_left(self, identity: str, reason: str) -> None:
        self.told.append(("left", identity, reason))

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        self.told.append(("video", identity))

    def text_received(self, identity: str, text: str) -> None:
        self.told.append(("text", identity, text))

    def key_pressed(self, identity: str, digit: str) -> None:
        self.told.append(("key", identity, digit))

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        self.told.append(("changed", identity, str(dict(attributes)), str(metadata)))

    def closed(self, reason: str) -> None:
        self.told.append(("closed", reason))

    def source(self, identity: str = "caller") -> AudioSource:
        source = self.sources[identity]
        assert source is not None
        return source

    def texts(self) -> list[str]:
        return [entry[2] for entry in self.told if entry[0] == "text"]
