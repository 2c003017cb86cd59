"""The Responses API through the real SDK: what is sent, what is not sent again, and what comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from sessionactors.interfaces.llm import ChatChunk, CompletionUsage, FunctionToolCall
from sessionactors.model.chat import ChatContext, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, OptionError
from sessionactors.model.tools import ToolDefinition
from sessionactors.providers.openai import responses

from tests.providers.openai.asking import WEATHER, answer, hello, text_of
from tests.wire.openai_responses import Responses, Thoughts, calling
from tests.wire.openai_server import Call, Completion, OpenAIServer


@asynccontextmanager
async def asked(api: Responses, **options: Any) -> AsyncIterator[responses.LLM]:
    async with OpenAIServer(parts=[api]) as server:
        llm = responses.LLM(**{"base_url": server.base_url, **options})
        try:
            yield llm
        finally:
            await llm.aclose()


async def answers(script: Sequence[Completion | str], **options: Any) -> list[ChatChunk]:
    async with asked(Responses(script)) as llm:
        return await answer(llm, **options)


async def failure(completion: Completion, **options: Any) -> APIError:
    with pytest.raises(APIError) as raised:
        await answers([completion], **options)
    return raised.value


def calls_of(chunks: list[ChatChunk]) -> list[FunctionToolCall]:
    return [call for chunk in chunks for call in chunk.tool_calls]


def said(context: ChatContext, role: Any, text: str) -> ChatContext:
    context.add_message(role=role, content=text)
    return context


async def test_a_reply_comes_as_deltas_with_usage_at_the_end() -> None:
    chunks = await answers([Completion("Hello to you.", cached=4, reasoning=1)])
    assert [chunk.content for chunk in chunks if chunk.content] == ["Hello ", "to ", "you."]
    assert [chunk.usage for chunk in chunks if chunk.usage] == [CompletionUsage(3, 7, 4, 1, 1)]
    assert {chunk.request_id for chunk in chunks} == {"resp_0"}


async def test_what_is_asked() -> None:
    api = Responses(["Yes.", "Yes."])
    async with asked(api) as llm:
        await answer(llm)
    assert api.asked[0] == {
        "model": "gpt-4.1",
        "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
        "stream": True,
    }
    async with asked(
        api,
        model="gpt-5",
        reasoning={"effort": "low"},
        temperature=0.5,
        verbosity="low",
        max_output_tokens=50,
        store=False,
        metadata={"room": "1"},
        service_tier="priority",
        prompt_cache_key="desk",
        safety_identifier="abc",
        parallel_tool_calls=False,
        strict_tool_schema=True,
        extra_body={"truncation": "auto"},
    ) as llm:
        await answer(llm, tools=[WEATHER], tool_choice="required")
    body = dict(api.asked[1])
    (tool,) = body.pop("tools")
    assert (tool["type"], tool["name"], tool["strict"]) == ("function", "weather", True)
    del body["input"]
    assert body == {
        "model": "gpt-5",
        "stream": True,
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
        "max_output_tokens": 50,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "metadata": {"room": "1"},
        "service_tier": "priority",
        "prompt_cache_key": "desk",
        "safety_identifier": "abc",
        "parallel_tool_calls": False,
        "tool_choice": "required",
        "truncation": "auto",
    }


async def test_tools_say_that_they_are_not_strict_and_the_servers_own_are_sent_as_they_are() -> None:
    search = ToolDefinition("search", "", {}, server_side={"type": "web_search"})
    api = Responses(["Yes."])
    async with asked(api) as llm:
        await answer(llm, tools=[WEATHER, search])
    function, own = api.asked[0]["tools"]
    assert function["strict"] is False
    assert own == {"type": "web_search"}


async def test_models_that_reason_think_as_little_as_they_can() -> None:
    api = Responses(["Yes."])
    async with asked(api, model="gpt-5-mini") as llm:
        await answer(llm)
    assert api.asked[0]["reasoning"] == {"effort": "minimal"}


async def test_calls_come_whole_and_together() -> None:
    made = Completion("One moment.", [Call("weather", '{"place": "Bern"}', "a"), Call("weather", "{}", "b")])
    chunks = await answers([made], tools=[WEATHER])
    assert [chunk.tool_calls for chunk in chunks if chunk.tool_calls] == [
        (FunctionToolCall("a", "weather", '{"place": "Bern"}'), FunctionToolCall("b", "weather", "{}"))
    ]


# -- what has been told is not told again ----------------------------------------------------------------------------


async def test_a_conversation_goes_on_from_the_last_response() -> None:
    api = Responses(["Hello.", "Fine.", "Bye."])
    context = hello()
    async with asked(api) as llm:
        for reply, question in (("Hello.", "How are you?"), (" Fine.\n", "Bye?")):
            await answer(llm, context)
            said(said(context, "assistant", reply), "user", question)
        await answer(llm, context)
    assert [(body.get("previous_response_id"), len(body["input"])) for body in api.asked] == [
        (None, 2),
        ("resp_0", 1),
        ("resp_1", 1),
    ]
    assert api.asked[2]["input"] == [{"role": "user", "content": "Bye?"}]


async def test_a_reply_that_was_cut_off_is_not_what_the_response_said() -> None:
    api = Responses(["Hello to you all.", "Fine.", "Bye."])
    context = hello()
    async with asked(api) as llm:
        await answer(llm, context)
        context.insert(ChatMessage("assistant", ["Hello to"], interrupted=True))
        await answer(llm, said(context, "user", "Stop! How are you?"))
        await answer(llm, said(said(context, "assistant", "Fine."), "user", "Bye?"))
    assert [body.get("previous_response_id") for body in api.asked] == [None, None, "resp_1"]
    assert api.asked[1]["input"][2] == {"role": "assistant", "content": "Hello to"}


async def test_other_instructions_begin_anew() -> None:
    api = Responses(["Hello.", "Hello."])
    async with asked(api) as llm:
        await answer(llm)
        context = said(said(said(ChatContext(), "system", "Be long."), "user", "Hello?"), "assistant", "Hello.")
        await answer(llm, said(context, "user", "So?"))
    assert [body.get("previous_response_id") for body in api.asked] == [None, None]


async def test_many_rooms_do_not_mix() -> None:
    api = Responses(otherwise=Completion("Hello."))
    async with asked(api) as llm:
        rooms = [said(said(ChatContext(), "system", "Be brief."), "user", f"I am {name}.") for name in "abc"]
        for room in rooms:
            await answer(llm, room)
        for room in reversed(rooms):
            await answer(llm, said(said(room, "assistant", "Hello."), "user", "Who am I?"))
    assert [body["previous_response_id"] for body in api.asked[3:]] == ["resp_2", "resp_1", "resp_0"]


async def test_the_output_of_a_tool_goes_on_from_the_call() -> None:
    made = Completion(calls=[Call("weather", "{}", "a"), Call("weather", '{"place":"Bern"}', "b")])
    api = Responses([made, "Sunny.", "Bye."])
    context = hello()
    async with asked(api) as llm:
        calls = calls_of(await answer(llm, context, tools=[WEATHER]))
        context.insert([FunctionCall(call.call_id, call.name, call.arguments) for call in calls])
        context.insert([FunctionCallOutput("b", "weather", "rain"), FunctionCallOutput("a", "weather", "sunny")])
        assert text_of(await answer(llm, context, tools=[WEATHER])) == "Sunny."
        await answer(llm, said(said(context, "assistant", "Sunny."), "user", "Bye?"))
    assert api.asked[1]["previous_response_id"] == "resp_0"
    assert [(item["type"], item["call_id"], item["output"]) for item in api.asked[1]["input"]] == [
        ("function_call_output", "a", "sunny"),
        ("function_call_output", "b", "rain"),
    ]
    assert (api.asked[2]["previous_response_id"], len(api.asked[2]["input"])) == ("resp_1", 1)


async def test_a_response_that_the_vendor_forgot_is_not_gone_on_from() -> None:
    api = Responses(["Hello.", "never", "Fine.", "Bye."])
    context = hello()
    async with asked(api) as llm:
        await answer(llm, context)
        api.stored.clear()
        said(said(context, "assistant", "Hello."), "user", "How are you?")
        assert text_of(await answer(llm, context)) == "Fine."
        assert llm._continuations.find([*api.asked[2]["input"], {"role": "user", "content": "?"}]) is None
    assert [body.get("previous_response_id") for body in api.asked] == [None, "resp_0", None]
    assert len(api.asked[2]["input"]) == 4


async def test_what_is_not_stored_is_sent_whole_with_the_thoughts_behind_each_call() -> None:
    api = Responses([calling("weather"), "Sunny."], thinks=Thoughts())
    context = hello()
    async with asked(api, model="gpt-5", reasoning={"effort": "low"}, store=False) as llm:
        (call,) = calls_of(await answer(llm, context, tools=[WEATHER]))
        context.insert(FunctionCall(call.call_id, call.name, call.arguments, extra=call.extra))
        context.insert(FunctionCallOutput(call.call_id, call.name, "sunny"))
        await answer(llm, context, tools=[WEATHER])
    body = api.asked[1]
    assert "previous_response_id" not in body
    reasoning, called, output = body["input"][2:]
    summary = [{"type": "summary_text", "text": "Let me see."}]
    assert reasoning == {"type": "reasoning", "id": "rs_0", "summary": summary, "encrypted_content": "sealed-0"}
    assert (called["type"], called["id"]) == ("function_call", "fc_0_call_1")
    assert output["type"] == "function_call_output"


async def test_with_thoughts_a_call_goes_on_from_its_response_too() -> None:
    api = Responses([calling("weather"), "Sunny.", "Bye."], thinks=Thoughts())
    context = hello()
    async with asked(api, model="gpt-5") as llm:
        (call,) = calls_of(await answer(llm, context, tools=[WEATHER]))
        context.insert(FunctionCall(call.call_id, call.name, call.arguments, extra=call.extra))
        context.insert(FunctionCallOutput(call.call_id, call.name, "sunny"))
        await answer(llm, context, tools=[WEATHER])
        # Cut off: it goes on from the response before, which is as it was.
        context.insert(ChatMessage("assistant", ["Sun"], interrupted=True))
        await answer(llm, said(context, "user", "Bye?"), tools=[WEATHER])
    assert [item["type"] for item in api.asked[1]["input"]] == ["function_call_output"]
    assert api.asked[2]["previous_response_id"] == "resp_0"
    assert [item.get("content") or item.get("output") for item in api.asked[2]["input"]] == ["sunny", "Sun", "Bye?"]


async def test_connections_are_reused() -> None:
    api = Responses(otherwise=Completion("Hello."))
    async with OpenAIServer(parts=[api]) as server:
        llm = responses.LLM(base_url=server.base_url)
        llm.prewarm()
        for _ in range(4):
            await answer(llm)
        await llm.aclose()
        assert len(server.connections) <= 2  # the first may come before the warm one is there


# -- what goes wrong -------------------------------------------------------------------------------------------------


async def test_a_refusal_is_what_the_model_says() -> None:
    assert text_of(await answers([Completion(refusal="I can't help with that.")])) == "I can't help with that."


@pytest.mark.parametrize("status, retryable", [(400, False), (401, False), (429, True), (500, True)])
async def test_an_error_status_is_typed(status: int, retryable: bool) -> None:
    error = await failure(Completion(status=status, error={"message": "no, sorry"}))
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable) == (status, retryable)


@pytest.mark.parametrize(
    "error, retryable",
    [
        ({"code": "server_error", "message": "overloaded"}, True),
        ({"code": "rate_limit_exceeded", "message": "overloaded"}, True),
        ({"code": "invalid_prompt", "message": "overloaded"}, False),
        ({"type": "error", "code": "server_error", "message": "overloaded"}, True),
        ({"type": "error", "code": "invalid_api_key", "message": "overloaded"}, False),
    ],
)
async def test_a_response_that_fails_is_typed(error: dict[str, Any], retryable: bool) -> None:
    raised = await failure(Completion("one two", error=error))
    assert "overloaded" in str(raised)
    assert raised.retryable is retryable


async def test_streams_that_break_or_just_end_are_typed() -> None:
    assert isinstance(await failure(Completion("one two three", break_after=4)), APIConnectionError)
    assert "before the reply was finished" in str(await failure(Completion("one two three", finish=False)))
    assert "cannot be read" in str(await failure(Completion("one two three", garbage_after=2)))


async def test_a_reply_that_the_filter_withholds_is_a_failure() -> None:
    error = await failure(Completion("one", finish_reason="content_filter"))
    assert "content filter" in str(error)
    assert not error.retryable


async def test_a_reply_that_is_too_long_ends_where_it_was_cut() -> None:
    with capture_logs() as lines:
        assert text_of(await answers([Completion("one two", finish_reason="max_output_tokens")])) == "one two"
    assert [line["reason"] for line in lines if line["event"] == "reply_cut_off"] == ["max_output_tokens"]


@pytest.mark.parametrize("cut", [Completion(), calling("weather", '{"pl')])
async def test_a_reply_that_is_cut_off_before_it_is_one_is_a_failure(cut: Completion) -> None:
    error = await failure(Completion(calls=cut.calls, finish_reason="max_output_tokens"), tools=[WEATHER])
    assert "max_output_tokens" in str(error)
    assert not error.retryable


def test_options_of_the_other_api_are_refused() -> None:
    with pytest.raises(OptionError, match="max_completion_tokens"):
        responses.LLM(base_url="http://localhost/v1", max_completion_tokens=3)  # type: ignore[call-arg]
    assert repr(responses.LLM(base_url="http://localhost/v1")) == "<openai.responses.LLM gpt-4.1 at localhost>"
