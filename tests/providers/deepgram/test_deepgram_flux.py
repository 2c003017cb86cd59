"""Flux against a server on this machine: turns that begin, are probably over, go on after all, and end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import SpeechEventType
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError, OptionError
from sessionactors.model.sentinel import FLUSH
from sessionactors.providers import recognition_socket, vendor_socket
from sessionactors.providers.deepgram import STTv2

from tests.providers.deepgram.speech import Microphone, heard, told, until
from tests.wire.deepgram import Call, Spoken
from tests.wire.deepgram_flux import FluxServer
from tests.wire.vendor_server import Fault

HELLO = Spoken("Hello there.", 0.2, 0.6)


def flux(server: FluxServer, **options: Any) -> STTv2:
    return STTv2(**{"api_key": server.key, "base_url": server.listen_url, **options})


async def test_a_turn_begins_grows_and_ends() -> None:
    async with FluxServer([Call([HELLO, Spoken("Bye.", 2.0, 2.2)])]) as server:
        events = await heard(flux(server), 3.5)
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
    final = next(event for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT)
    assert (final.start_time, final.end_time, final.request_id, final.confidence) == (0.2, 0.6, "dg-1", 0.9)
    assert [(word.text, word.end_time) for word in final.words] == [("Hello", 0.4), ("there.", 0.6)]
    assert sum(event.usage.audio_duration for event in events if event.usage) == pytest.approx(3.5)
    assert server.last.types() == ["CloseStream"]


async def test_a_turn_that_is_probably_over_is_told_early_and_may_go_on() -> None:
    async with FluxServer([Call([HELLO, Spoken("Anybody?", 1.0, 1.2)])]) as server:
        events = await heard(flux(server, eager_eot_threshold=0.4), 2.5)
    assert told(events)[2:] == [
        ("interim_transcript", "Hello there."),
        ("preflight_transcript", "Hello there."),
        ("interim_transcript", "Hello there."),  # it goes on
        ("interim_transcript", "Hello there. Anybody?"),
        ("preflight_transcript", "Hello there. Anybody?"),
        ("final_transcript", "Hello there. Anybody?"),
        ("end_of_speech", ""),
    ]
    assert server.last.options["eager_eot_threshold"] == "0.4"


async def test_a_flush_ends_no_turn_but_the_end_of_the_audio_does() -> None:
    async with FluxServer([Call([HELLO])]) as server:
        go_on = asyncio.Event()
        events = []
        async for event in flux(server).transcribe(Microphone([0.7, FLUSH, go_on])):
            events.append(event)
            if event.text == "Hello there.":
                go_on.set()
    assert told(events)[-2:] == [("final_transcript", "Hello there."), ("end_of_speech", "")]
    assert server.last.types() == ["ForceEndTurn", "CloseStream"]


async def test_audio_that_ceases_in_a_turn_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    monkeypatch.setattr(recognition_socket, "IDLE_AFTER", 0.02)
    unmuted = asyncio.Event()
    async with FluxServer([Call([HELLO])]) as server:
        async for event in flux(server).transcribe(Microphone([0.7, FLUSH, unmuted])):
            if event.type is SpeechEventType.FINAL_TRANSCRIPT:
                unmuted.set()
    assert server.last.types() == ["ForceEndTurn", "CloseStream"]


async def test_what_the_connection_is_asked_for() -> None:
    async with FluxServer([Call()]) as server:
        await heard(flux(server))
        assert server.last.options == {
            "model": "flux-general-en",
            "encoding": "linear16",
            "sample_rate": "16000",
            "mip_opt_out": "false",
        }
        await heard(
            flux(
                server,
                model="flux-general-multi",
                sample_rate=8000,
                audio_chunk_duration_ms=80,
                eager_eot_threshold=0.35,
                eot_threshold=0.65,
                eot_timeout_ms=3000,
                keyterm=["Brig", "Thun"],
                tags=["desk", "night"],
                language_hint="es",
                mip_opt_out=True,
                numerals=True,
                profanity_filter=True,
                redact="numbers",
            ),
            0.1,
        )
    received = server.last
    assert received.options == {
        "model": "flux-general-multi",
        "encoding": "linear16",
        "sample_rate": "8000",
        "mip_opt_out": "true",
        "eager_eot_threshold": "0.35",
        "eot_threshold": "0.65",
        "eot_timeout_ms": "3000",
        "numerals": "true",
        "profanity_filter": "true",
        "redact": "numbers",
        "keyterm": "Thun",
        "language_hint": "es",
        "tag": "night",
    }
    assert (received.all("keyterm"), received.all("tag")) == (["Brig", "Thun"], ["desk", "night"])


async def test_the_language_that_was_heard_is_told() -> None:
    async with FluxServer([Call([Spoken("Hola", 0.1, 0.3, language="es")])]) as server:
        events = await heard(flux(server, model="flux-general-multi"), 1.5)
    assert {event.language for event in events if event.text} == {"es"}


async def test_thresholds_and_words_change_while_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    go_on = asyncio.Event()
    async with FluxServer([Call()]) as server:
        recognizer = flux(server, keyterm="Brig")
        davos = RecognitionContext(("Davos",))
        hearing = asyncio.create_task(heard(recognizer, 0.1, davos, 0.1, go_on, 0.1))
        await until(lambda: server.received and server.last.messages)
        recognizer.update_options(eot_threshold=0.8, eager_eot_threshold=0.5, numerals=True)
        await until(lambda: len(server.last.messages) == 2)
        go_on.set()
        await hearing
        await heard(recognizer, 0.1)
    assert server.received[0].messages[:2] == [
        {"type": "Configure", "keyterms": ["Brig", "Davos"]},
        {"type": "Configure", "thresholds": {"eager_eot_threshold": 0.5, "eot_threshold": 0.8}, "numerals": True},
    ]
    assert server.last.options["eot_threshold"] == "0.8"
    with pytest.raises(OptionError, match="must not be above"):
        recognizer.update_options(eot_threshold=0.5, eager_eot_threshold=0.6)
    with pytest.raises(OptionError, match="model cannot be changed"):
        recognizer.update_options(model="nova-3")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "fault, kind, retryable, says",
    [
        (Fault(status=401), APIStatusError, False, "refused with 401"),
        (Fault(status=429), APIStatusError, True, "refused with 429"),
        (Fault(close=(1011, "oops"), after=2), APIConnectionError, True, "closed with 1011 oops"),
        (Fault(cut=True, after=2), APIConnectionError, True, "the connection broke"),
        (Fault(garbage="{no json", after=2), APIError, True, "cannot be read"),
        (Fault(garbage='{"type": "TurnInfo", "event": "EndOfTurn", "words": 7}', after=2), APIError, True, "read"),
        (
            Fault(garbage='{"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "oh"}', after=2),
            *(APIError, True, "oh (INTERNAL_SERVER_ERROR), request dg-1"),
        ),
        (
            Fault(garbage='{"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": "no"}', after=2),
            *(APIError, False, "no (UNPARSABLE_CLIENT_MESSAGE)"),
        ),
    ],
)
async def test_a_connection_that_goes_wrong_is_a_typed_error(
    fault: Fault, kind: type[APIError], retryable: bool, says: str
) -> None:
    async with FluxServer([Call([HELLO], fault=fault)]) as server:
        with pytest.raises(APIError) as raised:
            await heard(flux(server), 1.0, asyncio.Event())
    assert type(raised.value) is kind
    assert raised.value.retryable is retryable
    assert says in str(raised.value)


async def test_a_server_that_hangs_in_a_turn_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_socket, "TICK", 0.01)
    monkeypatch.setattr(recognition_socket, "UNANSWERED", 0.05)
    monkeypatch.setattr(vendor_socket, "CLOSE_WITHIN", 0.02)
    async with FluxServer([Call([HELLO], fault=Fault(silent=True, after=2))]) as server:
        began = asyncio.Event()
        events = flux(server).transcribe(Microphone([0.5, began, 1.0, asyncio.Event()]))
        assert [(await anext(events)).type.value for _ in range(2)] == ["start_of_speech", "interim_transcript"]
        began.set()
        with pytest.raises(APITimeoutError, match=r"no answer to \d+ s of audio"):
            [event async for event in events]


@pytest.mark.parametrize(
    "options, says",
    [
        ({"eager_eot_threshold": 0.2}, "between 0.3 and 0.9"),
        ({"eot_threshold": 0.2}, "between 0.5 and 0.9"),
        ({"eot_timeout_ms": 100}, "between 500 and 10000"),
        ({"language_hint": "de"}, "works with flux-general-multi"),
        ({"redact": "pci"}, "there are: None, numbers"),
        ({"sample_rate": 1}, "between 8000 and 48000"),
        ({"audio_chunk_duration_ms": 0}, "between 10 and 500"),
        ({"model": ""}, "must not be empty"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        STTv2(api_key="key", **options)
