"""Whole conversations of a session with OpenAI's realtime model, over a line in real time: about a second each."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from sessionactors import (
    Agent,
    ChatContext,
    ChatMessage,
    CloseReason,
    ErrorEvent,
    FunctionCallOutput,
    RealtimeSessionReconnectedEvent,
)
from sessionactors.model.events import CloseEvent, SessionUsageUpdatedEvent
from sessionactors.testing import ScriptedTTS, ScriptedVAD

from tests.providers.openai.realtime_room import Weatherman, room
from tests.providers.openai.realtime_talk import model_at
from tests.wire.openai_realtime import Call, OpenAIRealtimeServer, Reply, Said
from tests.wire.vendor_server import Fault

STORY = Reply("Once upon a time there was a king who lived in a castle", 3.0)
QUESTION = Said("Tell me a story.", 0.1, 0.2)


async def test_an_answer_is_interrupted_and_both_sides_know_what_was_heard() -> None:
    said = [QUESTION, Said("Stop!", 1.5, 1.6)]
    async with OpenAIRealtimeServer([STORY, Reply("All right.", 0.2)], said) as server, room(server) as seen:
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
        assert 0 < story.heard < 1500  # of 3000: the interruption is known when the audio before it has come
        assert [question.text, stop.text, end.text] == ["Tell me a story.", "Stop!", "All right."]
        kept = {item.id for item in seen.session.history.items}
        assert {item.id for item in server.session.items} <= kept
        usage = await seen.until(SessionUsageUpdatedEvent)
        assert usage.usage.model_usage
    assert server.refused == []


async def test_turns_found_here_are_committed_and_the_hooks_facts_are_known_for_that_reply_only() -> None:
    class Informed(Weatherman):
        async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
            turn_ctx.add_message(role="system", content="The user is called Ada.")

    options: dict[str, Any] = {
        "vad": ScriptedVAD([(0.1, 0.4)], min_silence=0.1),
        "turn_handling": {"turn_detection": "vad", "endpointing": {"min_delay": 0.1}},
    }
    said = [Said("Tell me a story.")]
    async with OpenAIRealtimeServer([Reply("Hello Ada.", 0.2)], said) as server:
        async with room(server, Informed(), **options) as seen:
            assert await seen.said(1) == "Hello Ada."
        types = server.last.types()
    begin = types.index("input_audio_buffer.commit")
    assert types[begin : begin + 4] == [
        "input_audio_buffer.commit",
        "conversation.item.create",
        "response.create",
        "conversation.item.delete",
    ]
    assert [item.text for item in server.session.items] == ["Tell me a story.", "Hello Ada."]
    assert server.refused == []


async def test_a_tool_is_called_and_what_it_gave_is_spoken_of() -> None:
    replies = [Reply(calls=[("weather", '{"city": "Oslo"}')]), Reply("It is sunny.", 0.2)]
    async with OpenAIRealtimeServer(replies, [QUESTION]) as server, room(server) as seen:
        assert await seen.said(1) == "It is sunny."
        (output,) = [item for item in seen.session.history.items if isinstance(item, FunctionCallOutput)]
        assert output.output == "sunny in Oslo"
        kinds = [item.body["type"] for item in server.session.items]
        assert kinds == ["message", "function_call", "function_call_output", "message"]
        assert "thinking" in [getattr(event, "new_state", "") for event in seen.events]
    assert server.refused == []


@pytest.mark.parametrize("expired", [False, True], ids=["the line breaks", "the session is too old"])
async def test_a_lost_connection_is_replaced_and_told_the_conversation(expired: bool) -> None:
    replies = [Reply("I am fine.", 0.2), Reply("As I said, fine.", 0.2)]
    async with OpenAIRealtimeServer(replies, [Said("How are you?", 0.1, 0.2)]) as server, room(server) as seen:
        await seen.said(1)
        if expired:
            await server.expire()
        else:
            transport = server.session.line.request.transport
            assert transport is not None
            transport.abort()
        back = await seen.until(RealtimeSessionReconnectedEvent)
        assert 0.0 < back.outage < 1.0
        (error,) = seen.of(ErrorEvent)
        assert error.recoverable
        _ = seen.session.generate_reply(instructions="Say it again.")
        assert await seen.said(2) == "As I said, fine."
        old, new = server.sessions
        assert [item.text for item in new.items] == ["How are you?", "I am fine.", "As I said, fine."]
        assert new.settings["instructions"] == old.settings["instructions"] == "Be kind."
        assert new.settings["tools"][0]["name"] == "weather"
    assert server.refused == []


async def test_another_agent_goes_on_in_the_same_session_with_its_own_instructions_and_tools() -> None:
    async with OpenAIRealtimeServer([Reply("Good day.", 0.1), Reply("Yes?", 0.1)]) as server, room(server) as seen:
        _ = seen.session.generate_reply()
        await seen.said(1)
        seen.session.update_agent(Agent(instructions="Be brief."))
        async with asyncio.timeout(6):
            while not seen.handed_over:
                await seen.more()
        _ = seen.session.generate_reply()
        await seen.said(2)
        assert (server.session.settings["instructions"], server.session.settings["tools"]) == ("Be brief.", [])
        assert len(server.sessions) == 1
    assert server.refused == []


async def test_typed_words_are_told_to_the_model_and_answered() -> None:
    async with OpenAIRealtimeServer([Reply("Written and spoken.", 0.1)]) as server, room(server) as seen:
        _ = seen.session.generate_reply(user_input="Can you read?")
        await seen.said(1)
        assert [item.text for item in server.session.items] == ["Can you read?", "Written and spoken."]
    assert server.refused == []


async def test_a_reply_that_fails_for_now_is_asked_for_again() -> None:
    busy = Reply(error=("rate_limit_exceeded", "slow down"))
    async with OpenAIRealtimeServer([busy, Reply("Here I am.", 0.1)]) as server, room(server) as seen:
        _ = seen.session.generate_reply()
        assert await seen.said(1) == "Here I am."
        assert len(server.sessions) == 1


async def test_a_server_that_refuses_the_key_ends_the_session_with_the_reason() -> None:
    async with OpenAIRealtimeServer() as server:
        async with room(server, model={"api_key": "sk-wrong"}) as seen:
            close: CloseEvent = await seen.until(CloseEvent)
        assert close.reason is CloseReason.ERROR
        assert "invalid_api_key" in str(close.error)
        assert len(server.received) == 1


async def test_a_server_that_cannot_be_had_is_tried_within_the_sessions_own_budget() -> None:
    async with OpenAIRealtimeServer(calls=[Call(Fault(status=503))]) as server:
        async with room(server) as seen:
            close: CloseEvent = await seen.until(CloseEvent)
        assert close.reason is CloseReason.ERROR
        assert len(server.received) == 3  # the first, and two of `max_retry`
        assert len([event for event in seen.of(ErrorEvent) if event.recoverable]) == 2


async def test_a_model_that_writes_is_spoken_by_a_voice_beside_it() -> None:
    async with (
        OpenAIRealtimeServer([Reply("Good day to you.")]) as server,
        room(server, model={"modalities": ["text"]}, tts=ScriptedTTS(speed=4.0)) as seen,
    ):
        _ = seen.session.generate_reply()
        assert await seen.said(1) == "Good day to you."
    assert server.refused == []


async def test_a_client_of_the_users_lives_on_the_users_loop_and_serves_the_session_all_the_same() -> None:
    async with OpenAIRealtimeServer([Reply("Good day.", 0.1)]) as server:
        own = openai.AsyncOpenAI(api_key=server.key, base_url=server.url)
        async with room(server, model={"client": own, "api_key": None, "base_url": None}) as seen:
            _ = seen.session.generate_reply()
            assert await seen.said(1) == "Good day."
        assert not own.is_closed()
        await own.close()


async def test_two_rooms_share_a_model_and_each_has_a_conversation_of_its_own() -> None:
    async with OpenAIRealtimeServer(lambda asked: Reply(asked["instructions"].split("\n")[1], 0.1)) as server:
        shared = model_at(server)
        async with room(server, llm=shared) as first, room(server, llm=shared, last=False) as second:
            _ = first.session.generate_reply(instructions="One.")
            _ = second.session.generate_reply(instructions="Two.")
            assert (await first.said(1), await second.said(1)) == ("One.", "Two.")
            assert len(server.sessions) == 2
