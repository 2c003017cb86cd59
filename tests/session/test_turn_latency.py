"""Where the time of a turn goes (P21): found in the real messages, in parts that add up to the nanosecond."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import ChatContext, ChatMessage, LatencyKind, TurnLatency
from sessionactors.messages.ear import FrameCaptured
from sessionactors.messages.tts import SegmentAudio
from sessionactors.session.turn_latency import turn_latency
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import Noting, Session, barge_in, keeper, near, one_turn, played, typed


def measured(run: Run, turn: str | None = None) -> TurnLatency:
    found = turn_latency(run.deliveries, turn)
    assert found is not None
    return found


def adds_up(run: Run) -> None:
    """The parts of the last turn are its total, each message of the way caused the next, and nothing is unknown."""
    latency = measured(run)
    assert sum(part.nanoseconds for part in latency.parts) == latency.ended_at - latency.began_at
    assert sum(latency.by_kind.values()) == pytest.approx(latency.total)
    assert latency.of(LatencyKind.OUTSIDE) == 0.0
    said = next(i for i, delivery in enumerate(latency.chain) if "#" in delivery.sender)
    for cause, effect in zip(latency.chain[said:], latency.chain[said + 1 :], strict=False):
        assert effect.cause == cause.id
    heard = [piece for piece in run.audio if piece.speech == latency.speech]
    assert (latency.ended_at - run.began) / 1e9 <= heard[0].at + 1e-6
    assert heard[0].at - (latency.ended_at - run.began) / 1e9 == near(0.0)


def test_p21_the_way_from_the_last_frame_heard_to_the_first_frame_spoken_adds_up_in_any_order() -> None:
    explore(lambda: one_turn(frame_ms=50), schedules=5, expect=adds_up)
    explore(lambda: barge_in(frame_ms=50), schedules=3, expect=adds_up)


def test_p21_the_way_begins_at_the_last_frame_of_speech_and_ends_at_the_transport() -> None:
    run = played(one_turn())
    latency = measured(run)
    assert isinstance(latency.chain[0].message, FrameCaptured)
    assert isinstance(latency.chain[-1].message, SegmentAudio)
    assert (latency.began_at - run.began) / 1e9 == near(2.5)
    assert latency.total == near(1.01)
    assert {kind: seconds for kind, seconds in latency.by_kind.items() if seconds} == {"provider": near(1.01)}
    assert [(part.actor, part.seconds) for part in latency.parts] == [
        ("ear-caller/vad", near(0.5)),
        ("llm", near(0.3)),
        ("tts", near(0.21)),
    ]


def test_p21_more_silence_is_a_timers_time_and_a_hook_is_the_users() -> None:
    class Slow(Noting):
        async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
            await asyncio.sleep(0.4)

    latency = measured(played(one_turn(Slow(), min_endpointing_delay=1.2)))
    assert latency.of(LatencyKind.TIMER) == near(0.7)
    assert latency.of(LatencyKind.USER) == near(0.4)
    assert latency.total == near(0.5 + 0.7 + 0.4 + 0.51)
    assert "on_user_turn_completed" in str(latency)


def test_p21_the_session_tells_it_while_it_runs_and_afterwards() -> None:
    seen: list[TurnLatency | None] = []
    scenario = barge_in()
    scenario.call(4.0, lambda session: seen.append(session.turn_latency()))
    scenario.call(9.0, lambda session: seen.extend([session.turn_latency(), session.turn_latency("turn-1")]))
    run = played(scenario)
    first, second, again = seen
    assert first is not None
    assert second is not None
    assert first == again
    assert (first.turn, second.turn) == ("turn-1", "turn-2")
    for told, turn in ((first, "turn-1"), (second, "turn-2")):
        whole = measured(run, turn)
        assert (told.total, told.ended_at) == (near(whole.total), whole.ended_at)
        assert sum(part.nanoseconds for part in told.parts) == told.ended_at - told.began_at


def test_p21_a_typed_turn_is_measured_to_its_first_text() -> None:
    latency = measured(played(typed(None, "Hello")))
    assert latency.total == near(0.1)
    assert [part.actor for part in latency.parts] == ["llm"]


def test_p21_in_real_time_queues_and_handlers_are_part_of_the_sum() -> None:
    scenario = Scenario(keeper(), frame_ms=50)
    scenario.user_says("Hi", at=0.05, until=0.15, stt_delay=0.05)
    scenario.llm_replies("Yes.", ttft=0.02, duration=0.03)
    scenario.tts_speaks(duration=0.2)
    run = asyncio.run(scenario.run(mode="running"))
    latency = measured(run)
    assert sum(part.nanoseconds for part in latency.parts) == latency.ended_at - latency.began_at
    assert latency.of(LatencyKind.HANDLER) > 0
    assert latency.of(LatencyKind.OUTSIDE) == 0.0


def test_p21_a_reply_that_was_prepared_is_the_answer_of_its_turn() -> None:
    run = played(one_turn(preemptive_generation=True))
    latency = measured(run)
    assert latency.turn == "turn-1"
    assert latency.speech == next(piece.speech for piece in run.audio)
    assert latency.total < measured(played(one_turn())).total
    assert sum(part.nanoseconds for part in latency.parts) == latency.ended_at - latency.began_at


def test_a_turn_without_a_reply_has_no_latency() -> None:
    scenario = Scenario(keeper(), without=["llm"])
    scenario.user_says("Hello?", at=0.5, until=1.0)
    seen: list[TurnLatency | None] = []

    def look(session: Session) -> None:
        seen.append(session.turn_latency())

    scenario.call(4.0, look)
    assert turn_latency(played(scenario).deliveries) is None
    assert seen == [None]
    assert turn_latency([]) is None


def test_what_is_not_kept_is_named() -> None:
    run = played(one_turn())
    latency = turn_latency([d for d in run.deliveries if type(d.message).__name__ != "AudioSynthesized"])
    assert latency is not None
    assert latency.of(LatencyKind.OUTSIDE) == near(1.01)
    assert "not kept" in latency.parts[0].what
