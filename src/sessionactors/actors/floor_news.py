"""What ``floor`` tells of the speeches it makes, and of their end. Used by ``floor`` only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.deferred import SpeechEnded
from sessionactors.messages.session import Publish, ReplyScheduled, SpeechQuiet
from sessionactors.model.events import SpeechCreatedEvent, SpeechFinishedNote, SpeechOpenedNote
from sessionactors.model.speech import SpeechSource
from sessionactors.runtime import Outbox

from .floor_state import Entry
from .wiring import Wiring

if TYPE_CHECKING:
    from .floor import FloorMessage


def announce(spec: SpeechSpec, wiring: Wiring, out: Outbox[FloorMessage]) -> None:
    """There is a speech."""
    opened = SpeechOpenedNote(spec.id, spec.allow_interruptions, spec.priority, spec.input_modality)
    out.tell(wiring.supervisor, Publish(opened))
    created = SpeechCreatedEvent(
        speech_id=spec.id,
        source=spec.source.value,
        user_initiated=spec.user_initiated,
        created_at=out.wall(),
    )
    out.tell(wiring.supervisor, Publish(created))


def say_scheduled(spec: SpeechSpec, wiring: Wiring, out: Outbox[FloorMessage]) -> None:
    """The agent thinks; of a realtime model nobody says so."""
    if spec.source is SpeechSource.GENERATE_REPLY:
        out.tell(wiring.supervisor, ReplyScheduled(spec.id, spec.turn, wiring.realtime is None))


def report_end(
    speech: str, interrupted: bool, error: BaseException | None, wiring: Wiring, out: Outbox[FloorMessage]
) -> None:
    """A speech is over."""
    out.discharge(speech)
    # The note first: who is told that the agent listens finds the handle done.
    out.tell(wiring.supervisor, Publish(SpeechFinishedNote(speech, interrupted, error)))
    out.tell(wiring.supervisor, SpeechQuiet(speech, out.now, working=False))


def tell_end(entry: Entry, interrupted: bool, items: int, out: Outbox[FloorMessage]) -> None:
    """Tell who asked for it that the speech is over."""
    if entry.report_to is not None:
        out.tell(entry.report_to, SpeechEnded(entry.spec.id, interrupted, items))
