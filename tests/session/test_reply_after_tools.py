"""A reply that calls a tool goes on with what the tool answered."""

from __future__ import annotations

from sessionactors import Agent, AgentSession, ChatMessage, FunctionCall, FunctionToolCall, function_tool
from sessionactors.testing import run
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You look things up.")

    @function_tool
    async def order_status(self, order: int) -> str:
        """Look up an order."""
        return f"order {order} is ready"


def test_a_reply_whose_first_step_is_only_a_call_is_heard() -> None:
    call = FunctionToolCall("call-1", "order_status", '{"order": 7}')
    llm = ScriptedLLM([ScriptedReply(tool_calls=(call,)), "Your order is ready."])

    async def conversation() -> list[str]:
        session: AgentSession[None] = AgentSession(llm=llm)
        await session.start(Clerk())
        try:
            await session.generate_reply(user_input="Where is order seven?").wait_for_playout()
            return [item.text_content for item in session.history if isinstance(item, ChatMessage)]
        finally:
            await session.aclose()

    assert run(conversation) == ["Where is order seven?", "Your order is ready."]


def test_what_a_provider_wants_back_with_a_call_is_kept_with_it() -> None:
    call = FunctionToolCall("call-1", "order_status", '{"order": 7}', {"vendor": {"signature": "abc"}})
    llm = ScriptedLLM([ScriptedReply(tool_calls=(call,)), "Your order is ready."])

    async def conversation() -> None:
        async with AgentSession[None](llm=llm) as session:
            await session.start(Clerk())
            await session.generate_reply(user_input="Where is order seven?").wait_for_playout()

    run(conversation)
    (kept,) = [item for item in llm.requests[1].items if isinstance(item, FunctionCall)]
    assert kept.extra == {"vendor": {"signature": "abc"}}
