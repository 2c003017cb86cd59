"""Rooms and dispatches, as a LiveKit server tells of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sessionactors.model.errors import APIConnectionError, OptionError

from .endpoint import Endpoint
from .forsaken_rooms import Dispatch, DispatchCalls, ForsakenRooms, RoomSeen
from .options import WorkerType
from .worker_ports import WorkerProfile
from .worker_state import WorkerFacts

if TYPE_CHECKING:
    from livekit import api
    from livekit.protocol import agent_dispatch, models

NAME_ATTRIBUTE = "lk.agent.name"
"""The server sets it for each agent that comes for a job."""


class ServerDispatches(DispatchCalls):
    """Asks a server. Needs ``livekit-api``.

    Args:
        endpoint: the server.
        agent_name: of the agents that are looked after; empty: those without a name.
    """

    def __init__(self, endpoint: Endpoint, agent_name: str) -> None:
        self._endpoint = endpoint
        self._agent_name = agent_name

    async def rooms(self) -> Sequence[RoomSeen]:
        """See :class:`DispatchCalls`."""
        from livekit import api

        with _asking(self._endpoint):
            async with self._calls() as calls:
                listed = await calls.room.list_rooms(api.ListRoomsRequest())
                seen = [await self._seen(calls, room.name) for room in listed.rooms if room.num_participants]
        return [room for room in seen if room.dispatches]

    async def _seen(self, calls: api.LiveKitAPI, room: str) -> RoomSeen:
        """Dispatches before participants: an agent that comes in between is seen."""
        from livekit import api

        now = time.time()
        try:
            dispatches = tuple(
                Dispatch(each.id, now - each.state.created_at / 1e9)
                for each in await calls.agent_dispatch.list_dispatch(room)
                if each.agent_name == self._agent_name and not each.state.deleted_at
            )
            if not dispatches:
                return RoomSeen(room, 0, frozenset(), ())
            listed = await calls.room.list_participants(api.ListParticipantsRequest(room=room))
        except api.TwirpError as error:
            if error.code != api.TwirpErrorCode.NOT_FOUND:
                raise
            return RoomSeen(room, 0, frozenset(), ())  # it has ended meanwhile
        agents = [each for each in listed.participants if _is_agent(each)]
        mine = frozenset(each.identity for each in agents if each.attributes.get(NAME_ATTRIBUTE) == self._agent_name)
        return RoomSeen(room, len(listed.participants) - len(agents), mine, dispatches)

    async def delete(self, dispatch: str, room: str) -> bool:
        """See :class:`DispatchCalls`."""
        with _asking(self._endpoint):
            async with self._calls() as calls:
                return await _deleted(calls, dispatch, room) is not None

    async def dispatch_again(self, dispatch: str, room: str) -> bool:
        """See :class:`DispatchCalls`."""
        from livekit import api

        with _asking(self._endpoint):
            async with self._calls() as calls:
                was = await _deleted(calls, dispatch, room)
                if was is None:
                    return False
                again = api.CreateAgentDispatchRequest(agent_name=was.agent_name, room=room, metadata=was.metadata)
                again.attributes.update(was.attributes)
                await calls.agent_dispatch.create_dispatch(again)
                return True

    def _calls(self) -> api.LiveKitAPI:
        from livekit import api

        return api.LiveKitAPI(self._endpoint.url, self._endpoint.api_key, self._endpoint.api_secret)


def look_after(
    endpoint: Endpoint, profile: WorkerProfile, every: float, facts: Callable[[], WorkerFacts]
) -> ForsakenRooms:
    """Look after the rooms of a worker's agent name, from now on.

    Args:
        endpoint: the server.
        profile: the worker.
        every: seconds between two looks.
        facts: of the worker, as they are now.

    Raises:
        OptionError: the worker is one of publishers, for whose dispatches no room tells who is missing.
    """
    if profile.kind is not WorkerType.ROOM:
        raise OptionError("rescue_every is for workers of the type ROOM")

    def ours() -> dict[str, str]:
        return {info.job.dispatch_id: info.accept_arguments.identity for info in facts().running}

    rooms = ForsakenRooms(ServerDispatches(endpoint, profile.agent_name), every, ours)
    rooms.start()
    return rooms


async def _deleted(calls: api.LiveKitAPI, dispatch: str, room: str) -> agent_dispatch.AgentDispatch | None:
    """Delete a dispatch; None: somebody else did. The server has it done by one only."""
    from livekit import api

    try:
        return await calls.agent_dispatch.delete_dispatch(dispatch, room)
    except api.TwirpError as error:
        if error.code != api.TwirpErrorCode.NOT_FOUND:
            raise
        return None


def _is_agent(participant: models.ParticipantInfo) -> bool:
    from livekit.protocol import models

    return participant.kind == models.ParticipantInfo.Kind.AGENT


@contextmanager
def _asking(endpoint: Endpoint) -> Iterator[None]:
    """Whatever goes wrong is one error."""
    from aiohttp import ClientError
    from livekit import api

    try:
        yield
    except (api.TwirpError, ClientError, OSError, TimeoutError) as error:
        raise APIConnectionError(
            f"the LiveKit server at {endpoint.url} did not answer about its dispatches: {error}"
        ) from error
