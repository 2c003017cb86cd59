"""What a session remembers of its messages: enough to draw the last turns and to say where their time went.

Of the messages that come many times a second only those are kept that a turn hangs on: the ends of speech, the
transcripts, and the first audio of each segment.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final

from sessionactors.interfaces.vad import VADEventType
from sessionactors.messages.ear import DetectorSaid, RecognizerSaid
from sessionactors.messages.tts import AudioCredit, AudioSynthesized, SegmentAudio
from sessionactors.runtime import ActorSystem, Delivery, Tap

from .diagram import trace_types
from .observing import SessionObserver, told

TRACED = 512
"""Deliveries that are kept: some turns, whose messages stay alive."""
SEGMENTS = 64
"""Segments whose first audio is told from the rest."""

INFERENCE_DONE = VADEventType.INFERENCE_DONE
MILESTONES: Final = (DetectorSaid, RecognizerSaid, SegmentAudio, AudioSynthesized, AudioCredit)


class Milestones:
    """Which messages of a stream are worth keeping. Called on the actor loop for each one that is watched."""

    def __init__(self) -> None:
        self._seen: deque[tuple[type, str]] = deque(maxlen=SEGMENTS)

    def __call__(self, message: object) -> bool:
        """Whether to keep it."""
        match message:
            case DetectorSaid():
                return message.event.type is not INFERENCE_DONE
            case AudioSynthesized(segment) | AudioCredit(segment):
                first = (type(message), segment)
                if first in self._seen:
                    return False
                self._seen.append(first)
                return True
            case SegmentAudio():
                return message.marks is not None
            case _:
                return True


class SessionTrace:
    """The deliveries of one session, from its start to its end and beyond."""

    def __init__(self) -> None:
        self._tap: Tap | None = None
        self._kept: deque[Delivery] = deque(maxlen=TRACED)
        self._room = ""
        self.observers: list[SessionObserver] = []
        """Are told when it begins and ends."""

    def begin(self, system: ActorSystem, room: str) -> None:
        """Forget what was, and watch a room."""
        self._kept.clear()
        self._room = room
        self._tap = system.tap(room, trace_types() | frozenset(MILESTONES), TRACED, keep=Milestones())
        for observer in self.observers:
            told(partial(observer.begins, system, room), room)

    def deliveries(self) -> list[Delivery]:
        """All that is kept, oldest first."""
        if self._tap is not None:
            self._kept.extend(self._tap.drain())
        return list(self._kept)

    def drawn(self) -> list[Delivery]:
        """What diagrams show: without the milestones of streams."""
        return [delivery for delivery in self.deliveries() if not isinstance(delivery.message, MILESTONES)]

    def end(self) -> None:
        """Watch no more; what is kept stays."""
        self.deliveries()
        if self._tap is not None:
            self._tap.close()
            self._tap = None
            for observer in self.observers:
                told(observer.ended, self._room)
