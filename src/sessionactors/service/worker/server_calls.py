"""What a job may ask its server for: its room gone, somebody called by telephone, a call transferred."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, TypeVar, cast

import structlog

from sessionactors.model.errors import OptionError

if TYPE_CHECKING:
    from livekit import api, rtc
    from livekit.protocol.room import DeleteRoomResponse
    from livekit.protocol.sip import SIPParticipantInfo

T = TypeVar("T")

log = structlog.get_logger("sessionactors.service.worker")


class ServerCalls:
    """The part of :class:`.JobContext` that asks the server for something."""

    def __init__(self) -> None:
        self.calls: set[asyncio.Task[object]] = set()
        """Calls that are not over."""

    @property
    def api(self) -> api.LiveKitAPI:
        """Calls to the server, with the worker's key."""
        raise NotImplementedError

    @property
    def room(self) -> rtc.Room:
        """The job's."""
        raise NotImplementedError

    def is_fake_job(self) -> bool:
        """Whether there is no server."""
        raise NotImplementedError

    def delete_room(self, room_name: str | None = None) -> asyncio.Future[DeleteRoomResponse]:
        """Delete the room: everybody in it is disconnected. A room that is not there is no error.

        Args:
            room_name: another room than the job's.

        Returns:
            Done when the server has answered; need not be awaited. Without a server: at once.
        """
        return self._call("delete_room", self._delete_room(room_name))

    async def _delete_room(self, room_name: str | None) -> DeleteRoomResponse:
        from livekit import api

        if self._pretends("delete_room"):
            return api.DeleteRoomResponse()
        try:
            return await self.api.room.delete_room(api.DeleteRoomRequest(room=room_name or self.room.name))
        except api.TwirpError as error:
            if error.code != api.TwirpErrorCode.NOT_FOUND:
                raise
            return api.DeleteRoomResponse()

    def add_sip_participant(
        self,
        *,
        call_to: str,
        trunk_id: str,
        participant_identity: str,
        participant_name: str | None = "SIP-participant",
    ) -> asyncio.Future[SIPParticipantInfo]:
        """Call somebody by telephone into the room.

        Args:
            call_to: a number (``+12345555555``) or ``sip:<user>@<host>``.
            trunk_id: of an outbound trunk of the server.
            participant_identity: whom the call is in the room.
            participant_name: as others see it.

        Returns:
            Done when the server has answered; need not be awaited.
        """
        return self._call("add_sip_participant", self._add(call_to, trunk_id, participant_identity, participant_name))

    async def _add(self, call_to: str, trunk_id: str, identity: str, name: str | None) -> SIPParticipantInfo:
        from livekit import api

        if self._pretends("add_sip_participant"):
            return api.SIPParticipantInfo()
        request = api.CreateSIPParticipantRequest(
            room_name=self.room.name,
            participant_identity=identity,
            sip_trunk_id=trunk_id,
            sip_call_to=call_to,
            participant_name=name or "",
        )
        return await self.api.sip.create_sip_participant(request)

    def transfer_sip_participant(
        self,
        participant: rtc.RemoteParticipant | str,
        transfer_to: str,
        play_dialtone: bool = False,  # noqa: FBT002  # as in LiveKit
    ) -> asyncio.Future[SIPParticipantInfo]:
        """Transfer a call to somebody else.

        Args:
            participant: the caller, or their identity.
            transfer_to: a number, or ``sip:<user>@<host>``.
            play_dialtone: the caller hears a tone meanwhile.

        Returns:
            Done when the server has answered; need not be awaited.

        Raises:
            OptionError: the participant is not on the telephone.
        """
        return self._call(
            "transfer_sip_participant",
            self._transfer(_caller(participant), transfer_to, play_dialtone=play_dialtone),
        )

    async def _transfer(self, identity: str, transfer_to: str, *, play_dialtone: bool) -> SIPParticipantInfo:
        from livekit import api

        if self._pretends("transfer_sip_participant"):
            return api.SIPParticipantInfo()
        request = api.TransferSIPParticipantRequest(
            room_name=self.room.name,
            participant_identity=identity,
            transfer_to=transfer_to,
            play_dialtone=play_dialtone,
        )
        await self.api.sip.transfer_sip_participant(request)
        return api.SIPParticipantInfo(participant_identity=identity, room_name=self.room.name)

    def _pretends(self, call: str) -> bool:
        if self.is_fake_job():
            log.warning("call_without_server", call=call, so="nothing was done: this job has no LiveKit server")
        return self.is_fake_job()

    def _call(self, name: str, call: Coroutine[object, object, T]) -> asyncio.Future[T]:
        task = asyncio.get_running_loop().create_task(call)
        self.calls.add(cast("asyncio.Task[object]", task))

        def over(done: asyncio.Task[T]) -> None:
            self.calls.discard(cast("asyncio.Task[object]", done))
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("server_call_failed", call=name, error=repr(error))  # also if nobody awaits it

        task.add_done_callback(over)
        return task


def _caller(participant: rtc.RemoteParticipant | str) -> str:
    if isinstance(participant, str):
        return participant
    from livekit import rtc

    if participant.kind != rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
        raise OptionError(f"participant {participant.identity!r} is not on the telephone and cannot be transferred")
    return participant.identity
