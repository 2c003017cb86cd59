"""``AgentTask``: an agent that takes over until it has a result, awaited in a tool or a hook."""

from __future__ import annotations

from collections.abc import Callable

from sessionactors import (
    Agent,
    AgentHandoff,
    AgentTask,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    function_tool,
)
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import played


class AsksName(AgentTask[str]):
    """Finds out a name."""

    def __init__(self, question: str = "What is your name?", **options: object) -> None:
        super().__init__(instructions="Find out the name.", **options)  # type: ignore[arg-type]
        self.question = question
        self.left = 0

    async def on_enter(self) -> None:
        if self.question:
            self.session.say(self.question)

    @function_tool
    async def take_name(self, name: str) -> None:
        """The user said it."""
        self.complete(name)

    async def on_exit(self) -> None:
        self.left += 1


class Booking(Agent):
    """Awaits a task in a tool."""

    def __init__(self, make: Callable[[], AgentTask[str]] = AsksName) -> None:
        super().__init__(instructions="You book tables.")
        self.make = make
        self.tasks: list[AgentTask[str]] = []
        self.names: list[str] = []
        self.entered = 0

    async def on_enter(self) -> None:
        self.entered += 1

    @function_tool
    async def book(self) -> str:
        """Book a table."""
        task = self.make()
        self.tasks.append(task)
        name = await task
        self.names.append(name)
        return f"booked for {name}"


def handoffs(run: Run) -> list[tuple[str | None, str]]:
    return [(item.old_agent_id, item.new_agent_id) for item in run.history if isinstance(item, AgentHandoff)]


def outputs(run: Run) -> list[tuple[str, str, bool]]:
    return [(item.name, item.output, item.is_error) for item in run.history if isinstance(item, FunctionCallOutput)]


def instructions(run: Run) -> list[str]:
    first = [request.items[0] for request in run.requests]
    return [item.text_content for item in first if isinstance(item, ChatMessage)]


def booked(agent: Agent | None = None, **options: object) -> Scenario:
    """The user books; a task asks for the name; the user says it; the booking goes on."""
    scenario = Scenario(agent or Booking(), audio=False, **options)  # type: ignore[arg-type]
    scenario.user_types("A table please.", at=0.5)
    scenario.llm_replies(tool_calls=[("book", "{}")])
    scenario.user_types("I am Ada.", at=3.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "Ada"}')])
    scenario.llm_replies("Your table is booked.")
    return scenario


def test_a_task_takes_over_until_it_is_complete_and_its_result_is_the_tools() -> None:
    agent = Booking()
    run = played(booked(agent))
    assert agent.names == ["Ada"]
    assert handoffs(run) == [(None, "booking"), ("booking", "asks_name"), ("asks_name", "booking")]
    assert outputs(run) == [("take_name", "", False), ("book", "booked for Ada", False)]
    assert run.said() == ["What is your name?", "Your table is booked."]
    assert instructions(run) == ["You book tables.", "Find out the name.", "You book tables."]
    assert (agent.entered, agent.tasks[0].left, agent.tasks[0].done()) == (1, 1, True)  # type: ignore[attr-defined]
    assert agent.tasks[0]._session is None


def test_the_booking_goes_on_in_any_order() -> None:
    def expect(run: Run) -> None:
        assert outputs(run) == [("take_name", "", False), ("book", "booked for Ada", False)]
        assert handoffs(run) == [(None, "booking"), ("booking", "asks_name"), ("asks_name", "booking")]
        assert run.said() == ["What is your name?", "Your table is booked."]

    explore(booked, schedules=20, expect=expect)


def remembered(run: Run, request: int) -> list[str]:
    return [
        item.text_content if isinstance(item, ChatMessage) else item.name
        for item in run.requests[request].items
        if isinstance(item, ChatMessage | FunctionCall)
    ]


def test_who_awaited_the_task_remembers_what_was_said_in_it_but_not_its_instructions_and_calls() -> None:
    run = played(booked())
    assert remembered(run, 2) == [*("You book tables.", "A table please.", "What is your name?", "I am Ada.", "book")]


def test_calls_of_a_task_may_be_remembered_too() -> None:
    run = played(booked(Booking(lambda: AsksName(preserve_function_call_history=True))))
    assert remembered(run, 2) == [
        *("You book tables.", "A table please.", "What is your name?", "I am Ada.", "take_name", "book")
    ]
