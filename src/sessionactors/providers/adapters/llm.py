"""Several models as one: the next one is asked when one fails, as long as nothing of an answer was given out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from sessionactors.interfaces.llm import LLM, ChatChunk, LLMStream
from sessionactors.model.chat import ChatContext
from sessionactors.model.errors import APIError, APITimeoutError, OptionError
from sessionactors.model.tools import ToolChoice, ToolDefinition

from .members import AllFailed, AvailabilityCallback, Members, Request
from .patience import Patience

SIGNS_OF_LIFE: Final = 3
"""Attempt timeouts for which a model may go on with pieces that say nothing, as while it writes a tool's arguments."""


class FallbackAdapter(LLM):
    """A model that is several, first choice first.

    A model that fails, hangs or answers with nothing is followed by the next one, within the same request. It then
    rests for ``cooldown`` seconds (doubled each time it fails again), and is asked again in its place when they are
    over. Once words or calls were given out no other model is asked: what follows would be said twice.

    The attempts here are the only ones: the session waits for :attr:`answers_within` and does not ask again.

    Args:
        llm: two or more, first choice first.
        attempt_timeout: seconds > 0 to a model's first piece, and between pieces.
        max_retry_per_llm: attempts after the first that each model gets in a request.
        retry_interval: seconds between them.
        retry_on_chunk_sent: must be False; see above.
        cooldown: seconds for which a model that failed is not asked while another one works.

    Raises:
        OptionError: an argument is out of range, or the models live on different loops.
    """

    def __init__(
        self,
        llm: Sequence[LLM],
        *,
        attempt_timeout: float = 5.0,
        max_retry_per_llm: int = 0,
        retry_interval: float = 0.5,
        retry_on_chunk_sent: bool = False,
        cooldown: float = 10.0,
    ) -> None:
        if retry_on_chunk_sent:
            raise OptionError("retry_on_chunk_sent=True would have the beginning of an answer said twice; leave it out")
        self._members = Members(
            "llm",
            llm,
            retries=max_retry_per_llm,
            retry_interval=retry_interval,
            attempt_timeout=attempt_timeout,
            cooldown=cooldown,
        )
        self.home = self._members.home
        self.answers_within = self._members.answers_within
        first = self._members.all[0]
        self.label, self.model, self.provider = f"FallbackAdapter({first.label})", first.model, first.provider

    def on(self, event: str, callback: AvailabilityCallback[LLM]) -> None:
        """Call back when a model fails or works again. The one event is ``llm_availability_changed``.

        Raises:
            OptionError: there is no such event.
        """
        self._members.subscribe(event, callback)

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        """See :meth:`LLM.chat`.

        Raises:
            APIError: while iterating: not retryable when all models failed; a model's own when it broke off.
        """
        return LLMStream(self._chunks(chat_ctx, tools, tool_choice))

    def prewarm(self) -> None:
        for member in self._members.all:
            member.prewarm()

    async def aclose(self) -> None:
        await self._members.aclose()

    async def _chunks(
        self, chat_ctx: ChatContext, tools: Sequence[ToolDefinition], tool_choice: ToolChoice
    ) -> AsyncGenerator[ChatChunk, None]:
        def ask(model: LLM) -> LLMStream:
            return model.chat(chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice)

        request = _Chat(ask, self._members.attempt_timeout, self._billed)
        try:
            async with aclosing(self._members.in_turn(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except AllFailed as failure:
            if not all(isinstance(error, _Silence) for error in failure.errors):
                raise  # whether silence is an answer is the session's to say

    def _billed(self, model: LLM) -> None:
        self.model, self.provider = model.model, model.provider


class _Chat(Request[LLM, ChatChunk]):
    """One request for a reply.

    Args:
        chat: asks a model.
        attempt_timeout: seconds to its first piece, and between pieces.
        answered: told who answered.
    """

    def __init__(
        self, chat: Callable[[LLM], LLMStream], attempt_timeout: float, answered: Callable[[LLM], None]
    ) -> None:
        self._chat = chat
        self._seconds = attempt_timeout
        self._answered = answered

    async def ask(self, provider: LLM) -> AsyncGenerator[ChatChunk, None]:
        """The answer, each piece of it in time; signs of life without words or calls only for a while."""
        stream, seconds, loop = self._chat(provider), self._seconds, asyncio.get_running_loop()
        patience, words_by = Patience(seconds, provider.label), loop.time() + SIGNS_OF_LIFE * seconds
        async with stream:
            while True:
                patience.begin()
                try:
                    chunk = await patience.next(stream)
                except StopAsyncIteration:
                    return
                if self.is_answer(chunk):
                    words_by = math.inf
                elif loop.time() > words_by:
                    raise APITimeoutError(f"{provider.label} said no word within {SIGNS_OF_LIFE * seconds:g} s")
                yield chunk

    def is_answer(self, item: ChatChunk) -> bool:
        return bool(item.content or item.tool_calls)

    def missing(self, provider: LLM) -> Exception | None:
        return None if provider.may_be_silent else _Silence(f"{provider.label} answered with neither text nor calls")

    def answered(self, provider: LLM) -> None:
        self._answered(provider)


class _Silence(APIError):
    """Raised when a model ended its answer without having said anything."""
