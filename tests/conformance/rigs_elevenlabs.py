"""ElevenLabs' voice against a server on this machine that speaks its protocol."""

from __future__ import annotations

from typing import Any

from sessionactors.interfaces.tts import TTS
from sessionactors.providers import elevenlabs
from sessionactors.testing.conformance import Fault, TTSRig

from tests.conformance.rigs_deepgram import CALLS, KEY, SPEAKING, _calls, opener
from tests.wire import vendor_server as wire
from tests.wire.elevenlabs import ElevenLabsServer, VoiceCall


def _server(fault: wire.Fault | None, kind: Fault | None) -> wire.VendorServer[Any]:
    pace = 0.012 if kind is Fault.DRIP else 0.0
    return ElevenLabsServer([VoiceCall(fault, pace=pace, mute=kind is Fault.EMPTY)], key=KEY)


def _voice(server: Any) -> TTS:
    return elevenlabs.TTS(api_key=KEY, base_url=server.base_url)


def _voice_over_http(server: Any) -> TTS:
    return elevenlabs.TTS(api_key=KEY, base_url=server.base_url, websocket=False)


RIGS = (
    TTSRig(
        name="elevenlabs.TTS",
        open=opener(_server, _voice, 2, CALLS),
        faults=SPEAKING,
        secret=KEY,
        connections=_calls,
        most_connections=1,
    ),
    TTSRig(
        name="elevenlabs.TTS over HTTP",
        open=opener(_server, _voice_over_http, 1, CALLS),
        faults=SPEAKING - {Fault.GARBAGE, Fault.STORM},
        secret=KEY,
        connections=_calls,
        most_connections=2,
    ),
)
