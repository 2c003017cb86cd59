"""What participants can read about the agent: attributes of its participant, of each name the newest value."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from livekit import rtc

from .part import RoomPart
from .room_tasks import InOrder

log = structlog.get_logger("sessionactors.livekit")

PUBLISH_WITHIN: Final = 5.0
"""Seconds for the server to take them."""
TRY_AGAIN: Final = 1.0
"""Seconds after which it is tried again: the newest value must be there in the end."""
DRAIN_WITHIN: Final = 1.0


class AgentAttributes(RoomPart):
    """Keeps the attributes of the agent's participant as they are wanted, in each room that the link makes."""

    def __init__(self) -> None:
        self._wanted: dict[str, str] = {}
        self._published: dict[str, str] = {}
        self._room: rtc.Room | None = None
        self._work = InOrder("attributes", self._publish, pause=TRY_AGAIN)

    @property
    def failed(self) -> int:
        """Publications that failed."""
        return self._work.failed

    def want(self, attributes: Mapping[str, str]) -> None:
        """Let these be the values of these names."""
        self._wanted.update(attributes)
        self._work.go_on()

    async def joined(self, room: rtc.Room) -> None:
        self._room = room
        self._published = {}
        allowed = getattr(room.local_participant, "permissions", None)  # the server says nothing when it ignores them
        if allowed is not None and not allowed.can_update_metadata:
            grant = "can_update_own_metadata"
            log.warning("livekit_attributes_not_allowed", room=room.name, actor="", message_id=0, missing_grant=grant)
        self._work.open()

    def detach(self, room: rtc.Room) -> None:
        self._room = None
        self._work.close()

    async def aclose(self) -> None:
        await self._work.drained(DRAIN_WITHIN)

    async def _publish(self) -> bool:
        room = self._room
        changes = {name: value for name, value in self._wanted.items() if self._published.get(name) != value}
        if room is None or not changes:
            return False
        async with asyncio.timeout(PUBLISH_WITHIN):
            await room.local_participant.set_attributes(changes)
        self._published.update(changes)
        return True
