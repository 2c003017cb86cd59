"""Who speaks a speech: nobody, the TTS, the realtime model itself, or the caller's own recording. Pure, a table."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.interfaces.tts import TTS
from sessionactors.model.speech import SpeechSource

if TYPE_CHECKING:
    from .wiring import Components


class Voice(Enum):
    """Where the audio of a speech comes from."""

    NONE = "none"
    """There is only text."""
    TTS = "tts"
    MODEL = "model"
    """The realtime model gives the audio together with the text."""
    RECORDING = "recording"
    """The speech was given its audio."""


def voice_of(spec: SpeechSpec, components: Components) -> Voice:
    """Who speaks.

    A realtime model that can speak speaks its replies. What is to be said as it is, the TTS says, if there is one.

    Args:
        spec: what is to be said, by which agent.
        components: what the session has.
    """
    if not spec.with_audio or not components.audio_output:
        return Voice.NONE
    if spec.audio is not None:
        return Voice.RECORDING
    realtime = components.realtime
    if spec.source is SpeechSource.GENERATE_REPLY and realtime is not None and realtime.capabilities.audio_output:
        return Voice.MODEL
    if spec.agent.components.tts is not None:
        return Voice.TTS
    if realtime is not None and realtime.capabilities.supports_say:
        return Voice.MODEL
    return Voice.NONE


def is_aligned(voice: Voice, tts: TTS | None, realtime: RealtimeModel | None) -> bool:
    """Whether the voice says of every word when it has been spoken."""
    speaker = {Voice.MODEL: realtime, Voice.TTS: tts}.get(voice)
    return speaker is not None and speaker.aligned_transcript
