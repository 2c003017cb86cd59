"""What becomes of an ``on_enter`` when the actor that runs it fails: nobody waits for it for ever."""

from __future__ import annotations

import asyncio

from sessionactors import Agent, AgentTask, HookCutOffError, ToolError, function_tool
from sessionactors.runtime.messages import Kill
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import Session, played

KILLED_AT = 1.5


class Greets(AgentTask[str]):
    """Does all that it does when it enters."""

    entered = 0

    def __init__(self) -> None:
        super().__init__(instructions="Greet.")

    async def on_enter(self) -> None:
        Greets.entered += 1
        await asyncio.sleep(5.0)
        self.complete("greeted")


class Host(Agent):
    """Awaits it in a tool, or when it enters."""

    def __init__(self, *, at_once: bool = False) -> None:
        super().__init__(instructions="You are the host.")
        self.at_once = at_once
        self.seen: list[BaseException] = []

    async def on_enter(self) -> None:
        if self.at_once:
            await self.await_task()

    @function_tool
    async def greet(self) -> str:
        """Greet the user."""
        return await self.await_task()

    async def await_task(self) -> str:
        """And note what it raises."""
        try:
            return await Greets()
        except BaseException as error:
            self.seen.append(error)
            raise


def kill_agent(session: Session) -> None:
    session.actor("agent").cell.deliver_system(Kill(RuntimeError("the test kills agent")))


def greeted(agent: Agent, *, killed_at: float = KILLED_AT) -> Scenario:
    """Somebody's on_enter is cut off; what the user types then is answered."""
    scenario = Scenario(agent, audio=False)
    scenario.user_types("Hello?", at=0.5)
    scenario.call(killed_at, kill_agent)
    scenario.user_types("Anybody there?", at=4.0)
    return scenario


def called() -> Scenario:
    scenario = greeted(Host())
    scenario.llm_replies(tool_calls=[("greet", "{}")])
    scenario.llm_replies("I could not.")
    scenario.llm_replies("Yes.")
    return scenario


def cut_off(run: Run) -> list[str]:
    return [str(event.error) for event in run.errors if isinstance(event.error, HookCutOffError)]


def test_p09_a_tool_whose_task_lost_its_on_enter_gets_an_error_and_the_call_goes_on() -> None:
    Greets.entered, agent = 0, Host()
    scenario = greeted(agent)
    scenario.llm_replies(tool_calls=[("greet", "{}")])
    scenario.llm_replies("I could not.")
    scenario.llm_replies("Yes.")
    run = played(scenario)
    (error,) = agent.seen
    assert isinstance(error, ToolError)
    assert str(error).startswith("task greets failed: on_enter of greets was cut off, and is not run again")
    assert cut_off(run) == [str(error).removeprefix("task greets failed: ")]
    assert run.said() == ["I could not.", "Yes."]
    assert Greets.entered == 1


def test_p09_a_task_that_lost_its_on_enter_in_any_order_of_messages() -> None:
    explore(called, schedules=8)


def test_an_on_enter_that_awaits_a_task_is_cut_off_with_it_and_the_agent_goes_on() -> None:
    agent = Host(at_once=True)
    scenario = greeted(agent, killed_at=0.3)
    scenario.llm_replies("Hello.")
    scenario.llm_replies("Yes.")
    run = played(scenario)
    assert [type(error) for error in agent.seen] == [asyncio.CancelledError]
    assert [line.split(" was")[0] for line in cut_off(run)] == ["on_enter of host", "on_enter of greets"]
    assert run.said() == ["Hello.", "Yes."]


class EndsEarly(Greets):
    """Is complete before its ``on_enter`` is over."""

    async def on_enter(self) -> None:
        self.complete("greeted")
        await asyncio.sleep(5.0)


def test_a_task_that_is_complete_gives_its_result_though_its_on_enter_is_cut_off() -> None:
    class Hosts(Host):
        async def await_task(self) -> str:
            return await EndsEarly()

    scenario = greeted(Hosts())
    scenario.llm_replies(tool_calls=[("greet", "{}")])
    scenario.llm_replies("Done.")
    scenario.llm_replies("Yes.")
    run = played(scenario)
    assert run.said() == ["Done.", "Yes."]
    assert len(cut_off(run)) == 1
