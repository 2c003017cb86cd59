"""Language models: chat context in, text deltas and tool calls out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Self

from sessionactors.model.chat import ChatContext
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.tools import ToolChoice, ToolDefinition

from .home import Home


@dataclass(frozen=True, slots=True)
class FunctionToolCall:
    """A complete tool call that the model asks for."""

    call_id: str
    name: str
    arguments: str
    """JSON object as text."""
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)
    """What the model's provider wants back with the call: kept in :attr:`.FunctionCall.extra`."""


@dataclass(frozen=True, slots=True)
class CompletionUsage:
    """Tokens of one request."""

    completion_tokens: int
    prompt_tokens: int
    prompt_cached_tokens: int = 0
    cache_creation_tokens: int = 0
    """Tokens that the provider wrote into its prompt cache."""
    reasoning_tokens: int = 0
    """Hidden ones; counted in ``completion_tokens``."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.completion_tokens + self.prompt_tokens


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of a reply: text, complete tool calls, or the usage at the end."""

    content: str = ""
    tool_calls: tuple[FunctionToolCall, ...] = ()
    usage: CompletionUsage | None = None
    request_id: str = ""
    flush: bool = False
    """What came before is a segment of its own, spoken while the rest is still being made."""


class LLMStream:
    """The chunks of one request: an async iterator that is also an async context manager.

    Args:
        chunks: the answer; a :data:`FLUSH` among them is passed on as a chunk with ``flush``.
    """

    def __init__(self, chunks: AsyncGenerator[ChatChunk | FlushSentinel, None]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        return self

    async def __anext__(self) -> ChatChunk:
        chunk = await anext(self._chunks)
        return ChatChunk(flush=True) if isinstance(chunk, FlushSentinel) else chunk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the request and free its connection."""
        await self._chunks.aclose()


class LLM(ABC):
    """A chat model. One object may serve many sessions at once."""

    home: Home = Home.ACTOR
    label: str = "llm"
    model: str = ""
    """The model's name, for figures and bills."""
    provider: str = ""
    """Who serves it."""
    may_be_silent: ClassVar[bool] = False
    """Whether an answer without text and calls is one; if not, it is a failure."""
    answers_within: float | None = None
    """For a model that asks several others: seconds in which it has begun to answer or has failed with all of them. The
    session waits so long, and does not ask again: attempts do not multiply. None: the session's own budget."""

    @abstractmethod
    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: Sequence[ToolDefinition] = (),
        tool_choice: ToolChoice = "auto",
    ) -> LLMStream:
        """Start one request. Nothing is sent before the first chunk is awaited.

        Raises:
            APIError: while iterating, when the request fails; nothing is retried here, the session owns retries.
        """

    def prewarm(self) -> None:
        """Get ready for the first request, without waiting.

        Called at its home when a session starts with it, or an agent takes over that has it.
        """

    async def aclose(self) -> None:
        """Release connections. Safe to call twice."""
