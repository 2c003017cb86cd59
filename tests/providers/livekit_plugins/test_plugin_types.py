"""What a type checker says of plugin objects: mypy reads this file with all the others (``make types``)."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from sessionactors import Agent, AgentSession, AgentTask, OptionError
from sessionactors.interfaces.stt import STT
from sessionactors.providers.livekit_plugins import adopted

pytest.importorskip("livekit.agents", reason="needs the extra livekit-plugins")

from livekit.plugins import deepgram, elevenlabs, openai

if TYPE_CHECKING:
    from livekit.plugins import silero


async def test_plugin_objects_are_taken_by_type_and_at_run_time() -> None:
    async with AsyncExitStack() as closing:
        stt = await closing.enter_async_context(deepgram.STT(api_key="any"))
        llm = await closing.enter_async_context(openai.LLM(api_key="any"))
        tts = await closing.enter_async_context(elevenlabs.TTS(api_key="any"))
        realtime = openai.realtime.RealtimeModel(api_key="any")
        session: AgentSession[None] = AgentSession(stt=stt, llm=llm, tts=tts)
        assert isinstance(session.stt, STT)
        assert session.stt is adopted(stt)
        Agent(instructions="", stt=stt, llm=realtime, tts=openai.TTS(api_key="any")).update_options(llm=llm, tts=tts)
        _: AgentTask[None] = AgentTask(instructions="", stt=openai.STT(api_key="any"), llm=llm)


def test_one_of_another_kind_is_refused_by_type_and_at_run_time() -> None:
    llm, tts = openai.LLM(api_key="any"), openai.TTS(api_key="any")
    with pytest.raises(OptionError, match="is no STT"):
        AgentSession(stt=llm)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="is no TTS"):
        AgentSession(tts=llm)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="is no LLM or RealtimeModel"):
        Agent(instructions="", llm=tts)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="is no VAD"):
        Agent(instructions="", vad=tts)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="is no LLM or RealtimeModel"):
        AgentSession(llm=object())  # type: ignore[arg-type]


def a_detector(vad: silero.VAD) -> AgentSession[None]:
    """Read by the type checker only: to make one loads a model."""
    return AgentSession(vad=vad)
