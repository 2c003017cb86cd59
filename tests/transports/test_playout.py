from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionactors.interfaces.audio_io import AudioSink, PlaybackFinished, PlaybackProgressed, PlaybackStarted
from sessionactors.model.audio import AudioFrame
from sessionactors.model.errors import AudioFormatError, OptionError, SessionStateError
from sessionactors.transports import PacedPlayout

from .fakes import SinkLog, ramp, samples
from .virtual import in_virtual_time, late, now, run

RATE = 24000


class Captured(PacedPlayout):
    def __init__(self, *, sample_rate: int = RATE) -> None:
        super().__init__(sample_rate=sample_rate)
        self.parts: list[tuple[float, bytes]] = []

    def _played(self, frame: AudioFrame, at: float) -> None:
        self.parts.append((at, frame.data))

    @property
    def pcm(self) -> bytes:
        return b"".join(data for _, data in self.parts)


def attached(sink: PacedPlayout) -> SinkLog:
    log = SinkLog()
    sink.attach(log)
    return log


@in_virtual_time
async def test_a_segment_starts_progresses_and_finishes_at_exact_positions() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(6000))
    sink.end("a")
    assert log.take() == [PlaybackStarted("a")]
    await asyncio.sleep(0.2499)
    assert log.take() == [PlaybackProgressed("a", 0.1), PlaybackProgressed("a", 0.2)]
    await asyncio.sleep(0.0002)
    assert log.take() == [PlaybackFinished("a", 0.25, interrupted=False)]
    assert sink.pcm == ramp(6000).data


@in_virtual_time
async def test_the_finish_comes_when_the_last_sample_was_played() -> None:
    sink = PacedPlayout(sample_rate=RATE)
    finished_at: list[float] = []
    sink.attach(lambda event: finished_at.append(now()) if isinstance(event, PlaybackFinished) else None)
    await asyncio.sleep(1.0)
    sink.begin("a")
    sink.write("a", ramp(2401))
    sink.end("a")
    await asyncio.sleep(1)
    assert finished_at == [pytest.approx(1.0 + 2401 / RATE, abs=1e-9)]


@in_virtual_time
async def test_clear_cuts_at_the_sample_and_reports_at_once() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(12000))
    await asyncio.sleep(0.12345)
    log.take()
    sink.clear("a")
    heard = int(0.12345 * RATE)
    assert log.take() == [PlaybackFinished("a", heard / RATE, interrupted=True)]
    assert sink.pcm == ramp(heard).data
    assert sink.statistics.discarded == 12000 - heard
    await asyncio.sleep(1)
    assert log.events == []
    assert sink.pcm == ramp(heard).data


@in_virtual_time
async def test_clear_of_a_finished_or_unknown_segment_does_nothing() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.end("a")
    log.take()
    sink.clear("a")
    sink.clear("never begun")
    assert log.events == []


@in_virtual_time
async def test_clear_after_the_last_sample_of_an_ended_segment_finds_it_finished() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(240))
    sink.end("a")
    late(0.5)  # the tick that would have said so has not run
    sink.clear("a")
    assert log.finished() == [PlaybackFinished("a", 0.01, interrupted=False)]


@in_virtual_time
async def test_a_segment_never_written_finishes_at_zero_without_a_start() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", AudioFrame(b"", RATE))
    sink.end("a")
    assert log.events == [PlaybackFinished("a", 0.0, interrupted=False)]


@in_virtual_time
async def test_the_clock_pauses_on_an_underrun_and_the_gap_is_counted_once_it_is_over() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(1200))
    await asyncio.sleep(0.25)
    assert log.events[-1] == PlaybackProgressed("a", 0.05)
    assert (sink.underruns, sink.underrun_seconds) == (0, 0.0)
    sink.write("a", ramp(1200, first=1201))
    sink.end("a")
    await asyncio.sleep(0.1)
    assert sink.underruns == 1
    assert sink.underrun_seconds == pytest.approx(0.2)
    assert log.finished() == [PlaybackFinished("a", 0.1, interrupted=False)]
    assert sink.pcm == ramp(2400).data
    assert [at for at, _ in sink.parts] == [pytest.approx(0.0), pytest.approx(0.25)]


