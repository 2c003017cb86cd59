"""How a segment ends: what was heard of it is said, kept and shown, and the account of its audio is balanced.

For ``output``. A segment has ended when its sink has reported the end of its sound, and what there is to read of it is
complete; or when it was cut off, lost, or has no sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.output import PlayoutFinished, PlayoutOverdue
from sessionactors.messages.realtime import SegmentHeard
from sessionactors.messages.session import Publish
from sessionactors.model.events import ErrorEvent, MetricsCollectedEvent
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .item_metrics import interruption_metrics
from .kept_message import heard_of
from .playout_lost import CLEARED_WITHIN, OVERDUE, lost_playout
from .playout_segment import OutputState, Segment, ceased_at
from .shown_text import show
from .transcription import stop_node
from .wiring import Wiring

if TYPE_CHECKING:
    from .output import OutputMessage


def settle(
    state: OutputState, segment: Segment, position: float, interrupted: bool, wiring: Wiring, out: Outbox[OutputMessage]
) -> OutputState:
    """A segment is over: say what was heard, and balance the account of its audio."""
    cut = interrupted or segment.cut
    stop_node(segment, out)
    speed = wiring.components.transcription_speed
    whole = segment.written if segment.audio_ended and segment.text_ended else None
    words = segment.heard_at(position, whole, speed) if cut else len(segment.text)
    if segment.sink is None:
        length = segment.shown
    else:
        out.cancel_timer(OVERDUE)
        length = segment.read_at(position, whole, speed) if cut else len(segment.to_read)
        if not cut and segment.error is not None:
            length, words = segment.read_at(position, speed=speed), segment.heard_at(position, speed=speed)
    heard = segment.to_read[:length]
    known = None if segment.sound_end is None else segment.sound_end.synchronized_transcript
    if cut and known is not None:  # the sink knows better
        heard, length = known, segment.shown
    state = show(state, segment, length, True, wiring, out)
    at = ceased_at(segment, out.now, position)
    messages, item, is_open = heard_of(state.messages, segment, heard, cut, at, wiring.history, out)
    if segment.heard_to is not None:  # a model that shall remember its own words, not what became of them
        said = heard if segment.node is None else segment.text[:words]
        out.tell(segment.heard_to, SegmentHeard(segment.id, said, position, cut))
    out.tell(segment.reply_to, PlayoutFinished(segment.id, heard, position, cut, at, segment.error, item, is_open))
    if segment.silence is not None:
        metrics = interruption_metrics(segment.speech, segment.silence, position, at, out.wall())
        out.tell(wiring.supervisor, Publish(MetricsCollectedEvent(metrics, out.wall())))
    played = min(position, segment.written)
    return replace(
        state,
        segments=tuple(other for other in state.segments if other.id != segment.id),
        messages=messages,
        played=state.played + played,
        discarded=state.discarded + segment.written - played,
    )


def cut_off(state: OutputState, segment: Segment, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """Stop its sound. What the sink then reports settles it; what makes no sound (any more) is settled at once."""
    stop_node(segment, out)
    if segment.sound_end is not None:  # heard to its end: only its text was not complete
        return settle(state, segment, segment.sound_end.position, False, wiring, out)
    segment = replace(segment, cut=True)
    if segment.sink is None:
        return settle(state, segment, 0.0, True, wiring, out)
    out.port(segment.sink.clear, segment.id)
    out.timer(OVERDUE, CLEARED_WITHIN, PlayoutOverdue(segment.id))
    return replace(state, segments=tuple(segment if other.id == segment.id else other for other in state.segments))


def lost(state: OutputState, segment: Segment, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """Its sink says nothing of it any more."""
    error = lost_playout(segment)
    event = ErrorEvent(error, out.path, recoverable=True, created_at=out.wall())
    out.tell(wiring.supervisor, Publish(event))
    if segment.sink is not None:
        out.port(segment.sink.clear, segment.id)
    return settle(state, replace(segment, error=error), segment.position, True, wiring, out)
