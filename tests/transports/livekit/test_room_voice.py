from __future__ import annotations

import asyncio
import threading

import pytest

from sessionactors.interfaces.audio_io import PlaybackFinished, PlaybackProgressed, PlaybackStarted, SinkEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.transports.livekit.audio_out import LEAD, RoomVoice

from .loopback import FakeQueue
from tests.transports.fakes import SinkLog, ramp
from tests.transports.virtual import in_virtual_time, late

RATE = 24000
BLOCK = 240


def voice(*, listened: bool = True) -> tuple[RoomVoice, FakeQueue, SinkLog]:
    queue = FakeQueue(RATE)
    sink, log = RoomVoice(queue), SinkLog()
    sink.attach(log)
    if listened:
        sink.subscribed()
    return sink, queue, log


def loud(samples: int, level: int = 1000) -> AudioFrame:
    return AudioFrame(level.to_bytes(2, "little") * samples, RATE)


def say(sink: RoomVoice, segment: str, *frames: AudioFrame, end: bool = True) -> None:
    sink.begin(segment)
    for frame in frames:
        sink.write(segment, frame)
    if end:
        sink.end(segment)


@in_virtual_time
async def test_a_segment_is_played_whole_and_reported_once() -> None:
    sink, queue, log = voice()
    say(sink, "a", ramp(6000))
    assert log.take() == [PlaybackStarted("a")]
    await asyncio.sleep(0.3)
    assert log.take() == [
        PlaybackProgressed("a", 0.1),
        PlaybackProgressed("a", 0.2),
        PlaybackFinished("a", 0.25, interrupted=False),
    ]
    assert bytes(queue.heard) == ramp(6000).data


@in_virtual_time
async def test_no_more_than_the_lead_waits_in_the_native_queue() -> None:
    sink, queue, _ = voice()
    say(sink, "a", loud(RATE * 5))
    for _ in range(30):
        await asyncio.sleep(0.05)
        assert len(queue.queued) // 2 <= LEAD * RATE
    assert len(queue.captures) <= 16 * 1.5 * 1  # ten a second and the first


@in_virtual_time
async def test_nothing_is_taken_before_somebody_listens() -> None:
    sink, queue, log = voice(listened=False)
    say(sink, "a", loud(RATE))
    await asyncio.sleep(3.0)
    assert not log.take()
    assert not queue.captures
    sink.subscribed()
    await asyncio.sleep(1.1)
    events = log.take()
    assert events[0] == PlaybackStarted("a")
    assert events[-1] == PlaybackFinished("a", 1.0, interrupted=False)


@in_virtual_time
async def test_a_cut_takes_back_what_waits_and_reports_what_was_heard() -> None:
    sink, queue, log = voice()
    say(sink, "a", loud(RATE * 5))
    await asyncio.sleep(1.0)
    sink.clear("a")
    position = next(event.position for event in log.take() if isinstance(event, PlaybackFinished))
    heard = len(queue.spoken) // 2 / RATE
    assert position == pytest.approx(1.0, abs=0.001)
    assert position == pytest.approx(heard, abs=sink.position_error + 1e-9)
    await asyncio.sleep(1.0)
    assert len(queue.spoken) // 2 / RATE == heard  # not a sample later
    assert sink.statistics.played + sink.statistics.discarded == sink.statistics.written


@in_virtual_time
async def test_silence_follows_a_cut_so_that_the_encoder_keeps_nothing() -> None:
    sink, queue, _ = voice()
    say(sink, "a", loud(RATE))
    await asyncio.sleep(0.5)
    before = len(queue.heard)
    sink.clear("a")
    await asyncio.sleep(0.05)
    assert bytes(queue.heard[before:]).strip(b"\0") == b""
    assert len(queue.heard) - before == 2 * 2 * BLOCK


@in_virtual_time
async def test_what_is_on_its_way_when_it_is_cut_is_not_heard() -> None:
    sink, queue, _ = voice()
    waiting: list[object] = []
    queue.late = waiting.append
    say(sink, "a", loud(RATE))
    sink.clear("a")
    queue.late = None
    waiting.pop()()  # type: ignore[operator]
    await asyncio.sleep(0.5)
    assert not queue.spoken


@in_virtual_time
async def test_a_paused_segment_goes_on_at_the_first_sample_not_reported() -> None:
    sink, queue, log = voice()
    say(sink, "a", ramp(RATE))
    await asyncio.sleep(0.4)
    sink.pause("a")
    events = log.take()
    position = events[-1].position if isinstance(events[-1], PlaybackProgressed) else 0.0
    heard = len(queue.heard)
    await asyncio.sleep(2.0)
    assert len(queue.spoken) // 2 <= heard // 2 + BLOCK
    sink.resume("a")
    await asyncio.sleep(1.0)
    assert log.take()[-1] == PlaybackFinished("a", 1.0, interrupted=False)
    resumed = ramp(RATE).data[round(position * RATE) * 2 :]
    assert bytes(queue.heard).rstrip(b"\0").endswith(resumed.rstrip(b"\0"))


@in_virtual_time
async def test_a_pause_before_the_first_sample_holds_it() -> None:
    sink, queue, log = voice()
    sink.begin("a")
    sink.pause("a")
    sink.write("a", loud(RATE))
    await asyncio.sleep(0.5)
    assert not queue.captures
    assert not log.take()
    sink.resume("a")
    assert log.take() == [PlaybackStarted("a")]