@in_virtual_time
async def test_pause_holds_at_the_sample_and_resume_goes_on_with_the_next_one() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(6000))
    await asyncio.sleep(0.12345)
    heard = int(0.12345 * RATE)
    log.take()
    sink.pause("a")
    assert log.take() == [PlaybackProgressed("a", heard / RATE)]
    sink.pause("a")
    sink.write("a", ramp(2400, first=6001))
    sink.end("a")
    await asyncio.sleep(5)
    assert log.events == []
    assert sink.pcm == ramp(heard).data
    sink.resume("a")
    sink.resume("a")
    await asyncio.sleep(1)
    assert log.finished() == [PlaybackFinished("a", 8400 / RATE, interrupted=False)]
    assert sink.pcm == ramp(8400).data
    assert sink.parts[-1][0] == pytest.approx(
        5.12345 + (8400 - heard) / RATE - len(sink.parts[-1][1]) / 2 / RATE, abs=1e-4
    )
    assert sink.underruns == 0


@in_virtual_time
async def test_a_segment_paused_before_its_first_frame_starts_when_it_is_resumed() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.pause("a")
    sink.write("a", ramp(2400))
    await asyncio.sleep(1)
    assert log.events == []
    sink.resume("a")
    assert log.take() == [PlaybackStarted("a")]
    await asyncio.sleep(0.2)
    assert sink.parts[0][0] == pytest.approx(1.0)


@in_virtual_time
async def test_a_paused_segment_is_cleared_where_it_was_held_and_the_next_one_plays() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(24000))
    sink.end("a")
    await asyncio.sleep(0.05)
    sink.pause("a")
    sink.begin("b")
    sink.write("b", ramp(2400))
    sink.end("b")
    await asyncio.sleep(0.5)
    log.take()
    sink.clear("a")
    assert log.take() == [PlaybackFinished("a", 0.05, interrupted=True), PlaybackStarted("b")]
    assert sink.statistics.discarded == 24000 - 1200


@in_virtual_time
async def test_the_time_of_a_pause_is_no_underrun_also_when_the_segment_is_dry() -> None:
    sink = Captured()
    attached(sink)
    sink.begin("a")
    sink.write("a", ramp(1200))
    await asyncio.sleep(0.04)
    sink.pause("a")
    await asyncio.sleep(3)
    sink.resume("a")
    await asyncio.sleep(0.11)
    sink.write("a", ramp(1200))
    await asyncio.sleep(0.1)
    assert sink.underruns == 1
    assert sink.underrun_seconds == pytest.approx(0.1)
    sink.pause("a")
    await asyncio.sleep(3)
    sink.resume("a")
    sink.write("a", ramp(1200))
    sink.end("a")
    await asyncio.sleep(0.1)
    assert sink.underrun_seconds < 0.2


def test_a_sink_that_cannot_pause_says_so() -> None:
    class Plain(PacedPlayout):
        can_pause = False
        pause = AudioSink.pause
        resume = AudioSink.resume

    with pytest.raises(SessionStateError, match="can_pause is False"):
        Plain().pause("a")
    with pytest.raises(SessionStateError, match="cannot resume a"):
        Plain().resume("a")


@in_virtual_time
async def test_an_end_that_comes_late_is_no_underrun() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(1200))
    await asyncio.sleep(0.5)
    assert log.finished() == []
    sink.end("a")
    assert log.finished() == [PlaybackFinished("a", 0.05, interrupted=False)]
    assert sink.underruns == 0


@in_virtual_time
async def test_a_frame_that_comes_in_time_is_no_underrun_even_if_the_loop_is_late() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(2400))
    sink.write("a", ramp(2400, first=2401))
    sink.end("a")
    late(0.15)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert log.events[-1] == PlaybackProgressed("a", 0.15)
    await asyncio.sleep(0.1)
    assert sink.underruns == 0
    assert log.finished() == [PlaybackFinished("a", 0.2, interrupted=False)]


