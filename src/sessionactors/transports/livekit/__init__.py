"""LiveKit rooms. Needs the extra ``livekit``.

:class:`LiveKitTransport` is made of parts (:mod:`.part`), each with one concern; all are put on every room that the
link makes. Room calls and stream readers are on the loop that connected the room; audio is on the actor loop.
"""

from __future__ import annotations

from .noise import NoiseCancellationParams, NoiseCancellationSelector
from .part import RoomPart
from .transport import LiveKitTransport

__all__ = ["LiveKitTransport", "NoiseCancellationParams", "NoiseCancellationSelector", "RoomPart"]
