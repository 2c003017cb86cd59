"""The conformance kit: what any model, recogniser, voice, detector or transport must do, tried on yours.

Write a rig (:class:`LLMRig`, :class:`STTRig`, :class:`TTSRig`, ...): how to make your provider, what it can do, and
which faults of its backend you can bring on. Then parametrise a test with :func:`checks`, or print the table:

.. code-block:: console

   $ sessionactors conformance tests/acme_rig.py

What a rig cannot bring on is not applicable, with the reason; nothing is skipped silently. See
``docs/conformance.md``.
"""

from __future__ import annotations

from .check import Check, CheckOfRig, Checks
from .fault import Fault
from .llm_checks import LLM_CHECKS, LLMRig
from .outcome import Nonconforming, NotApplicable, Outcome
from .realtime_checks import REALTIME_CHECKS, RealtimeRig
from .rig import RequestRig, Rig
from .spoken import Utterance
from .stt_checks import STT_CHECKS, STTRig
from .table import CHECKS, Row, as_json, as_text, checks, run
from .transport_checks import TRANSPORT_CHECKS, TransportRig
from .tts_checks import TTS_CHECKS, TTSRig
from .vad_checks import VAD_CHECKS, VADRig

__all__ = [
    "CHECKS",
    "LLM_CHECKS",
    "REALTIME_CHECKS",
    "STT_CHECKS",
    "TRANSPORT_CHECKS",
    "TTS_CHECKS",
    "VAD_CHECKS",
    "Check",
    "CheckOfRig",
    "Checks",
    "Fault",
    "LLMRig",
    "Nonconforming",
    "NotApplicable",
    "Outcome",
    "RealtimeRig",
    "RequestRig",
    "Rig",
    "Row",
    "STTRig",
    "TTSRig",
    "TransportRig",
    "Utterance",
    "VADRig",
    "as_json",
    "as_text",
    "checks",
    "run",
]
