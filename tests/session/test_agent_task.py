"""``AgentTask``: an agent that takes over until it has a result, awaited in a tool or a hook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sessionactors import (
    Agent,
    AgentHandoff,
    AgentTask,
    ChatMessage,
    ErrorEvent,
    FunctionCall,
    FunctionCallOutput,
    RunContext,
    SessionStateError,
    function_tool,
)
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import Session, near, played


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


def test_the_agent_listens_while_a_task_waits_for_the_user() -> None:
    """The tool that awaits the task still runs; that is not what the agent does."""
    run = played(booked())
    assert run.agent_states == [
        *("initializing", "listening"),
        *("thinking", "speaking", "listening"),  # the booking waits for the task, which asks its question
        *("thinking", "listening"),  # the name was taken; then the tool goes on with it
        *("thinking", "speaking", "listening"),
    ]


class Slow(Agent):
    """Has more to do when the task has ended."""

    def __init__(self, *, update: bool) -> None:
        super().__init__(instructions="You book tables.")
        self.update = update

    @function_tool
    async def book(self, context: RunContext[object]) -> str:
        """Book a table."""
        if self.update:
            await context.update("Booking.")
        name = await AsksName()
        await asyncio.sleep(70.0)
        return f"booked for {name}"


@pytest.mark.parametrize("update", [False, True])
def test_p09_a_tool_is_not_overdue_while_its_task_waits_for_the_user(update: bool) -> None:
    scenario = Scenario(Slow(update=update), audio=False)
    scenario.user_types("A table please.", at=0.5)
    scenario.llm_replies(tool_calls=[("book", "{}")])
    if update:
        scenario.llm_replies("I am booking.")
    scenario.user_types("I am Ada.", at=300.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "Ada"}')])
    scenario.llm_replies("Your table is booked.")
    scenario.call(380.0, lambda session: None)
    run = played(scenario)
    assert run.conversation[-1] == ("assistant", "Your table is booked.")
    expired = [(event.at, str(event.event.error)) for event in run.events if isinstance(event.event, ErrorEvent)]
    assert [(at, "tool book" in text) for at, text in expired] == [(near(360.3), True)]


def test_the_booking_goes_on_in_any_order() -> None:
    def expect(run: Run) -> None:
        assert outputs(run) == [("take_name", "", False), ("book", "booked for Ada", False)]
        assert handoffs(run) == [(None, "booking"), ("booking", "asks_name"), ("asks_name", "booking")]
        assert run.said() == ["What is your name?", "Your table is booked."]

    explore(booked, schedules=6, expect=expect)


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


# -- where, and how often --------------------------------------------------------------------------------------------


async def test_a_task_is_awaited_in_tools_and_hooks_only() -> None:
    with pytest.raises(SessionStateError, match=r"'asks_name' is awaited in no tool or hook"):
        await AsksName()


def caught(call: Callable[[Session], object]) -> Exception:
    """What a call to the session raises."""
    found: list[Exception] = []

    async def tried(session: Session) -> None:
        try:
            result = call(session)
            if asyncio.iscoroutine(result):
                await result
        except Exception as error:
            found.append(error)

    scenario = Scenario(Agent(instructions="Be kind."), audio=False)
    scenario.call(0.5, tried)
    played(scenario)
    (error,) = found
    return error


def test_user_code_outside_of_tools_and_hooks_cannot_await_a_task() -> None:
    async def wait(session: Session) -> None:
        await AsksName()

    assert "no tool or hook" in str(caught(wait))


class AwaitsTwice(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You book.")
        self.refused = 0

    @function_tool
    async def book(self) -> str:
        """Book."""
        task = AsksName("")
        task.complete("Ada")
        assert await task == "Ada"
        with pytest.raises(SessionStateError, match="awaited already"):
            await task
        with pytest.raises(SessionStateError, match="complete already"):
            task.complete("Bob")
        self.refused = 2
        return "done"


def test_a_task_can_be_awaited_and_completed_once() -> None:
    agent = AwaitsTwice()
    scenario = Scenario(agent, audio=False)
    scenario.user_types("Book.", at=0.5)
    scenario.llm_replies(tool_calls=[("book", "{}")])
    scenario.llm_replies("Done.")
    run = played(scenario)
    assert agent.refused == 2
    assert handoffs(run) == [(None, "awaits_twice")]  # it had its result before it was awaited


# -- in hooks --------------------------------------------------------------------------------------------------------


class AsksFirst(Agent):
    """Begins with a task."""

    def __init__(self) -> None:
        super().__init__(instructions="You serve.")
        self.name = ""

    async def on_enter(self) -> None:
        self.name = await AsksName()
        self.session.say(f"Hello {self.name}.")


def test_on_enter_may_await_a_task() -> None:
    agent = AsksFirst()
    scenario = Scenario(agent, audio=False)
    scenario.user_types("I am Ada.", at=1.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "Ada"}')])
    run = played(scenario)
    assert run.said() == ["What is your name?", "Hello Ada."]
    assert handoffs(run) == [(None, "asks_first"), ("asks_first", "asks_name"), ("asks_name", "asks_first")]


class AsksLast(Agent):
    async def on_exit(self) -> None:
        name = await AsksName("How was it?")
        await self.session.say(f"You said {name}.")


def test_on_exit_may_await_a_task_before_the_next_agent_takes_over() -> None:
    scenario = Scenario(AsksLast(instructions="You serve.", id="first"), audio=False)
    scenario.call(0.5, lambda session: session.update_agent(Agent(instructions="You follow.", id="next")))
    scenario.user_types("Good.", at=2.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "good"}')])
    run = played(scenario)
    assert handoffs(run) == [(None, "first"), ("first", "asks_name"), ("asks_name", "first"), ("first", "next")]
    assert run.said() == ["How was it?", "You said good."]


# -- several ---------------------------------------------------------------------------------------------------------


class Outer(AgentTask[str]):
    """A task that awaits another one."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the outer task.")

    async def on_enter(self) -> None:
        name = await AsksName()
        self.complete(f"{name} and friends")


