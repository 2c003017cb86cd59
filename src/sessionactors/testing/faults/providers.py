"""Providers whose signals go wrong: the same object to a session, with a gate behind each stream."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from sessionactors.interfaces.llm import LLM, ChatChunk, FunctionToolCall, LLMStream
from sessionactors.interfaces.stt import STT, SpeechEvent
from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.interfaces.vad import VAD, VADEvent
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.tools import ToolChoice, ToolDefinition

from .forwarding import Forwarding
from .point import Gate
from .stream import disturbed

NONSENSE = "\x00\ufffd\u202e"
"""Characters that no one has said."""


class DisturbedSTT(Forwarding, STT, of=STT):
    """A recogniser that goes wrong where the gate says."""

    def __init__(self, original: STT, gate: Gate) -> None:
        super().__init__(original)
        self._gate = gate

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """As the original, disturbed."""
        return disturbed(
            "stt",
            lambda: self.original.transcribe(audio, language=language),
            self._gate,
            kind=lambda event: event.type.value,
            senseless=_senseless_speech,
        )


class DisturbedVAD(Forwarding, VAD, of=VAD):
    """A detector that goes wrong where the gate says."""

    def __init__(self, original: VAD, gate: Gate) -> None:
        super().__init__(original)
        self._gate = gate

    @property
    def min_silence_duration(self) -> float:
        """The original's."""
        return float(self.original.min_silence_duration)

    def detect(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[VADEvent]:
        """As the original, disturbed."""
        return disturbed(
            "vad",
            lambda: self.original.detect(audio),
            self._gate,
            kind=lambda event: event.type.value,
            senseless=lambda event: replace(
                event, speech_duration=math.nan, silence_duration=-1e9, probability=math.inf
            ),
        )


class DisturbedLLM(Forwarding, LLM, of=LLM):
    """A model that goes wrong where the gate says."""

    def __init__(self, original: LLM, gate: Gate) -> None:
        super().__init__(original)
        self._gate = gate

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """As the original, disturbed."""
        return LLMStream(
            self._disturbed(lambda: self.original.chat(chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice))
        )

    async def _disturbed(
        self, begin: Callable[[], AsyncIterator[ChatChunk]]
    ) -> AsyncGenerator[ChatChunk | FlushSentinel, None]:
        async with aclosing(
            disturbed("llm", begin, self._gate, kind=_kind_of_chunk, senseless=_senseless_chunk)
        ) as chunks:
            async for chunk in chunks:
                yield chunk


class DisturbedTTS(Forwarding, TTS, of=TTS):
    """A voice that goes wrong where the gate says."""

    def __init__(self, original: TTS, gate: Gate) -> None:
        super().__init__(original)
        self._gate = gate

    @property
    def sample_rate(self) -> int:
        """The original's."""
        return int(self.original.sample_rate)

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        """As the original, disturbed."""
        return disturbed(
            "tts",
            lambda: self.original.synthesize(text),
            self._gate,
            kind=lambda _: "audio",
            senseless=_senseless_audio,
        )


def _kind_of_chunk(chunk: ChatChunk) -> str:
    if chunk.tool_calls:
        return "calls"
    if chunk.usage is not None:
        return "usage"
    return "flush" if chunk.flush else "chunk"


def _senseless_chunk(chunk: ChatChunk) -> ChatChunk:
    """Characters instead of words; a call of a tool that there is not, with arguments that are none."""
    if chunk.tool_calls:
        return replace(chunk, tool_calls=(FunctionToolCall("", NONSENSE, '{"word": '),))
    return replace(chunk, content=NONSENSE)


def _senseless_speech(event: SpeechEvent) -> SpeechEvent:
    return SpeechEvent(event.type, NONSENSE, "", confidence=math.nan, start_time=-1e9, end_time=math.nan)


def _senseless_audio(audio: SynthesizedAudio) -> SynthesizedAudio:
    """Half a second of silence in another rate, with words that are nowhere."""
    timings = (WordTiming(-3, math.nan), WordTiming(10**9, -1.0))
    return SynthesizedAudio(AudioFrame(bytes(8000), 8000), timings)
