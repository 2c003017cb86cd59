"""Deepgram's recognisers and voice against servers on this machine that speak its protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar
from unittest import mock

from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.model.audio import AudioFrame
from sessionactors.providers import deepgram, vendor_socket
from sessionactors.providers.deepgram import speak_line
from sessionactors.providers.elevenlabs import context_line
from sessionactors.testing.conformance import Fault, STTRig, TTSRig, Utterance

from tests.wire import vendor_server as wire
from tests.wire.deepgram import Call, DeepgramServer
from tests.wire.deepgram_flux import FluxServer
from tests.wire.deepgram_speak import SpeakCall, SpeakServer

KEY = "secret-of-the-rig"
RATE = 16000
VOCABULARY = {1: ("When do you open?", 0.6), 2: ("Is the museum free on Sundays?", 0.9)}
P = TypeVar("P")


def utterance(value: int) -> Utterance:
    text, seconds = VOCABULARY[value]
    sound = value.to_bytes(2, "little") * round(seconds * RATE)
    return Utterance(AudioFrame(bytes(2 * round(0.2 * RATE)) + sound + bytes(2 * RATE), RATE), text)


def faults(begun: int, stall: wire.Fault | None = None) -> Mapping[Fault, wire.Fault]:
    """How the servers bring them on.

    Args:
        begun: messages of the server after which an answer has begun.
        stall: signs of life, as the server would give them.
    """
    return {
        Fault.INVALID_KEY: wire.Fault(401),
        Fault.RATE_LIMIT: wire.Fault(429),
        Fault.SERVER_ERROR: wire.Fault(500),
        Fault.STORM: wire.Fault(cut=True),
        Fault.SILENCE: wire.Fault(silent=True),
        Fault.HALF_OPEN: wire.Fault(half_open=True, after=begun),
        Fault.BREAK: wire.Fault(cut=True, after=begun),
        Fault.GARBAGE: wire.Fault(garbage="{no json", after=begun),
        **({} if stall is None else {Fault.STALL: stall}),
    }


@contextmanager
def impatient() -> Iterator[None]:
    """What waits for a server that has fallen silent does not wait long."""
    with (
        mock.patch.object(vendor_socket, "CLOSE_WITHIN", 0.05),
        mock.patch.object(speak_line, "CLEARED_WITHIN", 0.1),
        mock.patch.object(context_line, "RELEASED_WITHIN", 0.1),
    ):
        yield


def opener(
    serve: Callable[[wire.Fault | None, Fault | None], wire.VendorServer[Any]],
    make: Callable[[wire.VendorServer[Any]], P],
    begun: int,
    connections: list[wire.VendorServer[Any]],
    stall: wire.Fault | None = None,
) -> Callable[[Fault | None], AbstractAsyncContextManager[P]]:
    """``open`` of a rig: a server with the fault, and a provider that talks to it."""

    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[P]:
        server = serve(None if fault is None else faults(begun, stall).get(fault), fault)
        connections[:] = [server]
        with impatient():
            async with server:
                if fault is not Fault.UNREACHABLE:
                    yield make(server)
                    return
            yield make(server)  # it has gone: nobody listens there

    return opened


CALLS: list[wire.VendorServer[Any]] = []


def _calls() -> int:
    return len(CALLS[0].connections)


def _ear(server: type[wire.VendorServer[Call]]) -> Callable[[wire.Fault | None, Fault | None], wire.VendorServer[Any]]:
    return lambda fault, kind: server(
        [Call(vocabulary={} if kind is Fault.EMPTY else VOCABULARY, fault=fault)], key=KEY
    )


def _voice(fault: wire.Fault | None, kind: Fault | None) -> wire.VendorServer[Any]:
    pace = 0.012 if kind is Fault.DRIP else 0.0
    return SpeakServer([SpeakCall(fault, pace=pace, mute=kind is Fault.EMPTY)], key=KEY)


def _nova(server: Any) -> STT:
    return deepgram.STT(api_key=KEY, base_url=server.listen_url)


def _flux(server: Any) -> STT:
    return deepgram.STTv2(api_key=KEY, base_url=server.listen_url, eager_eot_threshold=0.5)


def _aura(server: Any) -> TTS:
    return deepgram.TTS(api_key=KEY, base_url=server.speak_url)


def _aura_http(server: Any) -> TTS:
    return deepgram.TTS(api_key=KEY, base_url=server.speak_url, websocket=False)


WORD = {"word": "well", "confidence": 0.9, "start": 0.0, "end": 0.2}
NOVA_STALLS = wire.Fault(
    chatter={
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 0.2,
        "start": 0.0,
        "is_final": False,
        "channel": {"alternatives": [{"transcript": "well", "confidence": 0.9, "words": [WORD]}]},
        "metadata": {
            "request_id": "dg-1",
            "model_info": {"name": "nova-3", "version": "1", "arch": "nova"},
            "model_uuid": "1",
        },
    }
)
FLUX_STALLS = wire.Fault(
    after=1,
    chatter={
        "type": "TurnInfo",
        "request_id": "dg-1",
        "sequence_id": 1,
        "event": "Update",
        "turn_index": 0,
        "audio_window_start": 0.0,
        "audio_window_end": 0.2,
        "transcript": "well",
        "words": [WORD],
        "end_of_turn_confidence": 0.1,
    },
)
AURA_STALLS = wire.Fault(
    after=1,
    chatter={
        "type": "Metadata",
        "request_id": "dg-1",
        "model_name": "aura-2-andromeda-en",
        "model_version": "1",
        "model_uuid": "1",
    },
)
HEARING = frozenset({*faults(2), Fault.UNREACHABLE, Fault.STALL})
SPEAKING = frozenset({*faults(2), Fault.UNREACHABLE, Fault.EMPTY, Fault.DRIP})
UTTERANCES = (utterance(1), utterance(2))

RIGS = (
    STTRig(
        name="deepgram.STT",
        open=opener(_ear(DeepgramServer), _nova, 2, CALLS, NOVA_STALLS),
        faults=HEARING | {Fault.EMPTY},
        secret=KEY,
        connections=_calls,
        most_connections=1,
        utterances=UTTERANCES,
        usage=True,
    ),
    STTRig(
        name="deepgram.STTv2",
        open=opener(_ear(FluxServer), _flux, 3, CALLS, FLUX_STALLS),
        faults=HEARING,
        secret=KEY,
        connections=_calls,
        most_connections=1,
        utterances=UTTERANCES,
        usage=True,
    ),
    TTSRig(
        name="deepgram.TTS",
        open=opener(_voice, _aura, 3, CALLS, AURA_STALLS),
        faults=SPEAKING | {Fault.STALL},
        secret=KEY,
        connections=_calls,
        most_connections=1,
        rounds=12,  # two connections on the way: twenty flushes a minute are one connection's limit
    ),
    TTSRig(
        name="deepgram.TTS over HTTP",
        open=opener(_voice, _aura_http, 1, CALLS),
        faults=SPEAKING,
        secret=KEY,
        connections=_calls,
        most_connections=2,
    ),
)
