"""``session.room_io``: the session's link to its room, and who of those in it is listened to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sessionactors.interfaces.transport import DTMF_CODES, Transport
from sessionactors.messages.room import LinkParticipant
from sessionactors.model.errors import OptionError, SessionStateError

from .across_loops import called

if TYPE_CHECKING:
    from sessionactors.actors.wiring import Wiring

    from .mirror import Mirror


class RoomIO:
    """The room of a session that runs.

    Args:
        transport: the link.
        wiring: who is told.
        mirror: who is there, as far as the user's loop knows.
        home: the loop on which the transport is called.
    """

    def __init__(self, transport: Transport, wiring: Wiring, mirror: Mirror, home: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._wiring = wiring
        self._mirror = mirror
        self._home = home

    @property
    def room(self) -> Transport:
        """The link, as it was given to ``start``."""
        return self._transport

    @property
    def participants(self) -> tuple[str, ...]:
        """Who is listened to: identities, in the order of their coming."""
        people = self._mirror.people
        return () if people is None else people.present

    @property
    def linked_participant(self) -> str | None:
        """The first of those who are listened to; None while nobody is there."""
        return next(iter(self.participants), None)

    @property
    def participant_identity(self) -> str | None:
        """The only one who may be listened to; None: all are."""
        people = self._mirror.people
        return self._wiring.components.participant_identity if people is None else people.only

    def set_participant(self, participant_identity: str | None) -> None:
        """Listen to this participant only, who may come later; None: to all who are there.

        What those were saying who are not listened to any more is heard to its end, and answered.
        """
        for ref in (self._wiring.supervisor, self._wiring.room):
            if ref is not None and ref.is_alive():
                ref.tell(LinkParticipant(participant_identity))

    def unset_participant(self) -> None:
        """Listen to all who are there."""
        self.set_participant(None)

    @property
    def can_send_dtmf(self) -> bool:
        """Whether keys of a telephone can be pressed in this room."""
        return self._transport.can_send_dtmf

    async def publish_dtmf(self, digit: str) -> None:
        """Press a key of a telephone.

        Args:
            digit: ``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``.

        Raises:
            OptionError: there is no such key.
            SessionStateError: the room cannot.
            APIConnectionError: it could not be sent.
        """
        code = DTMF_CODES.get(digit.upper())
        if code is None:
            raise OptionError(f"a telephone has no key {digit!r}: it has {' '.join(DTMF_CODES)}")
        if not self._transport.can_send_dtmf:
            raise SessionStateError(f"{self._transport.label} is no telephone: key {digit!r} was not pressed")
        await called(self._home, lambda: self._transport.publish_dtmf(code=code, digit=digit.upper()))
