"""What a recogniser may know of the conversation: words to expect, and what was said last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessionactors.model.chat import ChatMessage

from .llm import LLM


@dataclass(frozen=True, slots=True)
class RecognitionContext:
    """What helps to understand what comes next."""

    keyterms: tuple[str, ...] = ()
    """Words in the spelling that is wanted; for recognisers whose capabilities name ``keyterms``."""
    turns: tuple[ChatMessage, ...] = ()
    """The last messages, oldest first; for recognisers whose capabilities name ``chat_context``."""

    def usable(self, *, keyterms: bool, chat_context: bool) -> RecognitionContext:
        """What a recogniser of these capabilities is told."""
        return RecognitionContext(self.keyterms if keyterms else (), self.turns if chat_context else ())


NO_CONTEXT: Final = RecognitionContext()
"""Nothing is known."""


def recognition_context(audio: object) -> RecognitionContext:
    """The context of a stream, as it is now. A recogniser asks when its stream begins, and again when it can use more.

    Args:
        audio: what :meth:`STT.transcribe` was given.
    """
    context = getattr(audio, "context", None)
    return context if isinstance(context, RecognitionContext) else NO_CONTEXT


@dataclass(frozen=True, slots=True)
class RecognitionContextOptions:
    """What a session tells its recogniser."""

    keyterms: tuple[str, ...] = ()
    """Words that are always expected."""
    detection: bool = False
    """A model finds more of them in the conversation."""
    llm: LLM | None = None
    """That model; None: the session's."""
    turn_interval: int = 1
    """User turns from one search to the next."""
    max_keyterms: int | None = None
    """Words found that are kept, the newest; None: all."""
    instructions: str | None = None
    """What the model is told instead of the built-in prompt."""
    timeout: float = 10.0
    """Seconds for a search; then it changes nothing."""
    forward_chat_context: bool = True
    """Tell what was said last."""
