"""A room whose signals get lost, doubled or late: what its transport tells, its sources and the sink for the agent."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from sessionactors.interfaces.audio_io import (
    AudioSink,
    AudioSource,
    FrameCallback,
    PlaybackFinished,
    PlaybackProgressed,
    PlaybackStarted,
    SinkCallback,
    SinkEvent,
)
from sessionactors.interfaces.transport import (
    NO_ATTRIBUTES,
    ParticipantKind,
    TranscriptSegment,
    Transport,
    TransportEvents,
)
from sessionactors.interfaces.video_io import VideoSource
from sessionactors.model.audio import AudioFrame

from .forwarding import Forwarding
from .point import Gate
from .providers import NONSENSE
from .stream import break_or_wait

Call = Callable[[], object]
LOST = "connection lost: injected"


class Signals:
    """Passes a transport's signals on, each at most once held back, until the link is lost. From any thread."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._held: list[Call] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lost = False
        self.on_lost: Call = lambda: None
        """Told once, when the link is lost."""

    def begin(self) -> None:
        """On the loop from which late ones come."""
        self._loop = asyncio.get_running_loop()

    def pass_on(self, signal: str, call: Call, *, garbage: Call | None = None) -> None:
        """One signal: ``call`` tells it, ``garbage`` tells something of its kind without sense."""
        if self._lost:
            return
        fault = self._gate.meet(signal)
        calls = [call]
        match None if fault is None else fault.does:
            case "drop":
                calls = []
            case "double":
                calls = [call, call]
            case "garbage" if garbage is not None:
                calls = [garbage]
            case "swap":
                with self._lock:
                    self._held.append(call)
                return
            case "delay" if fault is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.call_later, fault.seconds, call)
                return
            case "lose":
                self._lost = True
                self.on_lost()
                return
            case _:
                pass
        with self._lock:
            held, self._held = self._held, []
        for one in (*calls, *held):
            one()


class DisturbedTransport(Forwarding, Transport, of=Transport):
    """A room that goes wrong where the gate says."""

    def __init__(self, original: Transport, gate: Gate) -> None:
        super().__init__(original)
        self._gate = gate
        self._signals = Signals(gate)
        self._sink: DisturbedSink | None = None

    async def connect(self, events: TransportEvents) -> None:
        """As the original; what it tells passes the gate."""
        self._signals.begin()
        self._signals.on_lost = lambda: events.closed(LOST)
        if (fault := self._gate.meet("transport.connect")) is not None:
            await break_or_wait(fault)
        await self.original.connect(_DisturbedEvents(events, self._signals))

    @property
    def audio_sink(self) -> AudioSink | None:
        """The original's, with a gate behind its reports."""
        sink = self.original.audio_sink
        if sink is None:
            return None
        if self._sink is None or self._sink.original is not sink:
            self._sink = DisturbedSink(sink, self._signals)
        return self._sink

    def publish_transcript(self, segment: TranscriptSegment) -> None:
        """As the original."""
        self.original.publish_transcript(segment)

    async def aclose(self) -> None:
        """As the original, unless it hangs or fails first."""
        if (fault := self._gate.meet("transport.close")) is not None:
            await break_or_wait(fault)
        await self.original.aclose()


class _DisturbedEvents(TransportEvents):
    """What the transport calls, from any thread."""

    def __init__(self, original: TransportEvents, signals: Signals) -> None:
        self._original = original
        self._signals = signals

    def participant_joined(
        self,
        identity: str,
        audio: AudioSource | None,
        *,
        kind: ParticipantKind = "standard",
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        """Somebody is there."""
        source = None if audio is None else DisturbedSource(audio, self._signals)
        self._signals.pass_on(
            "transport.joined",
            lambda: self._original.participant_joined(identity, source, kind=kind, attributes=attributes),
        )

    def participant_left(self, identity: str, reason: str) -> None:
        """Somebody is gone."""
        self._signals.pass_on("transport.left", lambda: self._original.participant_left(identity, reason))

    def video_published(self, identity: str, video: VideoSource | None) -> None:
        """Somebody shows something."""
        self._signals.pass_on("transport.video", lambda: self._original.video_published(identity, video))

    def text_received(self, identity: str, text: str) -> None:
        """Somebody typed."""
        self._signals.pass_on(
            "transport.text",
            lambda: self._original.text_received(identity, text),
            garbage=lambda: self._original.text_received(identity, NONSENSE),
        )

    def key_pressed(self, identity: str, digit: str) -> None:
        """Somebody pressed a key."""
        self._signals.pass_on("transport.key", lambda: self._original.key_pressed(identity, digit))

    def participant_changed(
        self, identity: str, *, attributes: Mapping[str, str] = NO_ATTRIBUTES, metadata: str | None = None
    ) -> None:
        """Somebody lets know something else."""
        self._signals.pass_on(
            "transport.changed",
            lambda: self._original.participant_changed(identity, attributes=attributes, metadata=metadata),
        )

    def closed(self, reason: str) -> None:
        """The link is gone."""
        self._signals.pass_on("transport.closed", lambda: self._original.closed(reason))


class DisturbedSource(Forwarding, AudioSource, of=AudioSource):
    """Somebody's voice, of which frames or the end may be lost."""

    def __init__(self, original: AudioSource, signals: Signals) -> None:
        super().__init__(original)
        self._signals = signals

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        """As the original; each frame and the end pass the gate."""

        def frame(audio: AudioFrame) -> None:
            self._signals.pass_on("audio.frame", lambda: on_frame(audio))

        self.original.start(frame, lambda: self._signals.pass_on("audio.end", on_end))

    def stop(self) -> None:
        """As the original."""
        self.original.stop()


class DisturbedSink(Forwarding, AudioSink, of=AudioSink):
    """The agent's voice; what it reports may be lost."""

    def __init__(self, original: AudioSink, signals: Signals) -> None:
        super().__init__(original)
        self._signals = signals

    def attach(self, on_event: SinkCallback) -> None:
        """As the original; each report passes the gate."""

        def report(event: SinkEvent) -> None:
            self._signals.pass_on(
                f"playout.{_KINDS[type(event)]}",
                lambda: on_event(event),
                garbage=lambda: on_event(_senseless(event)),
            )

        self.original.attach(report)

    def begin(self, segment: str) -> None:
        """As the original."""
        self.original.begin(segment)

    def write(self, segment: str, frame: AudioFrame) -> None:
        """As the original."""
        self.original.write(segment, frame)

    def end(self, segment: str) -> None:
        """As the original."""
        self.original.end(segment)

    def clear(self, segment: str) -> None:
        """As the original."""
        self.original.clear(segment)

    def mute(self) -> None:
        """As the original."""
        self.original.mute()

    @property
    def refused(self) -> int:
        """The original's."""
        return int(self.original.refused)

    def close(self) -> None:
        """As the original."""
        self.original.close()


_KINDS: Mapping[type, str] = {
    PlaybackStarted: "started",
    PlaybackProgressed: "progressed",
    PlaybackFinished: "finished",
}


def _senseless(event: SinkEvent) -> SinkEvent:
    if isinstance(event, PlaybackStarted):
        return replace(event, segment=NONSENSE)
    return replace(event, position=-math.inf)
