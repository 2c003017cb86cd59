"""Chat models through the OpenAI SDK: streaming, tools, usage. Deadlines and retries are the session's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

try:
    import httpx2  # what the SDK speaks through
    import openai
except ImportError as missing:
    raise ImportError(
        "sessionactors.providers.openai needs the OpenAI SDK: pip install 'sessionactors[openai]'"
    ) from missing

from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDelta

from sessionactors.interfaces import llm as port
from sessionactors.interfaces.llm import ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIConnectionError, OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGiven, NotGivenOr
from sessionactors.model.tools import ToolChoice, ToolDefinition

from .chat_messages import to_messages, to_tools
from .sdk_errors import our_error
from .tool_call_deltas import ToolCallAssembler

_TLS: Final = httpx2.create_ssl_context()
"""One for all clients: making one reads the trusted certificates from disk, which no loop should wait for."""

# The SDK and its transport import half of themselves when a first client is made; that should not be on a loop either.
openai.AsyncOpenAI(api_key="none", http_client=openai.DefaultAsyncHttpxClient(verify=_TLS)).chat.completions  # noqa: B018

GENERATOR_TURNS = 12
"""Turns of the loop in which abandoned generators of the SDK are closed; seven were needed when it was measured."""

NO_KEY = "unused"
"""Sent to an endpoint of one's own when no key was given; the SDK insists on one."""


class LLM(port.LLM):
    """A chat model behind OpenAI's API or a compatible endpoint.

    Args:
        model: its name there.
        api_key: None: ``OPENAI_API_KEY``. An endpoint of one's own may need none.
        base_url: the endpoint, such as ``http://localhost:8000/v1``; None: ``OPENAI_BASE_URL``, or OpenAI's.
        temperature: 0..2; not given: the model's default.
        max_completion_tokens: > 0; not given: the model's limit.
        parallel_tool_calls: whether it may ask for several tools at once; sent only with tools.
        timeout: seconds that the transport waits for bytes; a backstop, the session's deadlines come first.
        extra_headers: sent with every request.
        extra_body: fields of the request that have no argument here.

    Raises:
        OptionError: no key, neither given nor in the environment, and no ``base_url``; or a value out of range.
    """

    label = "openai.LLM"
    provider = "openai"

    def __init__(
        self,
        model: str = "gpt-4o-mini",
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        temperature: NotGivenOr[float] = NOT_GIVEN,
        max_completion_tokens: NotGivenOr[int] = NOT_GIVEN,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        timeout: float = 60.0,
        extra_headers: Mapping[str, str] | None = None,
        extra_body: Mapping[str, object] | None = None,
    ) -> None:
        base_url = base_url or os.environ.get("OPENAI_BASE_URL") or None
        api_key = api_key or os.environ.get("OPENAI_API_KEY") or (NO_KEY if base_url else None)
        if api_key is None:
            raise OptionError("openai.LLM needs an api_key: pass one, set OPENAI_API_KEY, or give a base_url")
        if not isinstance(temperature, NotGiven) and not 0 <= temperature <= 2:
            raise OptionError(f"temperature must be between 0 and 2, got {temperature}")
        if not isinstance(max_completion_tokens, NotGiven) and max_completion_tokens <= 0:
            raise OptionError(f"max_completion_tokens must be positive, got {max_completion_tokens}")
        if timeout <= 0:
            raise OptionError(f"timeout must be positive, got {timeout}")
        self.model = model
        self._api_key = api_key
        self._base_url = base_url
        self._temperature = temperature
        self._max_completion_tokens = max_completion_tokens
        self._parallel_tool_calls = parallel_tool_calls
        self._timeout = timeout
        self._extra_headers = dict(extra_headers or {})
        self._extra_body = dict(extra_body or {})
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = WeakKeyDictionary()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<openai.LLM {self.model} at {self._base_url or 'OpenAI'}>"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return LLMStream(self._chunks(chat_ctx, tools, tool_choice))

    async def _chunks(
        self, chat_ctx: ChatContext, tools: Sequence[ToolDefinition], tool_choice: ToolChoice
    ) -> AsyncGenerator[ChatChunk, None]:
        stream: openai.AsyncStream[ChatCompletionChunk] | None = None
        try:
            stream = await self._request(chat_ctx, tools, tool_choice)
            reply = _Reply()
            while True:
                try:
                    received = await stream.__anext__()  # `async for` would put one more generator around it
                except StopAsyncIteration:
                    break
                yield reply.take(received)
            if not reply.finished:
                raise APIConnectionError(f"{self.label}: the stream ended before the reply was finished")
        except Exception as error:
            ours = our_error(error, self.label)
            if ours is error:
                raise
            raise ours from error
        finally:
            if stream is not None:
                await _end(stream)

    async def _request(
        self, chat_ctx: ChatContext, tools: Sequence[ToolDefinition], tool_choice: ToolChoice
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        parallel = self._parallel_tool_calls
        client = await self._client()
        return await client.chat.completions.create(
            model=self.model,
            messages=to_messages(chat_ctx.items, developer_role=self._base_url is None),
            stream=True,
            stream_options={"include_usage": True},
            temperature=openai.omit if isinstance(self._temperature, NotGiven) else self._temperature,
            max_completion_tokens=(
                openai.omit if isinstance(self._max_completion_tokens, NotGiven) else self._max_completion_tokens
            ),
            tools=to_tools(tools) if tools else openai.omit,
            tool_choice=tool_choice if tools else openai.omit,
            parallel_tool_calls=openai.omit if isinstance(parallel, NotGiven) or not tools else parallel,
            extra_headers=self._extra_headers or None,
            extra_body=self._extra_body or None,
        )

    async def _client(self) -> openai.AsyncOpenAI:
        """The client of the running loop: connections of one loop hang or raise on another."""
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._clients.get(loop)
            if known is not None and not known.client.is_closed():
                return known.client
            client = openai.AsyncOpenAI(
                api_key=self._api_key,
                base_url=self._base_url,
                timeout=self._timeout,
                max_retries=0,
                http_client=openai.DefaultAsyncHttpxClient(verify=_TLS),
            )
            known = self._clients[loop] = _LoopClient(client, _until_the_loop_ends(client))
        await anext(known.life)
        return client

    async def aclose(self) -> None:
        with self._lock:
            clients = list(self._clients.items())
            self._clients.clear()
        here = asyncio.get_running_loop()
        for loop, known in clients:
            if loop is here:
                await known.life.aclose()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(known.life.aclose(), loop))
            # A loop that does not run any more has closed its connections when it ended.


