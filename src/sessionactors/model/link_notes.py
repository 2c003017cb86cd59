"""What the user's loop is told of a session's links: to a realtime model, and to the people in the room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class RealtimeNote:
    """The session with the realtime model is another one, or there is none."""

    session: object | None
    """A ``RealtimeSession``."""
    type: Literal["_realtime"] = "_realtime"


@dataclass(frozen=True, slots=True)
class ParticipantsNote:
    """Who is listened to has changed."""

    present: tuple[str, ...]
    """Identities, in the order of their coming."""
    only: str | None
    """The only one who may be; None: all are."""
    type: Literal["_participants"] = "_participants"


LinkNote: TypeAlias = RealtimeNote | ParticipantsNote
