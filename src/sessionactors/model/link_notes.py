"""What the user's loop is told of a session's links: to a realtime model, and to the people in the room.

Part of :mod:`.events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class SipDTMFReceivedEvent:
    """A participant pressed a key of their telephone. Nothing follows from it but what the program does."""

    code: int
    """0 to 9, 10 for ``*``, 11 for ``#``, 12 to 15 for ``A`` to ``D``."""
    digit: str
    """The same as a character."""
    participant: str
    """Who: a participant's identity."""
    created_at: float
    type: Literal["sip_dtmf_received"] = "sip_dtmf_received"


@dataclass(frozen=True, slots=True)
class ParticipantAttributesChangedEvent:
    """Attributes of a participant have changed, such as what their app says of them."""

    participant: str
    """Whose: an identity."""
    changed: Mapping[str, str]
    """Those that changed; an empty value: it is not there any more."""
    created_at: float
    type: Literal["participant_attributes_changed"] = "participant_attributes_changed"


@dataclass(frozen=True, slots=True)
class ParticipantMetadataChangedEvent:
    """The metadata of a participant are others."""

    participant: str
    """Whose: an identity."""
    metadata: str
    created_at: float
    type: Literal["participant_metadata_changed"] = "participant_metadata_changed"


ParticipantEvent: TypeAlias = SipDTMFReceivedEvent | ParticipantAttributesChangedEvent | ParticipantMetadataChangedEvent


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


@dataclass(frozen=True, slots=True)
class TextInputNote:
    """A participant typed something, and the session's user wants to see to it."""

    participant: str
    text: str
    type: Literal["_text_input"] = "_text_input"


LinkNote: TypeAlias = RealtimeNote | ParticipantsNote
