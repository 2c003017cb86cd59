"""Providers that fail as a cell of the failover matrix says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence

from sessionactors.interfaces.llm import LLM, ChatChunk, LLMStream
from sessionactors.interfaces.realtime import GenerationCreated, RealtimeEvent, RemoteItemAdded
from sessionactors.interfaces.stt import STT, SpeechEvent, SpeechEventType
from sessionactors.interfaces.tts import TTS, SynthesizedAudio
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import APIConnectionError
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.testing import MarkedVoice, ScriptedRealtime, ScriptedRealtimeSession, ScriptedResponse
from sessionactors.testing.scripted_hearing import Timeline

FAULTS = ("dead", "hung", "empty success", "slow drip", "reconnect storm", "garbage", "error mid-stream")
ANSWER = "I am fine, thank you. And how are you?"


class NotOurs(Exception):
    """What no provider should let out: a parser's error."""


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def fail_at_once(fault: str) -> None:
    """Those faults that show before anything else."""
    match fault:
        case "dead":
            raise APIConnectionError("nobody is there")
        case "hung":
            await for_ever()
        case "reconnect storm":
            for _ in range(5):
                await asyncio.sleep(0.2)
            raise APIConnectionError("closed five times")
        case "garbage":
            raise NotOurs("expecting a value: line 1 column 1")
        case _:
            return


class FaultyLLM(LLM):
    def __init__(self, label: str, fault: str = "") -> None:
        self.label = self.model = label
        self.fault = fault
        self.asked = 0

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        self.asked += 1
        return LLMStream(self._chunks())

    async def _chunks(self) -> AsyncGenerator[ChatChunk, None]:
        await asyncio.sleep(0.1)
        await fail_at_once(self.fault)
        while self.fault == "slow drip":  # signs of life, and no word
            await asyncio.sleep(1.0)
            yield ChatChunk()
        if self.fault == "empty success":
            return
        for number, word in enumerate(ANSWER.split()):
            if number == 5 and self.fault == "error mid-stream":
                raise APIConnectionError("gone")
            yield ChatChunk(f"{word} ".rstrip() if word == "you?" else f"{word} ")
            await asyncio.sleep(0.02)


class FaultyTTS(TTS):
    aligned_transcript = True

    def __init__(self, label: str, voice: MarkedVoice, fault: str = "") -> None:
        self.label = self.model = label
        self.fault = fault
        self.asked = 0
        self._voice = voice

    @property
    def sample_rate(self) -> int:
        return self._voice.sample_rate

    async def synthesize(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        self.asked += 1
        await asyncio.sleep(0.1)
        if self.fault in ("hung", "slow drip", "empty success"):  # those that want to be given the text
            async for _ in text:
                break
        await fail_at_once(self.fault)
        while self.fault == "slow drip":
            await asyncio.sleep(1.0)
            yield SynthesizedAudio(AudioFrame(b"", self.sample_rate))
        if self.fault == "empty success":
            return
        seconds = 0.0
        async for audio in self._voice.synthesize(text):
            if seconds > 0.9 and self.fault == "error mid-stream":
                raise APIConnectionError("gone")
            seconds += audio.frame.duration
            yield audio


class FaultySTT(STT):
    def __init__(self, label: str, stt: STT, timeline: Timeline, fault: str = "") -> None:
        self.label = self.model = label
        self.fault = fault
        self.asked = 0
        self._stt = stt
        self._timeline = timeline

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        self.asked += 1
        frames = 0
        if self.fault:
            async for item in audio:
                if isinstance(item, AudioFrame):
                    self._timeline.begin(item)
                    frames += 1
                if frames == 1:
                    await fail_at_once(self.fault)
                    if self.fault == "empty success":
                        return
                if frames == 50 and self.fault == "error mid-stream":
                    yield SpeechEvent(SpeechEventType.INTERIM_TRANSCRIPT, "How")
                    raise APIConnectionError("gone")
                if frames % 50 == 0 and self.fault == "slow drip":
                    yield SpeechEvent(SpeechEventType.INTERIM_TRANSCRIPT, "How " * (frames // 50))
            return
        events = self._stt.transcribe(audio, language=language)
        async for event in events:
            yield event


class FaultyRealtime(ScriptedRealtime):
    """Fails as its sessions do."""

    def __init__(self, label: str, voice: MarkedVoice, fault: str = "") -> None:
        text = "" if fault == "empty success" else ANSWER
        error = APIConnectionError("gone") if fault == "error mid-stream" else None
        reply = ScriptedResponse(text, 0.1, error=error, after=None if error is None else 0.9)
        super().__init__(voice=voice, otherwise=reply)
        self.label = self.model = label
        self.fault = fault

    @property
    def asked(self) -> int:
        """Sessions."""
        return len(self.sessions)

    def session(self, *, turn_detection_disabled: bool = False) -> ScriptedRealtimeSession:
        session = _FaultyRealtimeSession(self, detects_turns=not turn_detection_disabled)
        session.fault = self.fault
        self.sessions.append(session)
        return session


class _FaultyRealtimeSession(ScriptedRealtimeSession):
    fault = ""

    async def events(self) -> AsyncGenerator[RealtimeEvent, None]:
        await fail_at_once("" if self.fault == "hung" else self.fault)
        async for event in super().events():
            yield event

    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        if self.fault == "hung":
            return
        if self.fault != "slow drip":
            super().generate_reply(
                request_id=request_id, instructions=instructions, tool_choice=tool_choice, tools=tools
            )
            return
        self.emit(GenerationCreated(f"drip-{request_id}", request_id))
        for second in range(1, 60):  # signs of life, and no word
            sign = RemoteItemAdded(ChatMessage("assistant", [], f"sign-{second}"))
            asyncio.get_running_loop().call_later(second, self.emit, sign)
