"""The agent's words as people read them: in the room, or where the session's user shows them. Used by ``output`` only.

They come with the voice, word by word: whatever the sink reports as played has been shown, and at the end of a segment
nothing else has. So there is no second clock that could differ from the first, and nothing to be drained at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.text_io import TextSink
from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.messages.room import PublishTranscript
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .heard import spoken_between
from .markers import expression_in
from .playout_segment import OutputState, Segment, update
from .wiring import Wiring

if TYPE_CHECKING:
    from .output import OutputMessage


def show(
    state: OutputState, segment: Segment, length: int, final: bool, wiring: Wiring, out: Outbox[OutputMessage]
) -> OutputState:
    """Show what there is to read between what was shown and ``length``; ``final``: it is all of the segment."""
    more = segment.shown_between(segment.shown, length, final=final)
    state = update(state, segment.id, shown=max(segment.shown, length))
    ends = final and bool(segment.shown or length)
    if not state.transcription_enabled or not (more or ends):
        return state
    sink = state.text_sink
    if sink is None:
        if wiring.room is not None:
            out.tell(wiring.room, PublishTranscript(_for_the_room(segment, length, more, final)))
        sink = wiring.components.beside_room_text
    if sink is None:
        return state
    if more:
        out.port(sink.show, more)
    if ends:
        out.port(sink.end)
    return state


def _for_the_room(segment: Segment, length: int, more: str, final: bool) -> TranscriptSegment:
    start, end = None, None
    if segment.aligned and segment.node is None:
        start, end = spoken_between(segment.anchors, segment.shown, length)
    expression = expression_in(segment.to_read[:length]) if segment.marked else ""
    return TranscriptSegment("agent", segment.id, more, final, start, end, expression)


def show_at_once(state: OutputState, name: str, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """Where words need not keep pace with the voice: show what is there of a segment that plays."""
    segment = next((other for other in state.segments if other.id == name), None)
    if wiring.components.sync_transcription or segment is None or segment.sink is None:
        return state
    return show(state, segment, len(segment.to_read), False, wiring, out)


def attach_text(state: OutputState, sink: TextSink | None, wiring: Wiring, out: Outbox[OutputMessage]) -> OutputState:
    """Show the words elsewhere from now on."""
    old = state.text_sink or wiring.components.beside_room_text
    if old is not None and old is not sink and any(segment.shown for segment in state.segments):
        out.port(old.end)
    if state.text_sink is not None and state.text_sink is not sink:
        out.port(state.text_sink.detach)
    return replace(state, text_sink=sink)
