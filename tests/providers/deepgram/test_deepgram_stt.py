"""Deepgram's recogniser against a server on this machine that is as strict as Deepgram."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import pytest

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import RecognizedWord, SpeechEventType
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError, OptionError
from sessionactors.model.sentinel import FLUSH
from sessionactors.providers import recognition_socket, vendor_socket
from sessionactors.providers.deepgram import STT

from tests.providers.deepgram.speech import Microphone, heard, told, until
from tests.wire.deepgram import Call, DeepgramServer, Spoken
from tests.wire.vendor_server import Fault

FINAL, USAGE = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.RECOGNITION_USAGE
HELLO = Spoken("Hello there.", 0.2, 0.6)


def stt(server: DeepgramServer, **options: Any) -> STT:
    return STT(**{"api_key": server.key, "base_url": server.listen_url, **options})


async def failure(call: Call, items: Iterable[Any] = (1.0,), **options: Any) -> APIError:
    async with DeepgramServer([call]) as server:
        with pytest.raises(APIError) as raised:
            await heard(stt(server, **options), *items)
        await server.all_gone()
    assert server.key not in str(raised.value)
    assert raised.value.__context__ is None or server.key not in repr(raised.value.__context__)
    return raised.value


async def test_words_come_as_interim_and_final_transcripts_with_edges_of_speech() -> None:
    async with DeepgramServer([Call([HELLO, Spoken("Bye.", 1.2, 1.4)])]) as server:
        events = await heard(stt(server), 2.0)
        await server.all_gone()
    assert told(events) == [
        ("start_of_speech", ""),
        ("interim_transcript", "Hello"),
        ("interim_transcript", "Hello there."),
        ("final_transcript", "Hello there."),
        ("end_of_speech", ""),
        ("start_of_speech", ""),
        ("interim_transcript", "Bye."),
        ("final_transcript", "Bye."),
        ("end_of_speech", ""),
    ]
    start, _, _, final, end, *_ = [event for event in events if event.type is not USAGE]
    assert start.start_time == 0.2
    assert (final.start_time, final.end_time, final.confidence, final.language) == (0.2, 0.6, 0.95, "en-US")
    assert final.words == (RecognizedWord("Hello", 0.2, 0.4, 0.9), RecognizedWord("there.", 0.4, 0.6, 0.9))
    assert (final.request_id, end.end_time) == ("dg-1", 0.6)
    received = server.last
    assert received.types() == ["CloseStream"]
    assert (len(received.audio), received.complaints) == (2 * 16000 * 2, [])


async def test_what_was_not_given_is_sent_with_the_defaults_of_the_plugin() -> None:
    async with DeepgramServer([Call()]) as server:
        await heard(stt(server))
    assert server.last.options == {
        "model": "nova-3",
        "language": "en-US",
        "encoding": "linear16",
        "sample_rate": "16000",
        "channels": "1",
        "punctuate": "true",
        "smart_format": "false",
        "filler_words": "true",
        "profanity_filter": "false",
        "numerals": "false",
        "mip_opt_out": "false",
        "interim_results": "true",
        "no_delay": "true",
        "endpointing": "25",
        "vad_events": "true",
    }


async def test_every_option_is_sent() -> None:
    async with DeepgramServer([Call()]) as server:
        recognizer = stt(
            server,
            model="nova-2-phonecall",
            language="de",
            punctuate=False,
            smart_format=True,
            sample_rate=8000,
            no_delay=False,
            endpointing_ms=0,
            enable_diarization=True,
            filler_words=False,
            keywords=[("Grüezi", 2), ("Zürich", 1.5)],
            tags=["desk", "night"],
            profanity_filter=True,
            redact=["pci", "ssn"],
            numerals=True,
            mip_opt_out=True,
            vad_events=False,
            utterance_end_ms=1200,
            dictation=True,
            replace={"gray": "grey"},
            search=["refund"],
        )
        await heard(recognizer)
    received = server.last
    assert dict(received.options) == {
        "model": "nova-2-phonecall",
        "language": "de",
        "punctuate": "false",
        "smart_format": "true",
        "sample_rate": "8000",
        "no_delay": "false",
        "endpointing": "false",
        "diarize": "true",
        "filler_words": "false",
        "profanity_filter": "true",
        "numerals": "true",
        "mip_opt_out": "true",
        "vad_events": "false",
        "utterance_end_ms": "1200",
        "dictation": "true",
        "replace": "gray:grey",
        "search": "refund",
        "encoding": "linear16",
        "channels": "1",
        "interim_results": "true",
        "keywords": "Zürich:1.5",
        "tag": "night",
        "redact": "ssn",
    }
    assert received.all("keywords") == ["Grüezi:2", "Zürich:1.5"]
    assert (received.all("tag"), received.all("redact")) == (["desk", "night"], ["pci", "ssn"])


async def test_speakers_are_told_apart_for_each_word() -> None:
    both = [Spoken("One two three", 0.1, 0.4, speaker=1), Spoken("four", 0.6, 0.7, speaker=0)]
    async with DeepgramServer([Call(both)]) as server:
        recognizer = stt(server, enable_diarization=True)
        finals = [event for event in await heard(recognizer, 1.0) if event.type is FINAL]
    assert [(event.speaker_id, {word.speaker_id for word in event.words}) for event in finals] == [
        ("S1", {"S1"}),
        ("S0", {"S0"}),
    ]
    assert recognizer.capabilities.diarization


async def test_the_language_that_was_heard_is_told() -> None:
    async with DeepgramServer([Call([Spoken("Hola", 0.1, 0.3, language="es")])]) as server:
        multi = await heard(stt(server, language="multi"), 1.0)
        fixed = [event async for event in stt(server).transcribe(Microphone([1.0]), language="en-GB")]
    assert {event.language for event in multi if event.text} == {"es"}
    assert {event.language for event in fixed if event.text} == {"en-GB"}
    assert server.last.options["language"] == "en-GB"


async def test_a_flush_finishes_what_is_open() -> None:
    async with DeepgramServer([Call([Spoken("One two", 0.1, 0.3)])]) as server:
        events = await heard(stt(server, endpointing_ms=0, interim_results=False), 0.5, FLUSH, 0.1)
    assert told(events, FINAL) == [("final_transcript", "One two")]
    assert server.last.types() == ["Finalize", "CloseStream"]


async def test_a_flush_of_noise_is_answered_with_an_empty_final_and_only_then() -> None:
    async with DeepgramServer([Call([Spoken("One", 0.1, 0.2)])]) as server:
        events = await heard(stt(server), 0.5, FLUSH, 0.2, FLUSH)
    # The first flush comes behind a final of its words: nothing more is owed for it.
    assert told(events, FINAL) == [("final_transcript", "One"), ("final_transcript", "")]


async def test_utterance_end_ends_speech_where_endpointing_does_not() -> None:
    async with DeepgramServer([Call([HELLO])]) as server:
        recognizer = stt(server, endpointing_ms=0, utterance_end_ms=1000)
        events = await heard(recognizer, 2.0)
        assert not stt(server, endpointing_ms=0).capabilities.end_of_speech
    assert ("end_of_speech", "") in told(events)
    assert recognizer.capabilities.end_of_speech


async def test_the_connection_is_kept_alive_while_there_is_no_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    monkeypatch.setattr(recognition_socket, "IDLE_AFTER", 0.02)
    go_on = asyncio.Event()
    async with DeepgramServer([Call([HELLO], patience=0.3)]) as server:
        hearing = asyncio.create_task(heard(stt(server), 0.1, go_on, 1.0))
        await asyncio.sleep(0.4)  # longer than the server's patience
        go_on.set()
        events = await hearing
    assert ("final_transcript", "Hello there.") in told(events)
    assert server.last.types().count("KeepAlive") >= 2


async def test_usage_is_told_every_few_seconds_of_audio_and_at_the_end() -> None:
    go_on = asyncio.Event()
    usage: list[float] = []
    async with DeepgramServer([Call([HELLO])]) as server:
        async for event in stt(server).transcribe(Microphone([6.0, go_on, 6.5])):
            if event.usage is not None:
                assert (event.type, event.request_id) == (USAGE, "dg-1")
                usage.append(event.usage.audio_duration)
                go_on.set()
    assert sum(usage) == pytest.approx(12.5)
    assert len(usage) >= 2


async def test_words_that_the_session_expects_are_told_before_and_while_it_listens() -> None:
    go_on = asyncio.Event()
    first, then = RecognitionContext(("Zermatt",)), RecognitionContext(("Zermatt", "Davos"))
    async with DeepgramServer([Call([HELLO])]) as server:
        recognizer = stt(server, keyterm="Brig")
        async for event in recognizer.transcribe(Microphone([0.7, then, 0.1, go_on, 1.0], context=first)):
            if event.type is FINAL:
                go_on.set()
        assert server.last.all("keyterm") == ["Brig", "Zermatt"]
        assert [message["keyterms"] for message in server.last.messages if message["type"] == "Configure"] == [
            ["Brig", "Zermatt", "Davos"]
        ]
        await heard(stt(server, model="nova-2"), 0.1, then, 0.1)
    assert server.last.types() == ["CloseStream"]  # that model takes none


async def test_options_change_for_the_next_stream_and_keyterms_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    go_on = asyncio.Event()
    async with DeepgramServer([Call()]) as server:
        recognizer = stt(server)
        hearing = asyncio.create_task(heard(recognizer, 0.1, go_on, 0.1))
        await until(lambda: server.received and server.last.audio)
        recognizer.update_options(keyterm=["Brig", "Thun"], language="de", endpointing_ms=100)
        await asyncio.sleep(0.05)
        go_on.set()
        await hearing
        configure = [message for message in server.last.messages if message["type"] == "Configure"]
        assert [message["keyterms"] for message in configure] == [["Brig", "Thun"]]
        await heard(recognizer, 0.1)
    options = server.last.options
    assert (options["language"], options["endpointing"], server.last.all("keyterm")) == ("de", "100", ["Brig", "Thun"])
    with pytest.raises(OptionError, match="keyterm works with nova-3 models only"):
        recognizer.update_options(model="nova-2")
    with pytest.raises(OptionError, match="sample_rate cannot be changed"):
        recognizer.update_options(sample_rate=8000)  # type: ignore[call-arg]
    assert recognizer.model == "nova-3"


# -- what goes wrong ---------------------------------------------------------------------------------------------------


async def test_a_wrong_key_is_final_and_told_with_the_request() -> None:
    async with DeepgramServer([Call()]) as server:
        with pytest.raises(APIStatusError, match="refused with 401: Invalid credentials") as raised:
            await heard(stt(server, api_key="wrong-secret"), 0.1)
    error = raised.value
    assert (error.status_code, error.retryable, error.request_id) == (401, False, "dg-1")
    assert "wrong-secret" not in repr(error) + str(error.body)


@pytest.mark.parametrize("status, retryable", [(400, False), (402, False), (403, False), (429, True), (503, True)])
async def test_a_refusal_is_retried_where_that_can_help(status: int, retryable: bool) -> None:
    error = await failure(Call(fault=Fault(status, {"err_msg": "no"}, {"retry-after": "1"})))
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable, error.request_id) == (status, retryable, "dg-1")
    assert error.retry_after == 1.0


async def test_a_parameter_that_deepgram_does_not_know_is_its_error() -> None:
    error = await failure(Call(), model="nova-3", replace={"": ""}, language="")
    assert isinstance(error, APIStatusError)
    assert "language cannot be" in str(error)


@pytest.mark.parametrize(
    "fault, kind, retryable, says",
    [
        (Fault(close=(1011, "NET-0001"), after=1), APIConnectionError, True, "closed with 1011 NET-0001"),
        (Fault(close=(1008, "DATA-0000"), after=1), APIStatusError, False, "closed with 1008 DATA-0000"),
        (Fault(cut=True, after=1), APIConnectionError, True, "the connection broke"),
        (Fault(cut=True), APIConnectionError, True, "the connection broke"),
        (Fault(garbage="{no json", after=1), APIError, True, "cannot be read: {no json"),
        (Fault(garbage="[]", after=1), APIError, True, "cannot be read"),
        (Fault(garbage=b"\x00\x01", after=1), APIError, True, "cannot be read"),
        (Fault(garbage='{"type": "Results", "channel": 7}', after=1), APIError, True, "cannot be read"),
        (
            Fault(garbage='{"type": "Error", "variant": "SchemaError", "description": "bad frame"}', after=1),
            *(APIError, False, "bad frame"),
        ),
        (Fault(garbage='{"type": "Error", "variant": "X", "description": "busy"}', after=1), APIError, True, "busy"),
    ],
)
async def test_a_connection_that_goes_wrong_is_a_typed_error(
    fault: Fault, kind: type[APIError], retryable: bool, says: str
) -> None:
    error = await failure(Call([HELLO], fault=fault), (1.0, asyncio.Event()))
    assert type(error) is kind
    assert error.retryable is retryable
    assert says in str(error)


async def test_a_message_of_a_kind_that_is_not_known_costs_nothing() -> None:
    fault = Fault(garbage='{"type": "Weather", "sun": true}', after=1)
    async with DeepgramServer([Call([HELLO], fault=fault)]) as server:
        assert ("final_transcript", "Hello there.") in told(await heard(stt(server), 1.0))


@pytest.mark.parametrize("fault", [Fault(silent=True), Fault(half_open=True)], ids=["silent", "half open"])
async def test_a_server_that_does_not_answer_audio_is_found_out(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    monkeypatch.setattr(recognition_socket, "UNANSWERED", 0.05)
    monkeypatch.setattr(vendor_socket, "CLOSE_WITHIN", 0.02)
    async with DeepgramServer([Call([HELLO], fault=fault)]) as server:
        with pytest.raises(APITimeoutError, match=r"no answer to \d+ s of audio"):
            await heard(stt(server), 1.0, asyncio.Event())


async def test_an_end_that_does_not_come_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    monkeypatch.setattr(recognition_socket, "END_WITHIN", 0.03)
    monkeypatch.setattr(vendor_socket, "CLOSE_WITHIN", 0.02)
    with pytest.raises(APITimeoutError, match="no end within"):
        async with DeepgramServer([Call([HELLO], fault=Fault(silent=True))]) as server:
            await heard(stt(server), 1.0)


async def test_nobody_listening_is_a_connection_error() -> None:
    async with DeepgramServer([Call()]) as server:
        pass
    with pytest.raises(APIConnectionError, match="no connection") as raised:
        await heard(stt(server), 0.1)
    assert raised.value.retryable


async def test_a_handshake_that_does_not_come_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor_socket, "OPEN_WITHIN", 0.05)
    writers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(APITimeoutError, match=r"no connection within 0\.05 s"):
            await heard(STT(api_key="key", base_url=f"ws://127.0.0.1:{port}/v1/listen"), 0.1)
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_audio_that_fails_or_does_not_fit_ends_the_stream_with_its_error() -> None:
    async with DeepgramServer([Call()]) as server:
        with pytest.raises(RuntimeError, match="unplugged"):
            [event async for event in stt(server).transcribe(Microphone([0.1, RuntimeError("unplugged")]))]
        with pytest.raises(APIError, match="takes mono at 16000 Hz"):
            [event async for event in stt(server).transcribe(Microphone([0.1], 8000))]
        await server.all_gone()


async def test_a_stream_that_is_closed_leaves_no_connection() -> None:
    async with DeepgramServer([Call([HELLO])]) as server:
        events = stt(server).transcribe(Microphone([5.0, asyncio.Event()]))
        async for event in events:
            if event.type is FINAL:
                break
        await events.aclose()  # type: ignore[attr-defined]
        await server.all_gone()
    assert server.last.types() == []  # cut short: nothing is finished that nobody wants


async def test_a_stream_that_is_cancelled_leaves_no_connection() -> None:
    async with DeepgramServer([Call([HELLO], fault=Fault(silent=True))]) as server:
        for spins in (0, 1, 2, 3, 5, 8, 13, 200):
            hearing = asyncio.create_task(heard(stt(server), 5.0, asyncio.Event()))
            for _ in range(spins):
                await asyncio.sleep(0)
            hearing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hearing
        await asyncio.sleep(0.01)  # the server sees the last of them
        await server.all_gone()


async def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with DeepgramServer([Call([HELLO])]) as server:
        await heard(stt(server), 1.0)
    assert server.key not in caplog.text
    assert server.key not in repr(vars(stt(server)))


async def test_many_streams_of_one_recogniser_run_at_once() -> None:
    async with DeepgramServer([Call([HELLO])]) as server:
        recognizer = stt(server)
        all_events = await asyncio.gather(*(heard(recognizer, 1.0) for _ in range(10)))
    assert [told(events, FINAL) for events in all_events] == [[("final_transcript", "Hello there.")]] * 10


# -- options -----------------------------------------------------------------------------------------------------------


def test_without_a_key_there_is_no_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    with pytest.raises(OptionError, match="DEEPGRAM_API_KEY"):
        STT()
    monkeypatch.setenv("DEEPGRAM_API_KEY", "from-environment")
    assert STT().provider == "deepgram"


@pytest.mark.parametrize(
    "options, says",
    [
        ({"keywords": [("a", 1.0)]}, "keywords do not work with nova-3"),
        ({"model": "nova-2", "keyterm": "a"}, "keyterm works with nova-3 models only"),
        ({"sample_rate": 4000}, "between 8000 and 48000"),
        ({"endpointing_ms": -1}, "must not be negative"),
        ({"utterance_end_ms": 500}, "at least 1000"),
        ({"utterance_end_ms": 1000, "interim_results": False}, "needs interim_results"),
        ({"tags": ["x" * 129]}, "at most 128"),
        ({"model": ""}, "must not be empty"),
        ({"base_url": "api.deepgram.com"}, "must begin with https"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        STT(api_key="key", **options)


def test_a_stream_cannot_detect_one_language() -> None:
    with pytest.raises(OptionError, match="language='multi'"):
        STT(api_key="key", detect_language=True).transcribe(Microphone([]))
