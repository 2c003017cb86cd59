"""The link to a LiveKit room: one that the user connected, or one that is connected here, and again when it is lost.

The SDK mends a broken connection by itself. When it gives up on a room that was connected here, another one is
connected in its place; on the user's own room that is the user's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

import structlog
from livekit import rtc

from sessionactors.model.errors import APIConnectionError, SessionStateError

from .disconnects import LINK_AGAIN, reason_name
from .part import RoomPart
from .room_events import only_its_own

log = structlog.get_logger("sessionactors.livekit")

Token: TypeAlias = "str | Callable[[], str | Awaitable[str]]"  # noqa: S105  # a type
"""A token to join with, or what makes one: it is asked for anew each time, so that it has not expired."""

FIRST_PAUSE: Final = 0.5
"""Seconds before the second attempt to link again; then twice as long each time."""
LONGEST_PAUSE: Final = 5.0
LINK_AGAIN_WITHIN: Final = 60.0
"""Seconds after which the session is told that the link is gone."""


class Link:
    """One transport's room, with its parts on it.

    Args:
        parts: what takes part in the room, in this order.
        closed: told when the link is gone for good, with the reason.
        given: the user's room.
        url: of the server, for a room that is connected here.
        token: for the same.
        options: for the same.
    """

    def __init__(
        self,
        parts: Iterable[RoomPart],
        closed: Callable[[str], None],
        *,
        given: rtc.Room | None = None,
        url: str = "",
        token: Token = "",
        options: rtc.RoomOptions | None = None,
    ) -> None:
        self._parts = tuple(parts)
        self._closed = closed
        self._given = given
        self._url = url
        self._token = token
        self._options = options or rtc.RoomOptions()
        self._room: rtc.Room | None = None
        self._attached: list[RoomPart] = []
        self._linking_again: asyncio.Task[None] | None = None
        self._leaving = False
        self._losses = 0

    @property
    def room(self) -> rtc.Room | None:
        """The room, while there is one."""
        return self._room

    @property
    def losses(self) -> int:
        """How often a room was lost and another one connected."""
        return self._losses

    async def open(self) -> None:
        """Link the room.

        Raises:
            APIConnectionError: it cannot be reached, or a part cannot take part.
            SessionStateError: the user's room is connected on another loop.
        """
        if self._given is None:
            await self._connect()
        else:
            await self._adopt(self._given)

    async def add(self, part: RoomPart) -> None:
        """Let another part take part, from now on.

        Raises:
            APIConnectionError: it cannot; it is left out.
        """
        room = self._room
        if room is not None:
            part.attach(room)
            try:
                if room.isconnected():
                    await part.joined(room)
            except BaseException:
                part.detach(room)
                raise
            self._attached.append(part)
        self._parts = (*self._parts, part)

    async def close(self, *, disconnect: bool) -> None:
        """Take the parts off the room, and leave it if asked to."""
        self._leaving = True
        if self._linking_again is not None:
            self._linking_again.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._linking_again
        for part in reversed(self._parts):
            try:
                await part.aclose()
            except Exception:  # one that cannot close must not keep the others in the room
                log.exception("livekit_part_not_closed", room="", actor="", message_id=0, part=type(part).__name__)
        room = self._room
        self._detach()
        if room is not None and disconnect:
            await room.disconnect()

    # -- linking -----------------------------------------------------------------------------------------------------

    async def _adopt(self, room: rtc.Room) -> None:
        loop = asyncio.get_running_loop()
        if room._loop is not loop:  # noqa: SLF001  # the SDK has no other way to ask
            raise SessionStateError(
                "the room was made on another event loop: start the session on the loop that connects the room"
            )
        self._attach(room)
        try:
            if not room.isconnected():
                await self._until_connected(room)
            await self._join(room)
        except BaseException:
            self._detach()
            raise

    async def _until_connected(self, room: rtc.Room) -> None:
        """The user may start the session first and connect then."""
        connected = asyncio.get_running_loop().create_future()

        def changed(_state: object) -> None:
            if room.isconnected() and not connected.done():
                connected.set_result(None)

        room.on("connection_state_changed", changed)
        try:
            await connected
        finally:
            room.off("connection_state_changed", changed)

    async def _connect(self) -> None:
        room = rtc.Room()
        self._attach(room)
        try:
            try:
                token = self._token if isinstance(self._token, str) else self._token()
                await room.connect(self._url, token if isinstance(token, str) else await token, self._options)
            except rtc.ConnectError as error:
                raise APIConnectionError(f"LiveKit at {self._url} could not be joined: {error.message}") from error
            await self._join(room)
        except BaseException:
            self._detach()
            await room.disconnect()
            raise

    async def _join(self, room: rtc.Room) -> None:
        only_its_own(room)
        for part in self._parts:
            await part.joined(room)

    def _attach(self, room: rtc.Room) -> None:
        self._room = room
        room.on("disconnected", self._disconnected)
        room.on("reconnecting", self._reconnecting)
        room.on("reconnected", self._reconnected)
        for part in self._parts:
            part.attach(room)
            self._attached.append(part)

    def _detach(self) -> None:
        room, self._room = self._room, None
        if room is None:
            return
        room.off("disconnected", self._disconnected)
        room.off("reconnecting", self._reconnecting)
        room.off("reconnected", self._reconnected)
        while self._attached:
            self._attached.pop().detach(room)

    # -- what becomes of it ------------------------------------------------------------------------------------------

    def _reconnecting(self) -> None:
        log.info("livekit_reconnecting", room=self._name, actor="", message_id=0)

    def _reconnected(self) -> None:
        log.info("livekit_reconnected", room=self._name, actor="", message_id=0)

    @property
    def _name(self) -> str:
        return "" if self._room is None else self._room.name

    def _disconnected(self, reason: int) -> None:
        """The SDK has given up, or somebody has ended it."""
        if self._leaving or self._room is None:
            return
        why = reason_name(reason)
        log.warning("livekit_disconnected", room=self._name, actor="", message_id=0, reason=why)
        self._detach()
        if self._given is not None or why not in LINK_AGAIN:
            self._closed(why)
            return
        self._losses += 1
        self._linking_again = asyncio.get_running_loop().create_task(self._link_again(why), name="livekit-link-again")

    async def _link_again(self, why: str) -> None:
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + LINK_AGAIN_WITHIN, FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout_at(until):
                    await self._connect()
            except (APIConnectionError, TimeoutError) as error:
                if loop.time() + pause >= until:
                    log.warning("livekit_link_lost", room="", actor="", message_id=0, reason=why, error=str(error))
                    self._closed(why)
                    return
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # many rooms lose their server at once
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                log.info("livekit_linked_again", room=self._name, actor="", message_id=0, after=why)
                return