@in_virtual_time
async def test_segments_follow_each_other_without_a_gap() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(2401))
    sink.end("a")
    sink.begin("b")
    sink.write("b", ramp(2400, first=2402))
    sink.end("b")
    await asyncio.sleep(1)
    assert log.events == [
        PlaybackStarted("a"),
        PlaybackProgressed("a", 0.1),
        PlaybackFinished("a", 2401 / RATE, interrupted=False),
        PlaybackStarted("b"),
        PlaybackFinished("b", 0.1, interrupted=False),
    ]
    assert sink.pcm == ramp(4801).data
    assert sink.parts[-1][0] == pytest.approx(2401 / RATE)


@in_virtual_time
async def test_clearing_a_waiting_segment_leaves_the_playing_one_alone() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(4800))
    sink.end("a")
    sink.begin("b")
    sink.write("b", ramp(2400))
    await asyncio.sleep(0.05)
    sink.clear("b")
    assert log.events[-1] == PlaybackFinished("b", 0.0, interrupted=True)
    await asyncio.sleep(1)
    assert log.events[-1] == PlaybackFinished("a", 0.2, interrupted=False)
    assert sink.pcm == ramp(4800).data


@in_virtual_time
async def test_clearing_the_playing_segment_lets_the_waiting_one_play() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(24000))
    sink.end("a")
    sink.begin("b")
    sink.write("b", ramp(2400))
    sink.end("b")
    await asyncio.sleep(0.05)
    log.take()
    sink.clear("a")
    assert log.take() == [PlaybackFinished("a", 0.05, interrupted=True), PlaybackStarted("b")]
    await asyncio.sleep(0.1)
    await asyncio.sleep(0)
    assert log.events == [PlaybackFinished("b", 0.1, interrupted=False)]


@in_virtual_time
async def test_frames_of_a_segment_that_is_not_open_are_refused_and_counted() -> None:
    sink = Captured()
    attached(sink)
    sink.write("a", ramp(240))
    sink.begin("a")
    sink.write("other", ramp(240))
    sink.end("a")
    sink.write("a", ramp(240))
    sink.begin("b")
    sink.clear("b")
    sink.write("b", ramp(240))
    assert sink.refused == 4
    assert sink.statistics.written == 0


@in_virtual_time
async def test_a_second_open_segment_is_an_error_that_names_the_first() -> None:
    sink = Captured()
    attached(sink)
    sink.begin("a")
    with pytest.raises(SessionStateError, match="'b' cannot begin while 'a' is open"):
        sink.begin("b")


@in_virtual_time
async def test_a_name_in_use_cannot_begin_again() -> None:
    sink = Captured()
    attached(sink)
    sink.begin("a")
    sink.write("a", ramp(2400))
    sink.end("a")
    with pytest.raises(SessionStateError, match="names must be unique"):
        sink.begin("a")


@in_virtual_time
async def test_a_sink_that_nobody_listens_to_begins_nothing() -> None:
    with pytest.raises(SessionStateError, match="attach"):
        Captured().begin("a")


@in_virtual_time
async def test_a_frame_in_another_rate_is_an_error() -> None:
    sink = Captured()
    attached(sink)
    sink.begin("a")
    with pytest.raises(AudioFormatError, match="mono at 24000 Hz"):
        sink.write("a", ramp(160, rate=16000))
    with pytest.raises(AudioFormatError):
        sink.write("a", ramp(160, channels=2))


@pytest.mark.parametrize("wrong", [{"sample_rate": 0}, {"progress_interval": 0}])
def test_options_out_of_range_are_errors(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError):
        PacedPlayout(**wrong)


def test_a_sink_plays_on_one_loop() -> None:
    sink = Captured()
    attached(sink)

    async def begin(name: str) -> None:
        sink.begin(name)
        sink.end(name)

    run(begin("a"))
    with pytest.raises(SessionStateError, match="another event loop"):
        run(begin("b"))


