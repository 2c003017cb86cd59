"""What a session is linked to, as its user sees it: the room and its people, and the session with a realtime model."""

from __future__ import annotations

import pytest

from sessionactors import Agent, AgentSession, CloseReason, OptionError, RoomOptions
from sessionactors.interfaces.realtime import RealtimeSession
from sessionactors.model.errors import SessionStateError
from sessionactors.session.realtime_access import HeldRealtimeSession
from sessionactors.testing import SPEAKING, Scenario
from sessionactors.transports.memory import MemoryTransport

from tests.session.realtime_talks import one_turn as realtime_turn
from tests.session.talks import Session, keeper, near, one_turn, played

# -- the room ----------------------------------------------------------------------------------------------------------


def two_people() -> Scenario:
    """A second one comes at 0.2 s. The first speaks from 0.5 to 1.5 s."""
    scenario = Scenario(keeper(), frame_ms=50)
    scenario.joins("second", at=0.2)
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.llm_otherwise("Well.")
    return scenario


def test_a_room_says_who_is_listened_to() -> None:
    seen: list[object] = []

    def look(session: Session) -> None:
        io = session.room_io
        seen.append((io.transport.label, io.participants, io.linked_participant, io.participant_identity))

    scenario = two_people()
    for at in (0.1, 0.3, 2.0):
        scenario.call(at, look)
    scenario.leaves("caller", at=1.9)
    played(scenario)
    assert seen == [
        ("memory", ("caller",), "caller", None),
        ("memory", ("caller", "second"), "caller", None),
        ("memory", ("second",), "second", None),
    ]


def test_who_is_listened_to_can_be_chosen_while_the_session_runs() -> None:
    seen: list[object] = []
    scenario = two_people()
    scenario.call(0.3, lambda session: session.room_io.set_participant("second"))
    scenario.call(0.4, lambda session: seen.append(session.room_io.participants))
    scenario.user_types("From the first.", at=2.0)
    scenario.user_types("From the second.", at=2.5, participant="second")
    scenario.call(4.0, lambda session: session.room_io.unset_participant())
    scenario.call(4.1, lambda session: seen.append(session.room_io.participants))
    scenario.user_says("Me again.", at=4.5, until=5.5)
    run = scenario.play()  # what the first one typed was not for the agent
    assert seen == [("second",), ("caller", "second")]
    assert [text for role, text in run.conversation if role == "user"] == ["From the second.", "Me again."]


def test_what_was_being_said_by_one_who_is_not_listened_to_any_more_is_answered() -> None:
    scenario = two_people()
    scenario.call(1.8, lambda session: session.room_io.set_participant("second"))
    run = played(scenario)
    assert run.conversation == [("user", "Hello."), ("assistant", "Well.")]


def test_participants_of_other_kinds_are_not_there_for_the_session() -> None:
    rooms: list[MemoryTransport] = []

    def room() -> MemoryTransport:
        rooms.append(MemoryTransport(audio=False, participant=None))
        rooms[-1].join("recorder", kind="egress")
        rooms[-1].join("phone", kind="sip")
        return rooms[-1]

    seen: list[object] = []
    options = RoomOptions(participant_kinds=["sip"])
    scenario = Scenario(keeper(), audio=False, room=room, room_options=options)
    scenario.call(0.1, lambda session: seen.append(session.room_io.participants))
    scenario.user_types("Not for you.", at=0.5, participant="recorder")
    scenario.leaves("recorder", at=1.0)
    scenario.user_types("Hello.", at=1.5, participant="phone")
    scenario.llm_replies("Yes?")
    run = scenario.play()
    assert seen == [("phone",)]
    assert run.conversation == [("user", "Hello."), ("assistant", "Yes?")]
    with pytest.raises(OptionError, match="'robot': a participant is one of standard, sip"):
        RoomOptions(participant_kinds=["robot"])  # type: ignore[list-item]