def test_tasks_may_be_nested() -> None:
    agent = Booking(Outer)
    run = played(booked(agent))
    assert agent.names == ["Ada and friends"]
    assert handoffs(run) == [
        (None, "booking"),
        ("booking", "outer"),
        ("outer", "asks_name"),
        ("asks_name", "outer"),
        ("outer", "booking"),
    ]


def test_f11_nested_tasks_in_any_order() -> None:
    def expect(run: Run) -> None:
        assert outputs(run)[-1] == ("book", "booked for Ada and friends", False)

    explore(lambda: booked(Booking(Outer)), schedules=5, expect=expect)


def test_tasks_of_one_turn_take_turns() -> None:
    agent = Booking()
    scenario = Scenario(agent, audio=False)
    scenario.user_types("Two tables please.", at=0.5)
    scenario.llm_replies(tool_calls=[("book", "{}"), ("book", "{}")])
    scenario.user_types("I am Ada.", at=3.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "Ada"}')])
    scenario.user_types("And he is Bob.", at=6.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "Bob"}')])
    scenario.llm_replies("Both are booked.")
    run = played(scenario)
    assert agent.names == ["Ada", "Bob"]
    assert [new for _, new in handoffs(run)] == ["booking", "asks_name", "booking", "asks_name", "booking"]
    assert run.said() == ["What is your name?", "What is your name?", "Both are booked."]


# -- ends that are not its own ---------------------------------------------------------------------------------------


class Careful(Booking):
    """Survives a task that fails."""

    @function_tool
    async def ask(self) -> str:
        """Ask for a name."""
        task = self.make()
        self.tasks.append(task)
        try:
            return await task
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def asked(agent: Agent) -> Scenario:
    scenario = Scenario(agent, audio=False)
    scenario.user_types("A table please.", at=0.5)
    scenario.llm_replies(tool_calls=[("ask", "{}")])
    scenario.llm_otherwise("All right.")
    return scenario


def test_a_cancelled_task_raises_where_it_is_awaited() -> None:
    agent = Careful()
    scenario = asked(agent)
    scenario.call(2.0, lambda session: agent.tasks[0].cancel())
    run = played(scenario)
    assert outputs(run) == [("ask", "ToolError: task asks_name was cancelled", False)]
    assert [new for _, new in handoffs(run)] == ["careful", "asks_name", "careful"]


def test_cancelling_cuts_off_what_the_task_says() -> None:
    agent = Careful()
    scenario = Scenario(agent, min_silence=0.5)
    scenario.user_says("A table please.", at=0.5, until=1.5)
    scenario.llm_replies(tool_calls=[("ask", "{}")])
    scenario.tts_speaks(duration=8.0, text="What is your name?")
    scenario.llm_replies("All right.")
    scenario.call(5.0, lambda session: agent.tasks[0].cancel())
    run = played(scenario)
    assert max(until for _, until in run.audible("speech-2")) < 5.3
    assert run.said()[-1] == "All right."


