"""The program with several participants, in a room in memory."""

from __future__ import annotations

import asyncio
import json
from typing import cast

from sessionactors import AgentSession, ChatMessage, FunctionCallOutput
from sessionactors.testing import Run, Scenario, invariants
from sessionactors.transports import MemoryTransport

from examples import participants


def meeting() -> tuple[Scenario, participants.Chair]:
    chair = participants.Chair()
    scenario = Scenario(chair, frame_ms=100)
    scenario.joins("bob")
    scenario.call(0.0, lambda session: participants.keep_minutes(cast("AgentSession[None]", session), chair))
    return scenario, chair


def played(scenario: Scenario) -> Run:
    run = scenario.play()
    invariants.check(run)
    return run


def test_who_said_what_is_noted_and_the_model_is_told() -> None:
    scenario, _ = meeting()
    answers: list[asyncio.Task[str]] = []
    scenario.user_says("I am for it.", at=0.5, until=1.5)
    scenario.llm_replies("Noted.")
    scenario.user_says("I am against it.", at=6.0, until=7.0, participant="bob")
    scenario.llm_replies("Noted too.")

    def ask(session: AgentSession[object]) -> None:
        room = session.room_io.room
        assert isinstance(room, MemoryTransport)
        answers.append(asyncio.ensure_future(room.call("minutes", identity="bob")))

    scenario.call(11.0, ask)
    run = played(scenario)
    assert json.loads(answers[0].result()) == [["caller", "I am for it."], ["bob", "I am against it."]]
    told = [item.text_content for item in run.requests[-1].items if isinstance(item, ChatMessage)]
    assert "bob says:" in told
    assert run.said() == ["Noted.", "Noted too."]


def test_one_is_given_the_floor_and_it_is_opened_again() -> None:
    scenario, chair = meeting()
    scenario.user_says("Let bob speak.", at=0.5, until=1.5)
    scenario.llm_replies(tool_calls=[("who_is_here", "{}")])
    scenario.llm_replies(tool_calls=[("give_the_floor_to", '{"name": "eve"}')])
    scenario.llm_replies(tool_calls=[("give_the_floor_to", '{"name": "bob"}')])
    scenario.llm_replies("Bob, please.")
    scenario.user_says("But I", at=7.0, until=8.0)
    scenario.user_says("That was all.", at=9.0, until=10.0, participant="bob")
    scenario.llm_replies(tool_calls=[("open_the_floor", "{}")])
    scenario.llm_replies("Thank you.")
    run = played(scenario)
    outputs = [item.output for item in run.history if isinstance(item, FunctionCallOutput)]
    assert outputs[0] == "caller, bob"
    assert "eve is not here. Here are: caller, bob" in outputs[1]
    assert outputs[2:] == ["only bob is heard now", "everybody is heard"]
    assert [name for name, _ in chair.minutes] == ["caller", "bob"]
    assert run.said() == ["Bob, please.", "Thank you."]