@in_virtual_time
async def test_mute_freezes_the_position_at_its_own_instant_however_late_the_loop_is() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(24000))
    sink.end("a")
    sink.begin("b")
    await asyncio.sleep(0.05)
    sink.mute()
    late(0.4)  # the loop hangs on
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert log.finished() == [
        PlaybackFinished("a", 0.05, interrupted=True),
        PlaybackFinished("b", 0.0, interrupted=True),
    ]
    assert sink.pcm == ramp(1200).data


@in_virtual_time
async def test_after_close_segments_finish_at_once_unheard() -> None:
    sink = Captured()
    log = attached(sink)
    sink.close()
    sink.close()
    sink.begin("a")
    sink.write("a", ramp(240))
    sink.end("a")
    assert log.events == [PlaybackFinished("a", 0.0, interrupted=True)]
    assert sink.refused == 1
    assert sink.pcm == b""


@in_virtual_time
async def test_a_mute_ends_what_was_begun_and_the_next_segment_is_heard() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(2400))
    await asyncio.sleep(0.01)
    sink.mute()
    sink.mute()
    sink.write("a", ramp(240))
    sink.begin("b")
    sink.write("b", ramp(240))
    sink.end("b")
    await asyncio.sleep(0.1)
    assert log.finished() == [
        PlaybackFinished("a", 0.01, interrupted=True),
        PlaybackFinished("b", 0.01, interrupted=False),
    ]
    assert sink.refused == 1
    assert sink.pcm == ramp(240).data * 2


@in_virtual_time
async def test_close_reports_what_was_still_playing() -> None:
    sink = Captured()
    log = attached(sink)
    sink.begin("a")
    sink.write("a", ramp(2400))
    await asyncio.sleep(0.01)
    sink.close()
    assert log.events == [PlaybackStarted("a"), PlaybackFinished("a", 0.01, interrupted=True)]


async def test_mute_from_another_thread_reaches_a_real_loop() -> None:
    sink = Captured()
    finished = asyncio.Event()
    log = SinkLog()

    def listen(event: object) -> None:
        if isinstance(event, PlaybackFinished):
            log(event)
            finished.set()

    sink.attach(listen)
    sink.begin("a")
    sink.write("a", ramp(240000))
    watchdog = threading.Thread(target=sink.mute)
    watchdog.start()
    await asyncio.wait_for(finished.wait(), 2)
    watchdog.join()
    assert log.finished()[0].interrupted


def test_mute_after_the_loop_is_gone_is_quiet() -> None:
    sink = Captured()
    attached(sink)

    async def begin() -> None:
        sink.begin("a")

    run(begin())
    sink.mute()


def test_uvloop_plays_in_real_time_and_its_coarse_clock_does_not_spin() -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is an extra")
    ticks = 0

    class Counted(PacedPlayout):
        def _tick(self) -> None:
            nonlocal ticks
            ticks += 1
            super()._tick()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[PlaybackFinished] = loop.create_future()
        sink = Counted(sample_rate=RATE)
        sink.attach(lambda event: finished.set_result(event) if isinstance(event, PlaybackFinished) else None)
        sink.begin("a")
        for _ in range(11):
            sink.write("a", ramp(333))
        sink.end("a")
        assert await asyncio.wait_for(finished, 2) == PlaybackFinished("a", 3663 / RATE, interrupted=False)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
    assert ticks < 20


async def test_a_real_loop_plays_in_real_time() -> None:
    loop = asyncio.get_running_loop()
    sink = Captured()
    finished: asyncio.Future[float] = loop.create_future()
    sink.attach(lambda event: finished.set_result(loop.time()) if isinstance(event, PlaybackFinished) else None)
    begun = loop.time()
    sink.begin("a")
    sink.write("a", ramp(3600))
    sink.end("a")
    assert await asyncio.wait_for(finished, 2) - begun >= 0.15 - 1e-6
    assert sink.pcm == ramp(3600).data


