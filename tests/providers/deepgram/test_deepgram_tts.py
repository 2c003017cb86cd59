"""Deepgram's voice against a server on this machine, over WebSocket and HTTP."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, cast

import pytest

from sessionactors.interfaces.tts import SynthesizedAudio
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, OptionError
from sessionactors.providers import line_pool, vendor_socket
from sessionactors.providers.deepgram import TTS, speak_line
from sessionactors.providers.line_pool import LinePool

from tests.providers.voices.reading_aloud import Text, said, spoken
from tests.wire.deepgram_speak import SpeakCall, SpeakServer
from tests.wire.vendor_server import Fault

PIECES = ("The first train leaves at seven. ", "The next one at nine.")
BOTH = pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "http"])


def voice(server: SpeakServer, **options: Any) -> TTS:
    return TTS(**{"api_key": server.key, "base_url": server.speak_url, **options})


async def failure(call: SpeakCall, *, websocket: bool, stays_open: bool = True) -> APIError:
    async with SpeakServer([call]) as server:
        tts = voice(server, websocket=websocket)
        with pytest.raises(APIError) as raised:
            await spoken(tts, *PIECES, *([asyncio.Event()] if stays_open else []))
        await tts.aclose()
    assert server.key not in f"{raised.value!r} {raised.value.body!r}"
    return raised.value


@BOTH
async def test_each_sentence_is_spoken_before_the_next_one_comes(websocket: bool) -> None:
    go_on = asyncio.Event()
    async with SpeakServer([SpeakCall(odd=True)]) as server:
        tts = voice(server, websocket=websocket)
        heard: list[SynthesizedAudio] = []
        async for audio in tts.synthesize(Text([PIECES[0], go_on, "", PIECES[1]])):
            heard.append(audio)
            if said(heard) == PIECES[0]:
                go_on.set()
        await tts.aclose()
    assert said(heard) == "".join(PIECES)
    assert all(audio.frame.sample_rate == 24000 and audio.frame.duration <= 0.2 for audio in heard)
    assert not tts.aligned_transcript
    if websocket:
        assert server.last.types() == ["Speak", "Flush", "Speak", "Flush"]
    else:
        assert [received.body for received in server.received] == [{"text": piece} for piece in PIECES]


@BOTH
async def test_what_is_asked_for(websocket: bool) -> None:
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server, model="aura-2-zeus-en", sample_rate=16000, speed=1.2, mip_opt_out=True, websocket=websocket)
        await spoken(tts, "Hi.")
        tts.update_options(model="aura-2-thalia-en")
        await spoken(tts, "Hi.")
        await tts.aclose()
    container = {} if websocket else {"container": "none"}
    options = {"encoding": "linear16", "sample_rate": "16000", "speed": "1.2", "mip_opt_out": "true", **container}
    assert [received.options for received in server.received] == [
        {"model": "aura-2-zeus-en", **options},
        {"model": "aura-2-thalia-en", **options},
    ]


async def test_an_interrupted_text_is_forgotten_before_the_next_one_begins() -> None:
    async with SpeakServer([SpeakCall(pace=0.002)]) as server:
        tts = voice(server)
        async with aclosing(cast("Any", tts.synthesize(Text([*PIECES, asyncio.Event()])))) as audio:
            heard = [await anext(audio)]
        await asyncio.sleep(0.01)
        assert said(await spoken(tts, "Sorry?")) == "Sorry?"
        await tts.aclose()
    assert said(heard) == PIECES[0][:10]
    assert len(server.received) == 1
    assert server.last.types().count("Clear") == 1


async def test_texts_at_once_have_a_connection_each_and_leave_it_to_others() -> None:
    texts = [f"This is text number {number}." for number in range(6)]
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server)
        assert [said(audio) for audio in await asyncio.gather(*(spoken(tts, text) for text in texts))] == texts
        for text in texts:
            assert said(await spoken(tts, text)) == text
        assert len(server.received) == 6
        await tts.aclose()
        await server.all_gone()


async def test_a_text_that_is_cancelled_at_any_moment_leaves_the_next_one_whole() -> None:
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server)
        for turns in (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30):
            request = asyncio.create_task(spoken(tts, *PIECES))
            for _ in range(turns):
                await asyncio.sleep(0)
            request.cancel()
            await asyncio.wait((request,))
            assert said(await spoken(tts, "Yes.")) == "Yes."
        pool: LinePool[Any] = await tts._lines.here()
        assert len(server.received) <= 2 + len(pool)
        await tts.aclose()
    assert all(received.complaints == [] for received in server.received)


async def test_flushes_are_counted_deepgram_takes_twenty_a_minute() -> None:
    sentences = [f"This is sentence {number}. " for number in range(30)]
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server)
        assert said(await spoken(tts, *sentences)) == "".join(sentences)
        assert server.last.types().count("Flush") == 20
        assert said(await spoken(tts, "Yes.")) == "Yes."
        assert len(server.received) == 2, "the next text has another connection"
        await tts.aclose()


async def test_a_connection_that_may_not_speak_for_now_does_not_take_the_place_of_one_that_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speak_line, "FLUSHES", 4)
    monkeypatch.setattr(line_pool, "MOST_IDLE", 1)
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server)
        for number in range(12):
            assert said(await spoken(tts, f"Text {number}.")) == f"Text {number}."
        assert len(server.received) <= 6
        await tts.aclose()


async def test_a_flush_that_is_refused_is_a_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speak_line, "FLUSHES", 100)
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server)
        with pytest.raises(APIStatusError, match="EXCEEDED_FLUSH_LIMIT") as raised:
            await spoken(tts, *[f"Sentence {number}. " for number in range(30)])
        await tts.aclose()
    assert (raised.value.status_code, raised.value.retryable) == (429, True)


async def test_a_text_that_is_not_forgotten_costs_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speak_line, "CLEARED_WITHIN", 0.02)
    async with SpeakServer([SpeakCall(never_clears=True), SpeakCall()]) as server:
        tts = voice(server)
        async with aclosing(cast("Any", tts.synthesize(Text([*PIECES, asyncio.Event()])))) as audio:
            await anext(audio)
        with pytest.raises(APIConnectionError, match="was closed") as raised:
            await spoken(tts, "Yes.")
        assert raised.value.retryable
        assert said(await spoken(tts, "Yes.")) == "Yes."
        await asyncio.wait_for(server.received[0].gone.wait(), 1)
        await tts.aclose()


async def test_a_voice_is_given_no_more_text_than_somebody_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speak_line, "MOST_HELD", 0.6)
    gate, texts = asyncio.Event(), [f"This is the long sentence {number}. " for number in range(8)]
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server)
        async with aclosing(cast("Any", tts.synthesize(Text([*texts[:2], gate, *texts[2:]])))) as audio:
            heard = [await anext(audio)]
            await asyncio.sleep(0.02)  # the audio of two sentences has come
            gate.set()
            await asyncio.sleep(0.01)
            assert server.last.types().count("Speak") == 2
            heard += [piece async for piece in audio]
        await tts.aclose()
    assert said(heard) == "".join(texts)


async def test_a_long_text_is_cut_between_words() -> None:
    text = "word " * 900
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server, sample_rate=8000)
        assert said(await spoken(tts, text), 8000) == text
        await tts.aclose()
    lengths = [len(message["text"]) for message in server.last.messages if message["type"] == "Speak"]
    assert lengths == [2000, 2000, 500]


@BOTH
async def test_a_text_without_words_is_silence(websocket: bool) -> None:
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server, websocket=websocket)
        assert await spoken(tts) == await spoken(tts, " ") == []
        assert said(await spoken(tts, "Yes.")) == "Yes."
        await tts.aclose()


async def test_a_connection_is_warm_before_the_first_text() -> None:
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server)
        tts.prewarm()
        while not server.open_now:  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.001)
        await spoken(tts, "Hi.")
        await tts.aclose()
        assert len(server.received) == 1
        await server.all_gone()


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("status, retryable", [(400, False), (401, False), (402, False), (429, True), (503, True)])
async def test_a_refusal_is_retried_where_that_can_help(status: int, retryable: bool, websocket: bool) -> None:
    error = await failure(SpeakCall(Fault(status, headers={"retry-after": "2"})), websocket=websocket)
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable, error.retry_after, error.request_id) == (status, retryable, 2.0, "dg-1")
    assert "not now" in str(error)


@pytest.mark.parametrize(
    "fault, kind, retryable, says",
    [
        (Fault(close=(1011, "oops"), after=2), APIConnectionError, True, "closed with 1011 oops"),
        (Fault(close=(1008, "policy"), after=2), APIStatusError, False, "closed with 1008 policy"),
        (Fault(close=(1000, ""), after=2), APIConnectionError, True, "closed by the other side"),
        (Fault(cut=True), APIConnectionError, True, "the connection broke"),
        (Fault(garbage="{no json", after=2), APIError, True, "cannot be read"),
        (Fault(garbage='{"type": "Error", "description": "busy"}', after=2), APIError, True, "busy, request dg-1"),
    ],
)
async def test_a_connection_that_goes_wrong_is_a_typed_error(
    fault: Fault, kind: type[APIError], retryable: bool, says: str
) -> None:
    error = await failure(SpeakCall(fault), websocket=True)
    assert type(error) is kind
    assert error.retryable is retryable
    assert says in str(error)


async def test_an_answer_over_http_that_breaks_off_is_a_connection_error() -> None:
    error = await failure(SpeakCall(Fault(cut=True, after=1)), websocket=False)
    assert isinstance(error, APIConnectionError)


@BOTH
async def test_nobody_listening_is_a_connection_error(websocket: bool) -> None:
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server, websocket=websocket)
    with pytest.raises(APIConnectionError):
        await spoken(tts, "Hi.")
    await tts.aclose()


@BOTH
@pytest.mark.parametrize("fault", [Fault(half_open=True, after=1), Fault(half_open=True)])
async def test_a_half_open_connection_can_be_cancelled(
    fault: Fault, websocket: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor_socket, "CLOSE_WITHIN", 0.02)
    async with SpeakServer([SpeakCall(fault)]) as server:
        tts = voice(server, websocket=websocket)
        speaking = asyncio.create_task(spoken(tts, *PIECES))
        await asyncio.sleep(0.02)
        speaking.cancel()
        await asyncio.wait((speaking,), timeout=1)
        assert speaking.cancelled()
        async with asyncio.timeout(1):
            await tts.aclose()


@BOTH
async def test_a_text_that_fails_ends_with_its_error(websocket: bool) -> None:
    async with SpeakServer([SpeakCall()]) as server:
        tts = voice(server, websocket=websocket)
        with pytest.raises(RuntimeError, match="no more words"):
            await spoken(tts, PIECES[0], RuntimeError("no more words"))
        assert said(await spoken(tts, "Yes.")) == "Yes."
        await tts.aclose()


@pytest.mark.parametrize(
    "options, says",
    [
        ({"model": ""}, "must not be empty"),
        ({"encoding": "mp3"}, "must be 'linear16'"),
        ({"sample_rate": 44100}, "there are: 8000"),
        ({"speed": 3}, "between 0.7 and 1.5"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        TTS(api_key="key", **options)
    with pytest.raises(OptionError, match="must not be empty"):
        TTS(api_key="key").update_options(model="")
