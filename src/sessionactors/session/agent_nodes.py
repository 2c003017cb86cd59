"""The nodes of an agent: the stretches of the pipeline that a user may replace by code of its own.

A stock node asks the provider at its home. A replaced one runs on the user's loop, is given the input, and may ask the
stock one: ``async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings): ...``
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from sessionactors.interfaces.home import Home
from sessionactors.interfaces.llm import LLM, ChatChunk
from sessionactors.interfaces.recognition_context import RecognitionContext, recognition_context
from sessionactors.interfaces.stt import SpeechEvent
from sessionactors.interfaces.tts import WordTiming
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import SessionStateError
from sessionactors.model.sentinel import FlushSentinel, given
from sessionactors.model.tools import ModelSettings, ToolChoice, ToolDefinition

from .across_loops import carried
from .tool import Tool

if TYPE_CHECKING:
    import asyncio

    from sessionactors.interfaces.user_code import AgentComponents

    from .agent import Agent

T = TypeVar("T")
OfferedTool: TypeAlias = Tool | ToolDefinition
"""What a model is offered: a tool of the user's, or the runtime's own word of one."""


@dataclass(frozen=True, slots=True)
class SpokenFrame(AudioFrame):
    """Audio of the stock ``tts_node``: it knows which words end in it. Passed on as it is, history is exact."""

    timings: tuple[WordTiming, ...] = ()
    said: str = ""
    """The text that the voice had been given: the places in :attr:`timings` are of it."""


NODE_AUDIO: ContextVar[object] = ContextVar("audio that an stt_node was given", default=None)


class NodeAudioStream(AsyncIterable[AudioFrame | FlushSentinel]):
    """What an ``stt_node`` gives the stock recogniser: its own audio, with the context of the audio that it was given.

    Args:
        loop: where the node runs.
        audio: of the node's making.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, audio: AsyncIterable[AudioFrame | FlushSentinel]) -> None:
        self._loop = loop
        self._audio = audio
        self._given = audio if hasattr(audio, "context") else NODE_AUDIO.get()

    @property
    def context(self) -> RecognitionContext:
        """What the recogniser may know, as it is now."""
        return recognition_context(self._given)

    def __aiter__(self) -> AsyncIterator[AudioFrame | FlushSentinel]:
        return carried(self._loop, lambda: aiter(self._audio))


class DefaultNodes:
    """The stock nodes, for use inside of replaced ones. Each takes the agent first."""

    @staticmethod
    async def llm_node(
        agent: Agent, chat_ctx: ChatContext, tools: Sequence[OfferedTool], model_settings: ModelSettings
    ) -> AsyncGenerator[ChatChunk, None]:
        """Ask the agent's model.

        Raises:
            SessionStateError: there is none.
            APIError: the request failed.
        """
        model = _stock(agent).llm
        if not isinstance(model, LLM):  # a realtime model is asked by no node
            raise SessionStateError("the stock llm_node needs a model: give the session or the agent an llm")
        definitions = tuple(tool.definition if isinstance(tool, Tool) else tool for tool in tools)
        choice: ToolChoice = given(model_settings.tool_choice, "auto")

        def ask() -> AsyncIterator[ChatChunk]:
            return aiter(model.chat(chat_ctx=chat_ctx, tools=definitions, tool_choice=choice))

        async for chunk in carried(_home(agent, model.home), ask):
            yield chunk

    @staticmethod
    async def tts_node(
        agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[AudioFrame, None]:
        """Have the agent's voice speak the text.

        Raises:
            SessionStateError: there is none.
            APIError: the voice failed.
        """
        del model_settings
        voice = _stock(agent).tts
        if voice is None:
            raise SessionStateError("the stock tts_node needs a voice: give the session or the agent a tts")
        here = agent.session._loop
        pieces: list[str] = []

        async def noted() -> AsyncGenerator[str, None]:
            async for piece in text:
                pieces.append(piece)
                yield piece

        async for audio in carried(_home(agent, voice.home), lambda: voice.synthesize(carried(here, noted))):
            frame = audio.frame
            said = "".join(pieces) if audio.timings else ""
            yield SpokenFrame(frame.data, frame.sample_rate, frame.num_channels, audio.timings, said)

    @staticmethod
    async def stt_node(
        agent: Agent, audio: AsyncIterable[AudioFrame | FlushSentinel], model_settings: ModelSettings
    ) -> AsyncGenerator[SpeechEvent, None]:
        """Have the agent's recogniser listen.

        Raises:
            SessionStateError: there is none.
            APIError: it failed.
        """
        del model_settings
        recogniser = _stock(agent).stt
        if recogniser is None:
            raise SessionStateError("the stock stt_node needs a recogniser: give the session or the agent an stt")
        heard = NodeAudioStream(agent.session._loop, audio)
        async for event in carried(_home(agent, recogniser.home), lambda: recogniser.transcribe(heard)):
            yield event

    @staticmethod
    async def transcription_node(
        agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[str, None]:
        """The text as it is."""
        del agent, model_settings
        async for piece in text:
            yield piece

    @staticmethod
    async def realtime_audio_output_node(
        agent: Agent, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[AudioFrame, None]:
        """The audio as it is."""
        del agent, model_settings
        async for frame in audio:
            yield frame


class AgentNodes:
    """What an agent inherits: the stock nodes, to be overridden.

    Each may be an async generator, or a coroutine that gives an async iterable, one item or None (nothing).
    """

    default = DefaultNodes

    def llm_node(self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings) -> object:
        """The model's reply: ``ChatChunk``, text, or ``FLUSH`` where a segment ends.

        Args:
            chat_ctx: what the model is asked with; yours to change, for this request.
            tools: what it is offered; yours to change. Tools that are added can be called.
            model_settings: whether tools may, must or must not be called.
        """
        return DefaultNodes.llm_node(cast("Agent", self), chat_ctx, tools, model_settings)

    def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> object:
        """Audio for a segment's text, which comes in sentence-sized pieces: frames of int16, of any rate."""
        return DefaultNodes.tts_node(cast("Agent", self), text, model_settings)

    def transcription_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> object:
        """What is shown and remembered of what the agent says: text, for each segment of it. The sound stays as it is.

        Of a speech that is cut off, that part is shown and kept which goes with what was heard; words that both texts
        have are taken for the same.

        Args:
            text: what the model writes, as it comes; with ``use_tts_aligned_transcript`` and a voice that has word
                timings: each word as the voice speaks it, a :class:`.TimedString`. Yield such ones, and their times
                say when they have been heard.
            model_settings: as for the other nodes.
        """
        return DefaultNodes.transcription_node(cast("Agent", self), text, model_settings)

    def realtime_audio_output_node(self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings) -> object:
        """What is heard of a realtime model's voice: frames of int16, of any rate."""
        return DefaultNodes.realtime_audio_output_node(cast("Agent", self), audio, model_settings)

    def stt_node(self, audio: AsyncIterable[AudioFrame | FlushSentinel], model_settings: ModelSettings) -> object:
        """What the user says: a ``SpeechEvent`` for each report. ``FLUSH`` in the audio: the user fell silent.

        One that gives None hears nothing; one that ends or raises is asked again, as often as any recogniser.
        """
        return DefaultNodes.stt_node(cast("Agent", self), audio, model_settings)


def _stock(agent: Agent) -> AgentComponents:
    bound = agent._bound
    if bound is None:
        raise SessionStateError(f"agent {agent.id!r} is not running in a session: its nodes have nobody to ask")
    return bound.stock


def _home(agent: Agent, home: Home) -> asyncio.AbstractEventLoop:
    return agent.session._home_of(home)
