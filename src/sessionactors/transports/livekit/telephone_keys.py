"""Keys of telephones that participants press."""

from __future__ import annotations

from livekit import rtc

from sessionactors.interfaces.transport import TransportEvents

from .part import RoomPart


class TelephoneKeys(RoomPart):
    """Passes on the keys that callers press.

    Args:
        events: the session.
    """

    def __init__(self, events: TransportEvents) -> None:
        self._events = events

    def attach(self, room: rtc.Room) -> None:
        room.on("sip_dtmf_received", self._pressed)

    def detach(self, room: rtc.Room) -> None:
        room.off("sip_dtmf_received", self._pressed)

    def _pressed(self, key: rtc.SipDTMF) -> None:
        if key.participant is not None:  # a server pressed it otherwise
            self._events.key_pressed(key.participant.identity, key.digit)
