"""``inspect``, ``why``, ``diagram``, ``tap`` and the debugger's handles on actors, on a session that runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sessionactors import TreeSnapshot
from sessionactors.messages.llm import TextDelta
from sessionactors.runtime.blocked_loop import BlockedLoop
from sessionactors.runtime.snapshot import EffectInfo, MessageInHand, WaitingMessage
from sessionactors.session.why import why
from sessionactors.testing import Scenario

from tests.session.talks import STORY, Noting, Session, barge_in, keeper, one_turn, played, typed


def snapshot_at(scenario: Scenario, at: float) -> TreeSnapshot:
    taken: list[TreeSnapshot] = []
    scenario.call(at, lambda session: taken.append(session.inspect()))
    played(scenario)
    return taken[0]


def test_a_snapshot_in_the_middle_of_a_speech_says_who_does_what() -> None:
    snapshot = snapshot_at(barge_in(), 4.5)
    assert snapshot["floor"].state["current"] == "speech-1"
    assert snapshot["output"].state["playing"] == "speech-1/segment-1"
    assert snapshot["supervisor" if "supervisor" in snapshot else "scenario"].state["agent_state"] == "speaking"
    assert [effect.key for effect in snapshot["tts"].effects] == ["speech-1/segment-1"]
    assert not any(actor.torn for actor in snapshot.values())
    assert "speech-1" in str(snapshot)


def test_a_snapshot_names_obligations_and_open_scopes() -> None:
    snapshot = snapshot_at(one_turn(), 3.2)
    (obligation,) = snapshot.obligations
    assert (obligation.key, obligation.owner) == ("speech-1", "scenario/floor")
    assert obligation.waits_for == "the first sound of speech-1"
    assert [scope for scope in snapshot.open_scopes if scope.startswith("speech-1")] == ["speech-1", "speech-1/step-1"]


def test_why_names_what_a_thinking_agent_waits_for() -> None:
    told: list[str] = []
    scenario = Scenario(keeper())
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY, ttft=4.0, duration=4.2)
    scenario.call(5.0, lambda session: told.append(session.why()))
    scenario.call(20.0, lambda session: told.append(session.why()))
    played(scenario)
    assert told[0].startswith("scenario/floor has waited 2.00 s for the first sound of speech-1")
    assert "scenario/llm has been running speech-1/step-1 for 2.00 s" in told[0]
    assert told[1] == "nothing: no message waits, nothing is owed"


def test_why_names_an_actor_that_is_suspended() -> None:
    told: list[str] = []

    async def hold(session: Session) -> None:
        llm = session.actor("llm")
        await llm.suspend()
        await asyncio.sleep(3.0)
        told.append(session.why())
        await llm.resume()

    scenario = one_turn()
    scenario.call(0.5, hold)
    run = played(scenario)
    assert told[0].startswith("scenario/llm is suspended; GenerateText #")
    assert "from scenario/floor/speech-1 has waited 0.50 s" in told[0]
    assert run.said() == ["I am fine, thank you."]


def test_a_suspended_actor_can_be_stepped_one_message_at_a_time() -> None:
    async def hold(session: Session) -> None:
        history = session.actor("history")
        await history.suspend()
        await asyncio.sleep(1.0)  # the user has typed
        before = session.inspect()["history"]
        assert (before.status.value, before.data_depth) == ("suspended", 1)
        assert await history.step()
        assert session.inspect()["history"].accounts.handled == before.accounts.handled + 1
        assert session.agent_state == "listening"
        await history.resume()
        await asyncio.sleep(0.0)
        assert not await history.step()

    scenario = typed(None, "Hello.")
    scenario.call(0.2, hold)
    run = played(scenario)
    assert run.said() == ["Answer 1."]


def test_an_actor_that_does_not_exist_is_an_error_that_lists_those_that_do() -> None:
    def look(session: Session) -> None:
        with pytest.raises(KeyError, match=r"no actor 'brain'; there are: scenario, scenario/agent"):
            session.actor("brain")

    scenario = typed(None, "Hello.")
    scenario.call(0.2, look)
    played(scenario)


def test_a_tap_shows_messages_as_they_are_handled() -> None:
    words: list[str] = []

    async def watch(session: Session) -> None:
        with session.tap(types=[TextDelta]) as tap:
            async for delivery in tap:
                assert isinstance(delivery.message, TextDelta)
                words.append(delivery.message.text)
                if len(words) == 2:
                    break

    scenario = typed(None, "Hello.")
    scenario.call(0.1, watch)
    played(scenario)
    assert words == ["Answer", " 1."]


def test_a_diagram_of_the_last_turn_and_of_all() -> None:
    drawn: list[str] = []
    scenario = typed(None, "One.", "Two.")
    scenario.call(4.0, lambda session: drawn.extend([session.diagram(), session.diagram(whole=True)]))
    played(scenario)
    last, whole = drawn
    assert last.startswith("sequenceDiagram\n")
    assert "agent->>floor: TurnClaim" in last
    assert whole.count("TurnClaim (") == 2
    assert "speech_1" in whole


def test_a_diagram_can_be_drawn_after_the_close() -> None:
    sessions: list[Session] = []
    scenario = typed(None, "One.")
    scenario.call(0.1, sessions.append)
    played(scenario)
    assert "ScheduleSpeech" in sessions[0].diagram(whole=True)


def test_a_hook_of_the_user_is_named_while_it_runs() -> None:
    class Slow(Noting):
        async def on_user_turn_completed(self, turn_ctx: object, new_message: object) -> None:
            await asyncio.sleep(2.0)

    told: list[str] = []
    scenario = typed(Slow(), "One.")
    scenario.call(1.5, lambda session: told.append(session.why()))
    played(scenario)
    assert "scenario/agent has waited 1.00 s for the reply to turn-1 to be scheduled" in told[0]
    assert "scenario/agent has been running on_user_turn_completed for 1.00 s" in told[0]


# -- why, from any snapshot --------------------------------------------------------------------------------------------


def with_actor(snapshot: TreeSnapshot, path: str, **changes: object) -> TreeSnapshot:
    actor = replace(snapshot[path], **changes)  # type: ignore[arg-type]
    return replace(snapshot, actors={**snapshot.actors, path: actor})


@pytest.fixture(scope="module")
def quiet() -> TreeSnapshot:
    return snapshot_at(typed(None, "Hello."), 3.0)


def test_why_names_a_handler_that_takes_long(quiet: TreeSnapshot) -> None:
    stuck = with_actor(quiet, "scenario/agent", in_hand=MessageInHand(7, "HookReturned", "scenario/agent", 2.5))
    assert why(stuck) == "scenario/agent has been handling HookReturned #7 from scenario/agent for 2.50 s"


def test_why_names_a_loop_that_is_blocked_outside_of_handlers(quiet: TreeSnapshot) -> None:
    assert why(replace(quiet, loop_blocked=3.0)).startswith("the actor loop has not run for 3.00 s")


def test_why_names_a_message_that_has_waited_long(quiet: TreeSnapshot) -> None:
    waiting = WaitingMessage(9, "PlaySegment", "scenario/floor/speech-1", 1.25, None, "")
    late = with_actor(quiet, "scenario/output", data=(waiting,), data_depth=1)
    assert why(late) == "scenario/output has not come to PlaySegment #9 from scenario/floor/speech-1 for 1.25 s"


def test_why_names_work_that_runs_although_nothing_is_owed(quiet: TreeSnapshot) -> None:
    effect = EffectInfo("call-1", 4.0, None, 0, 0, 0, ending=False)
    assert why(with_actor(quiet, "scenario/tools", effects=(effect,))) == (
        "nothing is overdue; scenario/tools has been running call-1 for 4.00 s"
    )


def test_why_names_who_asked_for_it(quiet: TreeSnapshot) -> None:
    handled = quiet["history"].recent[-1]
    effect = EffectInfo("call-1", 4.0, None, 0, 0, 0, ending=False, cause=handled.id)
    line = why(with_actor(quiet, "scenario/history", effects=(effect,)))
    assert line == (
        "nothing is overdue; scenario/history has been running call-1 for 4.00 s, asked for by "
        f"{handled.type} #{handled.id}"
    )
    long_ago = replace(effect, cause=10**9)
    assert "asked for by #1000000000" in why(with_actor(quiet, "scenario/history", effects=(long_ago,)))


def test_why_names_what_holds_a_loop_not_what_has_run_longest(quiet: TreeSnapshot) -> None:
    longest = EffectInfo("call-1", 9.0, None, 0, 0, 0, ending=False)
    blocking = EffectInfo("call-2", 4.0, None, 0, 0, 0, ending=False)
    working = with_actor(quiet, "scenario/tools", effects=(longest, blocking))
    held = BlockedLoop("user", 3.0, "scenario/tools#call-2", "agent.py:7 in look_up")
    assert why(replace(working, blocked=(held,))) == (
        "scenario/tools has been running call-2 for 4.00 s; it blocks the loop of user code for 3.00 s, at "
        "agent.py:7 in look_up"
    )
    assert why(replace(working, blocked=(replace(held, loop="actor", by="Task-3"),))) == (
        "the actor loop has not run for 3.00 s: Task-3 blocks it, at agent.py:7 in look_up"
    )


def test_why_says_where_a_handler_is(quiet: TreeSnapshot) -> None:
    stuck = with_actor(quiet, "scenario/agent", in_hand=MessageInHand(7, "HookReturned", "scenario/agent", 2.5))
    held = BlockedLoop("actor", 2.0, "a callback", "drop_in.py:7 in receive")
    assert why(replace(stuck, blocked=(held,))).endswith("for 2.50 s, at drop_in.py:7 in receive")
