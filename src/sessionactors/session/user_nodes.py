"""An agent's own nodes as providers that live on the user's loop: to the actors they are a model, a voice, an ear."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from sessionactors.interfaces.audio_node import AudioNode
from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM, ChatChunk, LLMStream
from sessionactors.interfaces.markup import Markup
from sessionactors.interfaces.realtime import RealtimeModel
from sessionactors.interfaces.stt import STT, SpeechEvent, STTCapabilities
from sessionactors.interfaces.text_node import TextNode
from sessionactors.interfaces.tts import TTS, SynthesizedAudio, WordTiming
from sessionactors.interfaces.user_code import AgentComponents
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIError, NodeError
from sessionactors.model.resampling import MonoResampler
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.text_alignment import aligned_place
from sessionactors.model.tools import ModelSettings, ToolChoice, ToolDefinition

from .agent_nodes import NODE_AUDIO, AgentNodes, OfferedTool, SpokenFrame
from .function_tool import CallableTool
from .tool_table import ToolTable

if TYPE_CHECKING:
    from .agent import Agent

T = TypeVar("T")

NODE_RATE = 24000
"""Hertz of a voice that only a node makes."""


def is_own(agent: Agent, node: str) -> bool:
    """Whether the user has replaced a node."""
    own = getattr(agent, node)
    return getattr(own, "__func__", own) is not getattr(AgentNodes, node)


def with_nodes(agent: Agent, stock: AgentComponents, table: ToolTable) -> AgentComponents:
    """The agent's providers, with its own nodes in place of those that it has replaced."""
    components = stock
    if is_own(agent, "llm_node") and not isinstance(stock.llm, RealtimeModel):  # which is asked by no node
        components = replace(components, llm=NodeLLM(agent, stock.llm, table))
    if is_own(agent, "tts_node"):
        components = replace(components, tts=NodeTTS(agent, stock.tts))
    if is_own(agent, "realtime_audio_output_node") and isinstance(stock.llm, RealtimeModel):
        components = replace(components, audio_node=NodeAudio(agent, stock.llm.sample_rate))
    if is_own(agent, "transcription_node"):
        components = replace(components, text_node=NodeTranscription(agent))
    if is_own(agent, "stt_node"):
        components = replace(components, stt=node_stt(agent, stock.stt))
    return components


class NodeLLM(LLM):
    """An agent's ``llm_node``. It may say nothing at all."""

    home = Home.USER
    may_be_silent = True

    def __init__(self, agent: Agent, stock: LLM | None, table: ToolTable) -> None:
        self.label = f"{agent.id}.llm_node"
        self.model = "" if stock is None else stock.model
        self.provider = "" if stock is None else stock.provider
        self.answers_within = None if stock is None else stock.answers_within
        self._agent = agent
        self._table = table

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """Ask the node."""
        return LLMStream(self._answer(chat_ctx, tools, tool_choice))

    async def _answer(
        self, chat_ctx: ChatContext, tools: Sequence[ToolDefinition], tool_choice: ToolChoice
    ) -> AsyncGenerator[ChatChunk | FlushSentinel, None]:
        offered: list[OfferedTool] = [self._table.callable(tool.name) or tool for tool in tools]
        async for item in _items(
            lambda: self._agent.llm_node(chat_ctx, offered, ModelSettings(tool_choice)),
            (str, ChatChunk, FlushSentinel),
            self.label,
        ):
            match item:
                case str():
                    yield ChatChunk(content=item)
                case ChatChunk():
                    self._keep_added(item, offered)
                    yield item
                case _:
                    yield cast("FlushSentinel", item)

    def _keep_added(self, chunk: ChatChunk, offered: Sequence[OfferedTool]) -> None:
        """Tools that the node added can be called, though the agent has not got them."""
        for call in chunk.tool_calls:
            for tool in offered:
                if isinstance(tool, CallableTool) and tool.name == call.name:
                    self._table.lend(call.call_id, tool)


class NodeTTS(TTS):
    """An agent's ``tts_node``. It may be silent."""

    home = Home.USER
    may_be_silent = True

    def __init__(self, agent: Agent, stock: TTS | None) -> None:
        self.label = f"{agent.id}.tts_node"
        self._agent = agent
        self._rate = NODE_RATE if stock is None else stock.sample_rate
        self.answers_within = None if stock is None else stock.answers_within
        self._stock = stock

    @property
    def markup(self) -> Markup | None:
        """That of the stock voice: the node is given the markers, and so is the stock voice inside of it."""
        return None if self._stock is None else self._stock.markup

    @property
    def sample_rate(self) -> int:
        """That of the stock voice: what the node yields is brought to it."""
        return self._rate

    def synthesize(self, text: AsyncIterable[str]) -> AsyncIterator[SynthesizedAudio]:
        """Ask the node."""
        return self._speak(text)

    async def _speak(self, text: AsyncIterable[str]) -> AsyncGenerator[SynthesizedAudio, None]:
        heard = _Heard(text)
        resampler = MonoResampler(self._rate)
        waiting: list[WordTiming] = []
        async for item in _items(
            lambda: self._agent.tts_node(heard.read(), ModelSettings()), (AudioFrame,), self.label
        ):
            frame = cast("AudioFrame", item)
            timings = frame.timings if isinstance(frame, SpokenFrame) else ()
            waiting += [heard.placed(timing, frame) for timing in timings]
            made = resampler.feed(AudioFrame(frame.data, frame.sample_rate, frame.num_channels))
            if made is not None:
                yield SynthesizedAudio(made, tuple(waiting))
                waiting = []
        tail = resampler.flush()
        if tail is not None:
            yield SynthesizedAudio(tail, tuple(waiting))


