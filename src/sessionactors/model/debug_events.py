"""What programs and tools say beside the conversation, for whoever debugs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class DebugMessageEvent:
    """Something that somebody who debugs the session may want to see. It changes nothing.

    The session raises it itself for what a detection of answering machines asked its model, and was answered. Programs
    raise their own: ``session.emit("debug_message", DebugMessageEvent({...}, created_at=time.time()))``.
    """

    payload: Mapping[str, object]
    """What it says: JSON values, by names that the sender chooses."""
    created_at: float
    """Seconds since the epoch."""
    type: Literal["debug_message"] = "debug_message"
