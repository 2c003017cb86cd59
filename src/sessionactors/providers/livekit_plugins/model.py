"""A chat model of livekit.agents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from livekit.agents import llm, types

from sessionactors.interfaces import llm as port
from sessionactors.interfaces.home import Home
from sessionactors.model.chat import ChatContext
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.tools import ToolChoice, ToolDefinition

from .connect import ONCE
from .conversation import offered, to_plugin
from .http_context import plugin_context
from .plugin_errors import our_error


class PluginLLM(port.LLM):
    """Asks a plugin's model.

    Args:
        plugin: the user's object.
    """

    home = Home.USER

    def __init__(self, plugin: llm.LLM[str]) -> None:
        self.plugin = plugin
        self.label = plugin.label
        self.model = plugin.model
        self.provider = plugin.provider

    def __repr__(self) -> str:
        return f"<{self.label} {self.model}>"

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: Sequence[ToolDefinition] = (),
        tool_choice: ToolChoice = "auto",
    ) -> port.LLMStream:
        return port.LLMStream(self._answer(chat_ctx, tools, tool_choice))

    async def _answer(
        self, chat_ctx: ChatContext, tools: Sequence[ToolDefinition], tool_choice: ToolChoice
    ) -> AsyncGenerator[port.ChatChunk | FlushSentinel, None]:
        described = offered(tools, self.label)
        context = await plugin_context()
        conversation = to_plugin(chat_ctx)
        try:
            stream = context.run(
                lambda: self.plugin.chat(
                    chat_ctx=conversation,
                    tools=described,
                    conn_options=ONCE,
                    tool_choice=tool_choice if described else types.NOT_GIVEN,
                )
            )
            try:
                async for chunk in stream:
                    yield _chunk(chunk)
            finally:
                await stream.aclose()
        except Exception as error:
            raise our_error(error, self.label) from error

    def prewarm(self) -> None:
        self.plugin.prewarm()

    async def aclose(self) -> None:
        await self.plugin.aclose()


def _chunk(chunk: llm.ChatChunk) -> port.ChatChunk:
    delta = chunk.delta
    return port.ChatChunk(
        content=(delta and delta.content) or "",
        tool_calls=tuple(
            port.FunctionToolCall(call.call_id, call.name, call.arguments, call.extra or {})
            for call in (delta.tool_calls if delta else ())
        ),
        usage=None if chunk.usage is None else _usage(chunk.usage),
        request_id=chunk.id,
    )


def _usage(usage: llm.CompletionUsage) -> port.CompletionUsage:
    return port.CompletionUsage(
        completion_tokens=usage.completion_tokens,
        prompt_tokens=usage.prompt_tokens,
        prompt_cached_tokens=usage.prompt_cached_tokens,
        cache_creation_tokens=usage.cache_creation_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )
