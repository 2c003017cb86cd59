"""One session of a :class:`.ScriptedRealtime`: a server in small, with its own view of the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sessionactors.interfaces.realtime import (
    GenerationCreated,
    InputAudioTranscriptionCompleted,
    InputSpeechStarted,
    InputSpeechStopped,
    Modality,
    RealtimeEvent,
    RealtimeSession,
    RealtimeSessionError,
    ResponseAudio,
    ResponseDone,
    ResponseText,
    ResponseToolCall,
)
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import APIError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.model.video import VideoFrame

from .realtime_script import HeardSaying, ScriptedResponse
from .scripted_llm import ScriptedReply

if TYPE_CHECKING:
    from .scripted_realtime import ScriptedRealtime

CREATED_WITHIN = 0.05
"""Seconds from a request to the news that a response begins, unless its first sound comes sooner."""
ONSET = 0.05
"""Seconds of voice before the server says that the user speaks."""


@dataclass(frozen=True, slots=True)
class ServerCall:
    """Something the session was told, other than audio."""

    at: float
    """Loop time, seconds."""
    name: str
    detail: object = None


@dataclass(frozen=True, slots=True)
class Truncation:
    """A message that was shortened."""

    at: float
    message_id: str
    audio_end_ms: int
    transcript: str | None


class ScriptedRealtimeSession(RealtimeSession):
    """Does what the model's script says, and notes what it is told."""

    def __init__(self, model: ScriptedRealtime, *, detects_turns: bool) -> None:
        self._model = model
        self.detects_turns = detects_turns
        self.calls: list[ServerCall] = []
        self.truncations: list[Truncation] = []
        self.instructions = ""
        self.pushed = 0.0
        self.pictures: list[VideoFrame] = []
        """Seconds of audio."""
        self.closed = False
        self._items: list[ChatItem] = []
        self._tools: tuple[ToolDefinition, ...] = ()
        self._events: asyncio.Queue[RealtimeEvent | BaseException | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._response: asyncio.Task[None] | None = None
        self._running = ""
        self._committed = 0.0

    # -- what it is told ---------------------------------------------------------------------------------------------

    @property
    def chat_ctx(self) -> ChatContext:
        """The server's view."""
        return ChatContext(self._items)

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        """As given."""
        return self._tools

    def told(self, name: str) -> list[object]:
        """The details of all calls of a name."""
        return [call.detail for call in self.calls if call.name == name]

    def _note(self, name: str, detail: object = None) -> None:
        self.calls.append(ServerCall(asyncio.get_running_loop().time(), name, detail))

    async def _maybe_hang(self, name: str) -> None:
        if name in self._model.hanging:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)

    async def update_instructions(self, instructions: str) -> None:
        """Note it."""
        self._note("update_instructions", instructions)
        await self._maybe_hang("update_instructions")
        self.instructions = instructions

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Take it over; outputs of tools may call for a reply."""
        known = {item.id for item in self._items}
        new = [item for item in chat_ctx.items if item.id not in known]
        self._note("update_chat_ctx", [_text(item) for item in new])
        await self._maybe_hang("update_chat_ctx")
        self._items = list(chat_ctx.items)
        if self._model.capabilities.auto_tool_reply_generation and any(
            isinstance(item, FunctionCallOutput) for item in new
        ):
            self._respond(None)

    async def update_tools(self, tools: Sequence[ToolDefinition]) -> None:
        """Note it."""
        self._note("update_tools", [tool.name for tool in tools])
        await self._maybe_hang("update_tools")
        self._tools = tuple(tools)

    def update_options(self, *, tool_choice: ToolChoice) -> None:
        """Note it."""
        self._note("update_options", tool_choice)

    def push_video(self, frame: VideoFrame) -> None:
        """Keep it."""
        self.pictures.append(frame)

    def push_audio(self, frame: AudioFrame) -> None:
        """Hear it."""
        self.pushed += frame.duration
        began = self._model.time.pushed != []
        self._model.time.push(frame)
        if not began:
            self._events.put_nowait(None)  # wakes the timeline

    def commit_audio(self) -> None:
        """What was said since the last commit is the user's turn."""
        self._note("commit_audio")
        now = self._model.time.timeline.now()
        for saying in self._model.sayings:
            if self._committed <= saying.at < now and self._model.time.heard(saying.until, saying.line):
                self._spawn(self._transcribe(saying, self._model.transcription_delay))
        self._committed = now

    def clear_audio(self) -> None:
        """Forget it."""
        self._note("clear_audio")
        self._committed = self._model.time.timeline.now()

    def generate_reply(
        self,
        *,
        request_id: str,
        instructions: str | None = None,
        tool_choice: ToolChoice | None = None,
        tools: Sequence[ToolDefinition] | None = None,
    ) -> None:
        """The next response of the script."""
        self._note(
            "generate_reply", (instructions, tool_choice, None if tools is None else [tool.name for tool in tools])
        )
        if "generate_reply" not in self._model.hanging:
            self._respond(request_id)

    def say(self, text: str, *, request_id: str) -> None:
        """A response that says it."""
        self._note("say", text)
        self._begin(ScriptedResponse(text), request_id)

    def interrupt(self) -> None:
        """Cancel what is being generated."""
        self._note("interrupt")
        self._cancel_response()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: Sequence[Modality],
        audio_end_ms: int,
        audio_transcript: str | None = None,
    ) -> None:
        """Shorten the message in the server's view."""
        at = asyncio.get_running_loop().time()
        self.truncations.append(Truncation(at, message_id, audio_end_ms, audio_transcript))
        self._items = [
            replace(item, content=[audio_transcript or ""])
            if isinstance(item, ChatMessage) and item.id == message_id
            else item
            for item in self._items
        ]

    def start_user_activity(self) -> None:
        """Note it."""
        self._note("start_user_activity")

    async def aclose(self) -> None:
        """End it, and its events."""
        self.closed = True
        self.break_off(None)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what it says ------------------------------------------------------------------------------------------------

    def break_off(self, error: Exception | None) -> None:
        """Lose the connection: with an error, or as if the server had ended the session."""
        self._events.put_nowait(error or EOFError())

    def emit(self, event: RealtimeEvent) -> None:
        """Say something that is not in the script."""
        self._events.put_nowait(event)

    async def events(self) -> AsyncGenerator[RealtimeEvent, None]:
        """What the script says, at its times."""
        listening = False
        while True:
            if not listening and self._model.time.pushed:
                listening = True
                self._spawn(self._fail_in_time())
                if self.detects_turns:
                    for saying in self._model.sayings:
                        self._spawn(self._hear(saying))
            event = await self._events.get()
            if isinstance(event, EOFError):
                return
            if isinstance(event, BaseException):
                raise event
            if event is not None:
                yield event

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        self._keep(asyncio.get_running_loop().create_task(work))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._model.time.timeline.now()))

    async def _fail_in_time(self) -> None:
        while (due := self._model.faults.due()) is not None:
            await self._until(due)
            try:
                if await self._model.faults.strike(self._model.time.timeline.now()):
                    self.break_off(None)
            except Exception as error:  # noqa: BLE001  as scripted
                self.break_off(error)

    async def _hear(self, saying: HeardSaying) -> None:
        """Server-side turn detection of one saying."""
        if saying.until < self._model.time.timeline.now():
            return  # an earlier session heard it, or nobody did
        await self._until(saying.at + ONSET)
        if not self._model.time.heard(saying.at + ONSET, saying.line):
            return
        self._cancel_response()
        self.emit(InputSpeechStarted())
        await self._until(saying.until + self._model.silence)
        transcribes = self._model.capabilities.user_transcription
        self.emit(InputSpeechStopped(transcribes))
        self._spawn(self._transcribe(saying, self._model.transcription_delay))
        if saying.text:
            self._respond(None)

    async def _transcribe(self, saying: HeardSaying, delay: float) -> None:
        item = f"user-{next(self._model.numbers)}"
        self._items.append(ChatMessage("user", [saying.text], item))
        self._model.understood.append(saying.text)
        await asyncio.sleep(delay)
        if self._model.capabilities.user_transcription:
            self.emit(InputAudioTranscriptionCompleted(item, saying.text))

    # -- responses ---------------------------------------------------------------------------------------------------

    def _respond(self, request: str | None) -> None:
        self._begin(self._model.next_response(), request)

    def _begin(self, response: ScriptedResponse | None, request: str | None) -> None:
        if self._response is not None and not self._response.done():
            self.emit(RealtimeSessionError(APIError("the conversation has an active response")))
            return
        name = f"response-{next(self._model.numbers)}"
        self._running = name
        self._response = asyncio.get_running_loop().create_task(self._reply(response, request, name))
        self._keep(self._response)

    def _cancel_response(self) -> None:
        if self._response is not None and not self._response.done():
            self._response.cancel()
            self._response = None
            self._events.put_nowait(ResponseDone(self._running, "cancelled"))

    async def _reply(self, response: ScriptedResponse | None, request: str | None, name: str) -> None:
        ttft = 0.0 if response is None else response.ttft
        created = min(CREATED_WITHIN, ttft)
        await asyncio.sleep(created)
        self.emit(GenerationCreated(name, request))
        await asyncio.sleep(ttft - created)
        if response is None:
            error = APIError("the script has no further reply", retryable=False)
            self.emit(ResponseDone(name, "failed", error=error))
            return
        await self._speak(response, name)
        if response.hang:
            await asyncio.get_running_loop().create_future()
        if response.error is not None:
            self.emit(ResponseDone(name, "failed", error=response.error))
            return
        for call in response.tool_calls:
            self._items.append(FunctionCall(call.call_id, call.name, call.arguments, f"server-{call.call_id}"))
            self.emit(ResponseToolCall(name, call))
        self.emit(ResponseDone(name, usage=response.usage))

    async def _speak(self, response: ScriptedResponse, name: str) -> None:
        if not response.text:
            return
        message = f"message-of-{name}"
        self._items.append(ChatMessage("assistant", [response.text], message))
        if not self._model.capabilities.audio_output:
            for word in ScriptedReply(response.text).words():
                self.emit(ResponseText(name, message, word))
                await asyncio.sleep(0.02)
            return
        words = ScriptedReply(response.text).words()
        told, seconds = 0, 0.0
        for audio in self._model.voice.say(response.text):
            if response.after is not None and seconds >= response.after - 1e-9:
                return
            seconds += audio.frame.duration
            while words and told < self._model.voice.characters_within(response.text, seconds):
                word = words.pop(0)
                told += len(word)
                self.emit(ResponseText(name, message, word))
            self.emit(ResponseAudio(name, message, audio.frame, audio.timings))
            await asyncio.sleep(audio.frame.duration / self._model.pace)
        for word in words:
            self.emit(ResponseText(name, message, word))


def _text(item: ChatItem) -> str:
    match item:
        case ChatMessage():
            return item.text_content
        case FunctionCallOutput():
            return item.output
        case _:
            return item.type
