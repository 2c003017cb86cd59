"""Why a link ended, in the words that the session knows: the SDK's names in lower case.

Whether a session waits for one who left for a reason is not decided here (``actors/participants.py``).
"""

from __future__ import annotations

from typing import Final

from livekit import rtc

LINK_AGAIN: Final = frozenset(
    {
        "connection_timeout",
        "join_failure",
        "media_failure",
        "migration",
        "server_shutdown",
        "signal_close",
        "state_mismatch",
        "unknown_reason",
    }
)
"""Reasons for which nobody wanted the agent out of the room: it may come back."""

CONNECTION_LOST: Final = "connection_lost"
"""Somebody was in the room before the link broke, and was not there when it stood again."""


def reason_name(reason: int | None) -> str:
    """A reason of the SDK as text, such as ``"client_initiated"``."""
    if reason is None:
        return "unknown_reason"
    try:
        return rtc.DisconnectReason.Name(reason).lower()  # type: ignore[arg-type]  # the enum's type is an int
    except ValueError:  # a reason of a later server
        return f"reason_{reason}"
