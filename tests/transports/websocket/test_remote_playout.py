"""The sink whose listener is elsewhere: nothing is heard twice, and positions are what the client played.

The line is a network with a delay in virtual time, with a player at its other end.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from sessionactors import OptionError, SessionStateError
from sessionactors.interfaces.audio_io import PlaybackFinished, PlaybackProgressed, PlaybackStarted, SinkEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError
from sessionactors.testing.websocket_clients import RemotePlayer
from sessionactors.transports.websocket import NativeWire, TwilioMediaStream, WebSocketLimits, Wire
from sessionactors.transports.websocket.playout import LATENCY, RemotePlayout
from sessionactors.transports.websocket.wire import Begin, Clear, Cleared, Mark, Played, Sound, Told

from tests.transports.fakes import ramp
from tests.transports.virtual import in_virtual_time, now

RATE = 8000


@dataclass
class Line:
    """A network: each way takes ``delay`` seconds. The client is deaf, or answers nothing, as the test wants."""

    sink: RemotePlayout
    player: RemotePlayer
    delay: float = 0.05
    answers: bool = True
    flushes: bool = False
    silent: bool = False
    going: deque[Callable[[], object]] = field(default_factory=deque)
    coming: deque[Played | Cleared] = field(default_factory=deque)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def post(self, *words: Told) -> None:
        for word in words:
            if not (self.silent and isinstance(word, Sound)):
                self._there(lambda word=word: self._arrived(word))  # type: ignore[misc]

    def silence(self) -> None:
        self.silent = True
        self.loop.call_soon_threadsafe(self._there, self.player.clear)

    def unsilence(self) -> None:
        self.silent = False

    def _there(self, arrival: Callable[[], object]) -> None:
        """Timers of one instant do not keep their order: what is sent does."""
        self.going.append(arrival)
        self.loop.call_later(self.delay, self._first)

    def _first(self) -> None:
        self.going.popleft()()

    def _arrived(self, word: Told) -> None:
        match word:
            case Begin():
                self.player.begin()
            case Sound(_, pcm):
                self.player.add(pcm)
            case Mark(stretch, samples) if self.answers:
                self.player.mark(lambda: self._back(Played(stretch, samples)))
            case Clear(stretch):
                played = self.player.clear(flush_marks=self.flushes)
                if self.answers and not self.flushes:
                    self._back(Cleared(stretch, played))
            case _:
                pass

    def _back(self, report: Played | Cleared) -> None:
        self.coming.append(report)
        self.loop.call_later(self.delay, lambda: self.sink.heard(self.coming.popleft()))


def native(*, positions: bool = True) -> Wire:
    wire = NativeWire()
    rate = '{"codec": "pcm", "sample_rate": 8000}'
    wire.read(f'{{"type": "hello", "version": 1, "output": {rate}, "positions": {str(positions).lower()}}}')
    return wire


class Stage:
    """A sink with its line, its player, and what it said."""

    def __init__(self, wire: Wire | None = None, *, answers: bool = True, **limits: float) -> None:
        wire = wire or native()
        self.player = RemotePlayer(RATE)
        self.events: list[SinkEvent] = []
        self.line = Line(None, self.player, answers=answers, flushes=not wire.answers_clear)  # type: ignore[arg-type]
        self.sink = self.line.sink = RemotePlayout(self.line, wire, WebSocketLimits(**limits))  # type: ignore[arg-type]
        self.sink.attach(self.events.append)

    def write(self, segment: str, seconds: float, start: int = 0) -> bytes:
        pcm = ramp(round(seconds * RATE), rate=RATE, first=start + 1).data
        for at in range(0, len(pcm), 2 * RATE // 50):
            self.sink.write(segment, AudioFrame(pcm[at : at + 2 * RATE // 50], RATE))
        return pcm

    @property
    def heard(self) -> bytes:
        return b"".join(pcm for _, pcm in self.player.heard)

    @property
    def end(self) -> PlaybackFinished:
        (end,) = [event for event in self.events if isinstance(event, PlaybackFinished)]
        return end

    async def ended(self, count: int = 1) -> None:
        while sum(isinstance(event, PlaybackFinished) for event in self.events) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # of virtual time: it costs nothing


@in_virtual_time
async def test_a_segment_is_heard_whole_and_reported_when_it_was_played() -> None:
    stage = Stage()
    stage.sink.begin("one")
    pcm = stage.write("one", 3.0)
    stage.sink.end("one")
    began = now()
    await stage.ended()
    assert stage.heard == pcm
    assert stage.end == PlaybackFinished("one", 3.0, interrupted=False)
    assert now() - began == pytest.approx(3.0 + 2 * stage.line.delay, abs=0.03)
    assert stage.events[0] == PlaybackStarted("one")
    positions = [event.position for event in stage.events if isinstance(event, PlaybackProgressed)]
    assert positions == sorted(set(positions))
    assert max(after - before for before, after in itertools.pairwise(positions)) <= 0.1001


@in_virtual_time
@pytest.mark.parametrize("positions", [True, False])
async def test_audio_goes_in_few_messages_but_for_the_first_of_a_stretch(positions: bool) -> None:
    stage = Stage(native(positions=positions))
    sent: list[int] = []
    post = stage.line.post

    def counted(*words: Told) -> None:
        sent.extend(len(word.pcm) // 2 for word in words if isinstance(word, Sound))
        post(*words)

    stage.line.post = counted  # type: ignore[method-assign]
    stage.sink.begin("one")
    stage.sink.write("one", ramp(round(3.005 * RATE), rate=RATE, first=1))
    stage.sink.end("one")
    await stage.ended()
    assert sent[0] == RATE // 50
    assert len(sent) <= 34
    assert max(sent) == RATE // 10
    assert stage.end == PlaybackFinished("one", 3.005, interrupted=False)


@in_virtual_time
async def test_never_more_is_on_the_way_than_the_lead() -> None:
    stage = Stage(send_ahead=0.6)
    stage.sink.begin("one")
    stage.write("one", 5.0)
    buffered = 0.0
    for _ in range(20):
        await asyncio.sleep(0.1)
        buffered = stage.player._ends_at - now()
        assert buffered <= 0.6 + 0.02
    assert buffered > 0.3
    stage.sink.close()


@in_virtual_time
async def test_a_clear_ends_where_the_client_says_that_it_was() -> None:
    stage = Stage()
    stage.sink.begin("one")
    pcm = stage.write("one", 3.0)
    await asyncio.sleep(1.234)
    stage.sink.clear("one")
    assert not [event for event in stage.events if isinstance(event, PlaybackFinished)]
    await asyncio.sleep(0.2)
    assert stage.end.interrupted
    assert stage.end.position == pytest.approx(1.234, abs=0.001)  # there 50 ms late, and cleared 50 ms late
    assert stage.heard == pcm[: round(stage.end.position * RATE) * 2]
    stage.write("one", 0.02)
    assert stage.sink.refused == 1


@in_virtual_time
async def test_a_clear_without_an_answer_ends_where_the_clock_says() -> None:
    stage = Stage(answers=False, clear_within=0.3)
    stage.sink.begin("one")
    stage.write("one", 3.0)
    await asyncio.sleep(0.5)
    stage.sink.clear("one")
    await asyncio.sleep(0.31)
    assert stage.end.interrupted
    assert 0.0 <= stage.end.position <= 0.5  # no mark came back: it was not heard beyond the first
    stage.sink.begin("one")  # its name is free again
    stage.sink.close()


@in_virtual_time
async def test_what_a_telephone_gives_back_at_a_clear_does_not_count_as_played() -> None:
    stage = Stage(TwilioMediaStream())
    stage.sink.begin("one")
    stage.write("one", 3.0)
    await asyncio.sleep(1.0)
    stage.sink.clear("one")
    assert stage.end.interrupted  # at once
    really = len(stage.heard) / 2 / RATE
    await asyncio.sleep(0.2)
    assert stage.end.position == pytest.approx(1.0 - stage.line.delay, abs=stage.sink.position_error)
    assert len(stage.heard) / 2 / RATE <= really
    stage.sink.begin("two")
    pcm = stage.write("two", 0.3, start=5000)
    stage.sink.end("two")
    await stage.ended(2)
    assert stage.heard.endswith(pcm)
    assert stage.events[-1] == PlaybackFinished("two", 0.3, interrupted=False)


@in_virtual_time
@pytest.mark.parametrize("wire", [native, TwilioMediaStream])
async def test_a_pause_goes_on_where_the_listener_was(wire: type[Wire]) -> None:
    stage = Stage(wire())
    stage.sink.begin("one")
    pcm = stage.write("one", 2.0)
    stage.sink.end("one")
    await asyncio.sleep(0.7)
    stage.sink.pause("one")
    await asyncio.sleep(1.0)
    assert stage.player._ends_at <= now() - 0.9
    heard = len(stage.heard) // 2
    stage.sink.resume("one")
    await stage.ended()
    assert stage.end == PlaybackFinished("one", 2.0, interrupted=False)
    off = round(stage.sink.position_error * RATE)
    missing, twice = pcm[heard * 2 :], stage.heard[heard * 2 :]
    assert abs(len(missing) - len(twice)) <= 2 * off
    if not off:
        assert stage.heard == pcm


@in_virtual_time
async def test_a_pause_before_its_answer_came_can_be_taken_back_or_cut() -> None:
    stage = Stage()
    for name in ("resumed", "cut"):
        stage.sink.begin(name)
        pcm = stage.write(name, 1.0)
        await asyncio.sleep(0.4)
        stage.sink.pause(name)
        (stage.sink.resume if name == "resumed" else stage.sink.clear)(name)
        stage.sink.end(name)
        await stage.ended(1 if name == "resumed" else 2)
        if name == "resumed":
            assert stage.heard == pcm
    resumed, cut = [event for event in stage.events if isinstance(event, PlaybackFinished)]
    assert resumed == PlaybackFinished("resumed", 1.0, interrupted=False)
    assert cut.interrupted
    assert cut.position == pytest.approx(0.4, abs=0.001)


@in_virtual_time
async def test_paused_before_its_first_frame_nothing_is_sent() -> None:
    stage = Stage()
    stage.sink.begin("one")
    stage.sink.pause("one")
    pcm = stage.write("one", 0.4)
    stage.sink.end("one")
    await asyncio.sleep(1.0)
    assert (stage.heard, stage.events) == (b"", [])
    stage.sink.resume("one")
    await stage.ended()
    assert stage.heard == pcm


@in_virtual_time
async def test_without_marks_the_clock_says_what_was_heard() -> None:
    stage = Stage(native(positions=False), answers=False)
    assert stage.sink.position_error > 0
    stage.sink.begin("one")
    pcm = stage.write("one", 0.5)
    await asyncio.sleep(2.0)  # the voice is late: the listener waits
    pcm += stage.write("one", 1.0, start=4000)
    stage.sink.end("one")
    began = now()
    await stage.ended()
    assert stage.heard == pcm
    assert now() - began == pytest.approx(1.0 + LATENCY, abs=0.03)
    stage.sink.begin("two")
    stage.write("two", 2.0)
    await asyncio.sleep(1.0)
    stage.sink.clear("two")
    cut = stage.events[-1]
    assert isinstance(cut, PlaybackFinished)
    assert cut.interrupted
    assert cut.position == pytest.approx(1.0, abs=stage.sink.position_error)


@in_virtual_time
async def test_muted_it_is_silent_until_the_next_segment() -> None:
    stage = Stage()
    stage.sink.begin("one")
    stage.write("one", 2.0)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(stage.sink.mute)
    stage.sink.mute()
    await asyncio.sleep(0.3)
    assert stage.end.interrupted
    assert stage.end.position == pytest.approx(0.5, abs=0.11)
    heard = stage.heard
    stage.write("one", 0.5)
    await asyncio.sleep(1.0)
    assert stage.heard == heard
    stage.sink.begin("two")
    pcm = stage.write("two", 0.2)
    stage.sink.end("two")
    await stage.ended(2)
    assert stage.heard == heard + pcm


@in_virtual_time
async def test_when_the_client_is_lost_every_segment_ends() -> None:
    stage = Stage()
    stage.sink.begin("cut")
    stage.write("cut", 1.0)
    await asyncio.sleep(0.3)
    stage.line.answers = False
    stage.sink.clear("cut")
    stage.sink.begin("playing")
    stage.write("playing", 1.0)
    stage.sink.lost()
    await asyncio.sleep(0)
    ends = [event for event in stage.events if isinstance(event, PlaybackFinished)]
    assert [(end.segment, end.interrupted) for end in ends] == [("cut", True), ("playing", True)]
    stage.sink.begin("late")
    assert stage.events[-1] == PlaybackFinished("late", 0.0, interrupted=True)
    await asyncio.sleep(2.0)
    assert len(stage.events) == len(set(stage.events))


@in_virtual_time
async def test_what_clients_make_up_is_not_believed() -> None:
    stage = Stage(answers=False)
    stage.sink.begin("one")
    stage.write("one", 1.0)
    await asyncio.sleep(0.1)
    for report in (Played(1, 7999), Played(9, 160), Cleared(1, 10**9), Cleared(7, 3)):
        stage.sink.heard(report)
    await asyncio.sleep(0.1)
    assert stage.events == []
    stage.sink.heard(Played(1, 160))
    stage.sink.clear("one")
    stage.sink.heard(Cleared(1, 10**9))  # beyond what was sent
    await asyncio.sleep(0.1)
    assert stage.end.position <= 1.0


@in_virtual_time
async def test_a_sink_is_used_in_order() -> None:
    stage = Stage()
    stage.sink.begin("one")
    with pytest.raises(SessionStateError, match="while 'one' is open"):
        stage.sink.begin("two")
    with pytest.raises(AudioFormatError, match="8000 Hz"):
        stage.sink.write("one", AudioFrame(b"\0\0", 16000))
    stage.sink.end("one")
    assert stage.end == PlaybackFinished("one", 0.0, interrupted=False)
    stage.sink.begin("three")
    stage.write("three", 0.1)
    stage.sink.end("three")
    with pytest.raises(SessionStateError, match="still playing"):
        stage.sink.begin("three")
    for nothing in (stage.sink.clear, stage.sink.pause, stage.sink.resume, stage.sink.end):
        nothing("unknown")
    stage.sink.close()
    stage.sink.close()
    assert stage.heard == b""


def test_limits_are_positive() -> None:
    with pytest.raises(OptionError, match="send_ahead must be > 0, got 0"):
        WebSocketLimits(send_ahead=0)
