"""What a transport must do: join, play segments exactly, be silent at once, and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from sessionactors.interfaces.audio_io import (
    AudioSink,
    PlaybackFinished,
    PlaybackProgressed,
    PlaybackStarted,
    SinkEvent,
)
from sessionactors.interfaces.transport import TranscriptSegment, Transport
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import APIConnectionError, SessionActorsError

from .check import Checks
from .fault import Fault
from .footprint import footprint, settled
from .outcome import Nonconforming, NotApplicable
from .reading import within
from .rig import Rig
from .told_room import Room

TRANSPORT_CHECKS = Checks()
needs = TRANSPORT_CHECKS.needs

SECONDS: Final = 0.4
"""Audio of a segment in these checks."""
FRAME: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class TransportRig(Rig[Transport]):
    """A way into and out of a room. ``open`` gives one that is not connected.

    Args:
        participants: how many are there at once when it is connected.
        speak: has a participant say something for a second or more; None: nobody can in this rig.
        type: has a participant type a text; None: nobody can.
        tolerance: seconds by which reported positions may be off, beyond what the sink says of itself.
    """

    kind: ClassVar[str] = "transport"
    participants: int = 1
    speak: Callable[[Transport], object] | None = None
    type: Callable[[Transport, str], object] | None = None
    tolerance: float = 0.02


@asynccontextmanager
async def _joined(rig: TransportRig) -> AsyncIterator[tuple[Transport, Room]]:
    async with rig.opened() as transport:
        room = Room()
        await within(rig.patience, "connecting", transport.connect(room))
        yield transport, room


class Playing:
    """The sink of a transport, and what it said."""

    def __init__(self, rig: TransportRig, sink: AudioSink) -> None:
        self.events: list[SinkEvent] = []
        self.sink = sink
        self.slack = rig.tolerance + sink.position_error
        self._rig = rig
        sink.attach(self.events.append)

    def write(self, segment: str, seconds: float = SECONDS) -> None:
        """Audio of a segment, faster than it is played."""
        rate = self.sink.sample_rate
        for index in range(round(seconds / FRAME)):
            samples = np.arange(round(FRAME * rate)) + index
            self.sink.write(segment, AudioFrame((samples % 2000).astype("<i2").tobytes(), rate))

    def say(self, segment: str, seconds: float = SECONDS) -> None:
        """A segment, whole."""
        self.sink.begin(segment)
        self.write(segment, seconds)
        self.sink.end(segment)

    def ends_of(self, segment: str) -> list[PlaybackFinished]:
        """Its ends: there may be one."""
        return [event for event in self.events if isinstance(event, PlaybackFinished) and event.segment == segment]

    async def until(self, what: str, there: Callable[[], bool], seconds: float = 0.0) -> None:
        """Wait for something.

        Raises:
            Nonconforming: it did not come.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._rig.patience + seconds
        while not there():
            if loop.time() > deadline:
                raise Nonconforming(f"{what} did not come; told: {self.events}")
            await asyncio.sleep(FRAME / 4)

    async def end_of(self, segment: str) -> PlaybackFinished:
        """Its end."""
        await self.until(f"the end of {segment}", lambda: bool(self.ends_of(segment)), SECONDS)
        return self.ends_of(segment)[0]

    async def quiet(self, seconds: float) -> list[SinkEvent]:
        """What is said in the next seconds."""
        before = len(self.events)
        await asyncio.sleep(seconds)
        return self.events[before:]


@asynccontextmanager
async def _playing(rig: TransportRig) -> AsyncIterator[Playing]:
    async with _joined(rig) as (transport, _):
        if transport.audio_sink is None:
            raise NotApplicable("it has no audio")
        yield Playing(rig, transport.audio_sink)


def _near(playing: Playing, what: str, position: float, expected: float) -> None:
    if abs(position - expected) > playing.slack:
        raise Nonconforming(f"{what} at {position:.3f} s, {expected:.3f} s were played")


# -- the link --------------------------------------------------------------------------------------------------------


@needs()
async def reports_who_is_there(rig: TransportRig) -> None:
    """Those who are in the room when it is joined are reported, each once."""
    async with _joined(rig) as (_, room):
        await asyncio.sleep(0)
        if len(room.sources) != rig.participants:
            raise Nonconforming(f"reported {sorted(room.sources)}, {rig.participants} there are")


