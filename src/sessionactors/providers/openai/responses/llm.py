"""Chat models through the OpenAI SDK: the Responses API, streamed. Deadlines and retries are the session's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import openai
from openai.types.responses import ResponseInputParam, ResponseStreamEvent, ToolParam
from typing_extensions import Unpack

from sessionactors.interfaces import llm as port
from sessionactors.interfaces.llm import ChatChunk, LLMStream
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIConnectionError
from sessionactors.model.provider_format import openai_responses_input
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.providers.openai.chat_messages import OfferedTools
from sessionactors.providers.openai.clients import ApiKey, clients_for
from sessionactors.providers.openai.request_options import CommonOptions, given_only, least_effort, without_sampling
from sessionactors.providers.openai.sdk_errors import our_error
from sessionactors.providers.openai.sdk_stream import end

from .continuation import Answered, Continuations, Entry, calls_of
from .reply import ResponseReply


class ResponsesOptions(CommonOptions, total=False):
    """Parameters of the Responses API."""

    max_output_tokens: NotGivenOr[int]
    """> 0, hidden reasoning included."""
    reasoning: NotGivenOr[Mapping[str, object]]
    """How it thinks, as in ``{"effort": "low"}``. Not given: the least effort that the model knows."""


_OPTIONS = frozenset(ResponsesOptions.__annotations__)


@dataclass(slots=True)
class _Request:
    """One request, as it is sent."""

    entries: Sequence[Entry]
    """The whole conversation."""
    tools: OfferedTools
    choice: ToolChoice
    previous: str | None = None
    new: Sequence[Entry] = field(default_factory=list)
    """What is sent."""


class LLM(port.LLM):
    """A chat model behind OpenAI's Responses API.

    What a stored response has said and heard is not sent again: a request that goes on from one sends only what is new.
    With ``store=False`` all is sent each time, and thoughts go back encrypted.

    Args:
        model: its name there.
        api_key: a key, or a coroutine function that gives the one of the moment; None: ``OPENAI_API_KEY``.
        base_url: the endpoint; None: ``OPENAI_BASE_URL``, or OpenAI's.
        client: a client of your own instead, used on your loop, closed by you.
        timeout: seconds that the transport waits for bytes; a backstop, the session's deadlines come first.
        strict_tool_schema: as for the LLM of Chat Completions.
        extra_headers: sent with every request.
        extra_body: fields of the request that have no argument here.
        extra_query: added to the address.
        options: see :class:`.ResponsesOptions`.

    Raises:
        OptionError: no key, neither given nor in the environment, and no ``base_url``; an unknown option, or a value
            out of range.
    """

    label = "openai.responses.LLM"

    def __init__(
        self,
        model: str = "gpt-4.1",
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        client: openai.AsyncOpenAI | None = None,
        timeout: float = 60.0,
        strict_tool_schema: NotGivenOr[bool] = NOT_GIVEN,
        extra_headers: NotGivenOr[Mapping[str, str]] = NOT_GIVEN,
        extra_body: NotGivenOr[Mapping[str, object]] = NOT_GIVEN,
        extra_query: NotGivenOr[Mapping[str, object]] = NOT_GIVEN,
        **options: Unpack[ResponsesOptions],
    ) -> None:
        chosen = given_only(options, _OPTIONS, self.label)
        self._clients = clients_for(self.label, api_key=api_key, base_url=base_url, client=client, timeout=timeout)
        self.model = model
        self.provider = self._clients.provider
        self.home = self._clients.home
        self._strict = given(strict_tool_schema, self._clients.official)
        self._tool_choice = cast("ToolChoice", chosen.pop("tool_choice", "auto"))
        self._parallel = chosen.pop("parallel_tool_calls", None)
        if "reasoning" not in chosen and (effort := least_effort(model)) is not None:
            chosen["reasoning"] = {"effort": effort}
        reasoning = cast("Mapping[str, object]", chosen.get("reasoning", {}))
        if (verbosity := chosen.pop("verbosity", None)) is not None:
            chosen["text"] = {"verbosity": verbosity}
        self._stored = chosen.get("store") is not False
        if not self._stored and reasoning.get("effort", "none") != "none":
            chosen["include"] = ["reasoning.encrypted_content"]
        self._options = without_sampling(chosen, model, reasoning.get("effort"))
        self._extra_headers = dict(given(extra_headers, {}))
        self._extra_body = dict(given(extra_body, {}))
        self._extra_query = dict(given(extra_query, {}))
        self._continuations = Continuations()

    def __repr__(self) -> str:
        return f"<{self.label} {self.model} at {self.provider}>"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        request = _Request(
            openai_responses_input(chat_ctx.items),
            OfferedTools(tools, strict=self._strict),
            self._tool_choice if tool_choice == "auto" else tool_choice,
        )
        return LLMStream(self._chunks(request))

    async def _chunks(self, request: _Request) -> AsyncGenerator[ChatChunk, None]:
        stream: openai.AsyncStream[ResponseStreamEvent] | None = None
        try:
            stream = await self._begin(request)
            reply = ResponseReply(self.label, request.tools)
            while True:  # to the end of the stream: only what has been read whole can be used again
                try:
                    received = await stream.__anext__()  # `async for` would put one more generator around it
                except StopAsyncIteration:
                    break
                chunk = reply.take(received)
                if reply.finished:
                    self._remember(request, reply)
                yield chunk
            if not reply.finished:
                raise APIConnectionError(f"{self.label}: the stream ended before the reply was finished")
        except Exception as error:
            ours = our_error(error, self.label)
            if ours is error:
                raise
            raise ours from error
        finally:
            if stream is not None:
                await end(stream)

    async def _begin(self, request: _Request) -> openai.AsyncStream[ResponseStreamEvent]:
        """Ask, from where an earlier response ended if that is still known there."""
        request.new = request.entries
        found = self._continuations.find(request.entries) if self._stored else None
        if found is not None:
            request.previous, request.new = found
            try:
                return await self._ask(request)
            except openai.BadRequestError as error:
                if error.code != "previous_response_not_found":
                    raise
                # Not stored after all, or not any more. That was a guess of ours, so asking again is no retry.
                self._continuations.forget(request.previous)
                request.previous, request.new = None, request.entries
        return await self._ask(request)

    async def _ask(self, request: _Request) -> openai.AsyncStream[ResponseStreamEvent]:
        client = await self._clients.here()
        tools = [_flat(tool) for tool in request.tools.offered]
        body = dict(self._options)
        if tools and self._parallel is not None:
            body["parallel_tool_calls"] = self._parallel
        return await client.responses.create(
            model=self.model,
            input=cast("ResponseInputParam", request.new),
            previous_response_id=request.previous or openai.omit,
            stream=True,
            tools=tools or openai.omit,
            tool_choice=request.choice if tools else openai.omit,
            extra_headers=self._extra_headers or None,
            extra_query=self._extra_query or None,
            extra_body=body | self._extra_body or None,
        )

    def _remember(self, request: _Request, reply: ResponseReply) -> None:
        if self._stored and (reply.text or reply.calls):
            calls = calls_of((call.call_id, call.name) for call in reply.calls)
            self._continuations.remember(request.entries, Answered(reply.response_id, reply.text, calls))

    def prewarm(self) -> None:
        self._clients.prewarm()

    async def aclose(self) -> None:
        await self._clients.aclose()


def _flat(tool: Mapping[str, object]) -> ToolParam:
    """A function, as this API wants it: said without a box around it, and whether it is strict is always said."""
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return cast("ToolParam", tool)
    return cast("ToolParam", {"type": "function", "strict": False, **function})
