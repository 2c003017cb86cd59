"""Where the server is, and how a worker shows who it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from sessionactors.model.errors import OptionError
from sessionactors.model.sentinel import given

from .options import ServerSettings

SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A LiveKit server, and the credentials for it."""

    url: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    proxy: str | None = field(default=None, repr=False)
    worker_token: str = field(default="", repr=False)
    """Of agents that LiveKit hosts."""
    deployment: str = ""

    @classmethod
    def of(cls, settings: ServerSettings) -> Endpoint:
        """As given, else as the environment says; what is nowhere is empty."""
        environment = os.environ
        proxy = environment.get("HTTPS_PROXY") or environment.get("HTTP_PROXY")
        return cls(
            settings.ws_url or environment.get("LIVEKIT_URL", ""),
            settings.api_key or environment.get("LIVEKIT_API_KEY", ""),
            settings.api_secret or environment.get("LIVEKIT_API_SECRET", ""),
            given(settings.http_proxy, proxy) or None,
            environment.get("LIVEKIT_WORKER_TOKEN", ""),
            environment.get("LIVEKIT_AGENT_DEPLOYMENT", ""),
        )

    def check(self) -> None:
        """See that a worker can register with it.

        Raises:
            OptionError: something is missing, or the URL is none.
        """
        for name, value in (("ws_url", self.url), ("api_key", self.api_key), ("api_secret", self.api_secret)):
            if not value:
                variable = "LIVEKIT_URL" if name == "ws_url" else f"LIVEKIT_{name.upper()}"
                raise OptionError(f"{name} is needed to register with a LiveKit server: give it, or set {variable}")
        parts = urlsplit(self.url)
        if parts.scheme not in SCHEMES or not parts.netloc:
            raise OptionError(
                f"ws_url must be a URL such as wss://my-project.livekit.cloud or ws://localhost:7880, got {self.url!r}"
            )

    @property
    def agent_url(self) -> str:
        """The WebSocket of workers."""
        parts = urlsplit(self.url)
        query = urlencode({"worker_token": self.worker_token}) if self.worker_token else ""
        return urlunsplit((SCHEMES[parts.scheme], parts.netloc, f"{parts.path.rstrip('/')}/agent", query, ""))

    def worker_jwt(self) -> str:
        """A fresh token with the agent grant."""
        from livekit import api  # heavy, and imported before by who runs a worker

        grants = api.VideoGrants(agent=True)
        return api.AccessToken(self.api_key, self.api_secret).with_grants(grants).to_jwt()

    def room_jwt(self, room: str, identity: str) -> str:
        """A token that lets an agent into a room."""
        from livekit import api

        grants = api.VideoGrants(room_join=True, room=room, agent=True, can_update_own_metadata=True)
        token = api.AccessToken(self.api_key, self.api_secret).with_identity(identity).with_kind("agent")
        return token.with_grants(grants).to_jwt()