async def test_without_a_room_there_is_no_room_io() -> None:
    async with AgentSession[object]() as session:
        with pytest.raises(SessionStateError, match="is not running"):
            _ = session.room_io
        await session.start(keeper())
        with pytest.raises(SessionStateError, match="without a room"):
            _ = session.room_io


async def test_keys_of_a_telephone_are_pressed_where_somebody_is_on_the_phone() -> None:
    room = MemoryTransport(audio=False, telephone=True)
    async with AgentSession[object]() as session:
        await session.start(keeper(), room=room)
        assert session.room_io.can_send_dtmf
        for digit in "1#a":
            await session.room_io.publish_dtmf(digit)
        with pytest.raises(OptionError, match="has no key 'x'"):
            await session.room_io.publish_dtmf("x")
    assert room.pressed == ["1", "#", "A"]


async def test_where_nobody_is_on_the_phone_no_key_can_be_pressed() -> None:
    room = MemoryTransport(audio=False)
    async with AgentSession[object]() as session:
        await session.start(keeper(), room=room)
        assert not session.room_io.can_send_dtmf
        with pytest.raises(SessionStateError, match="no telephone"):
            await session.room_io.publish_dtmf("1")
    with pytest.raises(SessionStateError, match="no telephone"):
        await room.publish_dtmf(code=1, digit="1")


# -- the realtime model ------------------------------------------------------------------------------------------------


def test_the_session_with_a_realtime_model_is_there_for_its_agent() -> None:
    seen: list[object] = []
    agent = keeper()

    async def look(session: Session) -> None:
        held = agent.realtime_llm_session
        assert isinstance(held, HeldRealtimeSession)
        await held.update_chat_ctx(held.chat_ctx)
        held.interrupt()
        held.start_user_activity()
        seen.append([item.id for item in held.chat_ctx] == [item.id for item in held.native.chat_ctx])
        for refused in (held.events, lambda: held.say("", request_id=""), lambda: held.generate_reply(request_id="")):
            with pytest.raises(SessionStateError):
                refused()
        with pytest.raises(SessionStateError):
            await held.aclose()
        seen.append(await held.call(kind))

    async def kind(held: RealtimeSession) -> str:
        return type(held).__name__

    scenario = realtime_turn(SPEAKING, agent)
    scenario.call(6.0, look)
    run = played(scenario)
    assert seen == [True, "ScriptedRealtimeSession"]
    assert run.said() == ["I am fine, thank you."]


def test_an_agent_without_a_realtime_model_has_no_realtime_session() -> None:
    agent, seen = keeper(), list[str]()
    with pytest.raises(SessionStateError, match="not running in a session"):
        _ = agent.realtime_llm_session

    def look(session: Session) -> None:
        with pytest.raises(SessionStateError) as refused:
            _ = agent.realtime_llm_session
        seen.append(str(refused.value))

    scenario = one_turn(agent)
    scenario.call(0.2, look)
    played(scenario)
    assert "no realtime session" in seen[0]


def test_while_a_realtime_model_is_being_linked_there_is_no_session_with_it() -> None:
    class Early(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Be kind.")
            self.seen: list[str] = []

        async def on_enter(self) -> None:
            try:
                self.seen.append(type(self.realtime_llm_session).__name__)
            except SessionStateError as error:
                self.seen.append(str(error))

    agent = Early()
    played(realtime_turn(SPEAKING, agent))
    assert "is not open" in agent.seen[0]


# -- why a session ended -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [CloseReason.TASK_COMPLETED, CloseReason.JOB_SHUTDOWN])
def test_a_shutdown_ends_for_the_reason_that_it_is_given(reason: CloseReason) -> None:
    scenario = one_turn()
    scenario.call(4.0, lambda session: session.shutdown(reason=reason))
    run = played(scenario)
    assert (run.close_event.reason, run.close_event.error) == (reason, None)
    assert run.said() == ["I am fine, thank you."]  # drained first
    assert run.audible("speech-1")[-1][1] == near(5.5)
