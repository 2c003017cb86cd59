"""``session.input`` and ``session.output``: where audio, video and text come from and go to, and switches for each.

Each may be a port of ours (:class:`.AudioSource`, :class:`.AudioSink`, ...) or a class of the user's own
(:class:`.AudioInput`, :class:`.AudioOutput`, :class:`.TextOutput`, ...).
"""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeAlias, TypeVar

from sessionactors.interfaces.audio_io import AudioSink, AudioSource
from sessionactors.interfaces.text_io import TextSink
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.errors import OptionError
from sessionactors.model.video import VideoFrame

from .endpoint_sinks import OutputSink, OutputTextSink
from .endpoint_sources import InputSource, InputVideoSource
from .endpoints import AudioInput, AudioOutput, TextOutput, VideoInput, VideoOutput

T = TypeVar("T")

AnyAudioInput: TypeAlias = AudioInput | AudioSource
AnyVideoInput: TypeAlias = VideoInput | VideoSource
AnyAudioOutput: TypeAlias = AudioOutput | AudioSink
AnyTextOutput: TypeAlias = TextOutput | TextSink


class InputEnds(Protocol):
    """Where the inputs are put in."""

    def attach_source(self, source: AudioSource | None) -> None:
        """Listen to this one."""

    def attach_video(self, source: VideoSource | None) -> None:
        """Look at this one."""

    def enable_input(self, *, audio: bool, video: bool) -> None:
        """Open or close ears and eyes."""


class OutputEnds(Protocol):
    """Where the outputs are put in."""

    def attach_sink(self, sink: AudioSink | None) -> None:
        """Speak there."""

    def attach_text(self, sink: TextSink | None) -> None:
        """Show words there."""

    def enable_output(self, *, audio: bool, transcription: bool) -> None:
        """Switch voice and transcript."""


