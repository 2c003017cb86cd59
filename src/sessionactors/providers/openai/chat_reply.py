"""One reply of Chat Completions, from the SDK's chunks to ours. Compatible endpoints leave out what should be there."""

from __future__ import annotations

from dataclasses import replace

import structlog
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta

from sessionactors.interfaces.llm import ChatChunk, CompletionUsage, FunctionToolCall
from sessionactors.model.errors import APIError

from .chat_messages import OfferedTools
from .thinking import SpokenText
from .tool_call_deltas import ToolCallAssembler

log = structlog.get_logger("sessionactors.providers")


class ChatReply:
    """What has come of one reply.

    Args:
        label: of the model, for people.
        tools: what it was offered.
    """

    def __init__(self, label: str, tools: OfferedTools) -> None:
        self._label = label
        self._tools = tools
        self._calls = ToolCallAssembler()
        self._spoken = SpokenText()
        self.finished = False
        """The model has said why it stopped."""

    def take(self, received: ChatCompletionChunk) -> ChatChunk:
        """Our chunk for one of the SDK's; empty for a part of a tool call or a thought, as a sign of life.

        Raises:
            APIError: the reply was withheld, or was cut off in the middle of a call.
        """
        content = ""
        calls: tuple[FunctionToolCall, ...] = ()
        for choice in received.choices or ():
            delta: ChoiceDelta | None = choice.delta
            if delta is not None:
                # A refusal is what the model says instead; the listener should hear it.
                content += self._spoken.take(delta.content or "") + (delta.refusal or "")
                for call in delta.tool_calls or ():
                    self._calls.add(call)
            if choice.finish_reason and not self.finished:
                self.finished = True
                content += self._spoken.finish()
                calls = self._finish(choice, received.id or "")
        return ChatChunk(content, calls, _usage(received), received.id or "")

    def _finish(self, choice: Choice, request: str) -> tuple[FunctionToolCall, ...]:
        if choice.finish_reason == "content_filter":
            raise APIError(f"{self._label}: the provider's content filter withheld the reply", retryable=False)
        if choice.finish_reason == "length":
            if self._calls:
                raise APIError(
                    f"{self._label}: the reply was cut off in the middle of a tool call: allow more "
                    "max_completion_tokens, or shorten the conversation",
                    retryable=False,
                )
            log.warning("reply_cut_off", model=self._label, request=request, reason="token limit")
        return tuple(
            replace(call, arguments=self._tools.arguments(call.name, call.arguments)) for call in self._calls.complete()
        )


def _usage(received: ChatCompletionChunk) -> CompletionUsage | None:
    usage = received.usage
    if usage is None:
        return None
    prompt, made = usage.prompt_tokens_details, usage.completion_tokens_details
    return CompletionUsage(
        usage.completion_tokens or 0,
        usage.prompt_tokens or 0,
        prompt_cached_tokens=0 if prompt is None else prompt.cached_tokens or 0,
        cache_creation_tokens=0 if prompt is None else getattr(prompt, "cache_write_tokens", 0) or 0,
        reasoning_tokens=0 if made is None else made.reasoning_tokens or 0,
    )
