"""The push-to-talk program, in a room in memory: apps press and release the button by calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from sessionactors import AgentSession, RoomOptions, RpcError
from sessionactors.testing import Run, Scenario, invariants
from sessionactors.transports import MemoryTransport

from examples import push_to_talk

ALL_STAY = RoomOptions(close_on_disconnect=False)
LONG = "This is a long announcement for all of you in the house."


class Apps:
    """The apps of everybody in the room, and what their calls came to."""

    def __init__(self, scenario: Scenario) -> None:
        self.answers: list[tuple[str, str, str | int]] = []
        self._scenario = scenario
        self._calls: list[asyncio.Task[None]] = []
        # Scripted ears begin with the first frame: the microphone is closed when they know where they are.
        scenario.call(0.15, lambda session: push_to_talk.Button(cast("AgentSession[None]", session)))

    def call(self, at: float, method: str, identity: str = "caller") -> None:
        def call(session: AgentSession[object]) -> None:
            room = session.room_io.room
            assert isinstance(room, MemoryTransport)
            self._calls.append(asyncio.ensure_future(self._call(room, method, identity)))

        self._scenario.call(at, cast("Callable[[object], object]", call))

    async def _call(self, room: MemoryTransport, method: str, identity: str) -> None:
        try:
            self.answers.append((identity, method, await room.call(method, identity=identity)))
        except RpcError as error:
            self.answers.append((identity, method, error.code))


def talk() -> tuple[Scenario, Apps]:
    scenario = Scenario(
        push_to_talk.FrontDesk(), frame_ms=100, turn_handling={"turn_detection": "manual"}, room_options=ALL_STAY
    )
    return scenario, Apps(scenario)


def played(scenario: Scenario) -> Run:
    run = scenario.play()
    invariants.check(run)
    return run


def test_only_what_is_said_while_the_button_is_held_is_heard_and_answered() -> None:
    scenario, apps = talk()
    scenario.user_says("To somebody else.", at=0.3, until=1.2)
    apps.call(2.0, "start_turn")
    scenario.user_says("When is breakfast?", at=2.2, until=3.2)
    apps.call(4.0, "end_turn")
    scenario.llm_replies("From seven to ten.")
    scenario.user_says("Thanks, all of you.", at=8.0, until=9.0)
    run = played(scenario)
    assert apps.answers == [("caller", "start_turn", ""), ("caller", "end_turn", "When is breakfast?")]
    assert run.conversation == [("user", "When is breakfast?"), ("assistant", "From seven to ten.")]


def test_a_cancelled_turn_is_forgotten() -> None:
    scenario, apps = talk()
    apps.call(0.2, "start_turn")
    scenario.user_says("Never mind.", at=0.4, until=1.4)
    apps.call(2.5, "cancel_turn")
    scenario.close(at=5.0)
    assert played(scenario).conversation == []
    assert apps.answers == [("caller", "start_turn", ""), ("caller", "cancel_turn", "")]


def test_pressing_the_button_cuts_the_agent_off() -> None:
    scenario, apps = talk()
    scenario.call(0.3, lambda session: session.say(LONG))
    scenario.tts_speaks(duration=6.0, text=LONG)
    apps.call(2.0, "start_turn")
    apps.call(2.1, "cancel_turn")
    run = played(scenario)
    ((role, heard),) = run.conversation
    assert role == "assistant"
    assert heard != LONG


def test_one_person_at_a_time_holds_the_button_and_who_leaves_has_released_it() -> None:
    scenario, apps = talk()
    scenario.joins("bob")
    apps.call(0.2, "start_turn")
    apps.call(0.4, "start_turn", "bob")
    apps.call(0.5, "end_turn", "bob")
    scenario.leaves("caller", at=1.0)
    apps.call(1.5, "start_turn", "bob")
    apps.call(1.6, "cancel_turn", "bob")
    scenario.close(at=3.0)
    played(scenario)
    assert apps.answers == [
        ("caller", "start_turn", ""),
        ("bob", "start_turn", push_to_talk.BUSY),
        ("bob", "end_turn", push_to_talk.BUSY),
        ("bob", "start_turn", ""),
        ("bob", "cancel_turn", ""),
    ]
