"""What ``floor`` tells of the speeches it makes, and of their end. Used by ``floor`` only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.deferred import SpeechEnded
from sessionactors.messages.session import Publish
from sessionactors.model.events import SpeechCreatedEvent, SpeechOpenedNote
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


def tell_end(entry: Entry, interrupted: bool, items: int, out: Outbox[FloorMessage]) -> None:
    """Tell who asked for it that the speech is over."""
    if entry.report_to is not None:
        out.tell(entry.report_to, SpeechEnded(entry.spec.id, interrupted, items))
