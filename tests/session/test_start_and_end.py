"""The start and the end of a session from a loop that is not the actors': it is never blocked, and nothing stays."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sessionactors import ActorSystem, Agent, AgentSession, CloseReason, SessionStateError
from sessionactors.runtime import NameTaken
from sessionactors.session import shared_system

from tests.service.rooms import ANSWER, FailingTransport, HangingTransport, answered, answering, until


def session(system: ActorSystem | None = None) -> AgentSession[object]:
    return AgentSession(llm=answering(), system=system)


async def test_sessions_without_a_system_share_one_that_ends_with_the_last() -> None:
    first, second = session(), session()
    await asyncio.gather(first.start(Agent(instructions="")), second.start(Agent(instructions="")))
    [(system, users)] = shared_system._shared.values()
    assert users == 2
    assert await answered(first) == ANSWER
    await first.aclose()
    assert list(shared_system._shared.values()) == [(system, 1)]
    assert await answered(second) == ANSWER
    await second.aclose()
    assert not system.running
    assert shared_system._shared == {}


async def test_a_given_system_that_was_not_started_is_started_and_stays() -> None:
    system = ActorSystem()
    talk = session(system)
    await talk.start(Agent(instructions=""))
    await talk.aclose()
    assert system.running
    await system.aclose()


async def test_a_name_that_is_taken_leaves_the_other_session_and_the_agent_alone() -> None:
    system = ActorSystem()
    first, second, agent = session(system), session(system), Agent(instructions="")
    await first.start(Agent(instructions=""), room_name="a")
    with pytest.raises(NameTaken):
        await second.start(agent, room_name="a")
    await second.aclose()
    with pytest.raises(SessionStateError, match="never started"):
        await second.wait_closed()
    await second.start(agent, room_name="b")
    assert await answered(first) == await answered(second) == ANSWER
    await first.aclose()
    await second.aclose()
    await system.aclose()


async def test_a_close_during_the_start_ends_it() -> None:
    system = ActorSystem()
    talk = session(system)
    start = asyncio.create_task(talk.start(Agent(instructions=""), room=HangingTransport(), room_name="a"))
    await until(lambda: talk._closed is not None)
    await talk.aclose(deadline=1.0)
    with pytest.raises(SessionStateError, match="closed before it was ready"):
        await start
    assert (await talk.wait_closed()).reason is CloseReason.USER_INITIATED
    assert system.leaks("a") == []
    await system.aclose()


async def test_a_start_that_fails_at_once_is_heard_whatever_comes_first() -> None:
    """The end may be told before the start is: both come from the other loop."""
    system = ActorSystem()
    for _ in range(20):
        talk = session(system)
        with pytest.raises(Exception, match="no such room"):
            await talk.start(Agent(instructions=""), room=FailingTransport(), room_name="a")
        with pytest.raises(SessionStateError):
            talk.say("Hello.")
        await talk.aclose()
        assert system.leaks("a") == []
    await system.aclose()


@pytest.mark.may_block("the actor loop is held on purpose", in_functions=["hold"])
async def test_a_start_waits_for_a_busy_actor_loop_without_blocking_its_own() -> None:
    system = ActorSystem()
    await asyncio.to_thread(system.start)
    gate = threading.Event()

    def hold() -> None:
        gate.wait(5.0)

    system.call(hold)
    talk = session(system)
    start = asyncio.create_task(talk.start(Agent(instructions="")))
    for _ in range(5):
        await asyncio.sleep(0.01)  # this loop runs on
    assert not start.done()
    gate.set()
    await start
    assert await answered(talk) == ANSWER
    await talk.aclose()
    await system.aclose()


@pytest.mark.may_block("the actor loop is held on purpose", in_functions=["hold"])
async def test_a_start_given_up_while_the_actor_loop_is_busy_starts_nothing() -> None:
    system = ActorSystem()
    await asyncio.to_thread(system.start)
    gate = threading.Event()

    def hold() -> None:
        gate.wait(5.0)

    system.call(hold)
    talk, agent = session(system), Agent(instructions="")
    start = asyncio.create_task(talk.start(agent, room_name="a"))
    await until(lambda: talk._closed is not None)
    await asyncio.sleep(0.01)
    start.cancel()
    asyncio.get_running_loop().call_later(0.05, gate.set)
    with pytest.raises(asyncio.CancelledError):
        await start
    assert system.trees == {}
    await talk.start(agent, room_name="a")
    await talk.aclose()
    await system.aclose()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)], ids=repr)
async def test_a_callback_that_raises_hurts_nobody(error: BaseException) -> None:
    def fail(event: object) -> None:
        raise error

    async def fail_later(event: object) -> None:
        raise error

    talk = session()
    talk.on("agent_state_changed", fail)
    talk.on("conversation_item_added", fail_later)
    await talk.start(Agent(instructions=""))
    assert await answered(talk) == ANSWER
    await talk.aclose()
