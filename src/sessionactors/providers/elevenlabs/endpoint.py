"""Where ElevenLabs is reached, and with which key; and what its errors mean."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from sessionactors.model.errors import APIError, APIStatusError, OptionError
from sessionactors.providers.vendor_socket import VendorSocket

KEY_HEADER: Final = "xi-api-key"
REQUEST_ID: Final = "request-id"
"""Header that names a request."""

STATUS_OF: Final[Mapping[str, int]] = {
    "invalid_api_key": 401,
    "needs_authorization": 401,
    "auth_error": 401,
    "authentication_error": 401,
    "missing_permissions": 403,
    "unaccepted_terms": 403,
    "quota_exceeded": 402,
    "payment_required": 402,
    "voice_not_found": 404,
    "voice_id_does_not_exist": 404,
    "model_not_found": 404,
    "model_access_denied": 403,
    "invalid_request": 400,
    "input_error": 400,
    "validation_error": 422,
    "chunk_size_exceeded": 413,
    "rate_limited": 429,
    "rate_limit_exceeded": 429,
    "concurrent_limit_exceeded": 429,
    "too_many_concurrent_requests": 429,
    "commit_throttled": 429,
    "system_busy": 429,
    "queue_overflow": 503,
    "resource_exhausted": 503,
    "server_error": 500,
}
"""Errors that come as a message, by their names; others may be gone the next time."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """ElevenLabs' API, or a server that speaks like it.

    Args:
        url: with the version, such as ``https://api.elevenlabs.io/v1``.
        api_key: sent in a header, never part of a URL or a message.
        label: whose requests these are, for people.
    """

    url: str
    api_key: str = field(repr=False)
    label: str

    @classmethod
    def of(cls, url: str, api_key: str | None, label: str) -> Endpoint:
        """With the key from ``ELEVEN_API_KEY`` or ``ELEVENLABS_API_KEY`` if none is given.

        Raises:
            OptionError: there is no key, or the URL is none.
        """
        api_key = api_key or os.environ.get("ELEVEN_API_KEY") or os.environ.get("ELEVENLABS_API_KEY")
        if not api_key:
            raise OptionError(f"{label} needs an api_key: pass one, or set ELEVEN_API_KEY")
        if urlsplit(url).scheme not in ("http", "https", "ws", "wss"):
            raise OptionError(f"base_url must begin with https://, got {url!r}")
        return cls(url.rstrip("/"), api_key, label)

    def socket_url(self, path: str, query: Iterable[tuple[str, str]]) -> str:
        """For a WebSocket."""
        parts = urlsplit(self.url)
        scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
        return urlunsplit((scheme, parts.netloc, f"{parts.path}/{path}", urlencode(list(query)), ""))

    @property
    def root(self) -> str:
        """The URL without the version, as the SDK wants it for HTTP."""
        parts = urlsplit(self.url)
        scheme = "https" if parts.scheme in ("https", "wss") else "http"
        return urlunsplit((scheme, parts.netloc, parts.path.removesuffix("/v1"), "", ""))

    async def connect(self, url: str) -> VendorSocket:
        """A WebSocket.

        Raises:
            APIError: there is none to be had.
        """
        return await VendorSocket.open(
            url, headers={KEY_HEADER: self.api_key}, label=self.label, request_id_header=REQUEST_ID
        )


def told_error(label: str, name: str, message: str, request_id: str, body: object = None) -> APIError:
    """An error that came as a message on a connection.

    Args:
        label: whose connection it is.
        name: the vendor's, such as ``quota_exceeded``.
        message: the vendor's, for people.
        request_id: of the connection; empty: not known.
        body: the whole message.
    """
    said = f"{label}: {message or name} ({name})" if name else f"{label}: {message}"
    if request_id:
        said += f", request {request_id}"
    status = STATUS_OF.get(name)
    if status is None:
        return APIError(said, body=body)
    return APIStatusError(said, status_code=status, request_id=request_id or None, body=body)
