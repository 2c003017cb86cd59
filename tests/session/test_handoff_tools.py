"""What becomes of the tools and the calls of an agent that leaves."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import (
    Agent,
    AgentHandoff,
    ConversationItemAddedEvent,
    FunctionCallOutput,
    RunContext,
    Toolset,
    function_tool,
)
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import Session, near, played


class Line(Toolset):
    """A set with a connection, and a tool that takes its time."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(id="line")
        self.log = log

    async def setup(self) -> None:
        self.log.append("setup")

    async def aclose(self) -> None:
        await asyncio.sleep(0.5)
        self.log.append("aclose")

    @function_tool
    async def call_back(self, context: RunContext[object]) -> str:
        """Calls somebody back."""
        await context.update("Calling.")
        await asyncio.sleep(5.0)
        self.log.append("called")
        return "called"


def taken_over(run: Run) -> float:
    """When the second agent did."""
    added = [event for event in run.events if isinstance(event.event, ConversationItemAddedEvent)]
    return next(
        event.at
        for event in added
        if isinstance(event.event.item, AgentHandoff) and event.event.item.old_agent_id is not None  # type: ignore[union-attr]
    )


def with_line(log: list[str], next_agent: Agent, *, at: float = 2.0) -> Scenario:
    scenario = Scenario(Agent(instructions="", id="first", tools=[Line(log)]), audio=False)
    scenario.user_types("Call back.", at=0.5)
    scenario.llm_replies(tool_calls=[("call_back", "{}")])
    scenario.llm_replies("I am calling.")

    def hand_over(session: Session) -> None:
        log.append("handoff")
        session.update_agent(next_agent)

    scenario.call(at, hand_over)
    scenario.call(20.0, lambda session: None)
    return scenario


def test_a_call_that_may_not_be_cancelled_goes_on_with_its_tools_and_holds_up_no_handoff() -> None:
    def talk() -> Scenario:
        logs.append([])
        return with_line(logs[-1], Agent(instructions="", id="second"))

    logs: list[list[str]] = []
    run = played(talk())
    explore(talk, schedules=6)
    assert all(log == ["setup", "handoff", "called", "aclose"] for log in logs)
    assert taken_over(run) == near(2.0)
    assert [item.output for item in run.history if isinstance(item, FunctionCallOutput)][-1] == "called"


@pytest.mark.parametrize("actor", ["tools", "agent"])
def test_p12_tool_sets_are_let_go_of_when_those_who_keep_them_have_been_restarted(actor: str) -> None:
    for message in range(1, 14, 2):
        log: list[str] = []
        scenario = with_line(log, Agent(instructions="", id="second"))
        scenario.kill(actor, message=message)
        played(scenario)
        assert log[-1] == "aclose"


def test_a_tool_set_that_two_agents_have_stays_open_between_them() -> None:
    log: list[str] = []
    line = Line(log)
    scenario = Scenario(Agent(instructions="", id="first", tools=[line]), audio=False)
    scenario.call(1.0, lambda session: session.update_agent(Agent(instructions="", id="second", tools=[line])))
    scenario.user_types("Call back.", at=3.0)
    scenario.llm_replies(tool_calls=[("call_back", "{}")])
    scenario.llm_replies("I am calling.")
    scenario.llm_replies("They are called.")
    scenario.call(2.0, lambda session: log.append("second"))
    scenario.call(20.0, lambda session: None)
    assert played(scenario).said() == ["I am calling.", "They are called."]
    assert log == ["setup", "second", "called", "aclose"]


def test_a_tool_set_that_is_being_closed_is_set_up_behind_its_end() -> None:
    log: list[str] = []
    line = Line(log)
    scenario = Scenario(Agent(instructions="", id="first", tools=[line]), audio=False)
    scenario.call(1.0, lambda session: session.update_agent(Agent(instructions="", id="second")))
    scenario.call(1.2, lambda session: session.update_agent(Agent(instructions="", id="third", tools=[line])))
    scenario.call(5.0, lambda session: log.append("third"))
    played(scenario)
    assert log == ["setup", "aclose", "setup", "third", "aclose"]