@in_virtual_time
async def test_a_listener_may_begin_the_next_segment_from_within_an_event() -> None:
    sink = Captured()
    log = SinkLog()

    def listen(event: object) -> None:
        if isinstance(event, PlaybackFinished) and event.segment == "a":
            sink.begin("b")
            sink.write("b", ramp(240, first=241))
            sink.end("b")
        log(event)  # type: ignore[arg-type]

    sink.attach(listen)
    sink.begin("a")
    sink.write("a", ramp(240))
    sink.end("a")
    await asyncio.sleep(1)
    assert sorted(event.segment for event in log.finished()) == ["a", "b"]
    assert sink.pcm == ramp(480).data


@in_virtual_time
async def test_positions_do_not_drift_in_ten_minutes_of_odd_frames() -> None:
    sink = PacedPlayout(sample_rate=44100)
    log = attached(sink)
    sink.begin("a")
    frame, count = ramp(1237, rate=44100), 21393  # about ten minutes
    for _ in range(count):
        sink.write("a", frame)
    sink.end("a")
    total = count * 1237
    await asyncio.sleep(total / 44100 - 1e-3)
    assert log.finished() == []
    await asyncio.sleep(1e-3 + 1e-6)
    assert log.finished() == [PlaybackFinished("a", total / 44100, interrupted=False)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["begin", "end", "clear", "pause", "resume"]), st.integers(0, 3)),
        st.tuples(st.just("write"), st.integers(0, 3), st.integers(0, 5000)),
        st.tuples(st.just("wait"), st.floats(0, 0.3)),
        st.tuples(st.just("late"), st.floats(0, 0.3)),
        st.tuples(st.sampled_from(["mute", "close"])),
    ),
    max_size=40,
)


async def perform(steps: list[tuple[object, ...]]) -> tuple[Captured, SinkLog, list[str]]:
    """Carry the steps out; names get a serial number, because each is used once."""
    sink = Captured()
    log = attached(sink)
    begun: list[str] = []
    names = dict.fromkeys(range(4), "")
    for step in steps:
        match step:
            case ["begin", int(slot)]:
                name = f"{slot}.{len(begun)}"
                try:
                    sink.begin(name)
                except SessionStateError:
                    continue
                names[slot] = name
                begun.append(name)
            case ["pause", int(slot)]:
                sink.pause(names[slot])
            case ["resume", int(slot)]:
                sink.resume(names[slot])
            case ["end", int(slot)]:
                sink.end(names[slot])
            case ["clear", int(slot)]:
                sink.clear(names[slot])
            case ["write", int(slot), int(count)]:
                sink.write(names[slot], ramp(count, first=sink.statistics.written + 1))
            case ["wait", float(seconds)]:
                await asyncio.sleep(seconds)
            case ["late", float(seconds)]:
                late(seconds)
            case ["mute"]:
                sink.mute()
            case _:
                sink.close()
    return sink, log, begun


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_every_sample_and_every_segment_is_accounted_for_once(steps: list[tuple[object, ...]]) -> None:
    async def scenario() -> None:
        sink, log, begun = await perform(steps)
        account = sink.statistics
        assert account.written == account.played + account.discarded + account.queued
        sink.close()
        account = sink.statistics
        assert account.queued == 0
        assert account.written == account.played + account.discarded
        assert sorted(event.segment for event in log.finished()) == sorted(begun)
        assert sum(round(event.position * RATE) for event in log.finished()) == account.played
        assert len(samples(sink.pcm)) == account.played
        last: dict[str, float] = {}
        for event in log.events:
            position = 0.0 if isinstance(event, PlaybackStarted) else event.position
            assert position >= last.get(event.segment, 0.0)
            last[event.segment] = position

    run(scenario())


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_what_was_played_is_on_the_time_line_without_overlap(steps: list[tuple[object, ...]]) -> None:
    async def scenario() -> None:
        sink, _, _ = await perform(steps)
        sink.close()
        ends = 0.0
        for at, data in sink.parts:
            assert at >= ends - 1e-6
            ends = at + len(data) / 2 / RATE
        assert ends <= now() + 1e-6

    run(scenario())
