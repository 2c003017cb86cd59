"""What plugins do in different ways with their realtime sessions, and what a session makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sessionactors import ChatContext, ChatMessage, FunctionCall
from sessionactors.interfaces.realtime import (
    GenerationCreated,
    RealtimeSessionError,
    RealtimeUsage,
    ResponseAudio,
    ResponseDone,
    ResponseText,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatItem
from sessionactors.model.errors import APIConnectionError, APIError, RealtimeError, VideoFormatError
from sessionactors.model.video import VideoFrame

pytest.importorskip("livekit.agents", reason="needs the extra livekit-plugins")

from livekit import agents, rtc
from livekit.agents import llm

from tests.providers.livekit_plugins.quirky_realtime import Heard, Streams, figures


def complaint(error: Exception, *, recoverable: bool = True) -> llm.RealtimeModelError:
    return llm.RealtimeModelError(timestamp=0.0, label="quirky", error=error, recoverable=recoverable)


async def test_what_is_told_before_the_plugins_session_exists_is_told_when_it_does() -> None:
    heard = Heard()
    heard.session.push_audio(AudioFrame(bytes(960), 24000))
    heard.session.generate_reply(request_id="q-1", instructions="Be kind.")
    assert heard.session.chat_ctx.items == []
    assert heard.model.made == []
    await heard.quiet()
    assert [told[0] for told in heard.plugin.told] == ["audio", "reply", "instructions"]
    await heard.session.aclose()
    await heard.session.aclose()
    await heard.task
    assert [told[0] for told in heard.plugin.told].count("close") == 1


async def test_a_response_is_passed_on_with_its_figures_and_sound_of_another_rate_as_24_khz() -> None:
    async with Heard() as heard:
        heard.session.generate_reply(request_id="q-1")
        streams = Streams(asked=True)
        heard.plugin.asked[0].set_result(streams.event)
        heard.plugin.emit("generation_created", streams.event)
        streams.say("Hello.")
        streams.audio.send_nowait(rtc.AudioFrame(bytes(2 * 4800), 48000, 1, 4800))
        streams.end()
        heard.plugin.emit("metrics_collected", figures("r-1"))
        await heard.quiet()
    created, *pieces, done = heard.events
    assert created == GenerationCreated("r-1", "q-1")
    assert [piece.text for piece in pieces if isinstance(piece, ResponseText)] == ["Hello."]
    sound = [piece.frame for piece in pieces if isinstance(piece, ResponseAudio)]
    assert {frame.sample_rate for frame in sound} == {24000}
    assert sum(frame.duration for frame in sound) == pytest.approx(0.1)
    assert done == ResponseDone("r-1", "completed", RealtimeUsage(input_tokens=3, output_tokens=4))


async def test_a_plugin_that_tells_of_a_reply_only_where_it_was_asked_for_is_heard() -> None:
    async with Heard() as heard:
        heard.session.say("Good morning.", request_id="q-1")
        streams = Streams(None)
        streams.end()
        heard.plugin.asked[0].set_result(streams.event)
        await heard.quiet()
        heard.plugin.emit("metrics_collected", figures("unknown"))
        await heard.quiet()
    created, done = heard.events
    assert created == GenerationCreated("response_1", "q-1")
    assert isinstance(done, ResponseDone)
    assert done.usage is not None  # of the one response that is under way


async def test_a_plugin_that_gives_no_figures_is_waited_for_once() -> None:
    async with Heard() as heard:
        for number in (1, 2):
            streams = Streams(f"r-{number}")
            streams.end()
            heard.plugin.emit("generation_created", streams.event)
            if number == 1:
                await heard.until(2)
        await heard.quiet()
    assert [event.response_id for event in heard.events if isinstance(event, ResponseDone)] == ["r-1", "r-2"]


async def test_a_reply_that_the_plugin_refuses_fails_as_one() -> None:
    async with Heard() as heard:
        heard.session.generate_reply(request_id="q-1")
        heard.plugin.asked[0].set_exception(llm.RealtimeError("busy", code="already_active"))
        await heard.quiet()
        heard.plugin.refuses = ValueError("no such tool")
        heard.session.generate_reply(request_id="q-2")
        await heard.quiet()
    assert [event.request_id for event in heard.events if isinstance(event, GenerationCreated)] == ["q-1", "q-2"]
    first, second = (event for event in heard.events if isinstance(event, ResponseDone))
    assert (first.status, second.status) == ("failed", "failed")
    assert isinstance(first.error, RealtimeError)
    assert "already_active" in str(first.error)
    assert "no such tool" in str(second.error)


async def test_what_was_not_begun_is_cancelled_and_what_was_is_interrupted() -> None:
    async with Heard() as heard:
        heard.session.interrupt()
        heard.session.generate_reply(request_id="q-1")
        heard.session.interrupt()
        await heard.quiet()
        assert heard.plugin.asked[0].cancelled()
        assert [told[0] for told in heard.plugin.told].count("interrupt") == 0
        streams = Streams()
        heard.plugin.emit("generation_created", streams.event)
        await heard.quiet()
        heard.session.interrupt()
        streams.end()
        heard.plugin.emit("metrics_collected", figures("r-1", cancelled=True))
        await heard.quiet()
        assert [told[0] for told in heard.plugin.told].count("interrupt") == 1
    assert [event.status for event in heard.events if isinstance(event, ResponseDone)] == ["cancelled", "cancelled"]


async def test_replies_wait_while_the_plugin_mends_its_connection_and_can_be_taken_back() -> None:
    async with Heard() as heard:
        heard.plugin.emit("input_speech_started", llm.InputSpeechStartedEvent())
        heard.plugin.emit("error", complaint(agents.APIConnectionError("gone")))
        heard.session.generate_reply(request_id="q-1")
        heard.session.interrupt()
        heard.session.generate_reply(request_id="q-2")
        assert heard.plugin.asked == []
        heard.plugin.emit("session_reconnected", llm.RealtimeSessionReconnectedEvent())
        await heard.quiet()
        assert len(heard.plugin.asked) == 1
    assert isinstance(heard.events[1], RealtimeSessionError)
    assert [event.status for event in heard.events if isinstance(event, ResponseDone)] == ["cancelled"]


async def test_a_lost_connection_ends_the_response_under_way() -> None:
    async with Heard() as heard:
        streams = Streams()
        heard.plugin.emit("generation_created", streams.event)
        streams.say("Once upon")
        await heard.quiet()
        heard.plugin.emit("error", complaint(agents.APIConnectionError("gone")))
        await heard.quiet()
    done = heard.events[-1]
    assert isinstance(done, ResponseDone)
    assert isinstance(done.error, APIConnectionError)
    assert not any(isinstance(event, RealtimeSessionError) for event in heard.events)


@pytest.mark.parametrize("spoke", [False, True], ids=["before anything came", "when something had come"])
async def test_an_error_is_about_the_response_that_brings_nothing(spoke: bool) -> None:
    async with Heard() as heard:
        streams = Streams()
        heard.plugin.emit("generation_created", streams.event)
        heard.plugin.emit("error", complaint(agents.APIError("too fast", retryable=True)))
        if spoke:
            streams.say("Hello.")
        streams.end()
        heard.plugin.emit("metrics_collected", figures("r-1"))
        await heard.quiet()
    done = heard.events[-1]
    assert isinstance(done, ResponseDone)
    assert done.status == ("completed" if spoke else "failed")
    assert any(isinstance(event, RealtimeSessionError) for event in heard.events) is spoke


async def test_a_stream_that_raises_fails_its_response() -> None:
    async def broken(messages: list[llm.MessageGeneration]) -> AsyncIterator[llm.MessageGeneration]:
        for message in messages:
            yield message
        raise llm.RealtimeError("no such stream")

    async with Heard() as heard:
        streams = Streams()
        streams.event.message_stream = broken([])
        streams.calls.close()
        heard.plugin.emit("generation_created", streams.event)
        await heard.quiet()
    done = heard.events[-1]
    assert isinstance(done, ResponseDone)
    assert "no such stream" in str(done.error)


@pytest.mark.parametrize("tried", [False, True], ids=["at once", "after it tried by itself"])
async def test_a_plugin_that_gives_up_is_made_again_only_if_it_did_not_try_itself(tried: bool) -> None:
    async with Heard() as heard:
        if tried:
            heard.plugin.emit("error", complaint(agents.APIConnectionError("gone")))
        heard.plugin.emit("error", complaint(agents.APIConnectionError("gone"), recoverable=False))
        with pytest.raises(APIError, match="gone") as ended:
            await heard.task
    assert ended.value.retryable is not tried


async def test_what_the_plugin_raises_becomes_an_error_of_ours() -> None:
    async with Heard() as heard:
        heard.plugin.refuses = llm.RealtimeError("update_chat_ctx timed out.")
        with pytest.raises(RealtimeError, match="timed out"):
            await heard.session.update_chat_ctx(ChatContext.empty())


async def test_what_the_server_named_keeps_its_name() -> None:
    async with Heard() as heard:
        there = llm.ChatMessage(id="m-1", role="user", content=[" Hello? "])
        call = llm.FunctionCall(id="theirs", call_id="c-1", name="weather", arguments="{}")
        heard.plugin.context = llm.ChatContext([there, call])
        ours: list[ChatItem] = [ChatMessage("user", ["Hello?"], "m-1"), FunctionCall("c-1", "weather", "{}", "ours")]
        await heard.session.update_chat_ctx(ChatContext(ours))
        assert heard.plugin.told[-1] == ("chat_ctx", ["m-1", "theirs"])
        assert [item.id for item in heard.session.chat_ctx.items] == ["m-1", "theirs"]


async def test_orders_reach_the_plugin() -> None:
    async with Heard() as heard:
        heard.session.push_video(VideoFrame(bytes([9]) * 16, 2, 2))
        with pytest.raises(VideoFormatError, match="image/png"):
            heard.session.push_video(VideoFrame(b"x", 2, 2, "image/png"))
        heard.session.start_user_activity()
        heard.session.commit_audio()
        heard.session.clear_audio()
        heard.session.update_options(tool_choice="required")
        heard.session.truncate(message_id="m-1", modalities=["audio"], audio_end_ms=10)
        cut = {"message_id": "m-1", "modalities": ["audio"], "audio_end_ms": 10, "audio_transcript": agents.NOT_GIVEN}
        assert heard.plugin.told == [
            ("video", 2, 2, bytes([9]) * 16),
            ("activity",),
            ("commit",),
            ("clear",),
            ("options", {"tool_choice": "required"}),
            ("truncate", cut),
        ]
