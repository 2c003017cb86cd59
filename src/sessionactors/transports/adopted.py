"""Rooms that the user made with another package's SDK, as transports. Imports that package only if it is in use."""

from __future__ import annotations

import sys
from typing import Protocol, runtime_checkable

from sessionactors.interfaces.transport import Transport
from sessionactors.model.errors import OptionError


@runtime_checkable
class ForeignRoom(Protocol):
    """A ``livekit.rtc.Room``."""

    @property
    def name(self) -> str:
        """Of the room."""

    def isconnected(self) -> bool:
        """Whether it is linked."""


def adopted_room(room: Transport | ForeignRoom | None) -> Transport | None:
    """The way into a room, whatever the user gave.

    Raises:
        OptionError: it is neither a transport nor a ``livekit.rtc.Room``.
    """
    if room is None or isinstance(room, Transport):
        return room
    if "livekit.rtc" in sys.modules:  # else it cannot be one; the import takes most of a second
        from livekit import rtc

        from .livekit import LiveKitTransport

        if isinstance(room, rtc.Room):
            return LiveKitTransport(room)
    raise OptionError(
        f"room={room!r} is no room: give a Transport (LiveKitTransport, MemoryTransport, ...) or a livekit rtc.Room"
    )
