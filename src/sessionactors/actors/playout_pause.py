"""Holding what plays, and letting it go on: what ``output`` does when ``floor`` orders it. Used by ``output`` only.

One speech is held at a time. A segment of it that plays is paused at its sink; one that begins meanwhile is paused
before its first frame. While it is held no more audio is asked for, and the sink owes no report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.messages.floor import OutputChanged, PauseRefused, PauseSpeech, ResumeSpeech
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .playout_lost import OVERDUE, expect_report
from .playout_segment import OutputState, Segment, update
from .wiring import Wiring

if TYPE_CHECKING:
    from .output import OutputMessage


def hold(state: OutputState, order: PauseSpeech, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """Hold the speech; ``floor`` is told when it plays on a sink that cannot."""
    if order.number <= state.pause_order:
        return state
    state = replace(state, held=order.speech, pause_order=order.number)
    playing = playing_of(state, order.speech)
    if playing is None or playing.sink is None:
        return state
    if not playing.sink.can_pause:
        out.tell(wiring.floor, PauseRefused(order.speech))
        return replace(state, held=None)
    out.port(playing.sink.pause, playing.id)
    out.cancel_timer(OVERDUE)  # nothing is owed until it goes on
    return update(state, playing.id, held_at=out.now)


def go_on(state: OutputState, order: ResumeSpeech, out: Outbox[OutputMessage]) -> tuple[OutputState, Segment | None]:
    """Let the speech go on. The second value is the segment that plays again."""
    if order.number <= state.pause_order:
        return state, None
    held, state = state.held, replace(state, held=None, pause_order=order.number)
    playing = playing_of(state, order.speech)
    if held != order.speech or playing is None or playing.sink is None:
        return state, None
    out.port(playing.sink.resume, playing.id)
    expect_report(playing.id, playing.written - playing.position, out, ended=playing.audio_ended)
    return update(state, playing.id, held_at=None), playing


def playing_of(state: OutputState, speech: str) -> Segment | None:
    """The segment of a speech that has a sink, and sound left."""
    for segment in state.segments:
        if segment.speech == speech and segment.sink is not None and not segment.cut and segment.sound_end is None:
            return segment
    return None


def output_changed(state: OutputState) -> OutputChanged:
    """Whether there is a voice, and whether it can be held."""
    voice = state.sink is not None and state.audio_enabled
    return OutputChanged(voice, voice and state.sink is not None and state.sink.can_pause)
