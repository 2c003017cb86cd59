"""What of a room a session uses, under the names that LiveKit's users know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoomInputOptions:
    """What the session takes from the room."""

    text_enabled: bool = True
    audio_enabled: bool = True


@dataclass(frozen=True, slots=True)
class RoomOutputOptions:
    """What the session gives to the room."""

    transcription_enabled: bool = True
    audio_enabled: bool = True
