"""The rule-based responder, as a session sees a model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from sessionactors.interfaces.llm import ChatChunk
from sessionactors.model.chat import ChatContext, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import OptionError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.providers.offline.front_desk import BOOK_TABLE, FRONT_DESK, ORDER_STATUS
from sessionactors.providers.offline.intents import Intent, IntentTable, IntentTool, Slot
from sessionactors.providers.offline.responder import RuleBasedLLM
from sessionactors.testing import virtual_loop

TOOLS = (BOOK_TABLE, ORDER_STATUS)


def conversation(*lines: str) -> ChatContext:
    """User, assistant, user ..."""
    context = ChatContext()
    context.add_message(role="system", content="You are the front desk.")
    for index, line in enumerate(lines):
        context.add_message(role="assistant" if index % 2 else "user", content=line)
    return context


def with_tool_answer(output: str, *, arguments: str = '{"order": 4}', is_error: bool = False) -> ChatContext:
    context = conversation("where is my order number four")
    context.insert(FunctionCall("call_1", "order_status", arguments))
    context.insert(FunctionCallOutput("call_1", "order_status", output, is_error=is_error))
    return context


async def chunks(
    context: ChatContext,
    *,
    table: IntentTable = FRONT_DESK,
    tools: Sequence[ToolDefinition] = TOOLS,
    tool_choice: ToolChoice = "auto",
) -> list[ChatChunk]:
    llm = RuleBasedLLM(table, token_delay=0)
    async with llm.chat(chat_ctx=context, tools=tools, tool_choice=tool_choice) as stream:
        return [chunk async for chunk in stream]


async def reply(context: ChatContext, **options: object) -> str:
    return "".join(chunk.content for chunk in await chunks(context, **options))  # type: ignore[arg-type]


async def test_a_known_phrase_gets_its_reply_word_by_word() -> None:
    found = await chunks(conversation("Well, how do I get there?"))
    assert "".join(chunk.content for chunk in found).startswith("We are on Market Street")
    assert all(len(chunk.content.split()) == 1 for chunk in found[:-1])


async def test_anything_else_gets_the_fallback() -> None:
    assert await reply(conversation("what is the meaning of life")) == FRONT_DESK.fallback


async def test_nothing_said_yet_gets_the_greeting() -> None:
    assert await reply(conversation()) == FRONT_DESK.greeting


async def test_only_the_last_user_message_counts() -> None:
    context = conversation("when do you open", "From noon.", "goodbye")
    assert await reply(context) == "Goodbye. See you soon."


async def test_an_intent_with_a_tool_calls_it() -> None:
    found = await chunks(conversation("book a table for two at seven thirty"))
    calls = [call for chunk in found for call in chunk.tool_calls]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("book_table", {"guests": 2, "time": "19:30"})
    ]
    assert not any(chunk.content for chunk in found)


async def test_every_call_has_an_id_of_its_own() -> None:
    llm = RuleBasedLLM(FRONT_DESK, token_delay=0)
    ids = set()
    for _ in range(3):
        async with llm.chat(chat_ctx=conversation("where is my order number four"), tools=TOOLS) as stream:
            ids.update([call.call_id async for chunk in stream for call in chunk.tool_calls])
    assert len(ids) == 3


@pytest.mark.parametrize(
    "options", [{"tools": ()}, {"tools": (BOOK_TABLE,)}, {"tool_choice": "none"}], ids=["none", "another", "forbidden"]
)
async def test_without_its_tool_an_intent_gives_its_reply(options: dict[str, object]) -> None:
    assert (await reply(conversation("where is my order number four"), **options)).startswith("I can not look up")


async def test_the_answer_of_a_tool_is_told() -> None:
    assert await reply(with_tool_answer("It is on its way.")) == "It is on its way."


async def test_a_failed_tool_is_admitted_with_what_was_asked() -> None:
    assert await reply(with_tool_answer("timeout", is_error=True)) == "I am sorry, I could not find order 4."


async def test_answers_of_several_tools_are_told_in_order() -> None:
    context = with_tool_answer("It is on its way.")
    context.insert(FunctionCall("call_2", "unknown_tool", "{}"))
    context.insert(FunctionCallOutput("call_2", "unknown_tool", "And it rains."))
    assert await reply(context) == "It is on its way. And it rains."


async def test_a_new_question_after_a_tool_is_answered_instead() -> None:
    context = with_tool_answer("It is on its way.")
    context.add_message(role="assistant", content="It is on its way.")
    context.add_message(role="user", content="goodbye")
    assert await reply(context) == "Goodbye. See you soon."


async def test_fields_of_a_tool_answer_and_of_its_call_can_be_named() -> None:
    tool = IntentTool("order_status", {"order": "{number}"}, reply="Order {order} is {state}, {minutes} minutes left.")
    table = IntentTable((Intent("o", ("order {number}",), "", tool),), {"number": Slot({"four": 4})})
    told = with_tool_answer('{"state": "in the oven", "minutes": 5}')
    assert await reply(told, table=table) == "Order 4 is in the oven, 5 minutes left."


async def test_a_tool_answer_without_the_field_is_told_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    tool = IntentTool("order_status", {}, reply="{state}")
    table = IntentTable((Intent("o", ("order",), "", tool),))
    assert await reply(with_tool_answer("[1, 2]", arguments="no json"), table=table) == "[1, 2]"
    assert "tool_answer_incomplete" in caplog.text


async def test_a_slot_that_was_not_said_leaves_nothing_in_the_reply() -> None:
    table = IntentTable((Intent("tea", ("tea [for {number}]",), "Tea {number}."),), {"number": Slot({"two": 2})})
    assert await reply(conversation("tea please"), table=table) == "Tea ."
    assert await reply(conversation("tea for two"), table=table) == "Tea two."


async def test_a_program_that_asks_again_after_an_answer_gets_the_greeting() -> None:
    context = conversation("when do you open", "From noon.")
    context.add_message(role="developer", content="Ask whether the caller is still there.")
    assert await reply(context) == FRONT_DESK.greeting


async def test_words_spoken_while_thinking_do_not_answer_the_question() -> None:
    assert (await reply(conversation("how do i get there", "One moment."))).startswith("We are on Market Street")


async def test_the_last_chunk_counts_words() -> None:
    usage = (await chunks(conversation("goodbye")))[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (6, 4)


def test_tokens_take_the_time_they_were_given() -> None:
    async def timed() -> list[float]:
        loop = asyncio.get_running_loop()
        llm = RuleBasedLLM(FRONT_DESK, first_token_delay=10.0, token_delay=2.0)
        return [loop.time() async for chunk in llm.chat(chat_ctx=conversation("bye bye")) if chunk.content]

    assert virtual_loop.run(timed) == pytest.approx([10.0, 12.0, 14.0, 16.0], abs=0.01)


async def test_a_reply_can_be_cut_off() -> None:
    stream = RuleBasedLLM(FRONT_DESK).chat(chat_ctx=conversation("tell me about the menu"))
    assert (await anext(stream)).content == "Tonight "
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_what_changes_later_does_not_change_a_request() -> None:
    context = conversation("goodbye")
    stream = RuleBasedLLM(FRONT_DESK, token_delay=0).chat(chat_ctx=context)
    context.add_message(role="user", content="tell me about the menu")
    assert "".join([chunk.content async for chunk in stream]) == "Goodbye. See you soon."


def test_negative_delays_are_refused() -> None:
    with pytest.raises(OptionError):
        RuleBasedLLM(FRONT_DESK, token_delay=-1)
