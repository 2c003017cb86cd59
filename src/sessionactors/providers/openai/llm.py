"""Chat models through the OpenAI SDK: Chat Completions, streamed. Deadlines and retries are the session's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Self, cast
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletionChunk
from typing_extensions import Unpack

from sessionactors.interfaces import llm as port
from sessionactors.interfaces.llm import ChatChunk, LLMStream
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIConnectionError, OptionError
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given
from sessionactors.model.tools import ToolChoice, ToolDefinition

from . import endpoints
from .chat_messages import OfferedTools, to_messages
from .chat_reply import ChatReply
from .clients import ApiKey, AzureOptions, Clients, azure_clients, clients_for
from .endpoints import Endpoint
from .request_options import (
    ChatOptions,
    given_only,
    least_effort,
    refuses_effort_with_tools,
    without_sampling,
)
from .sdk_errors import our_error
from .sdk_stream import end

LIMIT = "max_completion_tokens"

_OPTIONS = frozenset(ChatOptions.__annotations__)


class EndpointOptions(ChatOptions, total=False):
    """What a constructor for a server takes besides model, key and address; see :class:`LLM`."""

    client: openai.AsyncOpenAI | None
    timeout: float
    strict_tool_schema: NotGivenOr[bool]
    extra_headers: NotGivenOr[Mapping[str, str]]
    extra_body: NotGivenOr[Mapping[str, object]]
    extra_query: NotGivenOr[Mapping[str, object]]


class AtEndpoint:
    """``LLM.with_<server>(...)``, from the table of servers."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.__doc__ = f"A model served by {endpoint.name}, at ``{endpoint.base_url}`` unless told otherwise."

    def __call__(
        self,
        *,
        model: str = "",
        api_key: str | None = None,
        base_url: str | None = None,
        **options: Unpack[EndpointOptions],
    ) -> LLM:
        """Make it.

        Args:
            model: its name there; not given: a usual one.
            api_key: None: from the server's environment variable.
            base_url: None: the server's usual address.
            options: see :class:`LLM`.

        Raises:
            OptionError: no key where it needs one, no model where none is usual, or a value out of range.
        """
        endpoint = self._endpoint
        model = model or endpoint.model
        if not model:
            raise OptionError(f"{endpoint.name} serves what it was started with: name it, as in model='my-model'")
        if options.get("client") is not None:
            return LLM(model, _limit=endpoint.limit, **options)
        key = endpoint.api_key(api_key)
        return LLM(model, api_key=key, base_url=base_url or endpoint.base_url, _limit=endpoint.limit, **options)


