"""A model that answers from a script, in the order in which it is asked, at exact times."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sessionactors.interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
from sessionactors.model.chat import ChatContext, ChatItem
from sessionactors.model.errors import APIError, OptionError
from sessionactors.model.tools import ToolChoice, ToolDefinition

_WORDS = re.compile(r"\s*\S+\s*$|\s*\S+")


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One answer: a word for each chunk, then the calls, then the usage."""

    text: str = ""
    ttft: float = 0.1
    """Seconds to the first chunk."""
    duration: float = 0.3
    """Seconds from the first chunk to the end."""
    tool_calls: tuple[FunctionToolCall, ...] = ()
    error: BaseException | None = None
    """Raised instead of going on."""
    hang: bool = False
    """Goes on never, instead of going on."""
    after: int = 0
    """Chunks that come before the error or the hang."""
    drip: int = 0
    """Empty chunks that come before the text, spread over ``ttft``."""
    usage: CompletionUsage | None = None
    """None: one token for each word."""

    def words(self) -> list[str]:
        """The text as it is streamed."""
        return _WORDS.findall(self.text) or ([self.text] if self.text else [])


@dataclass(slots=True)
class ScriptedRequest:
    """What the model was asked, and how that ended."""

    items: tuple[ChatItem, ...]
    tools: tuple[ToolDefinition, ...]
    tool_choice: ToolChoice
    reply: ScriptedReply | None
    """None: the script had none left."""
    chunks: int = 0
    finished: bool = False
    """The reply was read to its end."""
    closed: bool = False
    """Nothing of it runs any more."""


class ScriptedLLM(LLM):
    """Answers the n-th request with the n-th reply.

    Args:
        replies: the script.
        otherwise: the answer when the script is over; None: a final error that says so.
    """

    label = "scripted.LLM"
    model = "scripted"

    def __init__(self, replies: Sequence[ScriptedReply | str] = (), *, otherwise: ScriptedReply | None = None) -> None:
        self._replies = [ScriptedReply(reply) if isinstance(reply, str) else reply for reply in replies]
        self._otherwise = otherwise
        self.requests: list[ScriptedRequest] = []

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """Answer with the next reply of the script."""
        return LLMStream(self._answer(tuple(chat_ctx.items), tuple(tools), tool_choice))

    def assert_complete(self) -> None:
        """The whole script was played: every reply was asked for, and was read to its end unless it breaks off.

        Raises:
            AssertionError: some reply was not; the text lists what is left.
        """
        left = [f"reply {number} was not asked for" for number in range(len(self.requests) + 1, len(self._replies) + 1)]
        for number, request in enumerate(self.requests, 1):
            reply = request.reply
            if reply is None:
                left.append(f"request {number} came when the script was over")
            elif not request.finished and reply.error is None and not reply.hang:
                left.append(f"reply {number} ({reply.text!r}) was cut off after {request.chunks} chunks")
        if left:
            raise AssertionError(f"{self.label}: the script is not complete: {'; '.join(left)}")

    async def _answer(
        self, items: tuple[ChatItem, ...], tools: tuple[ToolDefinition, ...], tool_choice: ToolChoice
    ) -> AsyncGenerator[ChatChunk, None]:
        number = len(self.requests)
        reply = self._replies[number] if number < len(self._replies) else self._otherwise
        request = ScriptedRequest(items, tools, tool_choice, reply)
        self.requests.append(request)
        try:
            if reply is None:
                raise APIError(
                    f"the script has {len(self._replies)} replies, request {number + 1} has none", retryable=False
                )
            async with aclosing(_chunks(reply, f"scripted-{number + 1}")) as chunks:
                async for chunk in chunks:
                    request.chunks += 1
                    yield chunk
            request.finished = True
        finally:
            request.closed = True


async def _chunks(reply: ScriptedReply, request_id: str) -> AsyncGenerator[ChatChunk, None]:
    for _ in range(reply.drip):
        await asyncio.sleep(reply.ttft / (reply.drip + 1))
        yield ChatChunk(request_id=request_id)
    await asyncio.sleep(reply.ttft / (reply.drip + 1))
    words = reply.words()
    chunks = [ChatChunk(content=word, request_id=request_id) for word in words]
    if reply.tool_calls:
        chunks.append(ChatChunk(tool_calls=reply.tool_calls, request_id=request_id))
    pause = reply.duration / max(1, len(chunks))
    for index, chunk in enumerate(chunks):
        if index == reply.after:
            await _break_off(reply)
        yield chunk
        await asyncio.sleep(pause)
    if reply.after >= len(chunks):
        await _break_off(reply)
    if chunks:
        usage = reply.usage or CompletionUsage(completion_tokens=len(words), prompt_tokens=1)
        yield ChatChunk(usage=usage, request_id=request_id)


async def _break_off(reply: ScriptedReply) -> None:
    if reply.error is not None:
        raise reply.error
    if reply.hang:
        await asyncio.get_running_loop().create_future()


def scripted_calls(
    index: int, tool_calls: Sequence[FunctionToolCall | tuple[str, str]]
) -> tuple[FunctionToolCall, ...]:
    """Complete calls, of (tool, arguments as JSON) as well."""
    return tuple(
        call if isinstance(call, FunctionToolCall) else FunctionToolCall(f"call-{index + 1}-{number}", *call)
        for number, call in enumerate(tool_calls, 1)
    )


def scripted_reply(
    index: int,
    text: str,
    ttft: float,
    duration: float,
    tool_calls: Sequence[FunctionToolCall | tuple[str, str]],
    error: BaseException | None,
    *,
    hang: bool,
) -> ScriptedReply:
    """One answer of a scenario's model; ``index``: how many came before."""
    if duration < ttft:
        raise OptionError(f"duration ({duration}) counts from the request and cannot be shorter than ttft ({ttft})")
    calls = scripted_calls(index, tool_calls)
    chunks = len(ScriptedReply(text).words()) + bool(calls)
    breaks_off = error is not None or hang
    return ScriptedReply(text, ttft, duration - ttft, calls, error, hang, after=chunks if breaks_off else 0)
