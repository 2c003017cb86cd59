"""ElevenLabs' voice against a server on this machine: what is sent, what is heard and when, and what goes wrong."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import Any, cast

import pytest

from sessionactors.interfaces.tts import SynthesizedAudio
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, OptionError
from sessionactors.providers import vendor_socket
from sessionactors.providers.elevenlabs import (
    TTS,
    PronunciationDictionaryLocator,
    VoiceSettings,
    context_line,
    context_text,
)
from sessionactors.providers.line_pool import LinePool

from tests.providers.voices.reading_aloud import Text, said, spoken
from tests.wire.elevenlabs import ElevenLabsServer, VoiceCall
from tests.wire.vendor_server import Fault

PIECES = ("The first train leaves at seven. ", "The next one at nine.")


def voice(server: ElevenLabsServer, **options: Any) -> TTS:
    return TTS(**{"api_key": server.key, "base_url": server.base_url, **options})


async def failure(call: VoiceCall, *pieces: str | asyncio.Event, **options: Any) -> APIError:
    async with ElevenLabsServer([call]) as server:
        tts = voice(server, **options)
        with pytest.raises(APIError) as raised:
            await spoken(tts, *(pieces or PIECES))
        await tts.aclose()
    assert server.key not in f"{raised.value!r} {raised.value.body!r}"
    return raised.value


async def test_each_sentence_is_sent_and_spoken_at_once() -> None:
    go_on = asyncio.Event()
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        heard: list[SynthesizedAudio] = []
        async for audio in tts.synthesize(Text([PIECES[0], go_on, PIECES[1]])):
            heard.append(audio)
            if said(heard) == PIECES[0]:
                go_on.set()
        await tts.aclose()
    assert said(heard).strip() == "".join(PIECES)
    assert all(audio.frame.sample_rate == 24000 and audio.frame.duration <= 0.2 for audio in heard)
    first, *rest = server.last.messages
    name = first["context_id"]
    assert first == {"text": " ", "context_id": name}
    assert rest == [
        {"text": PIECES[0], "context_id": name, "flush": True},
        {"text": PIECES[1] + " ", "context_id": name, "flush": True},
        {"context_id": name, "flush": True},
        {"context_id": name, "close_context": True},
    ]


@pytest.mark.parametrize("absolute", [False, True], ids=["times of each piece", "times of all audio"])
async def test_words_are_told_where_they_end_in_text_and_audio(absolute: bool) -> None:
    async with ElevenLabsServer([VoiceCall(absolute=absolute)]) as server:
        tts = voice(server)
        heard = await spoken(tts, *PIECES)
        await tts.aclose()
    text = "".join(PIECES)
    timings = [timing for audio in heard for timing in audio.timings]
    assert tts.aligned_transcript
    assert [text[: timing.text_end].split()[-1] for timing in timings] == text.split()
    assert [round(timing.end_time, 6) for timing in timings] == [timing.text_end / 50 for timing in timings]
    position = 0.0
    for audio in heard:
        position += audio.frame.duration
        assert all(timing.end_time <= position + 1e-9 for timing in audio.timings)


async def test_what_the_connection_is_asked_for() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        await spoken(tts, "Hi. ")
        every = voice(
            server,
            voice_id="anna",
            voice_settings=VoiceSettings(stability=0.3, similarity_boost=0.8, speed=1.1, use_speaker_boost=True),
            model="eleven_flash_v2_5",
            encoding="pcm_16000",
            streaming_latency=2,
            inactivity_timeout=60,
            apply_text_normalization="on",
            apply_language_text_normalization=True,
            enable_ssml_parsing=True,
            enable_logging=False,
            chunk_length_schedule=[60, 90],
            language="de",
            sync_alignment=False,
            pronunciation_dictionary_locators=[PronunciationDictionaryLocator("dict", "v1")],
        )
        heard = await spoken(every, "Hi. ")
        await tts.aclose()
        await every.aclose()
    plain, full = server.received
    assert plain.path == "/v1/text-to-speech/hpp4J3VqNfWAUOO0d1Us/multi-stream-input"
    assert plain.options == {
        "model_id": "eleven_turbo_v2_5",
        "output_format": "pcm_24000",
        "enable_ssml_parsing": "false",
        "enable_logging": "true",
        "inactivity_timeout": "180",
        "apply_text_normalization": "auto",
        "auto_mode": "true",
        "sync_alignment": "true",
    }
    assert full.path == "/v1/text-to-speech/anna/multi-stream-input"
    assert full.options == {
        "model_id": "eleven_flash_v2_5",
        "output_format": "pcm_16000",
        "enable_ssml_parsing": "true",
        "enable_logging": "false",
        "inactivity_timeout": "60",
        "apply_text_normalization": "on",
        "apply_language_text_normalization": "true",
        "auto_mode": "false",
        "language_code": "de",
        "optimize_streaming_latency": "2",
    }
    first, text, *_ = full.messages
    assert first["voice_settings"] == {
        "stability": 0.3,
        "similarity_boost": 0.8,
        "speed": 1.1,
        "use_speaker_boost": True,
    }
    assert first["generation_config"] == {"chunk_length_schedule": [60.0, 90.0]}
    assert first["pronunciation_dictionary_locators"] == [{"pronunciation_dictionary_id": "dict", "version_id": "v1"}]
    assert "flush" not in text
    assert not any(audio.timings for audio in heard)
    assert {audio.frame.sample_rate for audio in heard} == {16000}


async def test_several_texts_share_a_connection_and_are_not_mixed() -> None:
    texts = [f"This is text number {number}. " for number in range(12)]
    async with ElevenLabsServer([VoiceCall(pace=0.001)]) as server:
        tts = voice(server)
        heard = await asyncio.gather(*(spoken(tts, text) for text in texts))
        await tts.aclose()
    assert [said(audio) for audio in heard] == texts
    assert len(server.received) == 3  # five contexts each


async def test_a_text_without_words_ends_without_audio() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        for pieces in ((), ("",), ("  \n",)):
            assert await spoken(tts, *pieces) == []
        assert said(await spoken(tts, "Yes. ")) == "Yes. "
        await tts.aclose()
    assert len(server.received) == 1


async def test_an_interrupted_text_is_closed_and_the_connection_stays() -> None:
    async with ElevenLabsServer([VoiceCall(pace=0.002)]) as server:
        tts = voice(server)
        async with aclosing(cast("Any", tts.synthesize(Text([*PIECES, asyncio.Event()])))) as audio:
            heard = [await anext(audio) for _ in range(2)]
        assert said(await spoken(tts, "Sorry? ")) == "Sorry? "
        await tts.aclose()
    assert said(heard) == "".join(PIECES)[:20]
    assert len(server.received) == 1
    closed = [message["context_id"] for message in server.last.messages if "close_context" in message]
    assert closed == [message["context_id"] for message in server.last.messages if message.get("text") == " "]


async def test_many_requests_of_which_half_are_cancelled_leave_no_more_than_their_connections() -> None:
    rng_turns = [0, 1, 2, 3, 5, 8, 13, 40]
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server, encoding="pcm_8000")
        tasks_before = len(asyncio.all_tasks())
        done = 0

        async def room(number: int) -> None:
            nonlocal done
            for turn in range(25):
                request = asyncio.create_task(spoken(tts, f"Room {number}, turn {turn}. "))
                if turn % 2:
                    for _ in range(rng_turns[(number + turn) % len(rng_turns)]):
                        await asyncio.sleep(0)
                    request.cancel()
                    await asyncio.wait((request,))
                else:
                    assert said(await request, 8000) == f"Room {number}, turn {turn}. "
                done += 1

        await asyncio.gather(*(room(number) for number in range(8)))
        assert done == 200
        await asyncio.sleep(0.01)
        pool: LinePool[Any] = await tts._lines.here()
        assert len(server.received) <= 8, "connections are used again"
        assert server.open_now == len(pool)
        assert all(line.taken == 0 for line in pool._lines)
        assert all(not line._contexts and not line._closing for line in pool._lines)
        await tts.aclose()
        await server.all_gone()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) <= tasks_before
    assert all(received.complaints == [] for received in server.received)


async def test_a_connection_is_warm_before_the_first_text() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        tts.prewarm()
        tts.prewarm()
        while not server.open_now:  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.001)
        await spoken(tts, "Hi. ")
        assert len(server.received) == 1
        await tts.aclose()
        await server.all_gone()


async def test_warming_that_fails_says_so_with_the_first_text() -> None:
    async with ElevenLabsServer([VoiceCall(Fault(500)), VoiceCall()]) as server:
        tts = voice(server)
        tts.prewarm()
        while not server.received:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert said(await spoken(tts, "Hi. ")) == "Hi. "  # nobody remembers the failure
        await tts.aclose()


async def test_a_connection_that_is_old_takes_no_new_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_line, "MAX_AGE", 0.05)
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        await spoken(tts, "One. ")
        await spoken(tts, "Two. ")
        assert len(server.received) == 1
        await asyncio.sleep(0.06)
        await spoken(tts, "Three. ")
        assert len(server.received) == 2
        await asyncio.wait_for(server.received[0].gone.wait(), 1)
        await tts.aclose()


async def test_another_voice_is_another_connection() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        await spoken(tts, "One. ")
        tts.update_options(voice_id="anna", model="eleven_flash_v2_5")
        await spoken(tts, "Two. ")
        assert (tts.model, server.last.options["model_id"]) == ("eleven_flash_v2_5", "eleven_flash_v2_5")
        assert [received.path.split("/")[3] for received in server.received] == ["hpp4J3VqNfWAUOO0d1Us", "anna"]
        await tts.aclose()
    with pytest.raises(OptionError, match="encoding cannot be changed"):
        tts.update_options(encoding="pcm_8000")  # type: ignore[call-arg]


async def test_a_text_that_waits_for_words_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_text, "KEPT_ALIVE_AFTER", 0.0001)
    go_on = asyncio.Event()
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        speaking = asyncio.create_task(spoken(tts, "One. ", go_on, "Two. "))
        await asyncio.sleep(0.1)
        go_on.set()
        assert said(await speaking) == "One. Two. "
        await tts.aclose()
    assert sum(message.get("text") == "" for message in server.last.messages) >= 2


async def test_a_voice_is_given_no_more_text_than_somebody_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_line, "MOST_HELD", 0.6)
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        gate, texts = asyncio.Event(), [f"This is the long sentence {number}. " for number in range(8)]
        async with aclosing(cast("Any", tts.synthesize(Text([*texts[:2], gate, *texts[2:]])))) as audio:
            heard = [await anext(audio)]
            await asyncio.sleep(0.02)  # the audio of two sentences has come
            gate.set()
            await asyncio.sleep(0.01)
            assert sum("flush" in message for message in server.last.messages) == 2
            heard += [piece async for piece in audio]
        await tts.aclose()
    assert said(heard) == "".join(texts)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def test_a_wrong_key_is_final_and_told_with_the_request() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server, api_key="wrong-secret")
        with pytest.raises(APIStatusError, match="refused with 401") as raised:
            await spoken(tts, "Hi. ")
        await tts.aclose()
    error = raised.value
    assert (error.status_code, error.retryable, error.request_id) == (401, False, "el-1")
    assert "wrong-secret" not in f"{error!r} {error.body!r}"


@pytest.mark.parametrize("status, retryable", [(400, False), (402, False), (422, False), (429, True), (500, True)])
async def test_a_refusal_is_retried_where_that_can_help(status: int, retryable: bool) -> None:
    error = await failure(VoiceCall(Fault(status, headers={"retry-after": "2"})))
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable, error.retry_after, error.request_id) == (status, retryable, 2.0, "el-1")


async def test_a_voice_that_does_not_exist_is_final() -> None:
    error = await failure(VoiceCall(), voice_id="nobody")
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable) == (404, False)
    assert "A voice with this id does not exist. (voice_id_does_not_exist), request el-1" in str(error)


@pytest.mark.parametrize(
    "call, kind, retryable, says",
    [
        (VoiceCall(Fault(close=(1011, "oops"), after=2)), APIConnectionError, True, "closed with 1011 oops"),
        (VoiceCall(Fault(close=(1008, "policy"), after=2)), APIStatusError, False, "closed with 1008 policy"),
        (VoiceCall(Fault(close=(1000, ""), after=2)), APIConnectionError, True, "closed by the other side"),
        (VoiceCall(Fault(cut=True, after=2)), APIConnectionError, True, "the connection broke"),
        (VoiceCall(Fault(cut=True)), APIConnectionError, True, "the connection broke"),
        (VoiceCall(Fault(garbage="{no json", after=2)), APIError, True, "cannot be read: {no json"),
        (VoiceCall(Fault(garbage="7", after=2)), APIError, True, "cannot be read"),
        (VoiceCall(Fault(garbage='{"audio": "!"}', after=2)), APIError, True, "cannot be read"),
        (VoiceCall(context_ids=False), APIError, True, "cannot be read"),
        (VoiceCall(error={"error": "quota_exceeded", "message": "Paid up?"}), APIStatusError, False, "Paid up?"),
        (VoiceCall(error={"error": "rate_limit_exceeded"}), APIStatusError, True, "rate_limit_exceeded"),
        (VoiceCall(error={"error": "something_new", "message": "hm"}), APIError, True, "hm (something_new)"),
    ],
)
async def test_a_connection_that_goes_wrong_is_a_typed_error(
    call: VoiceCall, kind: type[APIError], retryable: bool, says: str
) -> None:
    error = await failure(call, *PIECES, asyncio.Event())
    assert type(error) is kind
    assert error.retryable is retryable
    assert says in str(error)


async def test_an_error_of_one_text_leaves_the_others_alone() -> None:
    async with ElevenLabsServer([VoiceCall(pace=0.002)]) as server:
        tts = voice(server)
        speaking = asyncio.create_task(spoken(tts, *PIECES))
        async with aclosing(cast("Any", tts.synthesize(Text(["Hello there, everybody. ", asyncio.Event()])))) as audio:
            await anext(audio)
            pool: LinePool[Any] = await tts._lines.here()
            (line,) = pool._lines
            name = next(sent["context_id"] for sent in server.last.messages if sent.get("text", "").startswith("Hello"))
            line.route(f'{{"error": "server_error", "contextId": "{name}"}}')
            with pytest.raises(APIError, match="server_error"):
                [piece async for piece in audio]
        assert said(await speaking).strip() == "".join(PIECES)
        await tts.aclose()


async def test_what_came_before_a_break_is_passed_on() -> None:
    async with ElevenLabsServer([VoiceCall(Fault(cut=True, after=2))]) as server:
        tts = voice(server)
        audio = tts.synthesize(Text([*PIECES, asyncio.Event()]))
        heard = [await anext(audio), await anext(audio)]
        with pytest.raises(APIConnectionError):
            await anext(audio)
        await tts.aclose()
    assert said(heard) == "".join(PIECES)[:20]


async def test_a_text_that_fails_ends_with_its_error_and_the_connection_stays() -> None:
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        with pytest.raises(RuntimeError, match="no more words"):
            await spoken(tts, PIECES[0], RuntimeError("no more words"))
        assert said(await spoken(tts, "Yes. ")) == "Yes. "
        await tts.aclose()
    assert len(server.received) == 1


async def test_contexts_that_are_never_closed_retire_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_line, "RELEASED_WITHIN", 0.02)
    async with ElevenLabsServer([VoiceCall(never_closes=True), VoiceCall()]) as server:
        tts = voice(server)
        async with aclosing(cast("Any", tts.synthesize(Text([*PIECES, asyncio.Event()])))) as audio:
            await anext(audio)
        await asyncio.sleep(0.04)
        assert said(await spoken(tts, "Yes. ")) == "Yes. "
        assert len(server.received) == 2
        await asyncio.wait_for(server.received[0].gone.wait(), 1)
        await tts.aclose()


async def test_a_half_open_connection_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor_socket, "CLOSE_WITHIN", 0.02)
    for fault in (Fault(silent=True), Fault(half_open=True), Fault(half_open=True, after=1)):
        async with ElevenLabsServer([VoiceCall(fault)]) as server:
            tts = voice(server)
            speaking = asyncio.create_task(spoken(tts, *PIECES))
            await asyncio.sleep(0.01)
            speaking.cancel()
            await asyncio.wait((speaking,), timeout=1)
            assert speaking.cancelled()
            async with asyncio.timeout(1):
                await tts.aclose()


async def test_closing_a_voice_ends_what_is_spoken_and_it_can_be_used_again() -> None:
    async with ElevenLabsServer([VoiceCall(pace=0.002)]) as server:
        tts = voice(server)
        speaking = asyncio.create_task(spoken(tts, *PIECES))
        await asyncio.sleep(0.01)
        await tts.aclose()
        with pytest.raises(APIConnectionError, match="was closed"):
            await speaking
        assert said(await spoken(tts, "Yes. ")) == "Yes. "
        await tts.aclose()
        await tts.aclose()


def test_a_voice_serves_two_loops() -> None:
    async def talk() -> None:
        async with ElevenLabsServer([VoiceCall()]) as server:
            object.__setattr__(tts._endpoint, "url", server.base_url)
            assert said(await spoken(tts, "Hi. ")) == "Hi. "
            await tts.aclose()

    tts = TTS(api_key="test-key", base_url="http://127.0.0.1:1/v1")
    asyncio.run(talk())
    asyncio.run(talk())


async def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ElevenLabsServer([VoiceCall()]) as server:
        tts = voice(server)
        await spoken(tts, "Hi. ")
        await tts.aclose()
    assert server.key not in caplog.text + repr(tts) + repr(vars(tts))


# -- options -----------------------------------------------------------------------------------------------------------


def test_without_a_key_there_is_no_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELEVEN_API_KEY", raising=False)
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    with pytest.raises(OptionError, match="ELEVEN_API_KEY"):
        TTS()
    monkeypatch.setenv("ELEVENLABS_API_KEY", "from-environment")
    assert (TTS().provider, TTS().sample_rate) == ("elevenlabs", 24000)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"encoding": "mp3_44100_128"}, "there are: pcm_8000"),
        ({"voice_id": ""}, "voice_id must not be empty"),
        ({"inactivity_timeout": 300}, "between 1 and 180"),
        ({"streaming_latency": 5}, "between 0 and 4"),
        ({"chunk_length_schedule": [20]}, "between 50 and 500"),
        ({"chunk_length_schedule": [50], "auto_mode": True}, "auto_mode speaks each sentence at once"),
        ({"apply_text_normalization": "maybe"}, "there are: auto, on, off"),
        ({"base_url": "api.elevenlabs.io"}, "must begin with https"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        TTS(api_key="key", **options)


@pytest.mark.parametrize("settings", [{"stability": 2}, {"speed": 2.0}, {"style": -1}])
def test_voice_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        VoiceSettings(**settings)  # type: ignore[arg-type]