@needs(Fault.UNREACHABLE)
async def unreachable_room_is_a_connection_error(rig: TransportRig) -> None:
    """A room that cannot be reached is an APIConnectionError, and leaves nothing to close."""
    async with rig.opened(Fault.UNREACHABLE) as transport:
        try:
            await within(rig.patience, "connecting", transport.connect(Room()))
        except APIConnectionError:
            return
        raise Nonconforming("it connected to nobody")


@needs()
async def is_connected_once(rig: TransportRig) -> None:
    """A transport is made for one session: connecting it again, or after its end, is a typed error."""
    async with _joined(rig) as (transport, _):
        for ended in (False, True):
            if ended:
                await transport.aclose()
            try:
                await within(rig.patience, "connecting again", transport.connect(Room()))
            except SessionActorsError:
                continue
            raise Nonconforming(f"it was connected {'after its end' if ended else 'twice'}")


@needs()
async def leaves_nothing_behind(rig: TransportRig) -> None:
    """After its close it has no task, thread or descriptor, also when it is closed while something plays."""
    before = await footprint()
    async with _joined(rig) as (transport, room):
        for source in room.sources.values():
            if source is not None:
                source.start(lambda _: None, lambda: None)
        sink = transport.audio_sink
        if sink is not None:
            Playing(rig, sink).say("cut")
            await asyncio.sleep(FRAME)
    if left := await settled(before, rig.patience):
        raise Nonconforming(f"it is closed and there are {left}")


@needs()
async def closes_twice(rig: TransportRig) -> None:
    """It may be closed unconnected, and closed again."""
    async with rig.opened() as transport:
        await within(rig.patience, "closing it unconnected", transport.aclose())
        await within(rig.patience, "closing it again", transport.aclose())


@needs()
async def shows_transcripts_at_once(rig: TransportRig) -> None:
    """A transcript is taken without waiting, also after the end."""
    async with _joined(rig) as (transport, _):
        transport.publish_transcript(TranscriptSegment("agent", "segment-1", "Hello ", final=False))
        transport.publish_transcript(TranscriptSegment("agent", "segment-1", "there.", final=True))
        await transport.aclose()
        transport.publish_transcript(TranscriptSegment("agent", "segment-2", "Too late.", final=True))


@needs()
async def passes_on_what_is_typed(rig: TransportRig) -> None:
    """What a participant types comes once, as it is."""
    if rig.type is None:
        raise NotApplicable("nobody can type in this rig")
    async with _joined(rig) as (transport, room):
        rig.type(transport, "good day")
        for _ in range(50):
            if room.texts:
                break
            await asyncio.sleep(FRAME)
        if room.texts != ["good day"]:
            raise Nonconforming(f"'good day' was typed, told: {room.texts}")


# -- what is heard ---------------------------------------------------------------------------------------------------


@needs()
async def delivers_audio_until_stopped(rig: TransportRig) -> None:
    """A source that is started delivers frames of 10 to 100 ms; when it is stopped, also twice, nothing more comes."""
    if rig.speak is None:
        raise NotApplicable("nobody can speak in this rig")
    async with _joined(rig) as (transport, room):
        source = next((each for each in room.sources.values() if each is not None), None)
        if source is None:
            raise NotApplicable("nobody has audio")
        frames: list[AudioFrame] = []
        source.start(frames.append, lambda: None)
        rig.speak(transport)
        await asyncio.sleep(0.5)
        source.stop()
        source.stop()
        heard = len(frames)
        await asyncio.sleep(0.2)
    if not heard or any(not 0.009 <= frame.duration <= 0.101 for frame in frames[: heard - 1]):
        raise Nonconforming(f"{heard} frames in half a second: {sorted({repr(frame) for frame in frames})}")
    if len(frames) > heard:
        raise Nonconforming(f"{len(frames) - heard} frames after it was stopped")


# -- what is played --------------------------------------------------------------------------------------------------


@needs()
async def plays_a_segment_to_its_end(rig: TransportRig) -> None:
    """A segment is told to have begun once, goes forward, and ends once, with its whole length, not interrupted."""
    async with _playing(rig) as playing:
        playing.say("one")
        end = await playing.end_of("one")
        await playing.quiet(2 * FRAME)
        if len(playing.ends_of("one")) != 1 or end.interrupted:
            raise Nonconforming(f"it ended as {playing.ends_of('one')}")
        _near(playing, "it ended", end.position, SECONDS)
        if sum(isinstance(event, PlaybackStarted) for event in playing.events) != 1:
            raise Nonconforming(f"it did not begin once: {playing.events}")
        _forward(playing.events)


