"""A realtime model of livekit.agents that does what plugins do, each in its own way."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from livekit import rtc
from livekit.agents import llm, utils
from livekit.agents.metrics import RealtimeModelMetrics

from sessionactors.interfaces.realtime import RealtimeEvent
from sessionactors.providers.livekit_plugins import adopted

CAN = llm.RealtimeCapabilities(
    message_truncation=True,
    turn_detection=True,
    user_transcription=True,
    auto_tool_reply_generation=False,
    audio_output=True,
    manual_function_calls=True,
    supports_say=True,
)


class QuirkyModel(llm.RealtimeModel):
    def __init__(self) -> None:
        super().__init__(capabilities=CAN)
        self.made: list[QuirkySession] = []

    def session(self) -> QuirkySession:  # type: ignore[override]  # as plugins were before there was an argument
        self.made.append(QuirkySession(self))
        return self.made[-1]

    async def aclose(self) -> None:
        pass


class QuirkySession(llm.RealtimeSession[str]):
    def __init__(self, model: QuirkyModel) -> None:
        super().__init__(model)
        self.told: list[Any] = []
        self.asked: list[asyncio.Future[llm.GenerationCreatedEvent]] = []
        self.refuses: Exception | None = None
        self.context = llm.ChatContext.empty()

    def _note(self, *told: Any) -> None:
        self.told.append(told)

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self.context

    @property
    def tools(self) -> llm.ToolContext:
        return llm.ToolContext.empty()

    async def update_instructions(self, instructions: str) -> None:
        self._note("instructions", instructions)

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        if self.refuses is not None:
            raise self.refuses
        self._note("chat_ctx", [item.id for item in chat_ctx.items])

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self._note("tools", len(tools))

    def update_options(self, **options: Any) -> None:
        self._note("options", options)

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self._note("audio", frame.sample_rate)

    def push_video(self, frame: rtc.VideoFrame) -> None:
        self._note("video", frame.width, frame.height, bytes(frame.data))

    def generate_reply(self, **options: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        if self.refuses is not None:
            raise self.refuses
        self._note("reply", options)
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]

    def say(self, text: Any) -> asyncio.Future[llm.GenerationCreatedEvent]:
        self._note("say", text)
        return self.generate_reply()

    def commit_audio(self) -> None:
        self._note("commit")

    def clear_audio(self) -> None:
        self._note("clear")

    def start_user_activity(self) -> None:
        self._note("activity")

    def interrupt(self) -> None:
        self._note("interrupt")

    def truncate(self, **options: Any) -> None:
        self._note("truncate", options)

    async def aclose(self) -> None:
        self._note("close")


class Streams:
    """The streams of one response, to be filled by hand."""

    def __init__(self, response_id: str | None = "r-1", *, asked: bool = False) -> None:
        self.text: Any = utils.aio.Chan[str]()
        self.audio: Any = utils.aio.Chan[rtc.AudioFrame]()
        self.messages: Any = utils.aio.Chan[llm.MessageGeneration]()
        self.calls: Any = utils.aio.Chan[llm.FunctionCall]()
        self.event = llm.GenerationCreatedEvent(self.messages, self.calls, asked, response_id)

    def say(self, text: str) -> None:
        modalities: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        modalities.set_result(["text", "audio"])
        self.messages.send_nowait(llm.MessageGeneration("m-1", self.text, self.audio, modalities))
        self.text.send_nowait(text)

    def end(self) -> None:
        for stream in (self.text, self.audio, self.messages, self.calls):
            stream.close()


def figures(response: str, *, cancelled: bool = False) -> RealtimeModelMetrics:
    return RealtimeModelMetrics(
        label="quirky",
        request_id=response,
        timestamp=0.0,
        cancelled=cancelled,
        input_tokens=3,
        output_tokens=4,
        input_token_details=RealtimeModelMetrics.InputTokenDetails(),
        output_token_details=RealtimeModelMetrics.OutputTokenDetails(),
    )


class Heard:
    """A session with the model as ours takes it, and what it has said."""

    def __init__(self) -> None:
        self.model = QuirkyModel()
        ours: Any = adopted(self.model)
        self.session = ours.session()
        self.events: list[RealtimeEvent] = []
        self._more = asyncio.Event()
        self.task = asyncio.create_task(self._read())

    @property
    def plugin(self) -> QuirkySession:
        return self.model.made[-1]

    async def _read(self) -> None:
        async for event in self.session.events():
            self.events.append(event)
            self._more.set()

    async def until(self, number: int) -> None:
        """Until it has said so much."""
        async with asyncio.timeout(5):
            while len(self.events) < number:
                self._more.clear()
                await self._more.wait()

    async def quiet(self) -> None:
        """Until nothing moves any more."""
        await self.session.update_instructions("")
        for _ in range(20):
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.quiet()
        self.plugin.told.clear()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.aclose()
        await asyncio.wait({self.task}, timeout=5)
        assert self.task.done()