@dataclass(frozen=True, slots=True)
class _LoopClient:
    """A client and what closes it."""

    client: openai.AsyncOpenAI
    life: AsyncGenerator[None, None]


async def _until_the_loop_ends(client: openai.AsyncOpenAI) -> AsyncGenerator[None, None]:
    """Closes the client when it is closed itself, which every loop does with open generators when it ends.

    Programs that make an LLM for a session and forget it leave connections behind otherwise.
    """
    try:
        yield
    finally:
        await client.close()


async def _end(stream: openai.AsyncStream[ChatCompletionChunk]) -> None:
    """Close the response, and let the SDK's generators end now, not when the garbage collector finds them.

    The SDK leaves generators inside generators behind, also after a good end. asyncio closes each in a task of its own,
    one after the other: tasks that a test, or the end of a loop, would find running.
    """
    await stream.close()
    chunks: object = getattr(stream, "_iterator", None)
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()
    for _ in range(GENERATOR_TURNS):
        await asyncio.sleep(0)


class _Reply:
    """What has come of one reply."""

    def __init__(self) -> None:
        self._calls = ToolCallAssembler()
        self.finished = False
        """The model has said why it stopped."""

    def take(self, received: ChatCompletionChunk) -> ChatChunk:
        """Our chunk for one of the SDK's; empty for a part of a tool call, as a sign of life."""
        content = ""
        calls: tuple[FunctionToolCall, ...] = ()
        # The SDK builds chunks without checking: compatible endpoints leave out or null what should be there.
        for choice in received.choices or ():
            delta: ChoiceDelta | None = choice.delta
            if delta is not None:
                content += delta.content or ""
                for call in delta.tool_calls or ():
                    self._calls.add(call)
            if choice.finish_reason and not self.finished:
                self.finished = True
                calls = self._calls.complete()
        return ChatChunk(content, calls, _usage(received), received.id or "")


def _usage(received: ChatCompletionChunk) -> CompletionUsage | None:
    usage = received.usage
    if usage is None:
        return None
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    return CompletionUsage(usage.completion_tokens, usage.prompt_tokens, cached)
