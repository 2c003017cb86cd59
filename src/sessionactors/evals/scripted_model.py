"""The model of a conversation whose answers are in the file: to each step its own.

Sessions ask a model more often than one thinks: once more when words are added to a turn, again when a reply that was
prepared does not fit. What counts is what a request is about: asked the same again, the answer is the same.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sessionactors.interfaces.llm import LLM, ChatChunk, FunctionToolCall, LLMStream
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import APIError
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply

from .scenario_file import Answer

_About: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Pile:
    """The answers of one step."""

    where: str
    answers: tuple[Answer, ...]
    given: dict[_About, int] = field(default_factory=dict)
    """Which answer a request got, by what it was about."""


class AnswersFromFile(LLM):
    """Answers what the step that was begun last says; a request that is about the same gets the same answer.

    Args:
        first: before any step that has answers.
        otherwise: when a step has no more; None: the request fails for good, and says so.
        slower: by how much all takes longer, > 0.
    """

    label = "scripted"
    model = "scripted"

    def __init__(self, first: Sequence[Answer] = (), *, otherwise: Answer | None = None, slower: float = 1.0) -> None:
        self._piles = [_Pile("before the first step with answers", tuple(first))]
        self._otherwise = otherwise
        self._slower = slower
        self._calls = 0

    def begin(self, where: str, answers: Sequence[Answer]) -> None:
        """A step begins; without answers of its own the ones before it go on."""
        if answers:
            self._piles.append(_Pile(where, tuple(answers)))

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """Answer."""
        return LLMStream(self._answer(chat_ctx.copy(), tuple(tools)))

    async def _answer(self, context: ChatContext, tools: tuple[ToolDefinition, ...]) -> AsyncGenerator[ChatChunk, None]:
        pile, about = self._piles[-1], _about(context.items)
        index = pile.given.setdefault(about, len(set(pile.given.values())))
        answer = pile.answers[index] if index < len(pile.answers) else self._otherwise
        if answer is None:
            raise APIError(
                f"the model was asked once more than the file says: {pile.where} it has {len(pile.answers)} answers. "
                f"It was asked about {_shown(context.items)}. Add an answer, or `otherwise`",
                retryable=False,
            )
        offered = {tool.name for tool in tools}
        missing = [call.name for call in answer.call if call.name not in offered]
        if missing:
            there = ", ".join(sorted(offered)) or "none"
            raise APIError(
                f"the file lets the model call {missing[0]!r} ({pile.where}), and it was offered other tools: {there}",
                retryable=False,
            )
        reply = ScriptedReply(
            answer.text,
            answer.ttft * self._slower,
            answer.duration * self._slower,
            tuple(self._call(call.name, call.arguments) for call in answer.call),
        )
        async with ScriptedLLM([reply]).chat(chat_ctx=context) as chunks:
            async for chunk in chunks:
                yield chunk

    def _call(self, name: str, arguments: object) -> FunctionToolCall:
        self._calls += 1
        return FunctionToolCall(f"call-{self._calls}", name, json.dumps(arguments, default=str))


def _about(items: Sequence[ChatItem]) -> _About:
    """What a request is about: how many turns there were, what has come since the last one, and the instructions.

    Not the words of the last turn: while it is not over they grow.
    """
    users = [n for n, item in enumerate(items) if isinstance(item, ChatMessage) and item.role == "user"]
    since = items[users[-1] + 1 :] if users else items
    instructions = tuple(item.text_content for item in items if isinstance(item, ChatMessage) and item.role == "system")
    return len(users), tuple(map(_named, since)), instructions


def _named(item: ChatItem) -> str:
    match item:
        case FunctionCall() | FunctionCallOutput():
            return f"{item.type} {item.call_id}"
        case _:
            return f"{item.type} {item.id}"


def _shown(items: Sequence[ChatItem]) -> str:
    last = items[-1] if items else None
    match last:
        case None:
            return "nothing yet"
        case ChatMessage():
            return f"{last.role}: {last.text_content!r}"
        case FunctionCallOutput():
            return f"what {last.name} answered: {last.output!r}"
        case _:
            return last.type
