"""What a LiveKit transport is made of: parts, each with its own concern, put on every room that the link makes."""

from __future__ import annotations

from livekit import rtc


class RoomPart:
    """One concern of a transport. Everything here is called on the room's loop.

    A link that was lost for good is made anew with another ``rtc.Room``: then a part is detached and attached again.
    """

    def attach(self, room: rtc.Room) -> None:
        """Take part in a room: register for its events and streams. It may not be connected yet. Returns at once."""

    async def joined(self, room: rtc.Room) -> None:
        """The room is connected: look who is there, publish. Returns when that is done; the next part waits.

        Raises:
            APIConnectionError: it could not be done; the link is given up.
        """

    def detach(self, room: rtc.Room) -> None:
        """Have no part in the room any more. Called once for each :meth:`attach`; the room may be disconnected."""

    async def aclose(self) -> None:
        """The transport leaves: finish and release what is kept. Called before :meth:`detach`; safe to call twice."""
