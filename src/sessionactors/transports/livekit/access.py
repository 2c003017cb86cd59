"""Keys to a LiveKit server: tokens to join its rooms, and deleting one."""

from __future__ import annotations

import os
from collections.abc import Callable

import structlog

from sessionactors.model.errors import OptionError

log = structlog.get_logger("sessionactors.livekit")


class Access:
    """What is known of a server.

    Args:
        url: ``LIVEKIT_URL`` if not given.
        api_key: ``LIVEKIT_API_KEY`` if not given.
        api_secret: ``LIVEKIT_API_SECRET`` if not given.
    """

    def __init__(self, url: str | None, api_key: str | None, api_secret: str | None) -> None:
        self.url = url or os.environ.get("LIVEKIT_URL", "")
        self._key = api_key or os.environ.get("LIVEKIT_API_KEY", "")
        self._secret = api_secret or os.environ.get("LIVEKIT_API_SECRET", "")

    def token_for(self, room_name: str, identity: str) -> Callable[[], str]:
        """Makes tokens for an agent in a room.

        Raises:
            OptionError: there is no key or no secret.
        """
        if not self._key or not self._secret:
            raise OptionError(
                f"a token for room {room_name!r} needs api_key and api_secret, or LIVEKIT_API_KEY and "
                "LIVEKIT_API_SECRET; or give a token"
            )
        from livekit import api

        grants = api.VideoGrants(room_join=True, room=room_name, agent=True, can_update_own_metadata=True)

        def make() -> str:
            token = api.AccessToken(self._key, self._secret).with_identity(identity).with_kind("agent")
            return token.with_grants(grants).to_jwt()

        return make

    async def delete_room(self, name: str) -> None:
        """Delete a room for everybody. What goes wrong is logged: the session ends all the same."""
        try:
            from livekit import api

            async with api.LiveKitAPI(self.url, self._key, self._secret) as server:
                await server.room.delete_room(api.DeleteRoomRequest(room=name))
        except Exception as error:  # noqa: BLE001  # the server, the network, a missing key
            log.warning("livekit_room_not_deleted", room=name, actor="", message_id=0, error=str(error) or repr(error))
