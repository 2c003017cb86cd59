"""A room as the checks of transports know it: what the transport told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sessionactors.interfaces.audio_io import AudioSource
from sessionactors.interfaces.transport import NO_ATTRIBUTES, ParticipantKind
from sessionactors.interfaces.video_io import VideoSource


@dataclass
class Room:
    """What a transport told: a :class:`TransportEvents`."""

    sources: dict[str, AudioSource | None] = field(default_factory=dict)
    pictures: dict[str, VideoSource | None] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    changes: list[tuple[str, dict[str, str], str | None]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def participant_joined(
        self,
        identity: str,
        audio: AudioSource | None,
        *,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        """Note it."""
        self.sources[identity] = audio

    def participant_left(self, identity: str, reason: str) -> None:
        """Note it."""
        self.ends.append(identity)

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        """Note it."""
        self.pictures[identity] = video

    def text_received(self, identity: str, text: str) -> None:
        """Note it."""
        self.texts.append(text)

    def key_pressed(self, identity: str, digit: str) -> None:
        """Note it."""
        self.keys.append(digit)

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        """Note it."""
        self.changes.append((identity, dict(attributes), metadata))

    def closed(self, reason: str) -> None:
        """Note it."""
        self.ends.append(reason)
