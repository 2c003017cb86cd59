"""OpenAI's realtime model against a server on this machine that checks each event with the SDK's types."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.realtime import ResponseAudioDeltaEvent
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

from sessionactors.interfaces.realtime import (
    GenerationCreated,
    InputAudioTranscriptionCompleted,
    InputSpeechStarted,
    InputSpeechStopped,
    RealtimeCapabilities,
    RealtimeSessionError,
    RealtimeUsage,
    RemoteItemAdded,
    ResponseAudio,
    ResponseToolCall,
)
from sessionactors.model.chat import ChatContext, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import APIError, OptionError
from sessionactors.model.tools import ToolDefinition
from sessionactors.model.video import VideoFrame
from sessionactors.providers.openai.realtime import RealtimeModel
from sessionactors.providers.openai.realtime.server_events import parse

from tests.providers.openai.realtime_talk import Talk, model_at, talking
from tests.wire.openai_realtime import OpenAIRealtimeServer, Reply, Said

WEATHER = ToolDefinition(
    "weather", "The weather in a city.", {"type": "object", "properties": {"city": {"type": "string"}}}
)
STORY = Reply("Once upon a time there was a king", 2.0, pace=0.02)


def texts(server: OpenAIRealtimeServer) -> list[tuple[str, str]]:
    return [(item.id, item.text) for item in server.session.items]


async def test_the_first_event_settles_everything_and_the_model_says_what_it_can() -> None:
    async with OpenAIRealtimeServer() as server, talking(server, voice="cedar", speed=1.2) as talk:
        first = server.last.messages[0]
        assert server.last.types() == ["session.update"]
        assert server.last.options == {"model": "gpt-realtime"}
        assert first["session"] == {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "Be kind.",
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "noise_reduction": None,
                    "transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": {
                        "type": "semantic_vad",
                        "eagerness": "medium",
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "cedar", "speed": 1.2},
            },
        }
        assert talk.events == []
    assert server.refused == []


async def test_a_reply_that_was_asked_for_comes_as_text_and_sound_with_its_tokens() -> None:
    async with OpenAIRealtimeServer([Reply("Hello my friend.", 0.3)]) as server, talking(server) as talk:
        talk.session.generate_reply(request_id="speech-1/step-1", instructions="Greet.", tool_choice="none")
        done = await talk.done()
        created = await talk.until(GenerationCreated)
        (sound, *_) = talk.of(ResponseAudio)
        assert (created.request_id, created.user_initiated) == ("speech-1/step-1", True)
        assert (talk.text, talk.seconds) == ("Hello my friend.", 0.3)
        assert (sound.frame.sample_rate, sound.frame.num_channels) == (24000, 1)
        assert (done.response_id, done.status) == (created.response_id, "completed")
        assert done.usage == RealtimeUsage(10, 20, 6, 4, 2, 15, 5)
        assert server.last.messages[-1]["response"] == {
            "metadata": {"request": "speech-1/step-1"},
            "instructions": "Be kind.\nGreet.",  # those of a response stand in for the session's
            "tool_choice": "none",
        }
        assert [item.text_content for item in talk.session.chat_ctx.items if isinstance(item, ChatMessage)] == [
            "Hello my friend."
        ]
    assert server.refused == []


async def test_with_text_only_it_writes() -> None:
    async with OpenAIRealtimeServer([Reply("Hello my friend.")]) as server:
        async with talking(server, modalities=["text"]) as talk:
            talk.session.generate_reply(request_id="r")
            await talk.done()
            assert (talk.text, talk.seconds) == ("Hello my friend.", 0.0)
        settings = server.session.settings
        assert (settings["output_modalities"], "output" in settings["audio"]) == (["text"], False)


async def test_turns_found_by_the_server_are_told_transcribed_and_answered() -> None:
    said = Said("How are you?", 0.2, 1.0, logprobs=[0.0, -0.2])
    async with OpenAIRealtimeServer([Reply("I am fine.")], [said]) as server, talking(server) as talk:
        talk.speak(1.5)
        await talk.done()
        (started,), (stopped,) = talk.of(InputSpeechStarted), talk.of(InputSpeechStopped)
        added = await talk.until(RemoteItemAdded)
        *interim, final = talk.of(InputAudioTranscriptionCompleted)
        assert started.item_id == stopped.item_id == added.item.id == final.item_id
        assert stopped.user_transcription_enabled
        assert [words.transcript for words in interim] == ["How ", "How are "]
        assert (final.transcript, final.is_final) == ("How are you?", True)
        assert final.confidence == pytest.approx(0.905, abs=0.001)
        (created,) = talk.of(GenerationCreated)
        assert not created.user_initiated
        assert [getattr(item, "text_content", "") for item in talk.session.chat_ctx] == ["How are you?", "I am fine."]
    assert server.refused == []
    assert len(server.last.audio) == 1.5 * 24000 * 2


async def test_turns_found_here_are_committed() -> None:
    async with OpenAIRealtimeServer([], [Said("How are you?")]) as server:
        async with talking(server, turn_detection_disabled=True) as talk:
            talk.session.start_user_activity()
            talk.speak(0.53)
            talk.session.commit_audio()
            added = await talk.until(RemoteItemAdded)
            await talk.until(InputAudioTranscriptionCompleted, lambda words: words.is_final)
            assert talk.understood == ["How are you?"]
            assert added.item.id == talk.of(InputAudioTranscriptionCompleted)[-1].item_id
            assert talk.of(GenerationCreated) == []
            assert server.session.settings["audio"]["input"]["turn_detection"] is None
        assert len(server.last.audio) == round(0.52 * 24000) * 2  # frames of 20 ms, all of them before the commit
    assert server.refused == []


async def test_too_little_audio_is_no_turn_and_what_is_cleared_is_forgotten() -> None:
    async with (
        OpenAIRealtimeServer([], [Said("Yes.")]) as server,
        talking(server, turn_detection_disabled=True) as talk,
    ):
        talk.speak(0.06)
        talk.session.commit_audio()
        talk.speak(1.0)
        talk.session.clear_audio()
        talk.session.commit_audio()
        await talk.heard_by(server)
        assert "input_audio_buffer.commit" not in server.last.types()
        talk.speak(0.2)
        talk.session.commit_audio()
        await talk.until(RemoteItemAdded)
    assert server.refused == []


async def test_words_that_cannot_be_made_out_are_told_as_none() -> None:
    async with OpenAIRealtimeServer([], [Said(None, 0.2, 0.6)]) as server, talking(server) as talk:
        talk.speak(1.0)
        final = await talk.until(InputAudioTranscriptionCompleted, lambda words: words.is_final)
        error = await talk.until(RealtimeSessionError)
        assert (final.transcript, error.recoverable) == ("", True)
        assert "too noisy (audio_unintelligible)" in str(error.error)


async def test_the_servers_own_interruption_ends_the_response_as_cancelled() -> None:
    async with OpenAIRealtimeServer([STORY], [Said("Stop!", 0.2, 0.4)]) as server, talking(server) as talk:
        talk.session.generate_reply(request_id="r")
        await talk.until(ResponseAudio)
        talk.speak(0.3)
        done = await talk.done()
        assert (done.status, len(talk.of(InputSpeechStarted))) == ("cancelled", 1)
        assert 0 < talk.seconds < 2.0


async def test_an_interruption_cancels_the_response_and_cuts_its_message_to_what_was_heard() -> None:
    async with OpenAIRealtimeServer([STORY]) as server, talking(server) as talk:
        session = talk.session
        session.interrupt()  # there is nothing to interrupt
        session.generate_reply(request_id="r")
        sound = await talk.until(ResponseAudio)
        session.interrupt()
        session.truncate(
            message_id=sound.message_id, modalities=["text", "audio"], audio_end_ms=60, audio_transcript="Once"
        )
        assert (await talk.done()).status == "cancelled"
        session.interrupt()
        await talk.heard_by(server)
        assert server.session.find(sound.message_id).heard == 60  # type: ignore[union-attr]
        assert [getattr(item, "text_content", "") for item in session.chat_ctx] == ["Once"]
        assert server.last.types().count("response.cancel") == 1
    assert server.refused == []


async def test_a_response_that_has_not_begun_is_cancelled_too() -> None:
    async with OpenAIRealtimeServer([STORY]) as server, talking(server) as talk:
        talk.session.generate_reply(request_id="r")
        talk.session.interrupt()
        assert (await talk.done()).status == "cancelled"


async def test_a_message_of_which_nothing_was_heard_is_taken_out() -> None:
    async with OpenAIRealtimeServer([STORY]) as server, talking(server) as talk:
        talk.session.generate_reply(request_id="r")
        sound = await talk.until(ResponseAudio)
        talk.session.interrupt()
        talk.session.truncate(message_id=sound.message_id, modalities=["audio"], audio_end_ms=0, audio_transcript="")
        await talk.done()
        await talk.heard_by(server)
        assert (server.session.items, talk.session.chat_ctx.items) == ([], [])
    assert server.refused == []


async def test_what_was_written_and_not_all_heard_is_written_again_in_its_place() -> None:
    async with (
        OpenAIRealtimeServer([Reply("Once upon a time"), Reply("The end.")]) as server,
        talking(server, modalities=["text"]) as talk,
    ):
        for request in ("r1", "r2"):
            talk.session.generate_reply(request_id=request)
            await talk.done(int(request[1:]))
        first = server.session.items[0].id
        talk.session.truncate(message_id=first, modalities=["text"], audio_end_ms=700, audio_transcript="Once upon")
        await talk.heard_by(server)
        assert [text for _, text in texts(server)] == ["Once upon", "The end."]
        assert server.session.items[0].id == first
        talk.session.truncate(message_id="unknown", modalities=["audio"], audio_end_ms=700)
        await talk.heard_by(server)
    assert server.refused == []


async def test_tools_are_offered_called_and_answered() -> None:
    replies = [Reply(calls=[("weather", '{"city": "Oslo"}')]), Reply("It is sunny.")]
    async with OpenAIRealtimeServer(replies) as server, talking(server) as talk:
        session = talk.session
        await session.update_tools([WEATHER])
        assert [tool["name"] for tool in server.session.settings["tools"]] == ["weather"]
        assert session.tools == (WEATHER,)
        session.generate_reply(request_id="r1", tool_choice="required", tools=[WEATHER])
        call = (await talk.until(ResponseToolCall)).call
        assert (call.name, call.arguments) == ("weather", '{"city": "Oslo"}')
        await talk.done()
        asked = server.last.messages[-1]["response"]
        assert (asked["tool_choice"], asked["tools"][0]["type"], asked["tools"][0]["name"]) == (
            "required",
            "function",
            "weather",
        )
        context = session.chat_ctx
        assert [item.arguments for item in context.items if isinstance(item, FunctionCall)] == ['{"city": "Oslo"}']
        await session.update_chat_ctx(
            ChatContext([*context.items, FunctionCallOutput(call.call_id, "weather", "sunny", id="output")])
        )
        assert texts(server)[-1] == ("output", "sunny")
        session.generate_reply(request_id="r2")
        await talk.done(2)
        assert talk.text == "It is sunny."
    assert server.refused == []


async def test_the_servers_conversation_becomes_the_one_that_is_given() -> None:
    a, b, c = (ChatMessage("user", [text], text) for text in "abc")
    system = ChatMessage("developer", ["Be brief."], "x" * 40)
    async with OpenAIRealtimeServer() as server, talking(server) as talk:
        session = talk.session
        await session.update_chat_ctx(ChatContext([a, c]))
        await session.update_chat_ctx(ChatContext([a, b, c]))
        assert [name for name, _ in texts(server)] == ["a", "b", "c"]
        assert [item.id for item in session.chat_ctx] == ["a", "b", "c"]
        sent = len(server.last.messages)
        await session.update_chat_ctx(session.chat_ctx)
        assert len(server.last.messages) == sent  # nothing to do
        other = ChatMessage("assistant", ["B!"], "b")
        await session.update_chat_ctx(ChatContext([system, other]))
        assert [text for _, text in texts(server)] == ["Be brief.", "B!"]
        assert len(texts(server)[0][0]) == 32  # its id is too long for the server
        assert [item.id for item in session.chat_ctx] == ["x" * 40, "b"]
    assert server.refused == []


async def test_what_the_user_said_without_words_is_not_taken_out_of_the_conversation() -> None:
    async with (
        OpenAIRealtimeServer([], [Said("Hello.")]) as server,
        talking(server, turn_detection_disabled=True, input_audio_transcription=None) as talk,
    ):
        talk.speak(0.5)
        talk.session.commit_audio()
        await talk.until(RemoteItemAdded)
        await talk.session.update_chat_ctx(ChatContext([ChatMessage("user", ["typed"], "t")]))
        assert [item.body["content"][0]["type"] for item in server.session.items] == ["input_audio", "input_text"]
        assert [item.id for item in talk.session.chat_ctx] == ["t"]
    assert server.refused == []


async def test_a_picture_is_shown_and_names_nothing_that_the_user_said() -> None:
    async with OpenAIRealtimeServer() as server, talking(server) as talk:
        talk.session.push_video(VideoFrame(bytes(4), 1, 1))
        talk.session.push_video(VideoFrame(bytes(4), 1, 1))  # while the first is being made ready: left out
        assert talk.session._picture is not None
        await talk.session._picture
        await talk.heard_by(server)
        (item,) = server.session.items
        assert item.body["content"][0]["type"] == "input_image"
        assert item.body["content"][0]["image_url"].startswith("data:image/jpeg;base64,")
        assert talk.events == []
    assert server.refused == []


async def test_options_change_while_it_runs() -> None:
    async with OpenAIRealtimeServer([Reply("Hello.")]) as server, talking(server) as talk:
        talk.session.update_options(tool_choice="none")
        talk.session.update_options(tool_choice="none")
        await talk.heard_by(server)
        assert server.last.messages[1]["session"] == {"type": "realtime", "tool_choice": "none"}
        assert server.last.types().count("session.update") == 3
    assert server.refused == []


async def test_an_item_that_the_server_refuses_is_an_error_for_who_gave_it() -> None:
    async with OpenAIRealtimeServer() as server, talking(server) as talk:
        orphan = FunctionCallOutput("call-9", "weather", "sunny", id="o")
        fine = ChatMessage("user", ["hello"], "u")
        with pytest.raises(APIError, match="invalid_tool_call_id"):
            await talk.session.update_chat_ctx(ChatContext([orphan, fine]))
        assert [name for name, _ in texts(server)] == ["u"]
        assert [item.id for item in talk.session.chat_ctx] == ["u"]
        assert talk.of(RealtimeSessionError) == []


async def test_a_deployment_at_azure_is_reached_by_its_address_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAIRealtimeServer([Reply("Hello.")]) as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"http://127.0.0.1:{server.port}/")
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", server.key)
        async with talking(server, azure_deployment="my-realtime", api_key=None, base_url=None) as talk:
            talk.session.generate_reply(request_id="r")
            await talk.done()
        assert (server.last.path, server.last.options) == ("/openai/v1/realtime", {"model": "my-realtime"})
        async with talking(server, azure_deployment="other", api_key=None, entra_token=server.key) as talk:
            assert talk.session.tools == ()
    assert server.refused == []


async def test_a_client_of_ones_own_is_used_as_it_is() -> None:
    async with OpenAIRealtimeServer([Reply("Hello.")]) as server:
        own = openai.AsyncOpenAI(api_key=server.key, base_url=server.url, default_headers={"x-mine": "1"})
        async with talking(server, client=own, api_key=None, base_url=None) as talk:
            talk.session.generate_reply(request_id="r")
            await talk.done()
        assert server.last.headers["x-mine"] == "1"
        assert not own.is_closed()
        await own.close()


def test_events_by_their_earlier_names_are_understood_too() -> None:
    """Some servers that are compatible still speak the protocol as it was before its release."""
    event = parse('{"type": "response.audio.delta", "response_id": "r", "item_id": "i", "delta": ""}')
    assert isinstance(event, ResponseAudioDeltaEvent)
    assert parse('{"type": "rate_limits.updated"}') is None


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"speed": 3.0}, "speed"),
        ({"modalities": ["smell"]}, "modalities"),
        ({"max_response_output_tokens": 0}, "max_response_output_tokens"),
        ({"max_session_duration": 0}, "max_session_duration"),
        ({"azure_deployment": "x", "base_url": None}, "AZURE_OPENAI_ENDPOINT"),
        ({"azure_deployment": "x", "api_key": None}, "AZURE_OPENAI_API_KEY"),
        ({"api_key": None, "base_url": None}, "OPENAI_API_KEY"),
    ],
)
def test_what_cannot_be_is_said_when_the_model_is_made(
    options: dict[str, Any], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OptionError, match=complaint):
        RealtimeModel(**{"api_key": "k", "base_url": "http://127.0.0.1:1/v1", **options})


async def test_what_the_model_can_do_follows_from_its_options() -> None:
    def can(**options: Any) -> RealtimeCapabilities:
        return RealtimeModel(api_key="k", **options).capabilities

    assert can().turn_detection
    assert can().can_disable_turn_detection
    given = can(turn_detection={"type": "server_vad", "create_response": False})
    assert (given.turn_detection, given.can_disable_turn_detection) == (False, False)
    sdks = can(turn_detection=ServerVad(type="server_vad", threshold=0.7))
    assert (sdks.turn_detection, sdks.can_disable_turn_detection) == (True, False)
    assert not can(input_audio_transcription=None).user_transcription
    assert not can(modalities=["text"]).audio_output


async def test_options_of_the_model_reach_the_sessions_that_run() -> None:
    async with OpenAIRealtimeServer() as server, talking(server, turn_detection_disabled=True) as talk:
        model = model_at(server)
        session = model.session(turn_detection_disabled=True)
        other = Talk(session)
        await other.ready()
        model.update_options(
            speed=1.5,
            input_audio_noise_reduction="far_field",
            turn_detection={"type": "server_vad"},  # of a session that has none, it stays none
            input_audio_transcription={"model": "whisper-1"},
        )
        for _ in range(2):  # they come by way of the session's own loop
            await other.heard_by(server)
        assert server.last.messages[2]["session"] == {
            "type": "realtime",
            "audio": {
                "input": {"noise_reduction": {"type": "far_field"}, "transcription": {"model": "whisper-1"}},
                "output": {"speed": 1.5},
            },
        }
        assert talk.session is not session
        with pytest.raises(OptionError):
            model.update_options(speed=9.0)
        await session.aclose()
        await other.ended()
        await model.aclose()
    assert server.refused == []
