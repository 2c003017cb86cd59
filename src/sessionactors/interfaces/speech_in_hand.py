"""For which speech a provider, or the user's code in its place, works now: who waits for it there would never end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class SpeechInHand:
    """A speech that goes on only when the code that sees this does."""

    speech: str
    what: str
    """What the code is, for people: ``tts_node``."""
    over: bool = False
    """The code has ended; tasks that it has left behind hold up nothing."""


SPEECH_IN_HAND: Final[ContextVar[SpeechInHand | None]] = ContextVar("sessionactors_speech_in_hand", default=None)
"""Set while a provider's stream runs for a speech, and in the tasks that it starts."""


@contextmanager
def in_hand(name: str, what: str) -> Iterator[None]:
    """While the body runs, it works for a speech.

    Args:
        name: of the speech, or of a step or a segment of it: ``speech-1/step-1``.
        what: what the body is.
    """
    work = SpeechInHand(name.split("/", 1)[0], what)
    inside = SPEECH_IN_HAND.set(work)
    try:
        yield
    finally:
        SPEECH_IN_HAND.reset(inside)
        work.over = True
