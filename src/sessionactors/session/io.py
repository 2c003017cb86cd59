"""``session.input`` and ``session.output``: where audio comes from and goes to, and switches for each."""

from __future__ import annotations

from collections.abc import Callable

from sessionactors.interfaces.audio_io import AudioSink, AudioSource


class AgentInput:
    """What the session listens to."""

    def __init__(self, attach: Callable[[AudioSource | None], None], enable: Callable[[bool], None]) -> None:
        self._attach = attach
        self._enable = enable
        self._audio: AudioSource | None = None
        self._audio_enabled = True

    @property
    def audio(self) -> AudioSource | None:
        """The user's audio; set it before or after the start, None for no audio."""
        return self._audio

    @audio.setter
    def audio(self, source: AudioSource | None) -> None:
        self._audio = source
        self._attach(source)

    @property
    def audio_enabled(self) -> bool:
        """Whether the session listens."""
        return self._audio_enabled

    def set_audio_enabled(self, enabled: bool) -> None:
        """Listen, or not: while disabled, what comes is counted and dropped."""
        self._audio_enabled = enabled
        self._enable(enabled)


class AgentOutput:
    """Where the session is heard."""

    def __init__(self, attach: Callable[[AudioSink | None], None], enable: Callable[[bool, bool], None]) -> None:
        self._attach = attach
        self._enable = enable
        self._audio: AudioSink | None = None
        self._audio_enabled = True
        self._transcription_enabled = True

    @property
    def audio(self) -> AudioSink | None:
        """Where the agent's voice goes; what plays on the old sink is cut when it is replaced."""
        return self._audio

    @audio.setter
    def audio(self, sink: AudioSink | None) -> None:
        self._audio = sink
        self._attach(sink)

    @property
    def audio_enabled(self) -> bool:
        """Whether the agent has a voice."""
        return self._audio_enabled

    @property
    def transcription_enabled(self) -> bool:
        """Whether transcripts are shown in the room."""
        return self._transcription_enabled

    def set_audio_enabled(self, enabled: bool) -> None:
        """Give the agent a voice, or not; takes effect with the next segment."""
        self._audio_enabled = enabled
        self._enable(self._audio_enabled, self._transcription_enabled)

    def set_transcription_enabled(self, enabled: bool) -> None:
        """Show transcripts in the room, or not."""
        self._transcription_enabled = enabled
        self._enable(self._audio_enabled, self._transcription_enabled)
