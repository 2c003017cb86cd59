"""The language model's place, filled by rules: what the caller said is looked up in the intent table.

No model understands anything here. What it has: it is instant, free, the same every time, and it exercises the whole
protocol of a model (tokens that take time, tool calls, usage, being cut off), under virtual time too: nothing but
``asyncio.sleep`` is waited for.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from sessionactors.interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
from sessionactors.model.chat import ChatContext, ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.errors import OptionError
from sessionactors.model.tools import JsonValue, ToolChoice, ToolDefinition

from .intents import IntentMatch, IntentTable, IntentTool, fill_template

_TOKEN: Final = re.compile(r"\S+\s*|\s+")

log = structlog.get_logger(__name__)


class RuleBasedLLM(LLM):
    """Answers from an intent table.

    It replies to the last user message; or, when tools have answered since, with what they said. An intent with a tool
    calls it if the session offers it, else gives its reply. With ``tool_choice="required"`` a message whose intent has
    no tool still gets its reply: there is nothing else to call.

    Args:
        intents: what is understood, and the replies.
        first_token_delay: seconds >= 0 before the first token, as a model would think.
        token_delay: seconds >= 0 before each further token (one word).

    Raises:
        OptionError: a delay is negative.
    """

    label = "rules"
    model = "intents"

    def __init__(self, intents: IntentTable, *, first_token_delay: float = 0.0, token_delay: float = 0.01) -> None:
        if first_token_delay < 0 or token_delay < 0:
            raise OptionError("first_token_delay and token_delay must be >= 0")
        self._intents = intents
        self._first_token_delay = first_token_delay
        self._token_delay = token_delay
        self._calls = itertools.count(1)
        self._requests = itertools.count(1)

    def __repr__(self) -> str:
        return f"<RuleBasedLLM {len(self._intents.intents)} intents>"

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """See :meth:`LLM.chat`. Never fails."""
        offered = frozenset[str]() if tool_choice == "none" else frozenset(tool.name for tool in tools)
        return LLMStream(self._chunks(chat_ctx.copy(), offered))

    async def _chunks(self, context: ChatContext, offered: frozenset[str]) -> AsyncGenerator[ChatChunk, None]:
        request_id = f"rules_{next(self._requests)}"
        answer = answer_to(context, self._intents, offered)
        tokens = 0
        for token in _TOKEN.findall(answer.text):
            await asyncio.sleep(self._token_delay if tokens else self._first_token_delay)
            tokens += 1
            yield ChatChunk(content=token, request_id=request_id)
        if answer.call is not None:
            if not tokens:
                await asyncio.sleep(self._first_token_delay)
            arguments = json.dumps(answer.arguments)
            tokens += len(arguments.split())
            call = FunctionToolCall(f"call_{next(self._calls)}", answer.call.name, arguments)
            yield ChatChunk(tool_calls=(call,), request_id=request_id)
        usage = CompletionUsage(completion_tokens=tokens, prompt_tokens=sum(_words_in(item) for item in context))
        yield ChatChunk(usage=usage, request_id=request_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, or the tool that is called."""

    text: str = ""
    call: IntentTool | None = None
    arguments: Mapping[str, JsonValue] | None = None


def answer_to(context: ChatContext, intents: IntentTable, offered: frozenset[str]) -> Answer:
    """The answer to a conversation: a function of its arguments alone.

    Args:
        context: the conversation.
        intents: the rules.
        offered: names of the tools that may be called.
    """
    since_user = _since_last_user_message(context.items)
    outputs = [item for item in since_user if isinstance(item, FunctionCallOutput)]
    if outputs:
        calls = {item.call_id: item for item in since_user if isinstance(item, FunctionCall)}
        return Answer(" ".join(_told(output, calls.get(output.call_id), intents) for output in outputs))
    asked = since_user[0] if since_user else None
    if not isinstance(asked, ChatMessage) or _is_instructed_anew(since_user):
        return Answer(intents.greeting)
    found = intents.match(asked.text_content)
    if found is None:
        return Answer(intents.fallback)
    tool = found.intent.tool
    if tool is not None and tool.name in offered:
        return Answer(call=tool, arguments=intents.arguments(found))
    return Answer(_reply(found))


def _since_last_user_message(items: Sequence[ChatItem]) -> Sequence[ChatItem]:
    """The last user message and what followed; empty when no user has said anything."""
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if isinstance(item, ChatMessage) and item.role == "user":
            return items[index:]
    return ()


def _is_instructed_anew(since_user: Sequence[ChatItem]) -> bool:
    """Whether the user has been answered and the program asks for something else to be said.

    What exactly, rules cannot read; the greeting at least hands the floor back.
    """
    messages = [item for item in since_user if isinstance(item, ChatMessage)]
    answered = any(message.role == "assistant" for message in messages)
    return answered and messages[-1].role in {"system", "developer"}


def _reply(found: IntentMatch) -> str:
    # A slot in words that were left out has nothing to fill in.
    return fill_template(found.intent.reply, {**dict.fromkeys(_slots_of(found), ""), **found.spoken})


def _slots_of(found: IntentMatch) -> Iterable[str]:
    return re.findall(r"\{([a-z][a-z0-9_]*)\}", found.intent.reply)


def _told(output: FunctionCallOutput, call: FunctionCall | None, intents: IntentTable) -> str:
    """What is said about the answer of a tool."""
    tool = next((i.tool for i in intents.intents if i.tool is not None and i.tool.name == output.name), None)
    if tool is None:
        return output.output  # a tool that no rule calls: all we have is its words
    template = tool.error_reply if output.is_error else tool.reply
    fields = {
        **(_fields(call.arguments) if call is not None else {}),
        **_fields(output.output),
        "output": output.output,
    }
    try:
        return fill_template(template, fields)
    except KeyError as missing:
        log.warning("tool_answer_incomplete", tool=output.name, field=missing.args[0])
        return intents.fallback if output.is_error else output.output


def _fields(text: str) -> dict[str, str]:
    """The fields of a JSON object as words; nothing for any other text."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {name: field if isinstance(field, str) else json.dumps(field) for name, field in value.items()}


def _words_in(item: ChatItem) -> int:
    """Words, standing in for tokens."""
    match item:
        case ChatMessage():
            return len(item.text_content.split())
        case FunctionCall():
            return len(item.arguments.split())
        case FunctionCallOutput():
            return len(item.output.split())
        case _:
            return 0
