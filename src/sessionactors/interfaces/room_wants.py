"""What a session wants of its room: one value that a transport is told before it links.

Made from the user's room options by ``session``; transports read it. It says nothing that only a session can do (what
happens to typed text, how a transcript keeps pace): that is not the transport's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sessionactors.model.errors import OptionError


@dataclass(frozen=True, slots=True)
class AudioInWants:
    """How a transport delivers what participants say."""

    sample_rate: int = 24000
    """Hertz. A hint."""
    num_channels: int = 1
    """Channels of the frames. A hint: the session mixes them to one."""
    frame_size_ms: int = 50
    """Milliseconds of a frame. A hint."""
    noise_cancellation: object | None = None
    """What the transport's own SDK takes: options, a processor of frames, or a callable that chooses for a track."""
    auto_gain_control: bool = True
    """A hint."""
    pre_connect_audio: bool = True
    """Play what a participant recorded before the agent was there. A hint: no transport but LiveKit's has it."""
    pre_connect_audio_timeout: float = 3.0
    """Seconds to wait for that recording."""


@dataclass(frozen=True, slots=True)
class AudioOutWants:
    """How a transport publishes the agent's voice."""

    sample_rate: int = 24000
    """Hertz. A hint: the session resamples to what the sink says it takes."""
    num_channels: int = 1
    """Channels of the published track. A hint."""
    track_publish_options: object | None = None
    """What the transport's own SDK takes; None: as a microphone. A hint where nothing is published."""
    track_name: str = "roomio_audio"
    """A hint."""


@dataclass(frozen=True, slots=True)
class TextOutWants:
    """How a transport shows transcripts."""

    json_format: bool = False
    """Each piece is a line of JSON with text and, where known, start and end time."""


@dataclass(frozen=True, slots=True)
class RoomWants:
    """What a session wants of its room."""

    audio_input: AudioInWants | None = AudioInWants()
    """None: participants are not listened to, their audio need not be fetched."""
    video_input: bool = False
    """Participants' video is looked at."""
    audio_output: AudioOutWants | None = AudioOutWants()
    """None: the agent has no voice in the room."""
    text_input: bool = True
    """What participants type is read."""
    text_output: TextOutWants | None = TextOutWants()
    """None: no transcripts are shown."""
    participant_identity: str | None = None
    """The only participant whom the session is for; None: all of the kinds it takes."""
    delete_room_on_close: bool = False
    """Delete the room, for everybody, when the session leaves it."""

    def not_hints(self) -> frozenset[str]:
        """Names of what was asked for that a transport must do or refuse."""
        asked = {
            "noise_cancellation": self.audio_input is not None and self.audio_input.noise_cancellation is not None,
            "json_format": self.text_output is not None and self.text_output.json_format,
            "delete_room_on_close": self.delete_room_on_close,
        }
        return frozenset(name for name, is_asked in asked.items() if is_asked)


WANTS: Final = RoomWants()
"""What a session wants whose user gave no options."""

_INSTEAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "noise_cancellation": "cancel the noise where the audio comes from, or set session.input.audio to a source "
        "that does",
        "json_format": "read TranscriptSegment.start_time and .end_time",
        "delete_room_on_close": "delete the room in a callback of the session's close event",
    }
)


def refuse(label: str, wants: RoomWants, honours: frozenset[str]) -> None:
    """Refuse what would change the session's behaviour and cannot be done. Hints are never refused.

    Args:
        label: the transport, for people.
        wants: what is wanted.
        honours: names among :meth:`RoomWants.not_hints` that the transport does.

    Raises:
        OptionError: something cannot be done; the text names it and says what to do instead.
    """
    refused = sorted(wants.not_hints() - honours)
    if refused:
        instead = "; ".join(f"{name}: {_INSTEAD[name]}" for name in refused)
        raise OptionError(f"the room's {label!r} transport cannot do {', '.join(refused)}. Instead of {instead}")
