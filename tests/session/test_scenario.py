"""The scenarios themselves: their modes, what they refuse, and that the invariants see what is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sessionactors import AgentStateChangedEvent, ChatMessage, OptionError
from sessionactors.runtime import Accounts
from sessionactors.testing import Run, Scenario, TimedEvent, VirtualLoop, invariants
from sessionactors.testing import run as in_virtual_time
from sessionactors.testing.scenario import Mode

from tests.session.talks import Session, barge_in, keeper, one_turn, played, typed


async def test_a_scenario_runs_in_virtual_time_whatever_loop_awaits_it() -> None:
    run = await one_turn().run()
    assert run.said() == ["I am fine, thank you."]
    assert run.ended_at > 5.0


def test_a_scenario_runs_on_a_virtual_loop_that_is_there() -> None:
    run = in_virtual_time(lambda: one_turn().run(4))
    assert run.said() == ["I am fine, thank you."]


@pytest.mark.parametrize("mode", ["running", "own"])
async def test_a_scenario_runs_in_real_time(mode: Mode) -> None:
    scenario = Scenario(keeper(), min_silence=0.1, min_endpointing_delay=0.1)
    scenario.user_says("How are you?", at=0.05, until=0.2, stt_delay=0.05)
    scenario.llm_replies("Fine.", ttft=0.02, duration=0.05)
    scenario.tts_speaks(duration=0.2)
    run = await scenario.run(mode=mode)
    invariants.check(run)
    assert run.conversation == [("user", "How are you?"), ("assistant", "Fine.")]


def test_one_seed_is_one_run() -> None:
    def traced(run: Run) -> list[tuple[int, int, str, str]]:
        return [(d.id, d.began_at, d.target, type(d.message).__name__) for d in run.deliveries]

    first, again, other = (barge_in(frame_ms=100).play(seed) for seed in (5, 5, 6))
    assert traced(first) == traced(again)
    assert traced(first) != traced(other)


def test_what_a_call_raises_the_run_raises() -> None:
    def fails(session: Session) -> None:
        raise KeyError("in the script")

    scenario = one_turn()
    scenario.call(1.0, fails)
    with pytest.raises(KeyError, match="in the script"):
        scenario.play()


def test_a_call_that_never_ends_is_named() -> None:
    async def hangs(session: Session) -> None:
        import asyncio

        await asyncio.sleep(1000)

    scenario = one_turn()
    scenario.call(1.0, hangs)
    with pytest.raises(AssertionError, match=r"these go on: call at 1\.0"):
        scenario.play()


def test_scripts_that_make_no_sense_are_refused() -> None:
    scenario = Scenario(keeper())
    with pytest.raises(OptionError, match="to a later one"):
        scenario.user_says("Backwards.", at=2.0, until=1.0)
    with pytest.raises(OptionError, match="cannot be shorter than ttft"):
        scenario.llm_replies("Too fast.", ttft=1.0, duration=0.5)
    with pytest.raises(OptionError, match="pass text="):
        scenario.tts_speaks(duration=1.0)
    scenario.user_says("One.", at=0.5, until=1.0, stt_delay=0.1)
    scenario.user_says("Two.", at=2.5, until=3.0, stt_delay=0.2)
    with pytest.raises(OptionError, match="have one stt_delay"):
        scenario.play()


def test_audio_can_be_read_back_to_the_word() -> None:
    run = played(barge_in())
    cut, whole = run.audio
    assert cut.segment == "speech-1/segment-1"
    assert cut.words == ("Once", "upon")
    assert whole.words == ("All", "right", "then.")


# -- the invariants see ------------------------------------------------------------------------------------------------


def stale(run: Run) -> Run:
    first, *others = run.audio
    return replace(run, audio=(replace(first, until=first.until + 0.01), *others))


def more_than_heard(run: Run) -> Run:
    def longer(item: object) -> object:
        if isinstance(item, ChatMessage) and item.interrupted:
            return replace(item, content=[item.text_content + " a time"])
        return item

    return replace(run, history=tuple(map(longer, run.history)))  # type: ignore[arg-type]


def a_word_less(run: Run) -> Run:
    first, *others = run.audio
    return replace(run, audio=(replace(first, words=("Once",), words_nearly=("Once",)), *others))


def illegal(run: Run) -> Run:
    at, change = 9.5, AgentStateChangedEvent("listening", "initializing", 0.0, run.deliveries[-1].id)
    *events, close = run.events
    return replace(run, events=(*events, TimedEvent(at, change), close))


def unnamed(run: Run) -> Run:
    def forget(timed: TimedEvent) -> TimedEvent:
        event = timed.event
        return (
            replace(timed, event=replace(event, message_id=0)) if isinstance(event, AgentStateChangedEvent) else timed
        )

    return replace(run, events=tuple(map(forget, run.events)))


def closed_twice(run: Run) -> Run:
    return replace(run, events=(*run.events, run.events[-1]))


def a_turn_lost(run: Run) -> Run:
    kept = [item for item in run.history if not (isinstance(item, ChatMessage) and item.role == "user")]
    return replace(run, history=tuple(kept))


def a_message_lost(run: Run) -> Run:
    return replace(run, accounts=Accounts(received=run.accounts.received + 1, handled=run.accounts.handled))


def left_behind(run: Run) -> Run:
    return replace(run, leaks=("thread x",))


@pytest.mark.parametrize(
    "spoil, promise",
    [
        (stale, "P1"),
        (more_than_heard, "P2"),
        (a_word_less, "P2"),
        (a_turn_lost, "P3"),
        (illegal, "P6"),
        (unnamed, "P6"),
        (closed_twice, "P10"),
        (left_behind, "P17"),
        (a_message_lost, "P18"),
    ],
)
def test_an_invariant_sees_what_is_broken(spoil: Callable[[Run], Run], promise: str) -> None:
    run = barge_in().play()
    assert invariants.broken(run) == []
    assert promise in {found.promise for found in invariants.broken(spoil(run))}
    with pytest.raises(AssertionError, match=f"{promise}: "):
        invariants.check(spoil(run))


def test_a_session_that_does_not_come_to_rest_is_seen() -> None:
    class Hangs(type(keeper())):  # type: ignore[misc]
        async def on_user_turn_completed(self, turn_ctx: object, new_message: object) -> None:
            import asyncio

            await asyncio.sleep(3600)

    run = typed(Hangs(instructions="Be kind."), "One.").play()
    assert not run.settled
    (found,) = [found for found in invariants.broken(run) if found.promise == "P9"]
    assert "scenario/agent: the reply to turn-1" in found.what
    assert VirtualLoop.wall_origin
