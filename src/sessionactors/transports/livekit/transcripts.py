"""What the agent and the users say, for the participants to read: text streams, and packets for old clients.

The agent's words are one stream for each stretch, to which they are added as they are spoken. A stretch of a user is
another stream each time more of it is understood, always with all of it, under one name. On the room's loop, in order;
what cannot be published at once is put together, so a slow room gets less often more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from livekit import rtc

from sessionactors.interfaces.room_wants import TextOutWants
from sessionactors.interfaces.transport import TranscriptSegment

from .old_clients import publish_to_old_clients
from .part import RoomPart
from .room_tasks import InOrder
from .spoken_track import microphone_of

log = structlog.get_logger("sessionactors.livekit")

TOPIC: Final = "lk.transcription"
SEGMENT_ID: Final = "lk.segment_id"
TRACK_ID: Final = "lk.transcribed_track_id"
FINAL: Final = "lk.transcription_final"
EXPRESSION: Final = "lk.expression"
"""JSON: how the agent says it, as ``expression``, and as ``value`` for readers of LiveKit's documentation."""

AGENT: Final = "agent"
PUBLISH_WITHIN: Final = 5.0
"""Seconds for one publication."""
DRAIN_WITHIN: Final = 2.0
"""Seconds at the end for what waits."""
MAX_WAITING: Final = 512
"""Stretches that may wait for a room; more drop the oldest, counted."""


@dataclass(slots=True)
class Waiting:
    """What is still to be published of one stretch, put together."""

    participant: str
    segment: str
    pieces: list[TranscriptSegment] = field(default_factory=list)
    """Of the agent: all. Of a user: the newest, which has all of the text."""
    attempts: int = 0

    def add(self, piece: TranscriptSegment) -> None:
        """More of it is known."""
        if self.participant == AGENT:
            self.pieces.append(piece)
        else:
            self.pieces = [piece]

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self.pieces[-1].final


@dataclass(slots=True)
class AgentStream:
    """A stretch of the agent's words that is not over."""

    pieces: list[TranscriptSegment] = field(default_factory=list)
    """All that was said of it."""
    writer: rtc.TextStreamWriter | None = None
    """None: none is open, or it broke: the next one begins with everything."""


class Transcripts(RoomPart):
    """Publishes transcripts.

    Args:
        wants: how.
    """

    def __init__(self, wants: TextOutWants) -> None:
        self._wants = wants
        self._room: rtc.Room | None = None
        self._waiting: dict[tuple[str, str], Waiting] = {}
        self._streams: dict[str, AgentStream] = {}
        self._work = InOrder("transcript", self._publish_next)
        self._dropped = 0

    @property
    def failed(self) -> int:
        """Publications that failed."""
        return self._work.failed

    @property
    def dropped(self) -> int:
        """Stretches that were given up because too many waited for a room."""
        return self._dropped

    def show(self, piece: TranscriptSegment) -> None:
        """Publish a piece in its turn."""
        key = (piece.participant, piece.segment)
        if key not in self._waiting:
            if len(self._waiting) >= MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
                self._dropped += 1
                if self._dropped == 1:
                    log.warning("livekit_transcripts_dropped", room="", actor="", message_id=0, waiting=MAX_WAITING)
            self._waiting[key] = Waiting(*key)
        self._waiting[key].add(piece)
        self._work.go_on()

    async def joined(self, room: rtc.Room) -> None:
        self._room = room
        self._work.open()

    def detach(self, room: rtc.Room) -> None:
        self._room = None
        self._work.close()
        for stream in self._streams.values():
            stream.writer = None

    async def aclose(self) -> None:
        for segment in self._streams:  # what is cut off by the end of the session has an end for its readers, too
            self.show(TranscriptSegment(AGENT, segment, "", final=True))
        await self._work.drained(DRAIN_WITHIN)

    # -- one publication ---------------------------------------------------------------------------------------------

    async def _publish_next(self) -> bool:
        room = self._room
        if room is None or not self._waiting:
            return False
        key = next(iter(self._waiting))
        stretch = self._waiting.pop(key)
        stretch.attempts += 1
        done = False
        try:
            async with asyncio.timeout(PUBLISH_WITHIN):
                await (self._say if stretch.participant == AGENT else self._replace)(room, stretch)
            done = True
        finally:
            if not done and ((stretch.final and stretch.attempts == 1) or self._room is None):
                self._put_back(key, stretch)
        return True

    def _put_back(self, key: tuple[str, str], stretch: Waiting) -> None:
        """The end of a stretch is tried once more, and with another room; what came meanwhile is behind it."""
        newer = self._waiting.pop(key, None)
        if stretch.participant == AGENT:
            stretch.pieces = [TranscriptSegment(AGENT, stretch.segment, "", stretch.final)]  # its words are kept apart
        for piece in () if newer is None else newer.pieces:
            stretch.add(piece)
        self._waiting = {key: stretch, **self._waiting}

    async def _say(self, room: rtc.Room, stretch: Waiting) -> None:
        stream = self._streams.setdefault(stretch.segment, AgentStream())
        new = [piece for piece in stretch.pieces if piece.text]
        stream.pieces += new
        local = room.local_participant
        track = microphone_of(room, local.identity)
        attributes = self._attributes(stretch, track, stream.pieces)
        writer, stream.writer = stream.writer, None  # it is put back when it has not broken
        if writer is None and stream.pieces:
            writer = await local.stream_text(
                topic=TOPIC, sender_identity=local.identity, attributes={**attributes, FINAL: "false"}
            )
            new = stream.pieces
        if writer is not None and new:
            await writer.write("".join(map(self._encoded, new)))
        if stretch.final:
            if writer is not None:
                await writer.aclose(attributes={**attributes, FINAL: "true"})
            del self._streams[stretch.segment]
        else:
            stream.writer = writer
        text = "".join(piece.text for piece in stream.pieces)
        if text:
            await publish_to_old_clients(room, local.identity, track, stretch.segment, text, final=stretch.final)

    async def _replace(self, room: rtc.Room, stretch: Waiting) -> None:
        piece = stretch.pieces[-1]
        track = microphone_of(room, piece.participant)
        attributes = self._attributes(stretch, track, ())
        writer = await room.local_participant.stream_text(
            topic=TOPIC,
            sender_identity=piece.participant,
            attributes={**attributes, FINAL: "true" if piece.final else "false"},
        )
        await writer.write(piece.text)
        await writer.aclose()
        await publish_to_old_clients(room, piece.participant, track, stretch.segment, piece.text, final=piece.final)

    def _attributes(self, stretch: Waiting, track: str | None, said: Sequence[TranscriptSegment]) -> dict[str, str]:
        attributes = {SEGMENT_ID: stretch.segment}
        if track is not None:
            attributes[TRACK_ID] = track
        expression = next((piece.expression for piece in said if piece.expression), "")
        if expression:
            attributes[EXPRESSION] = json.dumps({"expression": expression, "value": expression}, ensure_ascii=False)
        return attributes

    def _encoded(self, piece: TranscriptSegment) -> str:
        if not self._wants.json_format:
            return piece.text
        line: dict[str, str | float] = {"text": piece.text}
        if piece.start_time is not None:
            line["start_time"] = piece.start_time
        if piece.end_time is not None:
            line["end_time"] = piece.end_time
        return json.dumps(line, ensure_ascii=False) + "\n"
