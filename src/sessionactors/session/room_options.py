"""What of a room a session uses, under the names that LiveKit's users know.

:class:`RoomOptions` is the newer spelling; ``RoomInputOptions`` and ``RoomOutputOptions`` (:mod:`.room_options_legacy`)
mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, get_args

from sessionactors.interfaces.room_wants import AudioInWants, AudioOutWants, RoomWants, TextOutWants
from sessionactors.interfaces.transport import PEOPLE, ParticipantKind
from sessionactors.model.errors import OptionError
from sessionactors.model.option_checks import check_flag, check_seconds
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .endpoints import TextOutput

if TYPE_CHECKING:
    from .agent_session import AgentSession

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TextInputEvent:
    """A participant typed something."""

    text: str
    participant: str
    """Who: a participant's identity."""


TextInputCallback: TypeAlias = "Callable[[AgentSession[object], TextInputEvent], object]"
"""What to do with typed text; may be ``async``."""

AnyParticipantKind: TypeAlias = ParticipantKind | int
"""A kind of participant by name, or by its number in LiveKit's protocol (``rtc.ParticipantKind``)."""

KINDS_BY_NUMBER: Final[Mapping[int, ParticipantKind]] = MappingProxyType(
    {0: "standard", 1: "ingress", 2: "egress", 3: "sip", 4: "agent", 5: "connector", 6: "bridge"}
)
"""``ParticipantInfo.Kind`` of ``livekit.protocol``."""


@dataclass(frozen=True, slots=True)
class TextInputOptions:
    """Text that participants type."""

    text_input_cb: TextInputCallback | None = None
    """Called instead of the default: the text is a turn of the user, which cuts off what is being said (a protected
    speech is waited for) and is answered."""


@dataclass(frozen=True, slots=True)
class AudioInputOptions:
    """Audio of the participants. What a transport cannot do, it refuses at the start; what is a hint, it may ignore.

    Raises:
        OptionError: a value is out of range.
    """

    sample_rate: int = 24000
    """Hertz of what is fetched from the room, > 0. A hint."""
    num_channels: int = 1
    """Channels of what is fetched, > 0. A hint."""
    frame_size_ms: int = 50
    """Milliseconds of a frame, 10 to 100. A hint."""
    noise_cancellation: object | None = None
    """Of LiveKit's SDK: ``rtc.NoiseCancellationOptions``, an ``rtc.FrameProcessor``, or a callable that is asked for
    one of them for each track."""
    auto_gain_control: NotGivenOr[bool] = NOT_GIVEN
    """Even out loudness. If not given: unless noise cancellation is given directly. A hint."""
    pre_connect_audio: bool = True
    """Hear what a participant said while the agent was still on its way. A hint."""
    pre_connect_audio_timeout: float = 3.0
    """Seconds >= 0 in which that recording must come; else it is left out."""

    def __post_init__(self) -> None:
        check_positive("sample_rate", self.sample_rate)
        check_positive("num_channels", self.num_channels)
        check_positive("frame_size_ms", self.frame_size_ms)
        if not 10 <= self.frame_size_ms <= 100:
            raise OptionError(f"frame_size_ms must be from 10 to 100, got {self.frame_size_ms}")
        if self.auto_gain_control is not NOT_GIVEN:
            check_flag("auto_gain_control", self.auto_gain_control)
        check_flag("pre_connect_audio", self.pre_connect_audio)
        check_seconds("pre_connect_audio_timeout", self.pre_connect_audio_timeout)


@dataclass(frozen=True, slots=True)
class VideoInputOptions:
    """Video of the participants."""


@dataclass(frozen=True, slots=True)
class AudioOutputOptions:
    """The agent's voice in the room. All are hints: a transport without tracks has no use for them.

    Raises:
        OptionError: a value is out of range.
    """

    sample_rate: int = 24000
    """Hertz of what is published, > 0."""
    num_channels: int = 1
    """Channels of what is published, > 0."""
    track_publish_options: object | None = None
    """Of LiveKit's SDK: ``rtc.TrackPublishOptions``. None: published as a microphone."""
    track_name: NotGivenOr[str] = NOT_GIVEN
    """Name of the published track; ``"roomio_audio"`` if not given."""

    def __post_init__(self) -> None:
        check_positive("sample_rate", self.sample_rate)
        check_positive("num_channels", self.num_channels)
        if given(self.track_name, "a name") == "":
            raise OptionError("track_name must not be empty: leave it out for 'roomio_audio'")


@dataclass(frozen=True, slots=True)
class TextOutputOptions:
    """Transcripts in the room.

    Raises:
        OptionError: the factor is not positive, or the next output is none.
    """

    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    """Whether the agent's text appears as it is spoken; False: as soon as it is there. On if not given."""
    transcription_speed_factor: float = 1.0
    """How much faster than usual the voice is taken to speak where it does not say when each word is spoken, > 0."""
    next_in_chain: TextOutput | None = None
    """Gets the agent's words too, as the room does."""
    json_format: bool = False
    """Each piece that the room gets of the agent's words is a line of JSON: ``text`` and, where they are known,
    ``start_time`` and ``end_time`` in seconds."""

    def __post_init__(self) -> None:
        check_speed(self.transcription_speed_factor)
        check_flag("json_format", self.json_format)
        if self.next_in_chain is not None and not isinstance(self.next_in_chain, TextOutput):
            raise OptionError(f"next_in_chain takes a TextOutput, or None, got {self.next_in_chain!r}")


