"""The options of a room in their older spelling, flat and in two halves; each is turned into :class:`.RoomOptions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .room_options import (
    AnyParticipantKind,
    AudioInputOptions,
    AudioOutputOptions,
    RoomOptions,
    TextInputCallback,
    TextInputOptions,
    TextOutputOptions,
)


@dataclass(frozen=True, slots=True)
class RoomInputOptions:
    """What the session takes from the room. Deprecated by LiveKit in favour of :class:`.RoomOptions`.

    Raises:
        OptionError: a value is out of range; there is no such kind of participant.
    """

    text_enabled: NotGivenOr[bool] = NOT_GIVEN
    """On if not given."""
    audio_enabled: NotGivenOr[bool] = NOT_GIVEN
    """On if not given."""
    video_enabled: NotGivenOr[bool] = NOT_GIVEN
    """Off if not given. See :attr:`.RoomOptions.video_input`."""
    audio_sample_rate: int = 24000
    """See :attr:`.AudioInputOptions.sample_rate`."""
    audio_num_channels: int = 1
    """See :attr:`.AudioInputOptions.num_channels`."""
    audio_frame_size_ms: int = 50
    """See :attr:`.AudioInputOptions.frame_size_ms`."""
    noise_cancellation: object | None = None
    """See :attr:`.AudioInputOptions.noise_cancellation`."""
    text_input_cb: TextInputCallback | None = None
    """See :attr:`.TextInputOptions.text_input_cb`."""
    participant_kinds: NotGivenOr[Sequence[AnyParticipantKind]] = NOT_GIVEN
    """See :attr:`.RoomOptions.participant_kinds`."""
    participant_identity: NotGivenOr[str] = NOT_GIVEN
    """See :attr:`.RoomOptions.participant_identity`."""
    pre_connect_audio: bool = True
    """See :attr:`.AudioInputOptions.pre_connect_audio`."""
    pre_connect_audio_timeout: float = 3.0
    """See :attr:`.AudioInputOptions.pre_connect_audio_timeout`."""
    close_on_disconnect: bool = True
    """See :attr:`.RoomOptions.close_on_disconnect`."""
    delete_room_on_close: bool = False
    """See :attr:`.RoomOptions.delete_room_on_close`."""

    def __post_init__(self) -> None:
        self.as_room_options()

    def as_room_options(self) -> RoomOptions:
        """The same in the newer spelling."""
        audio = AudioInputOptions(
            sample_rate=self.audio_sample_rate,
            num_channels=self.audio_num_channels,
            frame_size_ms=self.audio_frame_size_ms,
            noise_cancellation=self.noise_cancellation,
            pre_connect_audio=self.pre_connect_audio,
            pre_connect_audio_timeout=self.pre_connect_audio_timeout,
        )
        return RoomOptions(
            text_input=given(self.text_enabled, True) and TextInputOptions(self.text_input_cb),
            audio_input=given(self.audio_enabled, True) and audio,
            video_input=given(self.video_enabled, False),
            participant_kinds=self.participant_kinds,
            participant_identity=self.participant_identity,
            close_on_disconnect=self.close_on_disconnect,
            delete_room_on_close=self.delete_room_on_close,
        )


@dataclass(frozen=True, slots=True)
class RoomOutputOptions:
    """What the session gives to the room. Deprecated by LiveKit in favour of :class:`.RoomOptions`.

    Raises:
        OptionError: a value is out of range.
    """

    transcription_enabled: NotGivenOr[bool] = NOT_GIVEN
    """On if not given."""
    audio_enabled: NotGivenOr[bool] = NOT_GIVEN
    """On if not given."""
    audio_sample_rate: int = 24000
    """See :attr:`.AudioOutputOptions.sample_rate`."""
    audio_num_channels: int = 1
    """See :attr:`.AudioOutputOptions.num_channels`."""
    audio_publish_options: object | None = None
    """See :attr:`.AudioOutputOptions.track_publish_options`."""
    audio_track_name: NotGivenOr[str] = NOT_GIVEN
    """See :attr:`.AudioOutputOptions.track_name`."""
    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    """See :attr:`.TextOutputOptions.sync_transcription`."""
    transcription_speed_factor: float = 1.0
    """See :attr:`.TextOutputOptions.transcription_speed_factor`."""

    def __post_init__(self) -> None:
        self.as_room_options()

    def as_room_options(self, taken: RoomOptions | None = None) -> RoomOptions:
        """The same in the newer spelling.

        Args:
            taken: what the session takes from the room.
        """
        audio = AudioOutputOptions(
            sample_rate=self.audio_sample_rate,
            num_channels=self.audio_num_channels,
            track_publish_options=self.audio_publish_options,
            track_name=self.audio_track_name,
        )
        text = TextOutputOptions(
            sync_transcription=self.sync_transcription, transcription_speed_factor=self.transcription_speed_factor
        )
        return replace(
            taken or RoomOptions(),
            audio_output=given(self.audio_enabled, True) and audio,
            text_output=given(self.transcription_enabled, True) and text,
        )


def in_one_spelling(
    room: RoomOptions | None, room_input: RoomInputOptions | None, room_output: RoomOutputOptions | None
) -> RoomOptions:
    """What was given in either spelling.

    Raises:
        OptionError: both were given.
    """
    if room is None:
        taken = RoomOptions() if room_input is None else room_input.as_room_options()
        return taken if room_output is None else room_output.as_room_options(taken)
    if room_input is not None or room_output is not None:
        raise OptionError(
            "room_options was given, and room_input_options or room_output_options too: give the room's options once"
        )
    return room
