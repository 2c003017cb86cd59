"""The realtime model of livekit.plugins.openai as a session's ``llm``: whole conversations with its vendor's server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sessionactors import (
    Agent,
    AgentSession,
    CloseReason,
    ErrorEvent,
    FunctionCallOutput,
    LLMModelUsage,
    OptionError,
    RealtimeSessionReconnectedEvent,
)
from sessionactors.model.events import CloseEvent

from tests.providers.openai.realtime_room import Room, room
from tests.wire.openai_realtime import Call, OpenAIRealtimeServer, Reply, Said
from tests.wire.vendor_server import Fault

pytest.importorskip("livekit.agents", reason="needs the extra livekit-plugins")

import livekit.agents
import livekit.plugins.openai

STORY = Reply("Once upon a time there was a king who lived in a castle", 3.0)
QUESTION = Said("Tell me a story.", 0.1, 0.2)


@asynccontextmanager
async def plugin_room(server: OpenAIRealtimeServer, retries: int = 3, **options: Any) -> AsyncGenerator[Room, None]:
    plugin: Any = livekit.plugins.openai.realtime.RealtimeModel(
        api_key=options.pop("key", server.key),
        base_url=server.url,
        conn_options=livekit.agents.APIConnectOptions(max_retry=retries, retry_interval=0.01),
    )
    async with room(server, llm=plugin, **options) as seen:
        yield seen


def cut(server: OpenAIRealtimeServer) -> None:
    transport = server.session.line.request.transport
    assert transport is not None
    transport.abort()


async def test_an_answer_is_interrupted_and_both_sides_know_what_was_heard() -> None:
    said = [QUESTION, Said("Stop!", 0.7, 0.8)]
    async with OpenAIRealtimeServer([STORY, Reply("All right.", 0.1)], said) as server, plugin_room(server) as seen:
        assert await seen.said(2) == "All right."
        first = await seen.said(1)
        assert seen.conversation == [
            ("user", "Tell me a story."),
            ("assistant", first),
            ("user", "Stop!"),
            ("assistant", "All right."),
        ]
        assert STORY.text.startswith(first)
        assert first != STORY.text
        question, story, stop, end = server.session.items
        assert story.heard is not None
        assert 0 < story.heard < 1000  # of 3000
        assert [question.text, stop.text, end.text] == ["Tell me a story.", "Stop!", "All right."]
        assert {item.id for item in server.session.items} <= {item.id for item in seen.session.history.items}
        (used,) = seen.session.usage.model_usage
        assert isinstance(used, LLMModelUsage)
        assert (used.model, used.output_tokens) == ("gpt-realtime", 40)
    assert server.refused == []


async def test_a_tool_is_called_and_what_it_gave_is_spoken_of() -> None:
    replies = [Reply(calls=[("weather", '{"city": "Oslo"}')]), Reply("It is sunny.", 0.1)]
    async with OpenAIRealtimeServer(replies, [QUESTION]) as server, plugin_room(server) as seen:
        assert await seen.said(1) == "It is sunny."
        (output,) = [item for item in seen.session.history.items if isinstance(item, FunctionCallOutput)]
        assert output.output == "sunny in Oslo"
        kinds = [item.body["type"] for item in server.session.items]
        assert kinds == ["message", "function_call", "function_call_output", "message"]
    assert server.refused == []


async def test_a_lost_connection_is_mended_by_the_plugin_and_the_conversation_goes_on() -> None:
    replies = [Reply("I am fine.", 0.1), Reply("As I said, fine.", 0.1)]
    async with OpenAIRealtimeServer(replies) as server, plugin_room(server) as seen:
        _ = seen.session.generate_reply(user_input="How are you?")
        await seen.said(1)
        cut(server)
        (error,) = [await seen.until(ErrorEvent)]
        assert error.recoverable
        _ = seen.session.generate_reply(instructions="Say it again.")  # while there is no connection
        await seen.until(RealtimeSessionReconnectedEvent)
        assert await seen.said(2) == "As I said, fine."
        old, new = server.sessions
        assert [item.text for item in new.items] == ["How are you?", "I am fine.", "As I said, fine."]
        assert new.settings["instructions"] == old.settings["instructions"] == "Be kind."
        assert new.settings["tools"][0]["name"] == "weather"
    assert server.refused == []


async def test_a_plugin_that_does_not_try_again_is_given_another_session_by_ours() -> None:
    replies = [Reply("I am fine.", 0.1), Reply("Still fine.", 0.1)]
    async with OpenAIRealtimeServer(replies) as server, plugin_room(server, retries=0) as seen:
        _ = seen.session.generate_reply(user_input="How are you?")
        await seen.said(1)
        cut(server)
        await seen.until(RealtimeSessionReconnectedEvent)
        _ = seen.session.generate_reply()
        assert await seen.said(2) == "Still fine."
        assert [item.text for item in server.session.items][:2] == ["How are you?", "I am fine."]


async def test_a_reply_that_is_cut_off_with_its_connection_fails_and_the_session_goes_on() -> None:
    story = Reply("Once upon a time there was a king", 5.0, pace=0.02)
    async with OpenAIRealtimeServer([story, Reply("Yes?", 0.1)]) as server, plugin_room(server) as seen:
        speech = seen.session.generate_reply()
        while seen.session.agent_state != "speaking":
            await seen.more()
        cut(server)
        await speech.wait_for_playout()
        (failed,) = seen.of(ErrorEvent)
        assert "closed unexpectedly" in str(failed.error)
        _ = seen.session.generate_reply()
        while ("assistant", "Yes?") not in seen.conversation:
            await seen.more()
        assert len(server.sessions) == 2


async def test_another_agent_goes_on_in_the_same_session_with_its_own_instructions_and_tools() -> None:
    replies = [Reply("Good day.", 0.1), Reply("Yes?", 0.1)]
    async with OpenAIRealtimeServer(replies) as server, plugin_room(server) as seen:
        _ = seen.session.generate_reply()
        await seen.said(1)
        seen.session.update_agent(Agent(instructions="Be brief."))
        while not seen.handed_over:
            await seen.more()
        _ = seen.session.generate_reply()
        await seen.said(2)
        assert (server.session.settings["instructions"], server.session.settings["tools"]) == ("Be brief.", [])
        assert len(server.sessions) == 1
    assert server.refused == []


async def test_a_refused_key_ends_the_session_at_once_with_the_reason() -> None:
    async with OpenAIRealtimeServer() as server:
        async with plugin_room(server, key="sk-wrong") as seen:
            close: CloseEvent = await seen.until(CloseEvent)
        assert close.reason is CloseReason.ERROR
        assert "401" in str(close.error)
        assert len(server.received) == 1


async def test_attempts_of_the_plugin_and_of_the_session_do_not_multiply() -> None:
    async with OpenAIRealtimeServer(calls=[Call(Fault(status=503))]) as server:
        async with plugin_room(server, retries=1) as seen:
            close: CloseEvent = await seen.until(CloseEvent)
        assert close.reason is CloseReason.ERROR
        assert len(server.received) == 2


@pytest.mark.expects_loop_errors("the plugin does not look at how its response ended")
async def test_a_response_that_fails_is_asked_for_again() -> None:
    busy = Reply(error=("rate_limit_exceeded", "slow down"))
    async with OpenAIRealtimeServer([busy, Reply("Here I am.", 0.1)]) as server, plugin_room(server) as seen:
        _ = seen.session.generate_reply()
        assert await seen.said(1) == "Here I am."
        assert seen.of(ErrorEvent) == []


async def test_a_reply_that_is_interrupted_before_it_begins_is_cancelled_at_the_server() -> None:
    begins, never = asyncio.Event(), asyncio.Event()

    def reply(_: dict[str, Any]) -> Reply:
        first = not begins.is_set()
        begins.set()
        return Reply("Never heard.", 5.0, waits=never) if first else Reply("Yes?", 0.1)

    async with OpenAIRealtimeServer(reply) as server, plugin_room(server) as seen:
        speech = seen.session.generate_reply()
        async with asyncio.timeout(6):
            await begins.wait()
            _ = speech.interrupt()
            await speech.wait_for_playout()
        _ = seen.session.generate_reply()
        assert await seen.said(1) == "Yes?"
        assert "response.cancel" in server.last.types()


def test_livekits_own_fallback_is_refused_with_what_to_do() -> None:
    plugin: Any = livekit.plugins.openai.realtime.RealtimeModel(api_key="any")
    several: Any = livekit.agents.llm.RealtimeModelFallbackAdapter([plugin])
    with pytest.raises(OptionError, match="give one of its models"):
        AgentSession(llm=several)
