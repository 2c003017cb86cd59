"""A transport in the process: tests and programs that embed a session are its participants.

Who holds the :class:`MemoryTransport` speaks for the people in the room, and reads what the agent said. Everything is
timed by the loop's clock, so under a virtual-time loop a scripted call is exact to the sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sessionactors.interfaces.audio_io import AudioSink
from sessionactors.interfaces.background_audio import BackgroundSink
from sessionactors.interfaces.rpc import RpcError, RpcErrorCode, RpcHandler
from sessionactors.interfaces.transport import (
    NO_ATTRIBUTES,
    ParticipantKind,
    TranscriptSegment,
    Transport,
    TransportEvents,
)
from sessionactors.interfaces.video_io import VideoSink, VideoSource
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import SessionStateError
from sessionactors.model.video import VideoFrame

from .background import TimedBackground
from .memory_rpc import MemoryRpc
from .memory_source import MemorySource
from .pacing import check_frame_ms
from .played_runs import AudioRun, PlayedRuns
from .playout import PacedPlayout
from .shown_frames import ShownFrames

_CALLER, _AGENT = "caller", "agent"

BACKGROUND_RATE: Final = 48000
"""Hertz of what is heard beside the agent."""


class MemorySink(PacedPlayout):
    """Plays the agent's voice without sound and keeps what was played.

    Args:
        sample_rate: Hertz of the frames to be written.
        progress_interval: seconds between two reports of a position.
    """

    label = "memory-sink"

    def __init__(self, *, sample_rate: int = 24000, progress_interval: float = 0.1) -> None:
        super().__init__(sample_rate=sample_rate, progress_interval=progress_interval)
        self._runs = PlayedRuns(sample_rate)

    @property
    def runs(self) -> tuple[AudioRun, ...]:
        """What was played, in order, up to the last event: a new run after every silence of a sample or more."""
        return self._runs.runs

    def _played(self, frame: AudioFrame, at: float) -> None:
        self._runs.add(frame, at)


class MemoryTransport(Transport):
    """A room in memory.

    The methods that speak for participants may be called from any thread.

    Args:
        participant: who is there from the start; None for an empty room.
        audio: whether participants and agent have audio; False for a text room.
        sample_rate: Hertz of the agent's audio, > 0.
        frame_ms: length of the frames of played recordings, 10 to 100 ms.
        silence_rate: see :class:`MemorySource`.
        telephone: the participants are on the phone: keys can be pressed.

    Raises:
        OptionError: an argument is out of range.
    """

    label = "memory"

    def __init__(
        self,
        *,
        participant: str | None = _CALLER,
        audio: bool = True,
        sample_rate: int = 24000,
        frame_ms: int = 20,
        silence_rate: int | None = None,
        telephone: bool = False,
    ) -> None:
        self._audio = audio
        self._telephone = telephone
        self.pressed: list[str] = []
        """Keys of the telephone that the agent pressed, in order."""
        self._rpc = MemoryRpc()
        self._attributes: dict[str, str] = {}
        self.attribute_changes: list[dict[str, str]] = []
        """What the agent let the participants know of itself, in order."""
        self._frame_ms = check_frame_ms(frame_ms)
        self._silence_rate = silence_rate
        self._sink = MemorySink(sample_rate=sample_rate) if audio else None
        self._background = PlayedRuns(BACKGROUND_RATE)
        self.agent_video: list[VideoFrame] = []
        """What the agent showed, in order."""
        self._events: TransportEvents | None = None
        self._closed = False
        self._participants: dict[str, MemorySource | None] = {}
        self._videos: dict[str, VideoSource | None] = {}
        self._kinds: dict[str, tuple[ParticipantKind, Mapping[str, str]]] = {}
        self._transcripts: list[TranscriptSegment] = []
        if participant is not None:
            self.join(participant)

    async def connect(self, events: TransportEvents) -> None:
        """Report the participants that joined so far.

        Raises:
            SessionStateError: it was connected or closed before.
        """
        if self._events is not None or self._closed:
            raise SessionStateError("a MemoryTransport is connected once: make another one for the next session")
        self._events = events
        for identity, source in self._participants.items():
            kind, attributes = self._kinds[identity]
            events.participant_joined(identity, source, kind=kind, attributes=attributes)
        for identity, video in self._videos.items():
            events.video_published(identity, video)

    @property
    def audio_sink(self) -> AudioSink | None:
        return self._sink

    async def open_background(self, options: object | None = None) -> BackgroundSink | None:
        return TimedBackground(BACKGROUND_RATE, self._background.add) if self._audio else None

    async def open_video(self, width: int, height: int, options: object | None = None) -> VideoSink | None:
        return ShownFrames(self.agent_video)

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        self._transcripts.append(segment)

    def set_attributes(self, attributes: Mapping[str, str]) -> None:
        self._attributes.update(attributes)
        self.attribute_changes.append(dict(attributes))

    @property
    def can_send_dtmf(self) -> bool:
        return self._telephone

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        if not self._telephone:
            await super().publish_dtmf(code=code, digit=digit)
        self.pressed.append(digit)

    @property
    def has_rpc(self) -> bool:
        return True

    def register_rpc_method(self, method: str, handler: RpcHandler) -> None:
        self._rpc.register(_AGENT, method, handler)

    def unregister_rpc_method(self, method: str) -> None:
        self._rpc.unregister(_AGENT, method)

    async def perform_rpc(
        self, *, destination_identity: str, method: str, payload: str, response_timeout: float | None = None
    ) -> str:
        if destination_identity not in self._participants:
            raise RpcError(RpcErrorCode.RECIPIENT_NOT_FOUND, f"{destination_identity!r} is not in the room")
        return await self._rpc.call(_AGENT, destination_identity, method, payload, response_timeout)

    async def aclose(self) -> None:
        self._closed = True
        for source in self._participants.values():
            if source is not None:
                source.stop()
        if self._sink is not None:
            self._sink.close()

    @property
    def connected(self) -> bool:
        """Whether a session is linked to it."""
        return self._events is not None and not self._closed

    @property
    def sink(self) -> MemorySink:
        """The sink, with what it played.

        Raises:
            SessionStateError: the room has no audio.
        """
        if self._sink is None:
            raise SessionStateError("this MemoryTransport has no audio: make it with audio=True")
        return self._sink

    @property
    def agent_audio(self) -> tuple[AudioRun, ...]:
        """What the agent was heard to say. See :attr:`MemorySink.runs`."""
        return self.sink.runs

    @property
    def background_audio(self) -> tuple[AudioRun, ...]:
        """What was heard beside the agent, 48 kHz: a new run after every silence. Up to 0.15 s ahead of the clock."""
        return self._background.runs

    @property
    def transcripts(self) -> tuple[TranscriptSegment, ...]:
        """What was published, in order."""
        return tuple(self._transcripts)

    @property
    def agent_attributes(self) -> Mapping[str, str]:
        """What the participants can read about the agent, such as ``lk.agent.state``."""
        return dict(self._attributes)

    def source(self, identity: str = _CALLER) -> MemorySource:
        """The voice of a participant.

        Raises:
            SessionStateError: nobody of that name is there, or without audio.
        """
        source = self._participants.get(identity)
        if source is None:
            present = ", ".join(map(repr, self._participants)) or "nobody"
            raise SessionStateError(f"participant {identity!r} has no audio in this room; present: {present}")
        return source

    def join(
        self,
        identity: str = _CALLER,
        *,
        audio: bool | None = None,
        silence_level: int = 0,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        """Let a participant come in, with audio unless ``audio=False`` or the room is for text.

        Args:
            identity: who.
            audio: whether they can speak; None: as the room.
            silence_level: see :class:`MemorySource`.
            kind: what they are; ``"sip"`` for a telephone call.
            attributes: as a room has them.

        Raises:
            SessionStateError: somebody of that name is there.
        """
        if identity in self._participants:
            raise SessionStateError(f"participant {identity!r} is in the room already")
        speaks = self._audio if audio is None else audio
        source = None
        if speaks:
            source = MemorySource(frame_ms=self._frame_ms, silence_rate=self._silence_rate, silence_level=silence_level)
        self._participants[identity], self._kinds[identity] = source, (kind, attributes)
        if self._events is not None and not self._closed:
            self._events.participant_joined(identity, source, kind=kind, attributes=attributes)

    def show(self, video: VideoSource | None, identity: str = _CALLER) -> None:
        """Let a participant show something, or nothing any more.

        Raises:
            SessionStateError: nobody of that name is there.
        """
        if identity not in self._participants:
            raise SessionStateError(f"participant {identity!r} is not in the room")
        self._videos[identity] = video
        if self._events is not None and not self._closed:
            self._events.video_published(identity, video)

    def leave(self, identity: str = _CALLER, reason: str = "left") -> None:
        """Let a participant go; their audio ends first.

        Raises:
            SessionStateError: nobody of that name is there.
        """
        if identity not in self._participants:
            raise SessionStateError(f"participant {identity!r} is not in the room")
        source = self._participants.pop(identity)
        self._videos.pop(identity, None)
        if source is not None:
            source.end()
        if self._events is not None and not self._closed:
            self._events.participant_left(identity, reason)

    def type(self, text: str, identity: str = _CALLER) -> None:
        """Let a participant type something.

        Raises:
            SessionStateError: nobody of that name is there, or the transport is not connected.
        """
        if identity not in self._participants:
            raise SessionStateError(f"participant {identity!r} is not in the room")
        self._connected().text_received(identity, text)

    def press(self, digit: str, identity: str = _CALLER) -> None:
        """Let a participant press a key of their telephone.

        Raises:
            SessionStateError: nobody of that name is there, or the transport is not connected.
        """
        if identity not in self._participants:
            raise SessionStateError(f"participant {identity!r} is not in the room")
        self._connected().key_pressed(identity, digit)

    def change(
        self, identity: str = _CALLER, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        """Let a participant change what the others know of them.

        Args:
            identity: who.
            attributes: those that change; an empty value takes one away.
            metadata: all of it; None: it stays.

        Raises:
            SessionStateError: nobody of that name is there, or the transport is not connected.
        """
        if identity not in self._participants:
            raise SessionStateError(f"participant {identity!r} is not in the room")
        self._connected().participant_changed(identity, attributes=attributes, metadata=metadata)

    def offer(self, method: str, handler: RpcHandler, identity: str = _CALLER) -> None:
        """Let the agent call a method of a participant."""
        self._rpc.register(identity, method, handler)

    async def call(
        self, method: str, payload: str = "", identity: str = _CALLER, *, response_timeout: float | None = None
    ) -> str:
        """Let a participant call a method that the agent's program registered, and get the answer.

        Raises:
            RpcError: there is none, it failed, or took too long.
            SessionStateError: nobody of that name is there, or the transport is not connected.
        """
        if identity not in self._participants:
            raise SessionStateError(f"participant {identity!r} is not in the room")
        self._connected()
        return await self._rpc.call(identity, _AGENT, method, payload, response_timeout)

    def push_audio(self, frame: AudioFrame, identity: str = _CALLER) -> None:
        """Deliver a frame of a participant now. See :meth:`MemorySource.push`."""
        self.source(identity).push(frame)

    def play(self, pcm: AudioFrame, *, at: float | None = None, identity: str = _CALLER) -> None:
        """Let a participant say a recording in real time. See :meth:`MemorySource.play`."""
        self.source(identity).play(pcm, at=at)

    def drop(self, reason: str = "connection lost") -> None:
        """Break the link for good, as a network would.

        Raises:
            SessionStateError: the transport is not connected.
        """
        self._connected().closed(reason)

    def _connected(self) -> TransportEvents:
        if self._events is None or self._closed:
            raise SessionStateError("this MemoryTransport is not connected: give it to a session first")
        return self._events