class AgentInput:
    """What the session listens to."""

    def __init__(self, ends: InputEnds) -> None:
        self._ends = ends
        self._loop: asyncio.AbstractEventLoop | None = None
        self._audio: AnyAudioInput | None = None
        self._video: AnyVideoInput | None = None
        self._audio_enabled = self._video_enabled = True
        self._last_frame: VideoFrame | None = None

    @property
    def audio(self) -> AnyAudioInput | None:
        """The user's audio; set it before or after the start, None for no audio.

        Set before the start, it takes the place of the room's. What was listened to before is let go.

        Raises:
            OptionError: it is neither an ``AudioInput`` nor an ``AudioSource``.
        """
        return self._audio

    @audio.setter
    def audio(self, source: AnyAudioInput | None) -> None:
        self._audio = _checked(source, "input.audio", AudioInput, AudioSource)
        if self._loop is not None:
            self._attach_audio(self._loop)

    @property
    def video(self) -> AnyVideoInput | None:
        """The user's video; set it before or after the start, None for no video.

        Raises:
            OptionError: it is neither a ``VideoInput`` nor a ``VideoSource``.
        """
        return self._video

    @video.setter
    def video(self, source: AnyVideoInput | None) -> None:
        self._video = _checked(source, "input.video", VideoInput, VideoSource)
        if self._loop is not None:
            self._attach_video(self._loop)

    @property
    def audio_enabled(self) -> bool:
        """Whether the session listens."""
        return self._audio_enabled

    @property
    def video_enabled(self) -> bool:
        """Whether the session looks."""
        return self._video_enabled

    def set_audio_enabled(self, enabled: bool) -> None:
        """Listen, or not: while disabled, what comes is counted and dropped, and who was speaking has ended."""
        self._audio_enabled = enabled
        self._ends.enable_input(audio=enabled, video=self._video_enabled)

    def set_video_enabled(self, enabled: bool) -> None:
        """Look, or not: while disabled, frames are dropped."""
        self._video_enabled = enabled
        self._ends.enable_input(audio=self._audio_enabled, video=enabled)

    @property
    def last_frame(self) -> VideoFrame | None:
        """The newest picture of the user that the sampler has kept: ``last_frame.as_image()`` fits into a message."""
        return self._last_frame

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The session runs: put in what was set before."""
        self._loop = loop
        self._last_frame = None
        if self._audio is not None:
            self._attach_audio(loop)
        if self._video is not None:
            self._attach_video(loop)
        if not (self._audio_enabled and self._video_enabled):
            self._ends.enable_input(audio=self._audio_enabled, video=self._video_enabled)

    def _end(self) -> None:
        self._loop = None

    def _attach_audio(self, loop: asyncio.AbstractEventLoop) -> None:
        audio = self._audio
        self._ends.attach_source(InputSource(audio, loop) if isinstance(audio, AudioInput) else audio)

    def _attach_video(self, loop: asyncio.AbstractEventLoop) -> None:
        video = self._video
        self._ends.attach_video(InputVideoSource(video, loop) if isinstance(video, VideoInput) else video)


class AgentOutput:
    """Where the session is heard and read."""

    def __init__(self, ends: OutputEnds) -> None:
        self._ends = ends
        self._loop: asyncio.AbstractEventLoop | None = None
        self._audio: AnyAudioOutput | None = None
        self._video: VideoOutput | None = None
        self._port: OutputSink | None = None
        """The user's own audio output as the actors see it."""
        self._transcription: AnyTextOutput | None = None
        self._audio_enabled = self._video_enabled = self._transcription_enabled = True

    @property
    def audio(self) -> AnyAudioOutput | None:
        """Where the agent's voice goes.

        Set before the start, it takes the place of the room's. When it is replaced, what plays on the old one is
        cleared and reported as interrupted, once; then the old one is detached.

        Raises:
            OptionError: it is neither an ``AudioOutput`` nor an ``AudioSink``.
        """
        return self._audio

    @audio.setter
    def audio(self, sink: AnyAudioOutput | None) -> None:
        self._audio = _checked(sink, "output.audio", AudioOutput, AudioSink)
        if self._loop is not None:
            self._attach_audio(self._loop)

    def replace_audio_tail(self, sink: AudioOutput) -> None:
        """Let another output be the last of the chain behind :attr:`audio`; the outputs before it stay.

        What plays on the old one is cleared and reported as interrupted, once; then the old one is detached and the
        new one attached. Where :attr:`audio` passes on to no other, it is replaced itself.

        Raises:
            OptionError: it is no ``AudioOutput``.
        """
        _checked(sink, "output.replace_audio_tail()", AudioOutput)
        head, port, loop = self._audio, self._port, self._loop
        if not isinstance(head, AudioOutput) or head.next_in_chain is None:
            self.audio = sink
        elif port is None or loop is None:
            head._put_in(sink)
        else:
            loop.call_soon_threadsafe(port.replace_tail, sink, lambda: self._ends.attach_sink(port))

    @property
    def video(self) -> VideoOutput | None:
        """Where an avatar's video goes; the session makes none itself."""
        return self._video

    @video.setter
    def video(self, output: VideoOutput | None) -> None:
        before, self._video = self._video, output
        if before is not None:
            before.on_detached()
        if output is not None:
            output.on_attached()

    @property
    def transcription(self) -> AnyTextOutput | None:
        """Where the agent's words are shown, as they are spoken; the room, if nothing is set.

        Raises:
            OptionError: it is neither a ``TextOutput`` nor a ``TextSink``.
        """
        return self._transcription

    @transcription.setter
    def transcription(self, output: AnyTextOutput | None) -> None:
        self._transcription = _checked(output, "output.transcription", TextOutput, TextSink)
        if self._loop is not None:
            self._attach_text(self._loop)

    @property
    def audio_enabled(self) -> bool:
        """Whether the agent has a voice."""
        return self._audio_enabled

    @property
    def video_enabled(self) -> bool:
        """Whether an avatar is shown."""
        return self._video_enabled

    @property
    def transcription_enabled(self) -> bool:
        """Whether transcripts are shown."""
        return self._transcription_enabled

    def set_audio_enabled(self, enabled: bool) -> None:
        """Give the agent a voice, or not; takes effect with the next segment."""
        self._audio_enabled = enabled
        self._ends.enable_output(audio=enabled, transcription=self._transcription_enabled)

    def set_video_enabled(self, enabled: bool) -> None:
        """Show an avatar, or not: for what draws it to read."""
        self._video_enabled = enabled

    def set_transcription_enabled(self, enabled: bool) -> None:
        """Show transcripts, or not."""
        self._transcription_enabled = enabled
        self._ends.enable_output(audio=self._audio_enabled, transcription=enabled)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The session runs: put in what was set before."""
        self._loop = loop
        if self._audio is not None:
            self._attach_audio(loop)
        if self._transcription is not None:
            self._attach_text(loop)

    def _end(self) -> None:
        self._loop = self._port = None

    def _attach_audio(self, loop: asyncio.AbstractEventLoop) -> None:
        audio = self._audio
        self._port = OutputSink(audio, loop) if isinstance(audio, AudioOutput) else None
        self._ends.attach_sink(self._port if isinstance(audio, AudioOutput) else audio)

    def _attach_text(self, loop: asyncio.AbstractEventLoop) -> None:
        text = self._transcription
        self._ends.attach_text(OutputTextSink(text, loop) if isinstance(text, TextOutput) else text)


def _checked(given: T, name: str, *kinds: type) -> T:
    if given is not None and not isinstance(given, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise OptionError(f"{name} takes an {wanted}, or None, got {given!r}")
    return given
