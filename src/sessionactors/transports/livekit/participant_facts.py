"""What participants let the others know of themselves: attributes and metadata, when they change."""

from __future__ import annotations

from collections.abc import Callable

from livekit import rtc
from livekit.rtc.room import EventTypes

from sessionactors.interfaces.transport import TransportEvents

from .part import RoomPart


class ParticipantFacts(RoomPart):
    """Passes on changes, but for the agent's own.

    Args:
        events: the session.
    """

    def __init__(self, events: TransportEvents) -> None:
        self._events = events
        self._handlers: dict[EventTypes, Callable[..., None]] = {
            "participant_attributes_changed": self._attributes_changed,
            "participant_metadata_changed": self._metadata_changed,
        }

    def attach(self, room: rtc.Room) -> None:
        for event, handler in self._handlers.items():
            room.on(event, handler)

    def detach(self, room: rtc.Room) -> None:
        for event, handler in self._handlers.items():
            room.off(event, handler)

    def _attributes_changed(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if not isinstance(participant, rtc.LocalParticipant):
            self._events.participant_changed(participant.identity, attributes=changed)

    def _metadata_changed(self, participant: rtc.Participant, _old: str, new: str) -> None:
        if not isinstance(participant, rtc.LocalParticipant):
            self._events.participant_changed(participant.identity, metadata=new)
