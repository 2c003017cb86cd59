"""A transport in memory that conforms, or has exactly the flaw that one check is there for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from sessionactors.interfaces.audio_io import (
    AudioSink,
    AudioSource,
    FrameCallback,
    PlaybackFinished,
    SinkCallback,
    SinkEvent,
)
from sessionactors.interfaces.transport import NO_ATTRIBUTES, TranscriptSegment, Transport, TransportEvents
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, TransportRig
from sessionactors.transports import MemoryTransport

from tests.conformance.fake_backend import for_ever


class FlawedSource(AudioSource):
    """Goes on when it is stopped."""

    def __init__(self, source: AudioSource) -> None:
        self._source = source

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        self._source.start(on_frame, on_end)

    def stop(self) -> None:
        pass


class FlawedSink(AudioSink):
    """Plays, but for its flaw."""

    can_pause = True

    def __init__(self, sink: AudioSink, flaw: str) -> None:
        self._sink = sink
        self._flaw = flaw
        self._open = ""
        self._empty: set[str] = set()
        self.sample_rate = sink.sample_rate

    @property
    def refused(self) -> int:
        return self._sink.refused

    def attach(self, on_event: SinkCallback) -> None:
        def told(event: SinkEvent) -> None:
            ended = isinstance(event, PlaybackFinished)
            if ended and event.segment == "one" and self._flaw == "plays_segments_in_order":
                return
            if ended and event.segment in self._empty and self._flaw == "ends_an_empty_segment":
                return
            on_event(event)
            if ended and self._flaw == "plays_a_segment_to_its_end":
                on_event(event)

        self._sink.attach(told)

    def begin(self, segment: str) -> None:
        self._open = segment
        self._empty.add(segment)
        self._sink.begin(segment)

    def write(self, segment: str, frame: AudioFrame) -> None:
        self._empty.discard(segment)
        self._sink.write(self._open if self._flaw == "refuses_frames_of_another_segment" else segment, frame)

    def end(self, segment: str) -> None:
        self._sink.end(segment)

    def clear(self, segment: str) -> None:
        if self._flaw != "is_silent_when_cleared":
            self._sink.clear(segment)

    def pause(self, segment: str) -> None:
        self._sink.pause(segment)

    def resume(self, segment: str) -> None:
        if self._flaw == "pauses_exactly":
            self._sink.clear(segment)
        else:
            self._sink.resume(segment)

    def mute(self) -> None:
        if self._flaw == "mutes_from_any_thread":
            asyncio.get_running_loop()  # raises off the loop
        self._sink.mute()

    def close(self) -> None:
        self._sink.close()


class Told:
    """Passes on, but for the flaw."""

    def __init__(self, events: TransportEvents, flaw: str) -> None:
        self._events = events
        self._flaw = flaw

    def participant_joined(self, identity: str, audio: AudioSource | None, **more: object) -> None:
        if self._flaw == "delivers_audio_until_stopped" and audio is not None:
            audio = FlawedSource(audio)
        if self._flaw != "reports_who_is_there":
            self._events.participant_joined(identity, audio)

    def participant_left(self, identity: str, reason: str) -> None:
        self._events.participant_left(identity, reason)

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        self._events.video_published(identity, video)

    def text_received(self, identity: str, text: str) -> None:
        self._events.text_received(identity, text)
        if self._flaw == "passes_on_what_is_typed":
            self._events.text_received(identity, text)

    def key_pressed(self, identity: str, digit: str) -> None:
        self._events.key_pressed(identity, digit)

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        self._events.participant_changed(identity, attributes=attributes, metadata=metadata)

    def closed(self, reason: str) -> None:
        self._events.closed(reason)


class FakeTransport(Transport):
    """A room in memory."""

    label = "fake.Transport"

    def __init__(self, fault: Fault | None, flaw: str) -> None:
        self.room = MemoryTransport(silence_rate=16000)
        self._fault = fault
        self._flaw = flaw
        self._sink = FlawedSink(self.room.sink, flaw)
        self._events: TransportEvents | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def connect(self, events: TransportEvents) -> None:
        if self._fault is Fault.UNREACHABLE and self._flaw != "unreachable_room_is_a_connection_error":
            raise APIConnectionError("no such room")
        if self._events is not None and self._flaw == "is_connected_once":
            return
        self._events = events
        flaw = self._flaw
        if flaw == "leaves_nothing_behind":
            self._task = asyncio.create_task(for_ever())
        await self.room.connect(Told(events, flaw))

    @property
    def audio_sink(self) -> AudioSink | None:
        return self._sink

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        if self._closed and self._flaw == "shows_transcripts_at_once":
            raise RuntimeError("closed")
        self.room.publish_transcript(segment)

    async def aclose(self) -> None:
        if self._closed and self._flaw == "closes_twice":
            raise RuntimeError("closed already")
        self._closed = True
        await self.room.aclose()


def speaks(transport: Transport) -> None:
    """The caller says something for a second."""
    room = transport.room if isinstance(transport, FakeTransport) else transport
    assert isinstance(room, MemoryTransport)
    room.play(AudioFrame(bytes(2 * 16000), 16000))


def types(transport: Transport, text: str) -> None:
    """The caller types."""
    room = transport.room if isinstance(transport, FakeTransport) else transport
    assert isinstance(room, MemoryTransport)
    room.type(text)


def fake_transport_rig(flaw: str = "") -> TransportRig:
    """A rig of a transport with a flaw."""

    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[Transport]:
        yield FakeTransport(fault, flaw)

    return TransportRig(
        name="fake.Transport",
        open=opened,
        faults=frozenset({Fault.UNREACHABLE}),
        speak=speaks,
        type=types,
        loop_factory=VirtualLoop,
    )
