"""Public events about a realtime model's session. Part of :mod:`.events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RealtimeSessionReconnectedEvent:
    """The session with a realtime model was lost, and another one goes on with the conversation so far."""

    outage: float
    """Seconds without one, in which nobody heard the user; 0.0 when the provider has reconnected by itself."""
    label: str
    """The model's."""
    created_at: float
    type: Literal["session_reconnected"] = "session_reconnected"
