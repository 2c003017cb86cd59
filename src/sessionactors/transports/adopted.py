"""Rooms that the user made with another package's SDK, as transports. Imports that package only if it is in use."""

from __future__ import annotations

import sys
from typing import Protocol, runtime_checkable

from sessionactors.interfaces.background_audio import BackgroundSink
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


async def background_in(room: Transport | ForeignRoom, options: object | None) -> BackgroundSink | None:
    """A place in a room for sound beside the agent's voice; None: there is none. On the room's home.

    Args:
        room: a transport that is connected, or a room that the user connected.
        options: see :meth:`.Transport.open_background`.

    Raises:
        APIConnectionError: it could not be published.
        OptionError: it is neither a transport nor a ``livekit.rtc.Room``, or ``options`` are not its SDK's.
        SessionStateError: it is not connected.
    """
    if isinstance(room, Transport):
        return await room.open_background(options)
    if "livekit.rtc" in sys.modules:
        from livekit import rtc

        from .livekit.background import background_on

        if isinstance(room, rtc.Room):
            return await background_on(room, options)
    raise OptionError(f"room={room!r} is no room: give a Transport that is connected or a livekit rtc.Room")
