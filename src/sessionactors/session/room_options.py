"""What of a room a session uses, under the names that LiveKit's users know.

:class:`RoomOptions` is the newer spelling; :class:`RoomInputOptions` and :class:`RoomOutputOptions` mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, get_args

from sessionactors.interfaces.transport import ParticipantKind
from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

if TYPE_CHECKING:
    from .agent_session import AgentSession


@dataclass(frozen=True, slots=True)
class TextInputEvent:
    """A participant typed something."""

    text: str
    participant: str
    """Who: a participant's identity."""


TextInputCallback: TypeAlias = "Callable[[AgentSession[object], TextInputEvent], object]"
"""What to do with typed text; may be ``async``."""


@dataclass(frozen=True, slots=True)
class TextInputOptions:
    """Text that participants type."""

    text_input_cb: TextInputCallback | None = None
    """Called instead of the default: the text is a turn of the user, which cuts off what is being said (a protected
    speech is waited for) and is answered."""


@dataclass(frozen=True, slots=True)
class AudioInputOptions:
    """Audio of the participants."""


@dataclass(frozen=True, slots=True)
class VideoInputOptions:
    """Video of the participants."""


@dataclass(frozen=True, slots=True)
class AudioOutputOptions:
    """The agent's voice."""


@dataclass(frozen=True, slots=True)
class TextOutputOptions:
    """Transcripts in the room.

    Raises:
        OptionError: the factor is not positive.
    """

    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    """Whether the agent's text appears as it is spoken; False: as soon as it is there. On if not given."""
    transcription_speed_factor: float = 1.0
    """How much faster than usual the voice is taken to speak where it does not say when each word is spoken, > 0."""

    def __post_init__(self) -> None:
        check_speed(self.transcription_speed_factor)


@dataclass(frozen=True, slots=True)
class RoomInputOptions:
    """What the session takes from the room.

    Raises:
        OptionError: there is no such kind of participant.
    """

    text_enabled: bool = True
    audio_enabled: bool = True
    video_enabled: bool = False
    """Look at what the participants show: what the sampler keeps goes to a realtime model and to
    ``session.input.last_frame``."""
    text_input_cb: TextInputCallback | None = None
    """See :attr:`TextInputOptions.text_input_cb`."""
    participant_kinds: NotGivenOr[Sequence[ParticipantKind]] = NOT_GIVEN
    """Kinds of participants that the session is for: people and telephone calls, if not given."""
    participant_identity: NotGivenOr[str] = NOT_GIVEN
    """Listen to this participant only; to all who are there if not given."""
    close_on_disconnect: bool = True
    """End the session when that participant, or the last one, has left for good."""

    def __post_init__(self) -> None:
        strange = [kind for kind in given(self.participant_kinds, ()) if kind not in get_args(ParticipantKind)]
        if strange:
            kinds = ", ".join(get_args(ParticipantKind))
            raise OptionError(f"participant_kinds has {', '.join(map(repr, strange))}: a participant is one of {kinds}")


@dataclass(frozen=True, slots=True)
class RoomOutputOptions:
    """What the session gives to the room.

    Raises:
        OptionError: the factor is not positive.
    """

    transcription_enabled: bool = True
    audio_enabled: bool = True
    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    """See :attr:`TextOutputOptions.sync_transcription`."""
    transcription_speed_factor: float = 1.0

    def __post_init__(self) -> None:
        check_speed(self.transcription_speed_factor)


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """What the session takes from the room and gives to it. True and False switch a medium on and off."""

    text_input: NotGivenOr[TextInputOptions | bool] = NOT_GIVEN
    """On if not given."""
    audio_input: NotGivenOr[AudioInputOptions | bool] = NOT_GIVEN
    """On if not given."""
    video_input: NotGivenOr[VideoInputOptions | bool] = NOT_GIVEN
    """Off if not given."""
    audio_output: NotGivenOr[AudioOutputOptions | bool] = NOT_GIVEN
    """On if not given."""
    text_output: NotGivenOr[TextOutputOptions | bool] = NOT_GIVEN
    """On if not given."""
    participant_kinds: NotGivenOr[Sequence[ParticipantKind]] = NOT_GIVEN
    """See :attr:`RoomInputOptions.participant_kinds`."""
    participant_identity: NotGivenOr[str] = NOT_GIVEN
    """See :attr:`RoomInputOptions.participant_identity`."""
    close_on_disconnect: bool = True
    """See :attr:`RoomInputOptions.close_on_disconnect`."""

    def input_options(self) -> RoomInputOptions:
        """The same as :class:`RoomInputOptions`."""
        text = self.text_input
        return RoomInputOptions(
            text_enabled=text is not False,
            audio_enabled=self.audio_input is not False,
            video_enabled=self.video_input is True or isinstance(self.video_input, VideoInputOptions),
            text_input_cb=text.text_input_cb if isinstance(text, TextInputOptions) else None,
            participant_kinds=self.participant_kinds,
            participant_identity=self.participant_identity,
            close_on_disconnect=self.close_on_disconnect,
        )

    def output_options(self) -> RoomOutputOptions:
        """The same as :class:`RoomOutputOptions`."""
        text = self.text_output if isinstance(self.text_output, TextOutputOptions) else TextOutputOptions()
        return RoomOutputOptions(
            transcription_enabled=self.text_output is not False,
            audio_enabled=self.audio_output is not False,
            sync_transcription=text.sync_transcription,
            transcription_speed_factor=text.transcription_speed_factor,
        )


def check_speed(factor: float) -> None:
    """Raise if a speed factor is out of range.

    Raises:
        OptionError: it is not positive.
    """
    if factor <= 0:
        raise OptionError(f"transcription_speed_factor must be > 0, got {factor}")


def in_one_spelling(
    room: RoomOptions | None, room_input: RoomInputOptions | None, room_output: RoomOutputOptions | None
) -> tuple[RoomInputOptions, RoomOutputOptions]:
    """What was given in either spelling.

    Raises:
        OptionError: both were given.
    """
    if room is None:
        return room_input or RoomInputOptions(), room_output or RoomOutputOptions()
    if room_input is not None or room_output is not None:
        raise OptionError(
            "room_options was given, and room_input_options or room_output_options too: give the room's options once"
        )
    return room.input_options(), room.output_options()
