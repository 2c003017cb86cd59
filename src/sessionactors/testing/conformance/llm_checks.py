"""What a language model must do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar, Final

from sessionactors.interfaces.llm import LLM, ChatChunk
from sessionactors.model.chat import ChatContext
from sessionactors.model.chat_items import FunctionCall, FunctionCallOutput
from sessionactors.model.errors import APIError
from sessionactors.model.tools import ToolDefinition

from .check import Checks
from .footprint import footprint, settled
from .outcome import Nonconforming, NotApplicable
from .reading import within
from .request_checks import REQUEST_CHECKS
from .rig import RequestRig

LLM_CHECKS = Checks(REQUEST_CHECKS)
needs = LLM_CHECKS.needs

WEATHER: Final = ToolDefinition(
    "get_weather",
    "The weather of a city.",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True, kw_only=True)
class LLMRig(RequestRig[LLM]):
    """A language model.

    Args:
        prompt: a user's message that is answered in more than a few words.
        answer: what the answer to a user's message is, where that is known; None: any words will do.
        tools: it can call tools. Asked with ``tool_choice="required"`` it must; a backend of a test does so then.
        usage: it reports tokens.
        streams: it answers in pieces.
    """

    kind: ClassVar[str] = "llm"
    prompt: str = "Count from one to thirty, in words."
    answer: Callable[[str], str] | None = None
    tools: bool = True
    usage: bool = True
    streams: bool = True

    def ask(self, provider: LLM) -> AsyncGenerator[object, None]:
        """A user's message."""
        return self.chat(provider, said(self.prompt))

    @staticmethod
    async def chat(
        provider: LLM, context: ChatContext, tools: tuple[ToolDefinition, ...] = ()
    ) -> AsyncGenerator[object, None]:
        """The chunks of a request; with tools, one that has to call one."""
        stream = provider.chat(chat_ctx=context, tools=tools, tool_choice="required" if tools else "auto")
        async with stream as chunks:
            async for chunk in chunks:
                yield chunk

    def is_answer(self, item: object) -> bool:
        """Words."""
        return isinstance(item, ChatChunk) and bool(item.content)

    def is_whole(self, items: list[object]) -> str:
        """All of the words that are known; some words, if none are."""
        if strange := [item for item in items if not isinstance(item, ChatChunk)]:
            return f"it yielded {strange[0]!r}, not a ChatChunk"
        chunks = [item for item in items if isinstance(item, ChatChunk)]
        text = "".join(chunk.content for chunk in chunks)
        if self.answer is not None and text != self.answer(self.prompt):
            return f"it answered {text!r}, not {self.answer(self.prompt)!r}"
        if len({chunk.request_id for chunk in chunks if chunk.request_id}) > 1:
            return "one answer has several request ids"
        return "" if text.strip() else "it answered with no words"


def said(text: str) -> ChatContext:
    """A conversation of one message."""
    context = ChatContext()
    context.add_message(role="user", content=text)
    return context


async def _chunks(rig: LLMRig, provider: LLM, context: ChatContext, *tools: ToolDefinition) -> list[ChatChunk]:
    async def read() -> list[ChatChunk]:
        async with aclosing(rig.chat(provider, context, tools)) as chunks:
            return [chunk async for chunk in chunks if isinstance(chunk, ChatChunk)]

    return await within(rig.patience, "a request", read())


@needs()
async def answers_in_pieces(rig: LLMRig) -> None:
    """An answer comes in pieces: the voice begins with the first sentence."""
    if not rig.streams:
        raise NotApplicable("it does not stream")
    async with rig.opened() as provider:
        words = [chunk for chunk in await _chunks(rig, provider, said(rig.prompt)) if chunk.content]
    if len(words) < 2:
        raise Nonconforming(f"{len(words)} piece(s) of text")


@needs()
async def mixes_no_answers(rig: LLMRig) -> None:
    """Different questions at once get each their own answer, in order."""
    answer = rig.answer
    if answer is None:
        raise NotApplicable("the rig does not know what is answered")
    questions = [f"{rig.prompt} ({number})" for number in range(3)]
    async with rig.opened() as provider:
        replies = await asyncio.gather(*(_chunks(rig, provider, said(question)) for question in questions))
    for question, chunks in zip(questions, replies, strict=True):
        text = "".join(chunk.content for chunk in chunks)
        if text != answer(question):
            raise Nonconforming(f"{question!r} was answered {text!r}, not {answer(question)!r}")


@needs()
async def reports_usage(rig: LLMRig) -> None:
    """The tokens of a request are told once, before its end."""
    if not rig.usage:
        raise NotApplicable("it reports no tokens")
    async with rig.opened() as provider:
        told = [chunk.usage for chunk in await _chunks(rig, provider, said(rig.prompt)) if chunk.usage is not None]
    if len(told) != 1:
        raise Nonconforming(f"usage was told {len(told)} times")
    if told[0].completion_tokens <= 0 or told[0].prompt_tokens <= 0:
        raise Nonconforming(f"tokens that cannot be: {told[0]}")


@needs()
async def calls_a_tool(rig: LLMRig) -> None:
    """A required tool is called once, whole: an id, its name, and arguments that are a JSON object."""
    if not rig.tools:
        raise NotApplicable("it calls no tools")
    async with rig.opened() as provider:
        chunks = await _chunks(rig, provider, said("What is the weather in Oslo?"), WEATHER)
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    if not calls:
        raise Nonconforming("no call")
    for call in calls:
        if not call.call_id or call.name != WEATHER.name:
            raise Nonconforming(f"not a call of {WEATHER.name}: {call}")
        try:
            arguments = json.loads(call.arguments)
        except ValueError as error:
            raise Nonconforming(f"arguments that are no JSON: {call.arguments!r}") from error
        if not isinstance(arguments, dict):
            raise Nonconforming(f"arguments that are no object: {call.arguments!r}")
    if len({call.call_id for call in calls}) < len(calls):
        raise Nonconforming("two calls have one id")


@needs()
async def takes_the_result_of_a_tool(rig: LLMRig) -> None:
    """A conversation with a call and its output is understood: it is answered with words."""
    if not rig.tools:
        raise NotApplicable("it calls no tools")
    context = said("What is the weather in Oslo?")
    context.insert(FunctionCall("call-1", WEATHER.name, '{"city": "Oslo"}'))
    context.insert(FunctionCallOutput("call-1", WEATHER.name, "sunny"))
    context.add_message(role="user", content=rig.prompt)
    async with rig.opened() as provider:
        chunks = await _chunks(rig, provider, context)
    if not any(chunk.content for chunk in chunks):
        raise Nonconforming("no words")


@needs()
async def bears_an_empty_conversation(rig: LLMRig) -> None:
    """A conversation without a word is answered or refused with an APIError; nothing else is raised."""
    async with rig.opened() as provider:
        for context in (ChatContext(), said("")):
            try:
                await _chunks(rig, provider, context)
            except APIError:
                continue


@needs()
async def sends_nothing_unread(rig: LLMRig) -> None:
    """A request that nobody reads, and one that is closed unread, cost nothing and can be closed."""
    async with rig.opened() as provider:
        before = await footprint()
        for _ in range(rig.rounds):
            stream = provider.chat(chat_ctx=said(rig.prompt))
            await within(rig.patience, "closing an unread request", stream.aclose())
        if left := await settled(before, rig.patience, allowed=rig.rounds // 2):
            raise Nonconforming(f"{rig.rounds} unread requests left {left}")
        if rig.connections is not None and rig.connections():
            raise Nonconforming(f"{rig.connections()} connections for requests that nobody read")
