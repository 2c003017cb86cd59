"""Which deliveries an account is made of: those that a turn hangs on, and of each stream its beginning.

Asked on the actor loop for each message that is watched, so it must be quick.
"""

from __future__ import annotations

from typing import Final

from sessionactors.messages import ear, llm, output, tts
from sessionactors.messages.session import Publish
from sessionactors.model.events import MetricsCollectedEvent, SpeechItemNote
from sessionactors.model.metrics import VADMetrics
from sessionactors.session.diagram import trace_types
from sessionactors.session.trace import MILESTONES, Milestones

HEADS: Final = 64
"""Messages of one stream that are kept: more than come before the first sound, as a rule."""
STREAMS: Final = 64
"""Streams whose beginning is remembered."""

_OF_REQUEST: Final = (llm.ChunkArrived, llm.TextDelta)
_OF_SEGMENT: Final = (output.SegmentText, tts.SpeakText, tts.TextWanted)

WATCHED: Final = (trace_types() | frozenset(MILESTONES) | {Publish}) - {ear.InterimTranscript}
"""Types of messages that are looked at."""


class Kept:
    """Whether a message is kept. One for each session."""

    def __init__(self) -> None:
        self._milestones = Milestones()
        self._heads: dict[tuple[type, str], int] = {}

    def __call__(self, message: object) -> bool:
        """Look at one."""
        kind = type(message)
        if kind is Publish:
            event = message.event  # type: ignore[attr-defined]  # of its type
            return isinstance(event, SpeechItemNote) or (
                isinstance(event, MetricsCollectedEvent) and not isinstance(event.metrics, VADMetrics)
            )
        if kind in _OF_REQUEST:
            return self._head(kind, message.request)  # type: ignore[attr-defined]
        if kind in _OF_SEGMENT:
            return self._head(kind, message.segment)  # type: ignore[attr-defined]
        return self._milestones(message)

    def _head(self, kind: type, stream: str) -> bool:
        key = kind, stream
        seen = self._heads.get(key, 0)
        if seen >= HEADS:
            return False
        if not seen and len(self._heads) >= STREAMS:
            del self._heads[next(iter(self._heads))]
        self._heads[key] = seen + 1
        return True