@in_virtual_time
async def test_segments_follow_each_other_without_a_gap() -> None:
    sink, queue, log = voice()
    say(sink, "a", loud(6001, 11))
    say(sink, "b", loud(1000, 22))
    await asyncio.sleep(0.4)
    assert bytes(queue.heard).startswith(loud(6001, 11).data + loud(1000, 22).data)
    kinds = [type(event) for event in log.take() if not isinstance(event, PlaybackProgressed)]
    assert kinds == [PlaybackStarted, PlaybackFinished, PlaybackStarted, PlaybackFinished]


@in_virtual_time
async def test_the_rest_of_a_block_is_not_kept_for_the_next_speech() -> None:
    sink, queue, _ = voice()
    say(sink, "a", loud(250, 11))
    await asyncio.sleep(0.5)
    say(sink, "b", loud(240, 22))
    await asyncio.sleep(0.5)
    assert bytes(queue.heard).strip(b"\0").startswith(loud(250, 11).data)
    assert bytes(queue.heard).endswith(loud(240, 22).data)


@in_virtual_time
async def test_a_short_end_behind_which_a_segment_is_open_is_heard() -> None:
    sink, _, log = voice()
    say(sink, "a", loud(250, 11))
    sink.begin("b")
    await asyncio.sleep(0.5)
    assert PlaybackFinished("a", 250 / RATE, interrupted=False) in log.take()


@in_virtual_time
async def test_clearing_the_second_of_two_leaves_the_first() -> None:
    sink, queue, log = voice()
    say(sink, "a", loud(6000, 11))
    say(sink, "b", loud(1000, 22))
    sink.clear("b")
    await asyncio.sleep(0.3)
    assert queue.spoken == loud(6000, 11).data
    finished = [event for event in log.take() if isinstance(event, PlaybackFinished)]
    assert finished == [
        PlaybackFinished("b", 0.0, interrupted=True),
        PlaybackFinished("a", 0.25, interrupted=False),
    ]


@in_virtual_time
async def test_a_loop_that_is_late_by_less_than_the_lead_leaves_no_gap() -> None:
    sink, _, log = voice()
    say(sink, "a", loud(RATE))
    await asyncio.sleep(0.1)
    late(LEAD - 0.11)
    await asyncio.sleep(1.5)
    assert log.take()[-1] == PlaybackFinished("a", 1.0, interrupted=False)
    assert sink.statistics.underruns == 0


@in_virtual_time
async def test_a_loop_that_is_later_leaves_a_gap_that_is_counted_and_no_sample_is_lost() -> None:
    sink, _, log = voice()
    say(sink, "a", loud(RATE))
    await asyncio.sleep(0.1)
    late(1.0)
    await asyncio.sleep(2.0)
    assert log.take()[-1] == PlaybackFinished("a", 1.0, interrupted=False)
    assert sink.statistics.underruns == 1
    assert sink.statistics.underrun_seconds == pytest.approx(0.8, abs=0.15)


@in_virtual_time
async def test_a_voice_that_comes_in_drops_is_played_as_it_comes() -> None:
    sink, queue, log = voice()
    sink.begin("a")
    for _ in range(5):
        sink.write("a", loud(480))
        await asyncio.sleep(0.1)
    sink.end("a")
    assert log.take()[-1] == PlaybackFinished("a", 0.1, interrupted=False)
    assert sink.statistics.underruns == 4
    assert len(queue.spoken) == 2 * 2400


def test_a_watchdog_mutes_from_its_own_thread_while_the_loop_hangs() -> None:
    events: list[SinkEvent] = []
    queue = FakeQueue(RATE)

    async def main() -> None:
        sink = RoomVoice(queue)
        sink.attach(events.append)
        sink.subscribed()
        say(sink, "a", loud(RATE))
        watchdog = threading.Thread(target=sink.mute)
        watchdog.start()
        watchdog.join()  # the loop does nothing meanwhile
        assert not queue.queued
        await asyncio.sleep(0)
        assert isinstance(events[-1], PlaybackFinished)
        assert events[-1].interrupted
        sink.write("a", loud(240))
        assert sink.refused == 1
        say(sink, "b", loud(240))
        assert queue.queued or queue.heard
        sink.close()

    asyncio.run(main())


@in_virtual_time
async def test_a_track_that_is_not_published_any_more_holds_what_was_not_heard() -> None:
    sink, queue, log = voice()
    say(sink, "a", loud(RATE))
    await asyncio.sleep(0.5)
    sink.unsubscribed()
    await asyncio.sleep(5.0)
    assert abs(len(queue.spoken) / 2 / RATE - 0.5) <= 0.011
    sink.subscribed()
    await asyncio.sleep(0.6)
    assert log.take()[-1] == PlaybackFinished("a", 1.0, interrupted=False)


@in_virtual_time
async def test_a_closed_sink_reports_what_it_cut_off_and_plays_no_more() -> None:
    sink, queue, log = voice()
    say(sink, "a", loud(RATE), end=False)
    await asyncio.sleep(0.1)
    sink.close()
    assert isinstance(log.take()[-1], PlaybackFinished)
    assert queue.closed
    sink.begin("b")
    assert log.take() == [PlaybackFinished("b", 0.0, interrupted=True)]
