"""A model whose backend is in its head: it conforms, or has exactly the flaw that one check is there for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sessionactors.interfaces.llm import LLM, ChatChunk, CompletionUsage, FunctionToolCall, LLMStream
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.chat_items import FunctionCall
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.testing import VirtualLoop
from sessionactors.testing.conformance import Fault, LLMRig

from tests.conformance.fake_backend import KEY, FakeBackend


def answer_to(question: str) -> str:
    return f"You asked: {question} I count one two three four five."


class FakeLLM(LLM):
    """Answers by rote."""

    label = "fake.LLM"

    def __init__(self, fault: Fault | None = None, flaw: str = "") -> None:
        self.backend = FakeBackend(fault, flaw)
        self._flaw = flaw
        self._question = ""
        if flaw == "names_itself":
            self.label = ""

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        if self._flaw == "sends_nothing_unread":
            self.backend.leak()
        return LLMStream(self.backend.request(self._chunks(chat_ctx, tools if tool_choice == "required" else ())))

    async def aclose(self) -> None:
        self.backend.close()

    async def _chunks(self, context: ChatContext, tools: Sequence[ToolDefinition]) -> AsyncGenerator[ChatChunk, None]:
        await self.backend.begin()
        items = list(context.items)
        if self._flaw == "bears_an_empty_conversation":
            assert items[-1]
        if tools:
            arguments = '{"city": ' if self._flaw == "calls_a_tool" else '{"city": "Oslo"}'
            yield ChatChunk(tool_calls=(FunctionToolCall("call-1", tools[0].name, arguments),))
        else:
            async for chunk in self._words(items):
                yield chunk
        if self._flaw != "reports_usage":
            yield ChatChunk(usage=CompletionUsage(5, 7))

    async def _words(self, items: Sequence[object]) -> AsyncGenerator[ChatChunk, None]:
        messages = [item.text_content or "" for item in items if isinstance(item, ChatMessage)]
        self._question = question = messages[-1] if messages else ""
        await asyncio.sleep(0.001)
        text = answer_to(self._question if self._flaw == "mixes_no_answers" else question)
        had_call = any(isinstance(item, FunctionCall) for item in items)
        silent = self._flaw == "answers" or (had_call and self._flaw == "takes_the_result_of_a_tool")
        if silent or self.backend.fault is Fault.EMPTY:
            return
        words = text.replace(" ", " \0").split("\0")
        dripping = self.backend.fault is Fault.DRIP
        if self._flaw in ("answers_in_pieces", "drip_is_passed_on"):
            await asyncio.sleep(0.02 * len(words) if dripping else 0)
            words = [text]
        for number, word in enumerate(words):
            if number == 3 and await self.backend.midway():
                return
            yield ChatChunk(word)
            await asyncio.sleep(0.02 if dripping else 0.001)


def fake_llm_rig(flaw: str = "") -> LLMRig:
    """A rig of a model with a flaw."""
    models: list[FakeLLM] = []

    @asynccontextmanager
    async def opened(fault: Fault | None) -> AsyncIterator[LLM]:
        models.append(FakeLLM(fault, flaw))
        yield models[-1]

    return LLMRig(
        name="fake.LLM",
        open=opened,
        faults=frozenset(Fault),
        secret=KEY,
        answer=answer_to,
        connections=lambda: models[-1].backend.connections,
        most_connections=2,
        loop_factory=VirtualLoop,
    )
