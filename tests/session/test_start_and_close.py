"""The beginning and the end of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sessionactors import (
    ActorSystem,
    Agent,
    AgentSession,
    APIConnectionError,
    ChatContext,
    ChatMessage,
    CloseEvent,
    CloseReason,
    JobContext,
    OptionError,
    SessionStateError,
    TransportEvents,
)
from sessionactors.model.events import AgentStateChangedEvent
from sessionactors.testing import Scenario, ScriptedLLM, invariants
from sessionactors.testing import run as in_virtual_time
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import Noting, Session, keeper, near, one_turn, played, typed


class NoWayIn(MemoryTransport):
    async def connect(self, events: TransportEvents) -> None:
        raise APIConnectionError("the door is locked")


class NeverThere(MemoryTransport):
    async def connect(self, events: TransportEvents) -> None:
        await asyncio.sleep(3600)


async def with_system(test: Callable[[ActorSystem], Awaitable[None]]) -> None:
    system = ActorSystem("running")
    try:
        await test(system)
    finally:
        assert not system.trees
        await system.aclose()


# -- start -----------------------------------------------------------------------------------------------------------


def test_a_second_start_with_the_same_agent_does_nothing() -> None:
    scenario = typed(None, "Hello.")
    scenario.call(2.0, lambda session: session.start(scenario.agent))
    run = played(scenario)
    assert run.said() == ["Answer 1."]


def test_a_second_start_with_another_agent_is_an_error_that_names_both() -> None:
    async def start(session: Session) -> None:
        with pytest.raises(SessionStateError, match=r"runs with agent 'default_agent'; close it .* with 'noting'"):
            await session.start(Noting())

    scenario = typed(None, "Hello.")
    scenario.call(2.0, start)
    played(scenario)


def test_an_agent_runs_in_one_session_at_a_time() -> None:
    async def start(session: Session) -> None:
        with pytest.raises(SessionStateError, match="runs in another session"):
            await AgentSession().start(session.current_agent)

    scenario = typed(None, "Hello.")
    scenario.call(2.0, start)
    played(scenario)


def test_a_component_given_twice_is_an_error() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(llm=ScriptedLLM(), system=system)
        with pytest.raises(OptionError, match=r"llm was given to AgentSession\(...\) and another one to start"):
            await session.start(keeper(), llm=ScriptedLLM())

    in_virtual_time(lambda: with_system(test))


def test_components_may_be_given_to_start() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(system=system)
        await session.start(keeper(), llm=ScriptedLLM(["Hi."]))
        handle = await session.generate_reply(user_input="Hello.")
        assert [item.text_content for item in handle.chat_items if isinstance(item, ChatMessage)] == ["Hi."]
        await session.aclose()

    in_virtual_time(lambda: with_system(test))


def test_a_room_that_cannot_be_reached_fails_the_start_and_leaves_nothing() -> None:
    async def test(system: ActorSystem) -> None:
        agent = keeper()
        session: Session = AgentSession(system=system)
        closes: list[CloseEvent] = []
        session.on("close", closes.append)
        with pytest.raises(APIConnectionError, match="the door is locked"):
            await session.start(agent, room=NoWayIn(), room_name="closed")
        assert agent._session is None
        assert [event.reason for event in closes] == [CloseReason.ERROR]
        assert system.leaks("closed") == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await session.start(agent, room=MemoryTransport(audio=False), room_name="open")  # and may be started again
        assert session.agent_state == "listening"
        await session.aclose()

    in_virtual_time(lambda: with_system(test))


def test_a_job_that_refuses_the_session_fails_the_start_and_leaves_nothing() -> None:
    def refuse(_: Session) -> None:
        raise LookupError("not this one")

    async def test(system: ActorSystem) -> None:
        agent, room = keeper(), MemoryTransport(audio=False)
        session: Session = AgentSession(system=system)
        job = JobContext(room, on_session=refuse)
        with pytest.raises(LookupError):
            await session.start(agent, room=job.room, room_name="refused")
        await session.aclose()
        assert agent._session is None
        assert system.leaks("refused") == []
        await session.start(agent, room=MemoryTransport(audio=False), room_name="taken")
        assert session.agent_state == "listening"
        await session.aclose()

    in_virtual_time(lambda: with_system(test))


def test_a_room_that_never_answers_fails_the_start_in_time() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(system=system)
        began = asyncio.get_running_loop().time()
        with pytest.raises(APIConnectionError, match="could not be linked"):
            await session.start(keeper(), room=NeverThere())
        assert asyncio.get_running_loop().time() - began < 16.0

    in_virtual_time(lambda: with_system(test))


def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(system=system)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await session.start(keeper(), room=NeverThere())
        assert session.agent_state == "initializing"

    in_virtual_time(lambda: with_system(test))


def test_a_closed_session_can_be_started_again() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(llm=ScriptedLLM(["One.", "Two."]), system=system)
        for number in (1, 2):
            await session.start(keeper())
            await session.generate_reply(user_input="Hello.")
            assert len(session.history.messages()) == 2
            await session.aclose()
            assert session.agent_state == "initializing", number

    in_virtual_time(lambda: with_system(test))


def test_what_is_asked_for_before_the_session_listens_is_an_error_that_says_so() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(llm=ScriptedLLM(["Hi."]), system=system)
        starting = asyncio.ensure_future(session.start(keeper(), room=SlowDoor(audio=False)))
        await asyncio.sleep(1.0)
        for call in (session.generate_reply, session.interrupt, lambda: session.say("Hello.")):
            with pytest.raises(SessionStateError, match="the session is starting"):
                call()
        assert session.inspect().room  # looking inside is possible
        await starting
        await session.say("Hello.")
        await session.aclose()

    in_virtual_time(lambda: with_system(test))


class Hasty(MemoryTransport):
    async def connect(self, events: TransportEvents) -> None:
        await super().connect(events)
        self.type("I could not wait.")
        await asyncio.sleep(1.0)


def test_what_is_typed_while_the_room_is_linked_is_answered_and_the_states_are_legal() -> None:
    scenario = Scenario(keeper(), audio=False, room=lambda: Hasty(audio=False))
    scenario.llm_replies("Patience.", ttft=2.0, duration=3.0)
    run = played(scenario)
    assert run.agent_states == ["initializing", "listening", "thinking", "speaking", "listening"]
    assert run.conversation == [("user", "I could not wait."), ("assistant", "Patience.")]


class SlowDoor(MemoryTransport):
    async def connect(self, events: TransportEvents) -> None:
        await asyncio.sleep(2.0)
        await super().connect(events)


def test_an_agents_own_conversation_is_shown_to_its_model_and_is_not_in_the_history() -> None:
    context = ChatContext()
    context.add_message(role="user", content="Earlier.")
    run = played(typed(Agent(instructions="Be kind.", chat_ctx=context), "Now."))
    assert [text for _, text in run.conversation] == ["Now.", "Answer 1."]
    asked = [item.text_content for item in run.requests[0].items if isinstance(item, ChatMessage)]
    assert asked == ["Be kind.", "Earlier.", "Now."]


# -- close -----------------------------------------------------------------------------------------------------------


def test_calls_on_a_session_that_is_not_running_are_errors_that_say_so() -> None:
    session: Session = AgentSession()
    for call in (
        lambda: session.say("Hello."),
        session.generate_reply,
        session.interrupt,
        session.inspect,
        session.tap,
        lambda: session.actor("llm"),
        session.why,
    ):
        with pytest.raises(SessionStateError, match="the session is not running; call start"):
            call()
    with pytest.raises(SessionStateError, match="has no agent"):
        _ = session.current_agent


def test_say_after_the_close_is_an_error() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(system=system)
        await session.start(keeper())
        await session.aclose()
        await session.aclose()  # does nothing
        with pytest.raises(SessionStateError, match=r"say\(\): the session has been closed"):
            session.say("Hello.")

    in_virtual_time(lambda: with_system(test))


def test_a_session_that_was_never_started_closes_at_once_and_cannot_be_waited_for() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(system=system)
        await session.aclose()
        with pytest.raises(SessionStateError, match="never started"):
            await session.wait_closed()

    in_virtual_time(lambda: with_system(test))


def test_leaving_the_session_as_a_context_closes_it() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(system=system)
        async with session:
            await session.start(keeper())
        assert session.close_report is not None

    in_virtual_time(lambda: with_system(test))


MOMENTS = {
    "listening": 0.2,
    "the user speaks": 1.5,
    "waiting for the transcript": 2.6,
    "the turn is being decided": 2.9,
    "thinking": 3.05,
    "the reply streams": 3.2,
    "synthesis begins": 3.4,
    "the first sound": 3.51,
    "speaking": 4.5,
    "the user barges in": 5.2,
    "just cut off": 5.5,
    "quiet again": 12.0,
}


@pytest.mark.parametrize("at", MOMENTS.values(), ids=list(MOMENTS))
def test_close_at_any_moment_is_clean_and_in_time(at: float) -> None:
    from tests.session.talks import barge_in

    scenario = barge_in()
    scenario.close(at, deadline=5.0)
    run = played(scenario)
    assert run.close_event.reason is CloseReason.USER_INITIATED
    assert run.close_event.error is None
    assert run.report is not None
    assert "scenario" in run.report.clean


def test_speech_that_is_cut_by_the_close_is_kept_as_far_as_it_was_heard() -> None:
    scenario = one_turn()
    scenario.close(4.5)
    run = played(scenario)
    assert run.said() == ["I am fine,"]
    assert run.agent_states[-1] == "listening"
    assert run.audio[-1].until == near(4.5)


def test_a_trailing_turn_is_stored_without_a_reply() -> None:
    scenario = one_turn()
    scenario.close(2.8)  # the final came at 2.7, the turn would be complete at 3.0
    run = played(scenario)
    assert run.conversation == [("user", "How are you?")]
    assert run.requests == ()


def test_a_transcript_that_is_still_to_come_is_waited_for() -> None:
    scenario = one_turn()
    scenario.close(2.6)  # the final comes at 2.7
    run = played(scenario)
    assert run.conversation == [("user", "How are you?")]
    assert run.close_took < 0.5


def test_a_transcript_that_does_not_come_is_not_waited_for_longer_than_said() -> None:
    scenario = Scenario(keeper())
    scenario.user_says("Too late.", at=0.5, until=2.5, stt_delay=30.0)
    scenario.close(2.6, deadline=5.0)
    run = played(scenario)
    assert run.conversation == []
    assert run.close_took == near(2.0)


class HookOpen(Noting):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        await asyncio.sleep(1.0)
        await super().on_user_turn_completed(turn_ctx, new_message)


def test_a_turn_whose_hook_runs_when_the_session_closes_is_stored() -> None:
    scenario = typed(HookOpen(), "One.", "Two.")
    scenario.close(1.6)  # the hook of the first runs until 1.5, that of the second until 2.6
    run = played(scenario)
    assert [text for role, text in run.conversation if role == "user"] == ["One.", "Two."]


def test_handles_of_a_closed_session_are_over_and_say_why() -> None:
    handles = []
    scenario = Scenario(keeper())
    scenario.tts_speaks(duration=10.0, text="A long story.")
    scenario.call(0.5, lambda session: handles.extend([session.say("A long story."), session.say("Behind it.")]))
    scenario.close(3.0)
    played(scenario)
    assert all(handle.done() and handle.interrupted for handle in handles)


def test_the_close_event_is_the_last_and_comes_once() -> None:
    async def twice(session: Session) -> None:
        await asyncio.gather(session.aclose(), session.aclose(), session.wait_closed())

    scenario = one_turn()
    scenario.call(4.0, twice)
    run = scenario.play()
    invariants.check(run)
    assert len(run.of(CloseEvent)) == 1


def test_callbacks_of_the_close_event_have_run_when_aclose_returns() -> None:
    async def test(system: ActorSystem) -> None:
        session: Session = AgentSession(system=system)
        seen: list[CloseEvent] = []
        session.on("close", seen.append)
        await session.start(keeper())
        await session.aclose()
        assert len(seen) == 1

    in_virtual_time(lambda: with_system(test))


def test_a_participant_who_leaves_ends_the_session() -> None:
    rooms: list[MemoryTransport] = []

    def room() -> MemoryTransport:
        rooms.append(MemoryTransport(silence_rate=16000))
        return rooms[-1]

    scenario = Scenario(keeper(), room=room)
    scenario.call(2.0, lambda _: rooms[0].leave())
    scenario.close(10.0)
    run = played(scenario)
    assert run.close_event.reason is CloseReason.PARTICIPANT_DISCONNECTED
    assert run.ended_at < 4.5


def test_a_link_that_breaks_ends_the_session() -> None:
    rooms: list[MemoryTransport] = []

    def room() -> MemoryTransport:
        rooms.append(MemoryTransport(silence_rate=16000))
        return rooms[-1]

    scenario = Scenario(keeper(), room=room)
    scenario.call(2.0, lambda _: rooms[0].drop())
    scenario.close(10.0)
    run = played(scenario)
    assert run.close_event.reason is CloseReason.PARTICIPANT_DISCONNECTED


class HangsOnExit(Agent):
    async def on_exit(self) -> None:
        await asyncio.sleep(3600)


def test_a_hook_that_hangs_at_the_close_costs_its_time_and_is_ended() -> None:
    scenario = one_turn(HangsOnExit(instructions="Be kind."))
    scenario.close(3.6, deadline=2.0)
    run = played(scenario)
    assert run.close_took <= 2.0 + invariants.CLOSE_SLACK
    assert run.close_event.reason is CloseReason.USER_INITIATED


class NeverLeaves(MemoryTransport):
    async def aclose(self) -> None:
        await asyncio.sleep(2.0)
        await super().aclose()


def test_a_room_that_is_slow_to_leave_does_not_stretch_the_deadline() -> None:
    scenario = Scenario(keeper(), room=lambda: NeverLeaves(silence_rate=16000))
    scenario.close(2.0, deadline=1.0)
    run = scenario.play()
    assert run.close_took <= 1.0 + invariants.CLOSE_SLACK


def test_a_shorter_deadline_wins_over_a_longer_one() -> None:
    async def twice(session: Session) -> None:
        long = asyncio.ensure_future(session.aclose(deadline=60.0))
        await asyncio.sleep(0.5)
        await session.aclose(deadline=1.0)
        await long

    scenario = one_turn(HangsOnExit(instructions="Be kind."))
    scenario.call(4.0, twice)
    run = scenario.play()
    assert run.ended_at < 6.0


def test_shutdown_asks_for_the_close_without_waiting() -> None:
    scenario = one_turn()
    scenario.call(4.0, lambda session: session.shutdown(drain=False))
    run = played(scenario)
    assert run.close_event.reason is CloseReason.USER_INITIATED
    assert run.ended_at < 4.5


def test_states_return_to_their_beginning_without_events() -> None:
    sessions: list[Session] = []
    scenario = one_turn()
    scenario.call(0.1, sessions.append)
    run = played(scenario)
    assert (sessions[0].agent_state, sessions[0].user_state) == ("initializing", "listening")
    assert run.of(AgentStateChangedEvent)[-1].new_state == "listening"
