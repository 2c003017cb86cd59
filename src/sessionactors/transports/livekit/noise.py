"""What is done to a participant's audio before the session hears it: noise cancellation and even loudness.

What cancels noise is the user's, made by another package: options for a module of the native library, a processor of
frames, or a callable that chooses one of them for a track.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog
from livekit import rtc
from livekit.rtc._proto.track_pb2 import AudioTrackFeature

from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError
from sessionactors.runtime.containment import escapes

log = structlog.get_logger("sessionactors.livekit")

NoiseCancellation: TypeAlias = "rtc.NoiseCancellationOptions | rtc.FrameProcessor[rtc.AudioFrame]"


@dataclass(frozen=True, slots=True)
class NoiseCancellationParams:
    """Given to a selector: whose audio it is."""

    participant: rtc.RemoteParticipant
    track: rtc.RemoteTrack


NoiseCancellationSelector: TypeAlias = Callable[[NoiseCancellationParams], "NoiseCancellation | None"]


def check_noise_cancellation(given: object) -> None:
    """Raise if this cannot cancel noise.

    Raises:
        OptionError: it is neither options, nor a processor, nor a callable.
    """
    if given is None or isinstance(given, rtc.NoiseCancellationOptions | rtc.FrameProcessor) or callable(given):
        return
    raise OptionError(
        f"noise_cancellation={given!r}: give rtc.NoiseCancellationOptions, an rtc.FrameProcessor, or a callable that "
        "returns one of them (or None) for NoiseCancellationParams(participant, track)"
    )


def chosen(
    given: object, participant: rtc.RemoteParticipant, track: rtc.RemoteTrack, publication: rtc.RemoteTrackPublication
) -> NoiseCancellation | None:
    """What cancels the noise of this track. Calls the user's selector, so: on the loop of the room.

    A selector that fails costs the noise cancellation, not the track.
    """
    chosen: object = given
    if callable(given) and not isinstance(given, rtc.FrameProcessor):
        try:
            chosen = given(NoiseCancellationParams(participant, track))
            check_noise_cancellation(chosen)
        except BaseException as error:  # the user's code
            if escapes(error):
                raise
            _warn("noise_cancellation_selector_failed", participant, error=repr(error))
            return None
    if chosen is not None and AudioTrackFeature.TF_ENHANCED_NOISE_CANCELLATION in publication.audio_features:
        _warn("noise_cancelled_twice", participant, advice="the client cancels noise already: leave it to one of both")
    if isinstance(chosen, rtc.NoiseCancellationOptions | rtc.FrameProcessor):
        return chosen
    return None


def _warn(event: str, participant: rtc.RemoteParticipant, **fields: str) -> None:
    log.warning(event, room="", actor="", message_id=0, participant=participant.identity, **fields)


class GainControl:
    """Evens out how loud somebody is: WebRTC's automatic gain control. Remembers audio: one for each participant."""

    def __init__(self) -> None:
        self._processing: rtc.AudioProcessingModule | None = None

    def feed(self, frame: AudioFrame) -> AudioFrame:
        """The frame, louder or softer; as it is if it is not a whole number of 10 ms."""
        if frame.samples_per_channel * 100 % frame.sample_rate or not frame.data:
            return frame
        if self._processing is None:
            self._processing = rtc.AudioProcessingModule(auto_gain_control=True)
        pcm = bytearray(frame.data)
        self._processing.process_stream(
            rtc.AudioFrame(pcm, frame.sample_rate, frame.num_channels, frame.samples_per_channel)
        )
        return AudioFrame(bytes(pcm), frame.sample_rate, frame.num_channels)