class Fails(AsksName):
    async def on_enter(self) -> None:
        self.complete(KeyError("no names"))


def test_a_task_may_end_with_an_error() -> None:
    run = played(asked(Careful(Fails)))
    assert outputs(run) == [("ask", "KeyError: 'no names'", False)]


class Spawns(Agent):
    """Its tool does not wait for its own task."""

    def __init__(self) -> None:
        super().__init__(instructions="You book.")

    @function_tool
    async def ask(self) -> str:
        """Ask, and forget about it."""
        self.waiting = asyncio.ensure_future(self._wait())
        await asyncio.sleep(1.0)
        return "never mind"

    async def _wait(self) -> str:
        try:
            return await AsksName()
        except SessionStateError as error:
            return str(error)


def test_a_task_whose_tool_returns_before_it_ends_with_an_error() -> None:
    agent = Spawns()
    run = played(asked(agent))
    assert outputs(run) == [("ask", "never mind", False)]
    assert agent.waiting.result() == "tool 'ask' returned before task 'asks_name' had ended"
    assert [new for _, new in handoffs(run)] == ["spawns", "asks_name", "spawns"]


def test_there_is_no_hand_back_when_the_agent_was_changed_meanwhile() -> None:
    agent = Careful()
    after = Agent(instructions="You are after.", id="after")
    scenario = asked(agent)
    scenario.call(2.0, lambda session: session.update_agent(after))
    scenario.user_types("Hello?", at=3.0)
    run = played(scenario)
    assert [new for _, new in handoffs(run)] == ["careful", "asks_name", "after"]
    assert outputs(run) == [
        ("ask", "ToolError: task asks_name did not end: another agent has taken over from it", False)
    ]
    assert instructions(run)[-1] == "You are after."
    assert agent.tasks[0].done()


class HandsOver(AsksName):
    @function_tool
    async def give_up(self) -> Agent:
        """Let somebody else do it."""
        return Agent(instructions="You are after.", id="after")


def test_a_tool_of_a_task_may_hand_over_to_another_agent() -> None:
    scenario = asked(Careful(HandsOver))
    scenario.user_types("I do not want to.", at=2.0)
    scenario.llm_replies(tool_calls=[("give_up", "{}")])
    run = played(scenario)
    assert [new for _, new in handoffs(run)] == ["careful", "hands_over", "after"]
    assert run.snapshot is not None
    assert run.state_of("agent")["stack"] == ["after"]


# -- the session -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0.6, 0.9, 1.2, 2.0, 3.05, 3.2])
def test_f11_a_close_while_a_task_is_awaited_ends_in_time_and_the_tool_is_told(at: float) -> None:
    scenario = booked()
    scenario.close(at, deadline=3.0)
    run = played(scenario)
    assert run.close_took < 1.0


def test_a_close_while_tasks_are_nested_ends_in_time() -> None:
    agent = Booking(Outer)
    scenario = booked(agent)
    scenario.close(2.0, deadline=3.0)
    run = played(scenario)
    assert run.close_took < 1.0
    assert agent.tasks[0].done()


def test_who_awaits_a_task_can_be_seen() -> None:
    seen: list[str] = []
    owed: list[str] = []

    def look(session: Session) -> None:
        seen.append(session.why())
        owed.extend(obligation.waits_for for obligation in session.inspect().obligations)

    scenario = booked()
    scenario.call(2.0, look)
    played(scenario)
    assert "book (call-1-1) of speech-1 waits for task asks_name" in seen[0]
    assert "task asks_name to end, which a tool of speech-1 awaits" in owed


def test_the_speech_whose_tool_awaits_a_task_is_not_cut_off_by_what_the_user_says_to_the_task() -> None:
    run = played(booked())
    interrupted = [item for item in run.history if isinstance(item, ChatMessage) and item.interrupted]
    assert not interrupted
    assert run.said()[-1] == "Your table is booked."


@pytest.mark.parametrize("actor", ["agent", "history"])
@pytest.mark.parametrize("message", [3, 6, 9, 12, 15, 18])
def test_a_task_survives_the_restart_of_who_keeps_it(actor: str, message: int) -> None:
    scenario = booked()
    scenario.kill(actor, message=message)
    run = played(scenario)
    assert [text for role, text in run.conversation if role == "user"] == ["A table please.", "I am Ada."]
    assert run.said()[-1] == "Your table is booked."
