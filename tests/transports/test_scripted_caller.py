from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Self

import pytest

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.transports import CallerLine, ScriptedCaller

from .fakes import RoomLog, SinkLog, ramp
from .virtual import in_virtual_time, now

RATE = 16000


def speech(seconds: float, level: int = 1000) -> AudioFrame:
    samples = round(seconds * RATE)
    return AudioFrame(struct.pack(f"<{samples}h", *[level] * samples), RATE)


class Call:
    """A caller on the line, and an agent who says what it is told to."""

    def __init__(self, *lines: CallerLine, hang_up_after: float = 1.0, patience: float = 10.0) -> None:
        self.caller = ScriptedCaller(lines, hang_up_after=hang_up_after, patience=patience, sample_rate=RATE)
        self.room = RoomLog()
        self.sink_log = SinkLog()
        self.heard: list[tuple[float, bool]] = []
        self._segments = 0

    async def __aenter__(self) -> Self:
        await self.caller.connect(self.room)
        self.room.source().start(lambda frame: self.heard.append((now(), any(frame.data))), lambda: None)
        sink = self.caller.audio_sink
        assert sink is not None
        sink.attach(self.sink_log)
        self.sink = sink
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.caller.aclose()

    def say(self, seconds: float) -> str:
        self._segments += 1
        name = f"segment-{self._segments}"
        self.sink.begin(name)
        self.sink.write(name, speech(seconds))
        self.sink.end(name)
        return name

    @property
    def began(self) -> list[float]:
        return [round(at, 2) for _, at in self.caller.spoken]

    @property
    def voice(self) -> list[float]:
        """When the caller's voice set in and ended, as heard on the line."""
        edges = []
        loud = False
        for at, sounds in self.heard:
            if sounds != loud:
                edges.append(round(at - 0.02, 2))
                loud = sounds
        return edges


@in_virtual_time
async def test_waits_for_the_agent_to_finish_and_then_a_moment() -> None:
    async with Call(CallerLine("hello", speech(0.5), pause=0.7)) as call:
        await asyncio.sleep(1.0)
        call.say(2.0)
        await asyncio.sleep(5.0)
        assert call.began == [3.7]
        assert call.voice == [pytest.approx(3.7, abs=0.021), pytest.approx(4.2, abs=0.021)]


@in_virtual_time
async def test_a_second_sentence_of_the_agent_is_waited_for() -> None:
    async with Call(CallerLine("hello", speech(0.5), pause=0.7)) as call:
        call.say(1.0)
        await asyncio.sleep(1.5)
        call.say(1.0)
        await asyncio.sleep(5.0)
        assert call.began == [3.2]


@in_virtual_time
async def test_speaks_over_the_next_reply() -> None:
    lines = CallerLine("menu", speech(0.5), pause=0.5), CallerLine("stop", speech(0.5), into_reply=1.5)
    async with Call(*lines) as call:
        call.say(1.0)
        await asyncio.sleep(2.5)  # "menu" was said from 1.5 to 2.0
        name = call.say(10.0)
        await asyncio.sleep(2.0)
        assert call.began == [1.5, 4.0]
        call.sink.clear(name)
        assert call.sink_log.finished()[-1].interrupted


@in_virtual_time
async def test_a_reply_too_short_to_speak_over_is_answered_when_it_is_over() -> None:
    lines = CallerLine("menu", speech(0.5), pause=0.5), CallerLine("stop", speech(0.5), into_reply=1.5, pause=0.5)
    async with Call(*lines) as call:
        call.say(1.0)
        await asyncio.sleep(2.5)
        call.say(1.0)
        await asyncio.sleep(2.0)
        assert call.began == [1.5, 4.0]


@in_virtual_time
async def test_does_not_speak_twice_over_an_agent_that_cannot_be_stopped() -> None:
    lines = CallerLine("stop", speech(0.5), into_reply=1.0), CallerLine("thanks", speech(0.5), into_reply=1.0)
    async with Call(*lines) as call:
        call.say(8.0)
        await asyncio.sleep(7.0)
        assert call.began == [1.0]


@in_virtual_time
async def test_goes_on_after_waiting_in_vain() -> None:
    lines = CallerLine("hello", speech(0.5)), CallerLine("anybody there", speech(0.5))
    async with Call(*lines, patience=3.0) as call:
        await asyncio.sleep(7.0)
        assert call.began == [3.0, 6.5]


@in_virtual_time
async def test_hangs_up_after_the_last_answer() -> None:
    async with Call(CallerLine("goodbye", speech(0.5), pause=0.5), hang_up_after=1.0) as call:
        call.say(1.0)
        await asyncio.sleep(2.5)
        call.say(1.0)
        await asyncio.sleep(1.9)
        assert call.room.told == [("joined", "caller")]
        await asyncio.sleep(0.2)
        assert call.room.told[-1] == ("left", "caller", "hung up")


@in_virtual_time
async def test_is_silent_once_closed() -> None:
    call = Call(CallerLine("hello", speech(0.5)), patience=1.0)
    async with call:
        pass
    await asyncio.sleep(3.0)
    assert call.began == []
    with pytest.raises(SessionStateError, match="connected once"):
        await call.caller.connect(call.room)


@in_virtual_time
async def test_types_where_there_is_no_audio() -> None:
    shown: list[TranscriptSegment] = []
    lines = CallerLine("menu", pause=0.2), CallerLine("when do you close", into_reply=0.3), CallerLine("bye", pause=0.2)
    caller = ScriptedCaller(lines, hang_up_after=0.5, on_transcript=shown.append)
    room = RoomLog()
    await caller.connect(room)
    assert caller.audio_sink is None

    def agent(segment: str, text: str, *, final: bool = False) -> None:
        caller.publish_transcript(TranscriptSegment("agent", segment, text, final))

    agent("s-1", "Hello.", final=True)
    await asyncio.sleep(0.3)
    caller.publish_transcript(TranscriptSegment("caller", "u-1", "menu", final=True))
    agent("s-2", "Tonight ")
    await asyncio.sleep(0.4)
    agent("s-2", "", final=True)
    agent("s-3", "At eleven.", final=True)
    await asyncio.sleep(0.3)
    agent("s-4", "Goodbye.", final=True)
    await asyncio.sleep(0.6)
    assert room.texts() == ["menu", "when do you close", "bye"]
    assert room.told[-1] == ("left", "caller", "hung up")
    assert [segment.text for segment in shown if segment.participant == "caller"] == ["menu"]
    await caller.aclose()


@pytest.mark.parametrize(
    "make, what",
    [
        (lambda: ScriptedCaller([]), "needs lines"),
        (lambda: ScriptedCaller([CallerLine("a", ramp(160)), CallerLine("b")]), "all of them with audio"),
        (lambda: ScriptedCaller([CallerLine("a")], patience=0.0), "patience"),
        (lambda: ScriptedCaller([CallerLine("a")], hang_up_after=-1.0), "hang_up_after"),
        (lambda: CallerLine("a", pause=-1.0), "pause must be >= 0"),
        (lambda: CallerLine("a", into_reply=-0.1), "into_reply must be >= 0"),
    ],
)
def test_contradictions(make: Callable[[], object], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        make()
