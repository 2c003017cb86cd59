"""Where Deepgram is reached, and with which key: what its three components share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

from sessionactors.model.errors import OptionError
from sessionactors.providers.vendor_socket import VendorSocket

REQUEST_ID = "dg-request-id"
"""Header that names a request."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of Deepgram's endpoints, or of a server that speaks like it.

    Args:
        url: with the path, such as ``https://api.deepgram.com/v1/listen``; ``ws`` and ``wss`` mean the same.
        api_key: sent in a header, never part of a URL or a message.
        label: whose requests these are, for people.

    Raises:
        OptionError: there is no key, or the URL is none.
    """

    url: str
    api_key: str = field(repr=False)
    label: str

    @classmethod
    def of(cls, url: str, api_key: str | None, label: str) -> Endpoint:
        """With the key from ``DEEPGRAM_API_KEY`` if none is given."""
        api_key = api_key or os.environ.get("DEEPGRAM_API_KEY")
        if not api_key:
            raise OptionError(f"{label} needs an api_key: pass one, or set DEEPGRAM_API_KEY")
        if urlsplit(url).scheme not in ("http", "https", "ws", "wss"):
            raise OptionError(f"base_url must begin with https:// or wss://, got {url!r}")
        return cls(url, api_key, label)

    @property
    def headers(self) -> Mapping[str, str]:
        """Of a handshake."""
        return {"Authorization": f"Token {self.api_key}"}

    def socket_url(self, query: Iterable[tuple[str, str]]) -> str:
        """For a WebSocket."""
        return self._with_scheme("ws") + "?" + urlencode(list(query))

    def root(self, path: str) -> str:
        """The URL without ``path``, as the SDK wants it for HTTP."""
        return self._with_scheme("http").removesuffix(path)

    def _with_scheme(self, kind: str) -> str:
        parts = urlsplit(self.url)
        secure = "s" if parts.scheme in ("https", "wss") else ""
        return urlunsplit((kind + secure, parts.netloc, parts.path.rstrip("/"), "", ""))

    async def connect(self, query: Iterable[tuple[str, str]]) -> VendorSocket:
        """A WebSocket.

        Raises:
            APIError: there is none to be had.
        """
        return await VendorSocket.open(
            self.socket_url(query), headers=self.headers, label=self.label, request_id_header=REQUEST_ID
        )


def flag(value: bool) -> str:
    """As Deepgram's queries spell it."""
    return "true" if value else "false"