def _forward(events: list[SinkEvent]) -> None:
    if not isinstance(events[0], PlaybackStarted):
        raise Nonconforming(f"{events[0]} came before the beginning")
    positions = [event.position for event in events if isinstance(event, PlaybackProgressed | PlaybackFinished)]
    if positions != sorted(positions):
        raise Nonconforming(f"positions go backwards: {positions}")


@needs()
async def plays_segments_in_order(rig: TransportRig) -> None:
    """Segments that are written one after the other are played one after the other, each ended once."""
    async with _playing(rig) as playing:
        for segment in ("one", "two"):
            playing.say(segment, SECONDS / 2)
        await playing.end_of("two")
        ends = [event.segment for event in playing.events if isinstance(event, PlaybackFinished)]
        if ends != ["one", "two"]:
            raise Nonconforming(f"ended: {ends}")


@needs()
async def ends_an_empty_segment(rig: TransportRig) -> None:
    """A segment without a frame ends, at 0, not interrupted."""
    async with _playing(rig) as playing:
        playing.say("empty", 0.0)
        end = await playing.end_of("empty")
        if end.position or end.interrupted:
            raise Nonconforming(f"it ended as {end}")


@needs()
async def is_silent_when_cleared(rig: TransportRig) -> None:
    """A cleared segment ends at once as interrupted, with what was played of it; nothing more of it comes."""
    async with _playing(rig) as playing:
        playing.sink.begin("one")
        playing.write("one")
        await asyncio.sleep(SECONDS / 2)
        playing.sink.clear("one")
        end = await playing.end_of("one")
        if not end.interrupted or end.position > SECONDS - FRAME:
            raise Nonconforming(f"it was cleared halfway and ended as {end}")
        playing.sink.clear("one")
        playing.write("one", FRAME)
        if after := await playing.quiet(SECONDS):
            raise Nonconforming(f"it was cleared, and then said {after}")
        if not playing.sink.refused:
            raise Nonconforming("a frame for a cleared segment was not refused")
        playing.say("two", SECONDS / 2)
        if (await playing.end_of("two")).interrupted:
            raise Nonconforming("the segment after a cleared one was interrupted too")


@needs()
async def refuses_frames_of_another_segment(rig: TransportRig) -> None:
    """A frame that names a segment that is not open is refused and counted; the open one is untouched."""
    async with _playing(rig) as playing:
        playing.sink.begin("one")
        playing.write("late", FRAME)
        playing.write("one", SECONDS / 2)
        playing.sink.end("one")
        end = await playing.end_of("one")
        _near(playing, "it ended", end.position, SECONDS / 2)
        if playing.sink.refused != 1:
            raise Nonconforming(f"{playing.sink.refused} frames refused, 1 was of another segment")


@needs()
async def pauses_exactly(rig: TransportRig) -> None:
    """A paused segment is silent, and goes on where it was: its whole length is played in the end."""
    async with _playing(rig) as playing:
        if not playing.sink.can_pause:
            raise NotApplicable("it cannot pause")
        playing.sink.begin("one")
        playing.write("one")
        await asyncio.sleep(SECONDS / 2)
        playing.sink.pause("one")
        await playing.quiet(FRAME)
        if after := [event for event in await playing.quiet(SECONDS) if isinstance(event, PlaybackFinished)]:
            raise Nonconforming(f"it was paused, and told {after}")
        playing.sink.end("one")
        playing.sink.resume("one")
        end = await playing.end_of("one")
        if end.interrupted:
            raise Nonconforming("pausing interrupted it")
        _near(playing, "it ended", end.position, SECONDS)


@needs()
async def mutes_from_any_thread(rig: TransportRig) -> None:
    """The watchdog may mute it from its own thread, when the loop hangs; the next segment is heard again."""
    async with _playing(rig) as playing:
        playing.sink.begin("one")
        playing.write("one")
        await asyncio.sleep(FRAME)
        await asyncio.to_thread(playing.sink.mute)
        playing.sink.clear("one")
        await playing.end_of("one")
        playing.say("two", SECONDS / 2)
        end = await playing.end_of("two")
        if end.interrupted:
            raise Nonconforming("the segment after a mute was interrupted")
        _near(playing, "the segment after a mute ended", end.position, SECONDS / 2)
