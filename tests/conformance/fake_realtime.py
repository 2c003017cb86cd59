"""A speech-to-speech model with its server in its head: it conforms, or has exactly the flaw that one check is for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.interfaces.realtime import (
    GenerationCreated,
    InputAudioTranscriptionCompleted,
    Modality,
    RealtimeEvent,
    RealtimeModel,
    RealtimeSession,
    RealtimeSessionError,
    RealtimeUsage,
    ResponseAudio,
    ResponseDone,
    ResponseText,
    ResponseToolCall,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.chat_items import FunctionCall
from sessionactors.model.errors import APIError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.testing import SPEAKING, VirtualLoop
from sessionactors.testing.conformance import Fault, RealtimeRig, Utterance
from sessionactors.testing.scripted_tts import pcm_of

from tests.conformance.fake_backend import KEY, FakeBackend

RATE = 24000
PER_CHARACTER = 240
WORDS = "I count one two three four five"


class FakeSession(RealtimeSession):
    """Counts when it is asked."""

    def __init__(self, model: FakeRealtime) -> None:
        self.backend = model.backend
        self._flaw = model.flaw
        self._items = ChatContext()
        self._tools: tuple[ToolDefinition, ...] = ()
        self._orders: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()
        self._cancelled = asyncio.Event()
        self._heard = bytearray()
        self._numbers = 0

    @property
    def chat_ctx(self) -> ChatContext:
        return ChatContext([] if self._flaw == "knows_what_it_was_told" else self._items.items)

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        return self._tools

    def events(self) -> AsyncIterator[RealtimeEvent]:
        return self.backend.request(self._events())

    async def _events(self) -> AsyncGenerator[RealtimeEvent, None]:
        await self.backend.begin()
        while True:
            order = await self._orders.get()
            if order is None:
                return
            kind, text = order
            if kind == "transcript":
                yield InputAudioTranscriptionCompleted("user-1", text)
            elif kind == "error":
                yield RealtimeSessionError(APIError(text))
            else:
                self._cancelled.clear()
                async for event in self._response(kind, text):
                    yield event

    async def _response(self, request: str, text: str) -> AsyncGenerator[RealtimeEvent, None]:
        self._numbers += 1
        name = f"response-{self._numbers}"
        yield GenerationCreated(name, request)
        await asyncio.sleep(0.001)
        if text == "call":
            arguments = '{"city": ' if self._flaw == "calls_a_tool" else '{"city": "Oslo"}'
            call = FunctionToolCall(f"call-{name}", self._tools[0].name, arguments)
            self._items.insert(FunctionCall(call.call_id, call.name, call.arguments))
            yield ResponseToolCall(name, call)
        else:
            async for event in self._words(name, text):
                yield event
        cancelled = self._cancelled.is_set()
        usage = None if self._flaw == "reports_usage" else RealtimeUsage(output_tokens=7)
        failed = text == "Good morning." and self._flaw == "says_what_it_is_told"
        yield ResponseDone(name, "failed" if failed else "cancelled" if cancelled else "completed", usage)
        if cancelled and self._flaw == "stops_when_interrupted":
            yield ResponseDone(name, "cancelled", usage)

    async def _words(self, name: str, text: str) -> AsyncGenerator[RealtimeEvent, None]:
        if self._flaw == "answers" or self.backend.fault is Fault.EMPTY:
            return
        words = text.replace(" ", " \0").split("\0")
        dripping = self.backend.fault is Fault.DRIP
        if self._flaw == "drip_is_passed_on" and dripping:
            await asyncio.sleep(0.02 * len(words))
            dripping = False
        if self._flaw == "answers_in_pieces":
            yield ResponseText(name, "message", text)
            return
        for number, word in enumerate(words):
            if number == 3:
                await self.backend.midway()
            if self._cancelled.is_set():
                return
            yield ResponseText(name, "message", word)
            yield ResponseAudio(name, "message", AudioFrame(pcm_of(word, PER_CHARACTER), RATE))
            await asyncio.sleep(0.02 if dripping else 0.001 if not self.backend.fault else 0)

    async def update_instructions(self, instructions: str) -> None:
        await asyncio.sleep(0)

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        await asyncio.sleep(0)
        self._items = chat_ctx.copy()

    async def update_tools(self, tools: Sequence[ToolDefinition]) -> None:
        self._tools = tuple(tools)

    def update_options(self, *, tool_choice: ToolChoice) -> None:
        pass

    def push_audio(self, frame: AudioFrame) -> None:
        self._heard += frame.data

    def commit_audio(self) -> None:
        codes = memoryview(bytes(self._heard)).cast("h")[PER_CHARACTER // 2 :: PER_CHARACTER]
        heard = "".join(map(chr, codes)).replace("\0", "")
        self._orders.put_nowait(("transcript", "thanks for watching" if self._flaw == "hears_the_user" else heard))

    def clear_audio(self) -> None:
        self._heard.clear()

    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        self._orders.put_nowait((request_id, "call" if tool_choice == "required" else WORDS))

    def say(self, text: str, *, request_id: str) -> None:
        self._orders.put_nowait((request_id, text))

    def interrupt(self) -> None:
        self._cancelled.set()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: Sequence[Modality],
        audio_end_ms: int,
        audio_transcript: str | None = None,
    ) -> None:
        if self._flaw == "shortens_what_was_not_heard":
            self._orders.put_nowait(("error", "no such message"))

    async def aclose(self) -> None:
        self._cancelled.set()
        if self._flaw != "ends_its_events_when_closed":
            self._orders.put_nowait(None)


class FakeRealtime(RealtimeModel):
    """Makes sessions."""

    label = "fake.RealtimeModel"

    def __init__(self, fault: Fault | None = None, flaw: str = "") -> None:
        self.backend = FakeBackend(fault, flaw)
        self.flaw = flaw
        if flaw == "names_itself":
            self.label = ""

    capabilities = SPEAKING

    def session(self, *, turn_detection_disabled: bool = False) -> RealtimeSession:
        return FakeSession(self)

    async def aclose(self) -> None:
        self.backend.close()


def fake_realtime_rig(flaw: str = "") -> RealtimeRig:
    """A rig of a model with a flaw."""
    models: list[FakeRealtime] = []

    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[RealtimeModel]:
        models.append(FakeRealtime(fault, flaw))
        yield models[-1]

    said = "good day"
    return RealtimeRig(
        name="fake.RealtimeModel",
        open=opened,
        faults=frozenset(Fault),
        secret=KEY,
        utterance=Utterance(AudioFrame(pcm_of(said, PER_CHARACTER), RATE), said),
        connections=lambda: models[-1].backend.connections,
        most_connections=2,
        loop_factory=VirtualLoop,
    )