class LLM(port.LLM):
    """A chat model behind OpenAI's API or a compatible endpoint.

    One object may serve any number of rooms, nodes and tools at once: it has one client for each loop that asks.

    Args:
        model: its name there.
        api_key: a key, or a coroutine function that gives the one of the moment; None: ``OPENAI_API_KEY``. An endpoint
            of one's own may need none.
        base_url: the endpoint, such as ``http://localhost:8000/v1``; None: ``OPENAI_BASE_URL``, or OpenAI's.
        client: a client of your own instead, used on your loop, closed by you.
        timeout: seconds that the transport waits for bytes; a backstop, the session's deadlines come first.
        strict_tool_schema: offer tools in strict mode where their schema can be said in it, so that arguments always
            fit; not given: at OpenAI, because few others know it.
        extra_headers: sent with every request.
        extra_body: fields of the request that have no argument here.
        extra_query: added to the address.
        options: see :class:`.ChatOptions`.

    Raises:
        OptionError: no key, neither given nor in the environment, and no ``base_url``; an unknown option, or a value
            out of range.
    """

    label = "openai.LLM"

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
        _clients: Clients | None = None,
        _limit: str = LIMIT,
        **options: Unpack[ChatOptions],
    ) -> None:
        chosen = given_only(options, _OPTIONS, self.label)
        self._clients = _clients or clients_for(
            self.label, api_key=api_key, base_url=base_url, client=client, timeout=timeout
        )
        self.model = model
        self.provider = self._clients.provider
        self.home = self._clients.home
        self._strict = given(strict_tool_schema, self._clients.official)
        self._tool_choice = cast("ToolChoice", chosen.pop("tool_choice", "auto"))
        self._parallel = chosen.pop("parallel_tool_calls", None)
        if "reasoning_effort" not in chosen and (effort := least_effort(model)) is not None:
            chosen["reasoning_effort"] = effort
        if LIMIT in chosen:
            chosen[_limit] = chosen.pop(LIMIT)
        self._options = without_sampling(chosen, model, chosen.get("reasoning_effort"))
        self._extra_headers = dict(given(extra_headers, {}))
        self._extra_body = dict(given(extra_body, {}))
        self._extra_query = dict(given(extra_query, {}))

    def __repr__(self) -> str:
        return f"<{self.label} {self.model} at {self.provider}>"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return LLMStream(self._chunks(chat_ctx, OfferedTools(tools, strict=self._strict), tool_choice))

    async def _chunks(
        self, chat_ctx: ChatContext, tools: OfferedTools, tool_choice: ToolChoice
    ) -> AsyncGenerator[ChatChunk, None]:
        stream: openai.AsyncStream[ChatCompletionChunk] | None = None
        try:
            stream = await self._request(chat_ctx, tools, tool_choice)
            reply = ChatReply(self.label, tools)
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
                await end(stream)

    async def _request(
        self, chat_ctx: ChatContext, tools: OfferedTools, tool_choice: ToolChoice
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        client = await self._clients.here()
        body = dict(self._options)
        if tools.offered:
            body |= {} if self._parallel is None else {"parallel_tool_calls": self._parallel}
            if refuses_effort_with_tools(self.model):
                body.pop("reasoning_effort", None)
        return await client.chat.completions.create(
            model=self.model,
            messages=to_messages(chat_ctx.items, developer_role=self._clients.official),
            stream=True,
            stream_options={"include_usage": True},
            tools=tools.offered or openai.omit,
            tool_choice=(self._tool_choice if tool_choice == "auto" else tool_choice) if tools.offered else openai.omit,
            extra_headers=self._extra_headers or None,
            extra_query=self._extra_query or None,
            extra_body=body | self._extra_body or None,
        )

    def prewarm(self) -> None:
        self._clients.prewarm()

    async def aclose(self) -> None:
        await self._clients.aclose()

    # -- servers -----------------------------------------------------------------------------------------------------

    @classmethod
    def with_azure(
        cls,
        *,
        model: str = "gpt-4o",
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        api_version: str | None = None,
        api_key: str | None = None,
        azure_ad_token: str | None = None,
        azure_ad_token_provider: Callable[[], str | Awaitable[str]] | None = None,
        organization: str | None = None,
        project: str | None = None,
        base_url: str | None = None,
        timeout: float = 60.0,
        strict_tool_schema: bool = True,
        **options: Unpack[ChatOptions],
    ) -> Self:
        """A deployment at Azure; what is not given comes from the environment, see :class:`.AzureOptions`.

        Raises:
            OptionError: no address, no credential or no version; an unknown option, or a value out of range.
        """
        reach = AzureOptions(
            *(azure_endpoint, azure_deployment, api_version, api_key, azure_ad_token),
            *(azure_ad_token_provider, organization, project, base_url),
        )
        clients = azure_clients(cls.label, reach, timeout)
        return cls(model, strict_tool_schema=strict_tool_schema, _clients=clients, **options)

    @classmethod
    def with_openrouter(
        cls,
        *,
        model: str = endpoints.OPENROUTER.model,
        api_key: str | None = None,
        base_url: str | None = None,
        site_url: str | None = None,
        app_name: str | None = None,
        fallback_models: Sequence[str] = (),
        provider: Mapping[str, object] | None = None,
        plugins: Sequence[Mapping[str, object]] = (),
        **options: Unpack[EndpointOptions],
    ) -> LLM:
        """A model routed by OpenRouter.

        Args:
            model: its name there.
            api_key: None: ``OPENROUTER_API_KEY``.
            base_url: None: its usual address.
            site_url: shown in its statistics, as ``app_name``.
            app_name: see ``site_url``.
            fallback_models: asked when the model cannot be reached.
            provider: its preferences for routing.
            plugins: its plugins, such as ``{"id": "web"}``.
            options: as for every endpoint.

        Raises:
            OptionError: no key, or a value out of range.
        """
        headers = {"HTTP-Referer": site_url, "X-Title": app_name}
        body = {
            "models": [model, *fallback_models] if fallback_models else None,
            "provider": provider,
            "plugins": list(plugins),
        }
        options["extra_headers"] = {name: value for name, value in headers.items() if value} | dict(
            given(options.get("extra_headers", NOT_GIVEN), {})
        )
        options["extra_body"] = {name: value for name, value in body.items() if value} | dict(
            given(options.get("extra_body", NOT_GIVEN), {})
        )
        return AtEndpoint(endpoints.OPENROUTER)(model=model, api_key=api_key, base_url=base_url, **options)

    @classmethod
    def with_letta(cls, *, agent_id: str, base_url: str | None = None, api_key: str | None = None) -> LLM:
        """An agent of Letta's, which has its own memory.

        Raises:
            OptionError: no key, or an address that is none.
        """
        if base_url is not None and not urlsplit(base_url).netloc:
            raise OptionError(f"base_url has no host: {base_url!r}")
        return AtEndpoint(endpoints.LETTA)(model=agent_id, base_url=base_url, api_key=api_key)

    with_cerebras = AtEndpoint(endpoints.CEREBRAS)
    with_cometapi = AtEndpoint(endpoints.COMETAPI)
    with_deepseek = AtEndpoint(endpoints.DEEPSEEK)
    with_fireworks = AtEndpoint(endpoints.FIREWORKS)
    with_groq = AtEndpoint(endpoints.GROQ)
    with_llama_cpp = AtEndpoint(endpoints.LLAMA_CPP)
    with_nebius = AtEndpoint(endpoints.NEBIUS)
    with_octo = AtEndpoint(endpoints.OCTO)
    with_ollama = AtEndpoint(endpoints.OLLAMA)
    with_ovhcloud = AtEndpoint(endpoints.OVHCLOUD)
    with_perplexity = AtEndpoint(endpoints.PERPLEXITY)
    with_sambanova = AtEndpoint(endpoints.SAMBANOVA)
    with_telnyx = AtEndpoint(endpoints.TELNYX)
    with_together = AtEndpoint(endpoints.TOGETHER)
    with_vllm = AtEndpoint(endpoints.VLLM)
    with_x_ai = AtEndpoint(endpoints.X_AI)
