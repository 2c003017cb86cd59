"""What interruptions and pauses must survive: sinks that lose or double a signal, slow tools, acts in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from sessionactors import Agent, RunContext, function_tool
from sessionactors.interfaces.audio_io import PlaybackFinished, PlaybackProgressed, PlaybackStarted, SinkEvent
from sessionactors.messages.output import PlayoutFinished, PlaySegment
from sessionactors.testing import Run, Scenario, explore, invariants
from sessionactors.transports.memory import MemorySink, MemoryTransport

from tests.session.talks import STORY, Session, keeper, near, played

KINDS: dict[str, type] = {"started": PlaybackStarted, "progressed": PlaybackProgressed, "finished": PlaybackFinished}


class Unreliable(MemorySink):
    """Loses or doubles the n-th event of a kind, from 1."""

    def __init__(self, kind: str, number: int, *, times: int) -> None:
        super().__init__()
        self.kind, self.number, self.times = KINDS[kind], number, times
        self.seen = 0

    def attach(self, on_event: Callable[[SinkEvent], None]) -> None:
        def report(event: SinkEvent) -> None:
            self.seen += isinstance(event, self.kind)
            struck = isinstance(event, self.kind) and self.seen == self.number
            for _ in range(self.times if struck else 1):
                on_event(event)

        super().attach(report)


class Deaf(MemorySink):
    """Says that it can pause, and does not go on."""

    def resume(self, segment: str) -> None:
        pass


class Room(MemoryTransport):
    def __init__(self, sink: MemorySink) -> None:
        super().__init__(silence_rate=16000, frame_ms=100)
        self._sink = sink


def talk(sink: Callable[[], MemorySink]) -> Scenario:
    """A noise pauses the story, words cut it off, and a reply follows."""
    scenario = Scenario(keeper(), frame_ms=100, false_interruption_timeout=0.6, room=lambda: Room(sink()))
    scenario.user_says("Tell me a story.", at=0.5, until=1.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("", at=3.5, until=4.3)
    scenario.user_says("Stop!", at=6.6, until=7.4)
    scenario.llm_otherwise("Fine.")
    return scenario


def at_rest(run: Run) -> None:
    """The agent listens, nobody owes anything, and every segment was answered for once."""
    assert run.settled
    assert run.agent_states[-1] == "listening"
    # Of a reply whose end was never reported only what was reported is known to be heard.
    assert run.conversation[-1] == ("assistant", "Fine.") or run.errors
    begun = Counter(order.segment for order in run.told(PlaySegment))
    ended = Counter(end.segment for end in run.told(PlayoutFinished))
    assert ended == begun
    assert run.state_of("floor")["pause"] is None
    assert run.state_of("output")["paused"] is None


@pytest.mark.parametrize("times", [0, 2], ids=["lost", "doubled"])
@pytest.mark.parametrize(
    "kind, number", [("started", 1), ("started", 2), ("finished", 1), ("finished", 2), ("progressed", 9)]
)
def test_f20_a_sink_that_loses_or_doubles_a_signal_ends_in_listening(kind: str, number: int, times: int) -> None:
    run = talk(lambda: Unreliable(kind, number, times=times)).play()
    at_rest(run)
    promises = {broken.promise for broken in invariants.broken(run)}
    # A lost end is made up from the last position that was reported.
    assert promises <= ({"P2", "P8"} if times == 0 and kind == "finished" else set())
    assert bool(run.errors) is (times == 0 and kind == "finished")


def test_f20_a_lost_end_is_named() -> None:
    run = talk(lambda: Unreliable("finished", 1, times=0)).play()
    (event,) = run.errors
    assert "reported nothing of speech-1/segment-1" in str(event.error)


def test_f20_a_sink_that_does_not_go_on_is_given_up_by_name() -> None:
    scenario = Scenario(keeper(), frame_ms=100, false_interruption_timeout=0.6, room=lambda: Room(Deaf()))
    scenario.user_says("Tell me a story.", at=0.5, until=1.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("", at=3.5, until=4.3)
    run = scenario.play()
    assert run.settled
    assert run.agent_states[-1] == "listening"
    (event,) = run.errors
    assert "reported nothing of speech-1/segment-1" in str(event.error)


def test_f20_signals_are_lost_in_any_order() -> None:
    for number in range(1, 9):
        run = talk(lambda number=number: Unreliable("progressed", number, times=0)).play(number)  # type: ignore[misc]
        at_rest(run)
    explore(lambda: talk(lambda: Unreliable("finished", 2, times=2)), schedules=3, expect=at_rest)


# -- F9: one owner of the pause ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [4.05, 4.8, 5.39, 5.45])
@pytest.mark.parametrize("act", ["interrupt", "say", "protect", "replace"])
def test_f09_whatever_happens_in_a_pause_it_ends(act: str, at: float) -> None:
    def do(session: Session) -> None:
        current = session.current_speech
        match act:
            case "interrupt":
                session.interrupt()
            case "say":
                session.say("By the way.", priority=10)
            case "protect" if current is not None and not current.done() and not current.interrupted:
                current.allow_interruptions = False
            case "replace":
                session.output.audio = MemorySink()
            case _:
                pass

    scenario = talk(MemorySink)
    scenario.call(at, do)
    run = scenario.play()
    at_rest(run)
    broken = [found for found in invariants.broken(run) if act != "replace" or found.promise not in {"P2", "P8"}]
    assert not broken


# -- F12: a slow tool --------------------------------------------------------------------------------------------------


@function_tool
async def slow(context: RunContext[object]) -> str:
    """Takes its time."""
    await asyncio.sleep(10.0)
    return "done"


def test_f12_a_slow_tool_of_an_interrupted_reply_does_not_hold_up_the_next_one() -> None:
    scenario = Scenario(Agent(instructions="Be kind.", tools=[slow]))
    scenario.user_says("Look it up.", at=0.5, until=1.5)
    scenario.llm_replies("Let me see.", tool_calls=[("slow", "{}")])
    scenario.tts_speaks(duration=1.0)
    scenario.user_says("Never mind.", at=5.0, until=6.0)
    scenario.llm_replies("All right.")
    run = played(scenario)
    assert run.agent_became("speaking")[1] == near(7.0)  # 6.5, and half a second for model and voice
    assert ("assistant", "All right.") in run.conversation
