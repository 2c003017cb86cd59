"""Turn detectors made of other parts: a model that is asked, and several detectors that must agree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sessionactors.interfaces.llm import LLM
from sessionactors.interfaces.turn_detector import TurnDetector
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.errors import APIError, OptionError

COMPLETE_OR_NOT: Final = (
    "You listen to a phone call. Judge the user's last message only: is the user done and waits for an answer, or was "
    "it cut in the middle and goes on? Short answers, names and numbers are complete. Reply with one word: COMPLETE or "
    "INCOMPLETE."
)
"""What the model is told; replace it with ``instructions=``."""
RECENT: Final = 6
"""Messages before the last one that the model sees."""


class LLMTurnDetector(TurnDetector):
    """Asks a model whether the user is done: it holds back the end of a turn that breaks off.

    The session waits a second for it at most; use a small, quick model. Incomplete turns end after ``max_delay``.

    Args:
        llm: the model.
        instructions: the question; the answer must begin with COMPLETE or INCOMPLETE.
    """

    label = "llm-turn-detector"

    def __init__(self, llm: LLM, *, instructions: str = COMPLETE_OR_NOT) -> None:
        if not isinstance(llm, LLM):
            raise OptionError(f"LLMTurnDetector needs an LLM, got {llm!r}")
        self._llm = llm
        self._instructions = instructions
        self.home = llm.home

    async def predict_end_of_turn(self, chat_ctx: ChatContext) -> float:
        """1.0 for complete, 0.0 for incomplete.

        Raises:
            APIError: the model failed, or answered something else.
        """
        spoken = [message for message in chat_ctx.messages() if message.role in ("user", "assistant")]
        question = ChatContext([ChatMessage("system", [self._instructions]), *spoken[-RECENT - 1 :]])
        answer = ""
        async with self._llm.chat(chat_ctx=question) as stream:
            async for chunk in stream:
                answer += chunk.content
        verdict = answer.strip().upper()
        if verdict.startswith("INCOMPLETE"):
            return 0.0
        if verdict.startswith("COMPLETE"):
            return 1.0
        raise APIError(f"{self._llm.label} was to say COMPLETE or INCOMPLETE, and said {answer!r}", retryable=False)


class CombinedTurnDetector(TurnDetector):
    """Several detectors, asked at once: the turn is as likely over as the one says that believes it least.

    A detector that fails has no say; when all fail, so does this one.

    Args:
        detectors: at least one that reads text.
    """

    label = "combined-turn-detector"

    def __init__(self, detectors: Sequence[TurnDetector]) -> None:
        if not detectors or not all(isinstance(detector, TurnDetector) for detector in detectors):
            raise OptionError(f"CombinedTurnDetector needs detectors that read text, got {list(detectors)!r}")
        self._detectors = tuple(detectors)

    def unlikely_threshold(self, language: str | None = None) -> float | None:
        """Half: each detector's probability is set against its own threshold."""
        known = [detector for detector in self._detectors if detector.unlikely_threshold(language) is not None]
        return 0.5 if known else None

    async def predict_end_of_turn(self, chat_ctx: ChatContext) -> float:
        """1.0 if none thinks the end unlikely, else 0.0."""
        asked = [detector for detector in self._detectors if detector.unlikely_threshold() is not None]
        answers = await asyncio.gather(
            *(detector.predict_end_of_turn(chat_ctx) for detector in asked), return_exceptions=True
        )
        verdicts: list[bool] = []
        for detector, answer in zip(asked, answers, strict=True):
            if not isinstance(answer, BaseException):
                verdicts.append(answer >= (detector.unlikely_threshold() or 0.0))
        if not verdicts:
            raise APIError(f"no detector could tell: {answers!r}", retryable=False)
        return 1.0 if all(verdicts) else 0.0
