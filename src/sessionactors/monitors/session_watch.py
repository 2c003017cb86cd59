"""The promises of a session, looked at after each message: no stale sound, legal states, the user wins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from sessionactors.actors import states
from sessionactors.actors.supervisor_state import SupervisorState
from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.floor import (
    FloorGranted,
    PromoteSpeech,
    ScheduleSpeech,
    SetAllowInterruptions,
    SilenceSpeech,
    SpeechInterrupted,
)
from sessionactors.messages.tts import SegmentAudio
from sessionactors.messages.turn import UserActivity
from sessionactors.runtime.operation import Operation

if TYPE_CHECKING:
    from sessionactors.runtime.cell import Cell
    from sessionactors.runtime.envelope import Envelope

V = TypeVar("V")

KEPT: Final = 256
"""Speeches that are remembered."""


class SessionWatch:
    """Of one session."""

    def __init__(self) -> None:
        self._silenced: dict[str, int] = {}
        """Speeches that ``output`` has silenced, and by which message."""
        self._cut: dict[str, int] = {}
        self._specs: dict[str, SpeechSpec] = {}
        self._protected: dict[str, bool] = {}
        self._speaking: set[str] = set()

    def before(self, cell: Cell, envelope: Envelope, state: object, ops: list[Operation]) -> Iterator[tuple[str, str]]:
        """A handler has run, and nothing of it has taken effect yet."""
        message = envelope.message
        match message:
            case SegmentAudio(segment) if any(target is None and _writes(what) for target, what in ops):
                if (by := self._silenced.get(segment.split("/", 1)[0])) is not None:
                    yield "P1", f"sound of {segment} goes to the sink, and was silenced by #{by}"
            case SilenceSpeech(speech):
                _keep(self._silenced, speech, envelope.id)
            case _:
                pass
        if isinstance(state, SupervisorState) and isinstance(cell.state, SupervisorState):
            yield from _changes(cell.state, state)
        for target, what in ops:
            if target is not None:
                yield from self._told(target, what, envelope)

    def _told(self, target: Cell, message: object, envelope: Envelope) -> Iterator[tuple[str, str]]:
        """What counts is when it is told: control is handled at once."""
        match message:
            case ScheduleSpeech(spec) | PromoteSpeech(spec):
                _keep(self._specs, spec.id, spec)
            case SetAllowInterruptions(speech, allow):
                _keep(self._protected, speech, not allow)
            case UserActivity(participant, speaking, hushed=hushed):
                (self._speaking.add if speaking and not hushed else self._speaking.discard)(participant)
            case SpeechInterrupted():
                _keep(self._cut, target.path, envelope.id)
            case FloorGranted():
                if (by := self._cut.get(target.path)) is not None:
                    yield "P1", f"{target.name} is given the floor, and was cut off by #{by}"
                begins = self._specs.get(target.name)
                if begins is None or not begins.automatic or not self._speaking:
                    return
                if not self._protected.get(target.name, not begins.allow_interruptions):
                    yield "P7", f"{target.name} is given the floor while {', '.join(sorted(self._speaking))} speaks"
            case _:
                pass


def _writes(what: object) -> bool:
    """Whether an operation is ``out.port(sink.write, ...)``."""
    return isinstance(what, tuple) and len(what) > 1 and getattr(what[1], "__name__", "") == "write"


def _changes(old: SupervisorState, new: SupervisorState) -> Iterator[tuple[str, str]]:
    if new.agent_state != old.agent_state and new.agent_state not in states.AGENT_TRANSITIONS[old.agent_state]:
        yield "P6", f"agent state {old.agent_state} -> {new.agent_state} is not in the table"
    if new.user_state != old.user_state and new.user_state not in states.USER_TRANSITIONS[old.user_state]:
        yield "P6", f"user state {old.user_state} -> {new.user_state} is not in the table"


def _keep(where: dict[str, V], key: str, value: V) -> None:
    """As the newest of so many."""
    while len(where) >= KEPT:
        del where[next(iter(where))]
    where[key] = value
