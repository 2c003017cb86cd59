"""What goes wrong between a realtime model and its server: typed, in time, with nothing left behind and no key told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.interfaces.realtime import (
    GenerationCreated,
    RealtimeSessionError,
    ResponseAudio,
    ResponseDone,
    SessionReconnected,
)
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError
from sessionactors.providers.openai.realtime import connection as connection_module
from sessionactors.providers.openai.realtime import outgoing as outgoing_module

from tests.providers.openai.realtime_talk import PATIENCE, Talk, model_at, talking
from tests.wire.openai_realtime import Call, OpenAIRealtimeServer, Reply, Said
from tests.wire.vendor_server import Fault

LONG = Reply("Once upon a time there was a king", 2.0, pace=0.02)


async def failed(server: OpenAIRealtimeServer, **options: Any) -> APIError:
    """How the events of a session end, and who waits with them; nobody waits for ever."""
    model = model_at(server, **options)
    talk = Talk(model.session())
    with pytest.raises(APIError) as waited:
        await asyncio.wait_for(talk.ready(), PATIENCE)
    error = await talk.ended()
    await talk.session.aclose()
    await model.aclose()
    assert isinstance(error, APIError)
    assert waited.value is error
    told = f"{error} {error.body} {error.__cause__!r}"
    assert server.key not in told
    return error


@pytest.mark.parametrize(
    "status, code, retryable",
    [(429, "rate_limit_exceeded", True), (500, "server_error", True), (404, "model_not_found", False)],
)
async def test_a_server_that_refuses_the_connection(status: int, code: str, retryable: bool) -> None:
    body = {"error": {"message": "no", "code": code}}
    fault = Fault(status=status, body=body, headers={"retry-after": "3", "x-request-id": "req-7"})
    async with OpenAIRealtimeServer(calls=[Call(fault)]) as server:
        error = await failed(server)
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable, error.retry_after, error.request_id) == (
        status,
        retryable,
        3.0,
        "req-7",
    )
    assert code in str(error)
    assert len(server.received) == 1  # attempts are the session's, not the SDK's


async def test_a_wrong_key_is_final_and_not_told() -> None:
    async with OpenAIRealtimeServer() as server:
        error = await failed(server, api_key="sk-very-secret-key")
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable) == (401, False)
    assert "sk-very-secret-key" not in f"{error} {error.body}"


async def test_nobody_at_the_address_is_a_connection_error() -> None:
    async with OpenAIRealtimeServer() as server:
        pass
    error = await failed(server)
    assert isinstance(error, APIConnectionError)
    assert error.retryable


@pytest.mark.parametrize(
    "fault, retryable",
    [
        (Fault(after=1, cut=True), True),
        (Fault(after=1, close=(1011, "internal")), True),
        (Fault(after=1, close=(1000, "")), True),
        (Fault(after=1, close=(1008, "policy")), False),
    ],
)
async def test_a_connection_that_ends(fault: Fault, retryable: bool) -> None:
    async with OpenAIRealtimeServer(calls=[Call(fault)]) as server:
        error = await failed(server)
    assert error.retryable is retryable
    assert isinstance(error, APIConnectionError) is retryable


async def test_a_connection_that_ends_in_the_middle_of_a_reply() -> None:
    async with OpenAIRealtimeServer([LONG]) as server:
        talk = Talk(model_at(server).session())
        await talk.ready()
        talk.session.generate_reply(request_id="r")
        await talk.until(ResponseAudio)
        pending = asyncio.create_task(talk.session.update_chat_ctx(ChatContext([ChatMessage("user", ["hi"], "u")])))
        await asyncio.sleep(0)
        await server.session.line.close(1012, "service restart")
        error = await talk.ended()
        with pytest.raises(APIError):
            await pending
        assert "1012, service restart" in str(error)
        await talk.session.aclose()


async def test_a_session_that_is_as_old_as_may_be_can_be_had_again() -> None:
    async with OpenAIRealtimeServer() as server:
        talk = Talk(model_at(server).session())
        await talk.ready()
        await server.expire()
        error = await talk.ended()
        assert isinstance(error, APIConnectionError)
        assert "session_expired" in str(error)
        await talk.session.aclose()


@pytest.mark.parametrize("fault", [Fault(after=1, silent=True), Fault(after=1, half_open=True)])
async def test_a_server_that_says_nothing_more_holds_nobody_who_gives_up(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection_module.OPTIONS, "close_timeout", 0.05)
    async with OpenAIRealtimeServer(calls=[Call(fault)]) as server:
        talk = Talk(model_at(server).session())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(talk.ready(), 0.05)
        await asyncio.wait_for(talk.session.aclose(), 1.0)
        assert await talk.ended() is None


async def test_garbage_costs_one_message_and_a_kind_of_event_that_is_not_known_nothing() -> None:
    async with OpenAIRealtimeServer([Reply("Hello.")]) as server, talking(server) as talk:
        line = server.session.line
        for garbage in ("not json", "[1]", '{"no": "type"}', '{"type": "response.done"}', '{"type": "error"}'):
            await line.socket.send_str(garbage)
        delta = '{"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": "%s"}'
        await line.socket.send_str(delta % "!!!")
        await line.socket.send_str(delta % "AAAA")  # three bytes are no whole samples
        await line.socket.send_str('{"type": "something.new"}')
        talk.session.generate_reply(request_id="r")
        assert (await talk.done()).status == "completed"
        errors = talk.of(RealtimeSessionError)
        assert len(errors) == 7
        assert all(error.recoverable and "openai.RealtimeModel" in str(error.error) for error in errors)


async def test_a_response_that_failed_says_why() -> None:
    busy = Reply(error=("rate_limit_exceeded", "slow down"))
    async with OpenAIRealtimeServer([busy, Reply("Hello.")]) as server, talking(server) as talk:
        talk.session.generate_reply(request_id="r1")
        done = await talk.done()
        assert isinstance(done.error, APIError)
        assert (done.status, done.error.retryable) == ("failed", True)
        assert "slow down (rate_limit_exceeded)" in str(done.error)
        talk.session.generate_reply(request_id="r2")
        assert (await talk.done(2)).status == "completed"


async def test_a_quota_that_is_used_up_ends_the_session_for_good() -> None:
    async with OpenAIRealtimeServer([Reply(error=("insufficient_quota", "pay first"))]) as server:
        talk = Talk(model_at(server).session())
        await talk.ready()
        talk.session.generate_reply(request_id="r")
        error = await talk.ended()
        assert isinstance(error, APIError)
        assert not error.retryable
        assert [done.status for done in talk.of(ResponseDone)] == ["failed"]
        await talk.session.aclose()


async def test_a_reply_that_the_server_refuses_to_begin_failed() -> None:
    async with OpenAIRealtimeServer([LONG]) as server, talking(server) as talk:
        talk.session.generate_reply(request_id="r1")
        talk.session.generate_reply(request_id="r2")
        done = await talk.until(ResponseDone, lambda event: event.status == "failed")
        (refused,) = [event for event in talk.of(GenerationCreated) if event.request_id == "r2"]
        assert done.response_id == refused.response_id
        assert isinstance(done.error, APIError)
        assert done.error.retryable
        assert talk.of(RealtimeSessionError) == []


async def test_settings_that_the_server_refuses() -> None:
    """First ones end the session; later ones are an error."""
    async with OpenAIRealtimeServer([Reply("Hello.")]) as server:
        error = await failed(server, include=["everything"])
        assert "invalid_event" in str(error)
        model = model_at(server)
        talk = Talk(model.session())
        await talk.ready()
        talk.session.generate_reply(request_id="r")
        await talk.done()
        model.update_options(voice="echo")  # it has been heard with another one
        told = await talk.until(RealtimeSessionError)
        assert "cannot_update_voice" in str(told.error)
        await talk.session.aclose()


async def test_an_incomplete_response_is_what_there_is_of_it() -> None:
    async with (
        OpenAIRealtimeServer([Reply("Hello.", incomplete="max_output_tokens")]) as server,
        talking(server) as talk,
    ):
        talk.session.generate_reply(request_id="r")
        assert (await talk.done()).status == "completed"
        assert "max_output_tokens" in str((await talk.until(RealtimeSessionError)).error)


def grow_old(talk: Talk) -> None:
    """As the timer of ``max_session_duration`` does."""
    assert talk.session._connection is not None
    talk.session._grow_old(talk.session._connection)


async def test_after_so_long_a_connection_is_replaced() -> None:
    async with OpenAIRealtimeServer() as server, talking(server, max_session_duration=0.02) as talk:
        await talk.until(SessionReconnected)
        assert len(server.sessions) > 1


async def test_a_connection_that_has_grown_old_is_replaced_between_two_turns() -> None:
    """The reply is heard to its end over the old one; the new one is told all that was said."""
    go_on = asyncio.Event()
    replies = [Reply("I am fine, thank you.", 1.0, waits=go_on), Reply("Bye.")]
    async with (
        OpenAIRealtimeServer(replies, [Said("How are you?", 0.1, 0.5)]) as server,
        talking(server) as talk,
    ):
        talk.speak(0.8)
        await talk.until(ResponseAudio)
        grow_old(talk)
        await talk.heard_by(server)
        assert len(server.sessions) == 1  # a reply is under way
        go_on.set()
        await talk.until(SessionReconnected)
        assert talk.seconds == 1.0
        talk.session.generate_reply(request_id="r", instructions="Say good bye.")
        await talk.done(2)
        first, second = server.sessions
        assert second.settings["instructions"] == "Be kind."
        assert [item.text for item in second.items] == ["How are you?", "I am fine, thank you.", "Bye."]
        assert [item.id for item in second.items][:2] == [item.id for item in first.items]
        message = second.items[1].id  # over the new connection it is text
        talk.session.truncate(message_id=message, modalities=["audio"], audio_end_ms=500, audio_transcript="I am")
        await talk.heard_by(server)
        assert [item.text for item in second.items] == ["How are you?", "I am", "Bye."]
    assert server.refused == []


async def test_a_user_in_the_middle_of_a_turn_keeps_the_old_connection() -> None:
    async with (
        OpenAIRealtimeServer([], [Said("Yes.")]) as server,
        talking(server, turn_detection_disabled=True) as talk,
    ):
        talk.session.start_user_activity()
        talk.speak(0.3)
        grow_old(talk)
        await talk.heard_by(server)
        assert len(server.sessions) == 1
        talk.session.commit_audio()
        await talk.until(SessionReconnected)
    assert server.refused == []


async def test_audio_that_nobody_takes_is_dropped_oldest_first_and_orders_stay() -> None:
    outgoing = outgoing_module.Outgoing()
    outgoing.put({"type": "first"})
    for _ in range(30):
        outgoing.put_audio(bytes(24000))  # half a second
    outgoing.put({"type": "last"})
    second = 48000
    assert (outgoing.audio, outgoing.dropped) == (10 * second, 5 * second)
    texts = [await outgoing.next() for _ in range(202)]
    assert (texts[0], texts[-1]) == ('{"type": "first"}', '{"type": "last"}')
    assert outgoing.audio == 0


async def test_a_server_that_does_not_read_any_more_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_module, "ORDERS_KEPT", 10)
    async with OpenAIRealtimeServer() as server:
        talk = Talk(model_at(server).session())
        await talk.ready()
        for number in range(20):
            talk.session.generate_reply(request_id=str(number))
        error = await talk.ended()
        assert "has not read" in str(error)
        await talk.session.aclose()


async def test_many_sessions_half_of_them_broken_off_leave_nothing_behind() -> None:
    async with OpenAIRealtimeServer() as server:
        model = model_at(server)
        for number in range(40):
            talk = Talk(model.session())
            if number % 2:
                await talk.ready()
            else:
                talk.task.cancel()
            await talk.session.aclose()
            await asyncio.wait({talk.task})
        await model.aclose()
        await server.all_gone()
        assert server.open_now == 0
        left = [task for task in asyncio.all_tasks() if "openai" in task.get_name()]
        assert left == []
