"""Which kind of object the user gave."""

from __future__ import annotations

from typing import TypeAlias

from livekit.agents import llm, stt, tts, vad

from .model import PluginLLM
from .realtime_model import PluginRealtimeModel
from .recogniser import PluginSTT
from .speech_detector import PluginVAD
from .voice import PluginTTS

Wrapped: TypeAlias = PluginLLM | PluginRealtimeModel | PluginSTT | PluginTTS | PluginVAD


def wrapped(component: object) -> Wrapped | None:
    """The component for a session; None: it is none of livekit.agents."""
    match component:
        case llm.LLM():
            return PluginLLM(component)
        case llm.RealtimeModel():
            return PluginRealtimeModel(component)
        case stt.STT():
            return PluginSTT(component)
        case tts.TTS():
            return PluginTTS(component)
        case vad.VAD():
            return PluginVAD(component)
        case _:
            return None