@dataclass(frozen=True, slots=True)
class RoomOptions:
    """What the session takes from the room and gives to it. True and False switch a medium on and off.

    Raises:
        OptionError: there is no such kind of participant.
    """

    text_input: NotGivenOr[TextInputOptions | bool] = NOT_GIVEN
    """On if not given."""
    audio_input: NotGivenOr[AudioInputOptions | bool] = NOT_GIVEN
    """On if not given."""
    video_input: NotGivenOr[VideoInputOptions | bool] = NOT_GIVEN
    """Look at what the participants show: what the sampler keeps goes to a realtime model and to
    ``session.input.last_frame``. Off if not given."""
    audio_output: NotGivenOr[AudioOutputOptions | bool] = NOT_GIVEN
    """On if not given."""
    text_output: NotGivenOr[TextOutputOptions | bool] = NOT_GIVEN
    """On if not given."""
    participant_kinds: NotGivenOr[Sequence[AnyParticipantKind]] = NOT_GIVEN
    """Kinds of participants that the session is for: people and telephone calls, if not given. By name, or as
    ``rtc.ParticipantKind`` has them."""
    participant_identity: NotGivenOr[str] = NOT_GIVEN
    """Listen to this participant only; to all who are there if not given."""
    close_on_disconnect: bool = True
    """End the session when that participant, or the last one, has left for good."""
    delete_room_on_close: bool = False
    """Delete the room, for everybody, when the session ends."""

    def __post_init__(self) -> None:
        self.kinds()

    def get_text_input_options(self) -> TextInputOptions | None:
        """How typed text is read; None: not at all."""
        return _options(self.text_input, TextInputOptions())

    def get_audio_input_options(self) -> AudioInputOptions | None:
        """How participants are listened to; None: not at all."""
        return _options(self.audio_input, AudioInputOptions())

    def get_video_input_options(self) -> VideoInputOptions | None:
        """How participants are looked at; None: not at all."""
        return _options(given(self.video_input, False), VideoInputOptions())

    def get_audio_output_options(self) -> AudioOutputOptions | None:
        """How the agent is heard; None: not at all."""
        return _options(self.audio_output, AudioOutputOptions())

    def get_text_output_options(self) -> TextOutputOptions | None:
        """How transcripts are shown; None: not at all."""
        return _options(self.text_output, TextOutputOptions())

    def kinds(self) -> frozenset[ParticipantKind]:
        """Kinds of participants that the session is for, by name.

        Raises:
            OptionError: there is no such kind.
        """
        wanted = given(self.participant_kinds, PEOPLE)
        names = {kind: KINDS_BY_NUMBER.get(kind) if isinstance(kind, int) else kind for kind in wanted}
        strange = [kind for kind, name in names.items() if name not in get_args(ParticipantKind)]
        if strange:
            kinds = ", ".join(get_args(ParticipantKind))
            raise OptionError(f"participant_kinds has {', '.join(map(repr, strange))}: a participant is one of {kinds}")
        return frozenset(name for name in names.values() if name is not None)

    def wants(self) -> RoomWants:
        """What of this is the transport's affair."""
        audio_in, audio_out = self.get_audio_input_options(), self.get_audio_output_options()
        text_out = self.get_text_output_options()
        return RoomWants(
            audio_input=None if audio_in is None else _audio_in(audio_in),
            video_input=self.get_video_input_options() is not None,
            audio_output=None if audio_out is None else _audio_out(audio_out),
            text_input=self.get_text_input_options() is not None,
            text_output=None if text_out is None else TextOutWants(json_format=text_out.json_format),
            participant_identity=given(self.participant_identity, None),
            delete_room_on_close=self.delete_room_on_close,
        )


def _options(value: object, default: T) -> T | None:
    if isinstance(value, type(default)):
        return value
    return None if value is False else default


def _audio_in(options: AudioInputOptions) -> AudioInWants:
    noise = options.noise_cancellation
    return AudioInWants(
        sample_rate=options.sample_rate,
        num_channels=options.num_channels,
        frame_size_ms=options.frame_size_ms,
        noise_cancellation=noise,
        auto_gain_control=given(options.auto_gain_control, noise is None or callable(noise)),
        pre_connect_audio=options.pre_connect_audio,
        pre_connect_audio_timeout=options.pre_connect_audio_timeout,
    )


def _audio_out(options: AudioOutputOptions) -> AudioOutWants:
    return AudioOutWants(
        sample_rate=options.sample_rate,
        num_channels=options.num_channels,
        track_publish_options=options.track_publish_options,
        track_name=given(options.track_name, "roomio_audio"),
    )


def check_positive(name: str, value: object) -> None:
    """A whole number from 1.

    Raises:
        OptionError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{name} must be a whole number > 0, got {value!r}")


def check_speed(factor: float) -> None:
    """Raise if a speed factor is out of range.

    Raises:
        OptionError: it is not positive.
    """
    if not factor > 0:
        raise OptionError(f"transcription_speed_factor must be > 0, got {factor}")
