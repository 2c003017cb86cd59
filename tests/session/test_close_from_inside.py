"""``await session.aclose()`` in the user's code that the close waits for: no circle, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Any

import pytest

from sessionactors import (
    Agent,
    ChatContext,
    ChatMessage,
    CloseEvent,
    CloseReason,
    FunctionCallOutput,
    RunContext,
    SessionStateError,
    function_tool,
)
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import near, played

Context = RunContext[Any]


def now() -> float:
    return asyncio.get_running_loop().time()


def closed_at(run: Run) -> float:
    return next(timed.at for timed in run.events if isinstance(timed.event, CloseEvent))


def hangs_up(found: list[str], *, background: bool = False) -> Scenario:
    """The user says goodbye at 0.5 s; the model does, too, and calls a tool that closes the session."""

    @function_tool
    async def hang_up(context: Context) -> str:
        """Ends the call."""
        if background:
            await context.update("One moment.")
        before = now()
        await context.session.aclose()
        found.append(f"took {now() - before:.1f}")
        return "gone"

    scenario = Scenario(Agent(instructions="Be kind.", tools=[hang_up]), audio=False)
    scenario.user_types("Goodbye.", at=0.5)
    scenario.llm_replies("Goodbye.", tool_calls=[("hang_up", "{}")])
    scenario.llm_otherwise("Still here.")
    return scenario


@pytest.mark.parametrize("background", [False, True])
def test_p11_a_tool_that_closes_the_session_is_not_waited_for_in_a_circle(background: bool) -> None:
    found: list[str] = []
    run = played(hangs_up(found, background=background))
    assert found == ["took 0.0"]
    assert run.close_event.reason is CloseReason.USER_INITIATED
    assert closed_at(run) == near(0.7)
    assert run.agent_states == ["initializing", "listening", "thinking", "speaking", "thinking", "listening"]
    assert run.said() == ["Goodbye."]
    assert [item.output for item in run.history if isinstance(item, FunctionCallOutput)][-1] == "gone"
    assert len(run.requests) == 1


def test_a_tool_that_closes_the_session_loses_nothing_in_any_order() -> None:
    def nothing_is_lost(run: Run) -> None:
        assert [item.output for item in run.history if isinstance(item, FunctionCallOutput)] == ["gone"]
        assert run.agent_states[-1] == "listening"

    explore(lambda: hangs_up([]), schedules=6, expect=nothing_is_lost)


class ClosesIn(Agent):
    """Closes the session in one of its hooks or nodes."""

    def __init__(self, where: str) -> None:
        super().__init__(instructions="Be kind.")
        self.where = where
        self.returned: list[float] = []

    async def _here(self, where: str) -> None:
        if where == self.where:
            before = now()
            await self.session.aclose()
            self.returned.append(now() - before)

    async def on_enter(self) -> None:
        await self._here("on_enter")

    async def on_exit(self) -> None:
        await self._here("on_exit")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        await self._here("on_user_turn_completed")

    async def llm_node(self, chat_ctx: ChatContext, tools: Any, model_settings: Any) -> AsyncIterable[Any]:
        await self._here("llm_node")
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk


@pytest.mark.parametrize(
    "where, at", [("on_enter", 0.0), ("on_user_turn_completed", 0.5), ("llm_node", 0.5), ("on_exit", 2.0)]
)
def test_p11_a_hook_or_node_may_close_the_session(where: str, at: float) -> None:
    """A hook is let go on; a node is cut off with its speech."""
    agent = ClosesIn(where)
    scenario = Scenario(agent, audio=False)
    scenario.user_types("Hello.", at=0.5)
    scenario.llm_replies("Hello.")
    if where == "on_exit":
        scenario.close(2.0)
    run = played(scenario)
    assert run.close_event.reason is CloseReason.USER_INITIATED
    assert closed_at(run) == near(at)
    assert agent.returned == ([] if where == "llm_node" else [near(0.0)])
    assert ("Hello." in [item.text_content for item in run.history if isinstance(item, ChatMessage)]) == (
        where != "on_enter"
    )


def test_what_a_tool_leaves_behind_waits_until_the_session_is_closed() -> None:
    seen: list[str] = []

    @function_tool
    async def hang_up_soon(context: Context) -> str:
        """Ends the call in a second."""
        session = context.session
        session.on("close", lambda _: seen.append("closed"))

        async def later() -> None:
            await asyncio.sleep(1.0)
            await session.aclose()
            seen.append("returned")

        left.append(asyncio.ensure_future(later()))
        return "soon"

    left: list[asyncio.Future[None]] = []
    scenario = Scenario(Agent(instructions="Be kind.", tools=[hang_up_soon]), audio=False)
    scenario.user_types("Goodbye.", at=0.5)
    scenario.llm_replies(tool_calls=[("hang_up_soon", "{}")])
    scenario.llm_replies("Goodbye.")
    scenario.call(3.0, lambda _: None)
    run = played(scenario)
    assert seen == ["closed", "returned"]
    assert closed_at(run) < 2.0


@pytest.mark.parametrize("background", [False, True])
def test_p11_a_tool_that_waits_for_the_end_of_the_session_is_told_so_at_once_and_a_task_of_its_own_may(
    background: bool,
) -> None:
    found: list[str] = []

    @function_tool
    async def watch(context: Context) -> str:
        """Stays until the call is over."""
        if background:
            await context.update("One moment.")

        async def waits() -> None:
            closed = await context.session.wait_closed()
            found.append(closed.reason.value)

        found.append("begun")
        context.session.userdata.append(asyncio.create_task(waits()))
        await asyncio.sleep(0)
        try:
            await context.session.wait_closed()
        except SessionStateError as error:
            found.append(str(error))
        return "gone"

    scenario = Scenario(Agent(instructions="Be kind.", tools=[watch]), audio=False, userdata=[])
    scenario.user_types("Goodbye.", at=0.5)
    scenario.llm_replies("Goodbye.", tool_calls=[("watch", "{}")])
    scenario.llm_otherwise("Still here.")
    scenario.close(at=5.0)
    run = played(scenario)
    assert found[:1] + found[2:] == ["begun", "user_initiated"]
    assert found[1].startswith("tool 'watch' waits for the end of the session, which waits for the end of tool 'watch'")
    assert closed_at(run) == near(5.0)
