"""The real SDK against an endpoint on this machine: streams, tools, usage, errors, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from sessionactors.actors.llm import LLMActor
from sessionactors.interfaces.llm import ChatChunk, CompletionUsage, FunctionToolCall
from sessionactors.messages.llm import GenerateText, GenerationDone, GenerationFailed, TextDelta
from sessionactors.model.chat import ImageContent
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError
from sessionactors.model.options import APIConnectOptions, SessionOptions
from sessionactors.model.video import VideoFrame
from sessionactors.providers import openai
from sessionactors.providers.openai import LLM

from tests.actors.service_stage import Stage, text_of
from tests.providers.openai.asking import WEATHER, answer, hello, until
from tests.wire.openai_server import Call, Completion, OpenAIServer


async def answers(script: Sequence[Completion | str], **options: Any) -> tuple[list[ChatChunk], OpenAIServer]:
    async with OpenAIServer(script) as server:
        llm = LLM(base_url=server.base_url)
        try:
            return await answer(llm, **options), server
        finally:
            await llm.aclose()


async def failure(completion: Completion, **options: Any) -> APIError:
    with pytest.raises(APIError) as raised:
        await answers([completion], **options)
    return raised.value


async def test_a_reply_comes_as_deltas_with_usage_at_the_end() -> None:
    chunks, server = await answers([Completion("Hello to you.", cached=4)])
    assert [chunk.content for chunk in chunks if chunk.content] == ["Hello ", "to ", "you. "]
    assert [chunk.usage for chunk in chunks if chunk.usage] == [CompletionUsage(3, 7, 4, 2)]
    assert {chunk.request_id for chunk in chunks} == {"chatcmpl-1"}
    body = server.asked[0].body
    assert body["model"] == "gpt-4.1"
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    # What was not given is not sent: the endpoint's defaults count.
    assert set(body) == {"model", "messages", "stream", "stream_options"}


async def test_without_tools_nothing_is_said_about_them() -> None:
    async with OpenAIServer(["Yes."]) as server:
        llm = LLM(base_url=server.base_url, parallel_tool_calls=True)
        await answer(llm, tool_choice="none")
        await llm.aclose()
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(server.asked[0].body)


async def test_calls_are_put_together() -> None:
    calls = [Call("weather", '{"place": "Bern"}', "call_1", 0), Call("time", "", "call_2", 1)]
    chunks, _ = await answers([Completion("One moment.", calls)], tools=[WEATHER])
    assert [chunk.tool_calls for chunk in chunks if chunk.tool_calls] == [
        (FunctionToolCall("call_1", "weather", '{"place": "Bern"}'), FunctionToolCall("call_2", "time", "{}"))
    ]
    # Each part of a call is a sign of life, also when it has nothing to release.
    assert sum(chunk == ChatChunk(request_id="chatcmpl-1") for chunk in chunks) >= 6


async def test_calls_of_endpoints_that_do_not_number_them() -> None:
    calls = [Call("weather", '{"a": 1}', "call_1", None), Call("time", '{"b": 2}', "call_2", None)]
    chunks, _ = await answers([Completion(calls=calls)], tools=[WEATHER])
    (made,) = [chunk.tool_calls for chunk in chunks if chunk.tool_calls]
    assert [(call.call_id, call.arguments) for call in made] == [("call_1", '{"a": 1}'), ("call_2", '{"b": 2}')]


async def test_calls_that_share_a_number_are_told_apart_by_id() -> None:
    calls = [Call("weather", '{"a": 1}', "call_1", 0), Call("time", '{"b": 2}', "call_2", 0)]
    chunks, _ = await answers([Completion(calls=calls)], tools=[WEATHER])
    (made,) = [chunk.tool_calls for chunk in chunks if chunk.tool_calls]
    assert [(call.name, call.arguments) for call in made] == [("weather", '{"a": 1}'), ("time", '{"b": 2}')]


async def test_a_call_without_an_id_gets_one() -> None:
    chunks, _ = await answers([Completion(calls=[Call("weather", id=None)])], tools=[WEATHER])
    (made,) = [chunk.tool_calls for chunk in chunks if chunk.tool_calls]
    assert made[0].call_id.startswith("call_")


async def test_a_call_without_a_name_is_refused() -> None:
    error = await failure(Completion(calls=[Call("")]), tools=[WEATHER])
    assert "without naming it" in str(error)


@pytest.mark.parametrize(
    "status, retryable",
    [
        *((400, False), (401, False), (403, False), (404, False), (422, False)),
        *((408, True), (409, True), (429, True), (500, True), (503, True)),
    ],
)
async def test_an_error_status_is_typed(status: int, retryable: bool) -> None:
    error = await failure(Completion(status=status, error={"message": "no, sorry"}))
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable, error.request_id) == (status, retryable, "req_1")
    assert "no, sorry" in str(error)
    assert error.__cause__ is not None


async def test_an_account_without_money_is_not_asked_again() -> None:
    error = await failure(Completion(status=429, error={"message": "no money", "code": "insufficient_quota"}))
    assert not error.retryable


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
async def test_the_wait_that_is_asked_for_is_told(headers: dict[str, str], seconds: float | None) -> None:
    error = await failure(Completion(status=429, headers=headers))
    assert isinstance(error, APIStatusError)
    assert error.retry_after == seconds


async def test_a_wrong_key_is_refused_and_not_shown() -> None:
    async with OpenAIServer(key="right") as server:
        llm = LLM(base_url=server.base_url, api_key="wrong-key")
        with pytest.raises(APIStatusError) as raised:
            await answer(llm)
        await llm.aclose()
    assert (raised.value.status_code, raised.value.retryable) == (401, False)
    assert "wrong-key" not in f"{raised.value} {raised.value.body} {llm!r}"


async def test_the_sdk_does_not_retry() -> None:
    async with OpenAIServer([Completion(status=500)] * 5) as server:
        llm = LLM(base_url=server.base_url)
        with pytest.raises(APIStatusError):
            await answer(llm)
        await llm.aclose()
    assert len(server.asked) == 1


async def test_a_connection_that_is_refused_is_typed() -> None:
    async with OpenAIServer() as server:
        pass
    llm = LLM(base_url=server.base_url)
    with pytest.raises(APIConnectionError) as raised:
        await answer(llm)
    assert raised.value.retryable
    await llm.aclose()


async def test_a_stream_that_breaks_is_typed() -> None:
    error = await failure(Completion("one two three", break_after=2))
    assert isinstance(error, APIConnectionError)


async def test_a_stream_that_just_ends_is_no_success() -> None:
    error = await failure(Completion("one two three", finish=False))
    assert isinstance(error, APIConnectionError)
    assert "before the reply was finished" in str(error)


async def test_a_refusal_is_what_the_model_says() -> None:
    chunks, _ = await answers([Completion(refusal="I'm sorry, I can't help with that.")])
    assert "".join(chunk.content for chunk in chunks) == "I'm sorry, I can't help with that."


async def test_a_reply_that_the_filter_withholds_is_a_failure_that_no_retry_heals() -> None:
    error = await failure(Completion("one", finish_reason="content_filter"))
    assert "content filter" in str(error)
    assert not error.retryable


async def test_a_reply_that_is_too_long_ends_where_it_was_cut() -> None:
    with capture_logs() as lines:
        chunks, _ = await answers([Completion("one two", finish_reason="length")])
    assert "".join(chunk.content for chunk in chunks) == "one two "
    assert [line["request"] for line in lines if line["event"] == "reply_cut_off"] == ["chatcmpl-1"]


async def test_a_call_that_is_cut_off_is_not_made() -> None:
    cut = Completion(calls=[Call("weather", '{"place": "Be')], finish_reason="length")
    error = await failure(cut, tools=[WEATHER])
    assert "in the middle of a tool call" in str(error)
    assert not error.retryable


async def test_thoughts_are_not_for_the_listener() -> None:
    chunks, _ = await answers(["<think>The user greets me. </think>  Good morning."])
    assert "".join(chunk.content for chunk in chunks) == "Good morning. "


async def test_hidden_reasoning_is_counted() -> None:
    chunks, _ = await answers([Completion("Yes.", reasoning=2)])
    assert [chunk.usage.reasoning_tokens for chunk in chunks if chunk.usage] == [2]


async def test_pictures_are_sent() -> None:
    context = hello()
    seen = VideoFrame(bytes(3 * 4), 2, 2, "rgb24").as_image(detail="low")
    context.add_message(role="user", content=["Look:", ImageContent("https://example.com/cat.png"), seen])
    async with OpenAIServer(["A cat."]) as server:
        llm = LLM(base_url=server.base_url)
        await answer(llm, context)
        await llm.aclose()
    text, by_url, frame = server.asked[0].messages[-1]["content"]
    assert text == {"type": "text", "text": "Look:"}
    assert by_url["image_url"] == {"url": "https://example.com/cat.png", "detail": "auto"}
    assert frame["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert frame["image_url"]["detail"] == "low"


@pytest.mark.parametrize("kind, retryable", [("server_error", True), ("invalid_request_error", False)])
async def test_an_error_in_the_middle_of_a_stream_is_typed(kind: str, retryable: bool) -> None:
    error = await failure(Completion("one two", error={"message": "overloaded", "type": kind}))
    assert "overloaded" in str(error)
    assert error.retryable is retryable


async def test_garbage_in_a_stream_is_typed() -> None:
    error = await failure(Completion("one two", garbage_after=1))
    assert "cannot be read" in str(error)


async def test_an_endpoint_that_stays_silent_runs_into_the_backstop() -> None:
    for silent in (Completion("one", delay=30.0), Completion("one", hang_after=1)):
        async with OpenAIServer([silent]) as server:
            llm = LLM(base_url=server.base_url, timeout=0.1)
            with pytest.raises(APITimeoutError):
                await answer(llm)
            await llm.aclose()
            await server.asked[0].gone.wait()


async def test_closing_a_stream_in_the_middle_frees_its_connection() -> None:
    async with OpenAIServer([Completion("one two three", hang_after=2), "Next."]) as server:
        llm = LLM(base_url=server.base_url)
        stream = llm.chat(chat_ctx=hello())
        await anext(aiter(stream))
        assert (await anext(aiter(stream))).content == "one "
        await stream.aclose()
        async with asyncio.timeout(5):
            await server.asked[0].gone.wait()
        assert [chunk.content for chunk in await answer(llm) if chunk.content] == ["Next. "]
        await llm.aclose()


async def test_cancelling_a_request_frees_its_connection() -> None:
    for waiting in (Completion("one", delay=30.0), Completion("one", hang_after=1)):
        async with OpenAIServer([waiting]) as server:
            llm = LLM(base_url=server.base_url)
            task = asyncio.create_task(answer(llm))
            await until(lambda: server.asked)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(5):
                await server.asked[0].gone.wait()
            await llm.aclose()


async def test_nothing_is_sent_before_the_first_chunk_is_wanted() -> None:
    async with OpenAIServer(["Hello."]) as server:
        llm = LLM(base_url=server.base_url)
        stream = llm.chat(chat_ctx=hello())
        await asyncio.sleep(0.01)
        await stream.aclose()
        assert server.asked == []
        await llm.aclose()


async def test_a_session_retries_what_the_provider_does_not() -> None:
    options = SessionOptions(llm_conn_options=APIConnectOptions(max_retry=2, retry_interval=0.05, timeout=0.3))
    script = [Completion(status=503), Completion("late", hang_after=0), Completion("Hello to you.")]
    async with OpenAIServer(script) as server:
        llm = LLM(base_url=server.base_url)
        async with Stage(LLMActor, llm=llm, options=options) as stage:
            items = tuple(hello().items)
            stage.tell(GenerateText("request", items, (), "auto", stage.speech_ref, "speech-1", stage.scope()))
            await until(lambda: stage.speech.of(GenerationDone, GenerationFailed))
            assert text_of(stage.speech.of(TextDelta)) == "Hello to you. "
            (metrics,) = stage.metrics()
            assert (metrics.label, metrics.request_id) == ("openai.LLM", "chatcmpl-3")
            assert (metrics.prompt_tokens, metrics.completion_tokens) == (7, 3)
            assert len(server.asked) == 3
        await llm.aclose()


def test_the_sdk_is_imported_with_its_package_and_not_before() -> None:
    program = """
import json, sys
import sessionactors
before = "openai" in sys.modules
import sessionactors.providers.openai
print(json.dumps([before, "openai" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [False, True]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        openai.Nonsense  # type: ignore[attr-defined]  # noqa: B018
