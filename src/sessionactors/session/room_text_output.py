"""A text output that shows words in the room: the end of a chain of the user's own outputs."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from sessionactors.interfaces.transport import TranscriptSegment
from sessionactors.messages.room import PublishTranscript

from .endpoints import TextOutput

if TYPE_CHECKING:
    from sessionactors.actors.wiring import Wiring

_names = count(1)


class RoomTextOutput(TextOutput):
    """Shows what it is given as words of the agent.

    Args:
        wiring: of the session whose room it is.
    """

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(label="room")
        self._wiring = wiring
        self._segment: str | None = None

    async def capture_text(self, text: str) -> None:
        """More words."""
        if text:
            self._segment = self._segment or f"output-{next(_names)}"
            self._show(TranscriptSegment("agent", self._segment, text, final=False))

    def flush(self) -> None:
        """That was all of a segment."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self._show(TranscriptSegment("agent", segment, "", final=True))

    def _show(self, segment: TranscriptSegment) -> None:
        room = self._wiring.room
        if room is not None and room.is_alive():
            room.tell(PublishTranscript(segment))
