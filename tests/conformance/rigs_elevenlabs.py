"""ElevenLabs' voice against a server on this machine that speaks its protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessionactors.interfaces.stt import STT
from sessionactors.interfaces.tts import TTS
from sessionactors.providers import elevenlabs
from sessionactors.testing.conformance import Fault, STTRig, TTSRig

from tests.conformance.rigs_deepgram import CALLS, HEARING, KEY, SPEAKING, UTTERANCES, VOCABULARY, _calls, opener
from tests.wire import vendor_server as wire
from tests.wire.deepgram import Call
from tests.wire.elevenlabs import ElevenLabsServer, VoiceCall
from tests.wire.elevenlabs_scribe import ScribeServer

STALLS = wire.Fault(after=1, chatter={"message_type": "partial_transcript", "text": "well"})


def _server(fault: wire.Fault | None, kind: Fault | None) -> wire.VendorServer[Any]:
    pace = 0.012 if kind is Fault.DRIP else 0.0
    return ElevenLabsServer(
        [VoiceCall(fault, pace=pace, mute=kind is Fault.EMPTY, chatters=kind is Fault.STALL)], key=KEY
    )


def _voice(server: Any) -> TTS:
    return elevenlabs.TTS(api_key=KEY, base_url=server.base_url)


def _voice_over_http(server: Any) -> TTS:
    return elevenlabs.TTS(api_key=KEY, base_url=server.base_url, websocket=False)


def _ears(fault: wire.Fault | None, kind: Fault | None) -> wire.VendorServer[Any]:
    return ScribeServer([Call(vocabulary={} if kind is Fault.EMPTY else VOCABULARY, fault=fault)], key=KEY)


def _by_hand(server: Any) -> STT:
    return elevenlabs.STT(api_key=KEY, base_url=server.base_url, include_timestamps=True)


def _by_itself(server: Any) -> STT:
    return elevenlabs.STT(api_key=KEY, base_url=server.base_url, server_vad={}, include_timestamps=True)


def _recogniser(name: str, make: Callable[[Any], STT], faults: frozenset[Fault]) -> STTRig:
    return STTRig(
        name=name,
        open=opener(_ears, make, 2, CALLS, STALLS),
        faults=faults,
        secret=KEY,
        connections=_calls,
        most_connections=1,
        utterances=UTTERANCES,
        usage=True,
    )


RIGS = (
    _recogniser("elevenlabs.STT", _by_hand, HEARING | {Fault.EMPTY}),
    _recogniser("elevenlabs.STT with its VAD", _by_itself, HEARING),
    TTSRig(
        name="elevenlabs.TTS",
        open=opener(_server, _voice, 2, CALLS),
        faults=SPEAKING | {Fault.STALL},
        secret=KEY,
        connections=_calls,
        most_connections=1,
    ),
    TTSRig(
        name="elevenlabs.TTS over HTTP",
        open=opener(_server, _voice_over_http, 1, CALLS),
        faults=(SPEAKING | {Fault.STALL}) - {Fault.GARBAGE},
        secret=KEY,
        connections=_calls,
        most_connections=2,
    ),
)
