"""Mocks answer in place of tools, whenever they are put there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from sessionactors import (
    ActorSystem,
    Agent,
    AgentSession,
    FunctionToolCall,
    OptionError,
    RunContext,
    RunResult,
    ToolError,
    function_tool,
    mock_tools,
)
from sessionactors.testing import ScriptedLLM, ScriptedReply, run


class Clerk(Agent):
    """Has a tool."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    @function_tool
    async def price(self, context: RunContext[object], thing: str, count: int = 1) -> str:
        """The price."""
        return f"real price of {count} {thing}"

    @function_tool
    def stock(self) -> int:
        """How many there are."""
        return 7


class Chief(Clerk):
    """A clerk too."""


def asks(number: int) -> ScriptedReply:
    """The model calls both tools."""
    price = FunctionToolCall(f"price-{number}", "price", '{"thing": "hat"}')
    return ScriptedReply(tool_calls=(price, FunctionToolCall(f"stock-{number}", "stock", "{}")))


def talk(
    test: Callable[[AgentSession[object]], Awaitable[None]],
    agent: Callable[[], Agent] = Clerk,
    model: ScriptedLLM | None = None,
) -> None:
    async def main() -> None:
        system = ActorSystem(loop="running")
        system.start()
        llm = model or ScriptedLLM([asks(1), "Done.", asks(2), "Done.", asks(3), "Done."])
        async with AgentSession[object](llm=llm, system=system) as session:
            await session.start(agent())
            await test(session)
        await system.aclose()

    run(main)


def outputs(result: RunResult[object]) -> list[tuple[str, bool]]:
    return [(event.item.output, event.item.is_error) for event in result.events if event.type == "function_call_output"]


REAL = [("real price of 1 hat", False), ("7", False)]


@pytest.mark.parametrize("agent", [Clerk, Chief])
def test_a_mock_entered_after_the_start_answers_until_the_block_ends(agent: Callable[[], Agent]) -> None:
    async def test(session: AgentSession[object]) -> None:
        with mock_tools(Clerk, {"price": lambda thing: f"mocked {thing}"}):
            assert outputs(await session.run(user_input="Price?")) == [("mocked hat", False), ("7", False)]
        assert outputs(await session.run(user_input="Price?")) == REAL

    talk(test, agent)


def test_a_mock_may_be_async_take_the_context_and_raise() -> None:
    async def price(context: RunContext[object], **arguments: object) -> str:
        return f"{context.function_call.name} {arguments}"

    def stock() -> int:
        raise ToolError("nobody has counted")

    async def test(session: AgentSession[object]) -> None:
        with mock_tools(Clerk, {"price": price, "stock": stock}):
            assert outputs(await session.run(user_input="Price?")) == [
                ("price {'thing': 'hat', 'count': 1}", False),
                ("nobody has counted", True),
            ]

    talk(test)


def test_the_model_sees_the_real_tools() -> None:
    model = ScriptedLLM([asks(1), "Done."])

    async def test(session: AgentSession[object]) -> None:
        with mock_tools(Clerk, {"price": lambda: "free"}):
            await session.run(user_input="Price?")
        shown = model.requests[0].tools
        assert [tool.name for tool in shown] == ["price", "stock"]
        assert "thing" in str(shown[0].parameters)

    talk(test, model=model)


def test_mocks_of_a_session_hold_until_they_are_replaced_and_give_way_to_a_block() -> None:
    async def test(session: AgentSession[object]) -> None:
        mock_tools(Clerk, {"price": lambda: "session's"}, session=session)
        with mock_tools(Clerk, {"price": lambda: "block's"}):
            assert outputs(await session.run(user_input="Price?"))[0] == ("block's", False)
        assert outputs(await session.run(user_input="Price?"))[0] == ("session's", False)
        mock_tools(Clerk, {}, session=session)
        assert outputs(await session.run(user_input="Price?")) == REAL

    talk(test)


def test_mocks_of_other_agents_and_sessions_do_not_answer() -> None:
    async def test(session: AgentSession[object]) -> None:
        other = AgentSession[object](llm=ScriptedLLM())
        mock_tools(Clerk, {"price": lambda: "other session's"}, session=other)
        with mock_tools(Chief, {"price": lambda: "chief's"}):
            assert outputs(await session.run(user_input="Price?")) == REAL

    talk(test)


def test_a_mock_must_be_a_function() -> None:
    with pytest.raises(OptionError, match="the mock of 'price' must be a function, got 7"):
        mock_tools(Clerk, {"price": 7})  # type: ignore[dict-item]