class NodeAudio(AudioNode):
    """An agent's ``realtime_audio_output_node``."""

    def __init__(self, agent: Agent, rate: int) -> None:
        self.label = f"{agent.id}.realtime_audio_output_node"
        self._agent = agent
        self._rate = rate

    def process(self, audio: AsyncIterable[AudioFrame]) -> AsyncIterator[AudioFrame]:
        """Ask the node; what it yields is brought to the rate of the model."""
        return self._process(audio)

    async def _process(self, audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[AudioFrame, None]:
        resampler = MonoResampler(self._rate)
        async for item in _items(
            lambda: self._agent.realtime_audio_output_node(audio, ModelSettings()), (AudioFrame,), self.label
        ):
            made = resampler.feed(cast("AudioFrame", item))
            if made is not None:
                yield made
        tail = resampler.flush()
        if tail is not None:
            yield tail


class NodeTranscription(TextNode):
    """An agent's ``transcription_node``."""

    def __init__(self, agent: Agent) -> None:
        self.label = f"{agent.id}.transcription_node"
        self._agent = agent

    def process(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        """Ask the node."""
        return self._process(text)

    async def _process(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        async for item in _items(lambda: self._agent.transcription_node(text, ModelSettings()), (str,), self.label):
            yield cast("str", item)


class _Heard:
    """The text as the node was given it: the stock voice's timings are of what the node made of it."""

    def __init__(self, text: AsyncIterable[str]) -> None:
        self._text = text
        self._given = ""

    async def read(self) -> AsyncGenerator[str, None]:
        async for piece in self._text:
            self._given += piece
            yield piece

    def placed(self, timing: WordTiming, frame: AudioFrame) -> WordTiming:
        said = frame.said if isinstance(frame, SpokenFrame) else ""
        return WordTiming(aligned_place(said, self._given, timing.text_end), timing.end_time)


class NodeSTT(STT):
    """An agent's ``stt_node``. Made by :func:`node_stt`."""

    home = Home.USER

    def __init__(self, agent: Agent, stock: STT | None) -> None:
        self.label = f"{agent.id}.stt_node"
        self.model = "" if stock is None else stock.model
        self.provider = "" if stock is None else stock.provider
        self._agent = agent
        self._capabilities = STTCapabilities() if stock is None else stock.capabilities

    @property
    def capabilities(self) -> STTCapabilities:
        """Those of the stock recogniser."""
        return self._capabilities

    def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncIterator[SpeechEvent]:
        """Ask the node."""
        del language
        return self._listen(audio)

    async def _listen(self, audio: AsyncIterable[AudioFrame | FlushSentinel]) -> AsyncGenerator[SpeechEvent, None]:
        NODE_AUDIO.set(audio)  # of this effect's context
        async for item in _items(
            lambda: self._agent.stt_node(audio, ModelSettings()), (SpeechEvent,), self.label, audio
        ):
            yield cast("SpeechEvent", item)


def node_stt(agent: Agent, stock: STT | None) -> NodeSTT:
    """The node, at the rate of the stock recogniser."""
    rate = STT.sample_rate if stock is None else stock.sample_rate
    kind = cast("type[NodeSTT]", type("NodeSTT", (NodeSTT,), {"sample_rate": rate}))
    return kind(agent, stock)


async def _items(
    ask: Callable[[], object],
    kinds: tuple[type, ...],
    label: str,
    unwanted: AsyncIterable[object] | None = None,
) -> AsyncGenerator[object, None]:
    """What a node gives, item by item, however it gives it.

    Args:
        ask: calls the node.
        kinds: what it may give.
        label: its name.
        unwanted: what is read to its end in place of a node that gave None.

    Raises:
        NodeError: it raised, or gave something else.
        APIError: a provider that it asked failed.
    """
    closing: Callable[[], object] | None = None
    try:
        given = ask()
        if inspect.isawaitable(given):
            given = await given
        if given is None:
            async for _ in unwanted or _nobody():
                pass
            return
        if isinstance(given, kinds):
            yield given
            return
        if not hasattr(given, "__aiter__"):
            raise NodeError(f"{label} gave {type(given).__name__}: {_wanted(kinds)}")
        closing = getattr(given, "aclose", None)
        async for item in cast("AsyncIterable[object]", given):
            if item is None:
                continue
            if not isinstance(item, kinds):
                raise NodeError(f"{label} yielded {type(item).__name__}: {_wanted(kinds)}")
            yield item
    except (APIError, NodeError):
        raise
    except (Exception, SystemExit) as error:
        raise NodeError(f"{label} raised {error!r}") from error
    finally:
        if closing is not None and inspect.isawaitable(closed := closing()):
            await closed


async def _nobody() -> AsyncGenerator[object, None]:
    return
    yield


def _wanted(kinds: tuple[type, ...]) -> str:
    return "it is to give " + " or ".join(kind.__name__ for kind in kinds) + ", an async iterable of them, or None"
