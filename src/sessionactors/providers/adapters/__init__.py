"""Adapters: several providers as one (fallback), and providers that cannot stream as ones that can.

::

    from sessionactors.providers.adapters import llm, stt, tts

    session = AgentSession(
        llm=llm.FallbackAdapter([openai.LLM(), openai.LLM(base_url="http://localhost:8000/v1")]),
        stt=stt.StreamAdapter(stt=my_batch_recogniser, vad=vad),
        tts=tts.FallbackAdapter([elevenlabs.TTS(), deepgram.TTS()]),
    )

Each module has a ``FallbackAdapter``, ``realtime`` too; ``stt`` and ``tts`` have a ``StreamAdapter``. What happens
when: ``docs/failover.md``.
"""

from __future__ import annotations

from .members import AvailabilityChangedEvent

__all__ = ["AvailabilityChangedEvent"]
