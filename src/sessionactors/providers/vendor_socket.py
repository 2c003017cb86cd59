"""A WebSocket to a vendor: opened with its key, its ends as typed errors, and gone when it is closed.

The SDKs' own sockets are not used: see ``docs/decisions/0105``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.protocol import State

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError

try:
    from httpx import create_ssl_context  # under most vendors' SDKs
except ImportError:
    from httpx2 import create_ssl_context  # under OpenAI's

OPEN_WITHIN: Final = 10.0
"""Seconds for the handshake; a backstop, the session's deadlines come first."""
CLOSE_WITHIN: Final = 0.5
"""Seconds that the other side may take to close; then the connection is cut."""
PING_EVERY: Final = 20.0
"""Seconds; a connection whose other end has gone without a word is found out within twice as long."""
LARGEST_MESSAGE: Final = 16 * 2**20
"""Bytes: some seconds of audio in base64 are more than the library's one megabyte."""

TLS: Final = create_ssl_context()
"""One for all: making one reads the trusted certificates from disk, which no loop should wait for."""

_LOG: Final = logging.getLogger("sessionactors.vendor_socket")
_LOG.setLevel(logging.INFO)  # at DEBUG the library writes the headers, and with them the key

REFUSED: Final = frozenset({1003, 1007, 1008})
"""Close codes that say that what was sent is at fault: the same once more meets the same end."""


class VendorSocket:
    """An open connection. Make one with :meth:`open`.

    Args:
        connection: the open connection.
        label: whose it is, for people.
        request_id: what the vendor calls it; empty: not known.
    """

    def __init__(self, connection: ClientConnection, label: str, request_id: str) -> None:
        self.request_id = request_id
        self._connection = connection
        self._label = label

    @classmethod
    async def open(
        cls, url: str, *, headers: Mapping[str, str], label: str, request_id_header: str = "x-request-id"
    ) -> VendorSocket:
        """Connect.

        Args:
            url: ``wss://`` or ``ws://``, with the query.
            headers: of the handshake, such as the key.
            label: whose it is, for people.
            request_id_header: where the vendor's answer says what it calls the connection.

        Raises:
            APIStatusError: the vendor refused, with its status.
            APITimeoutError: it did not answer.
            APIConnectionError: it could not be reached.
        """
        try:
            connection = await connect(
                url,
                additional_headers=headers,
                ssl=TLS if url.startswith("wss:") else None,
                compression=None,  # audio does not get smaller
                open_timeout=OPEN_WITHIN,
                close_timeout=CLOSE_WITHIN,
                ping_interval=PING_EVERY,
                ping_timeout=PING_EVERY,
                max_size=LARGEST_MESSAGE,
                user_agent_header="sessionactors",
                logger=_LOG,
            )
        except InvalidStatus as refused:
            # Not chained: whoever prints the chain prints no header of ours, whatever the library keeps of them.
            raise _refusal(refused, label, request_id_header) from None
        except TimeoutError:
            raise APITimeoutError(f"{label}: no connection within {OPEN_WITHIN:g} s") from None
        except (OSError, InvalidHandshake, EOFError) as error:
            raise APIConnectionError(f"{label}: no connection: {error or type(error).__name__}") from error
        response = connection.response
        request_id = "" if response is None else response.headers.get(request_id_header, "")
        return cls(connection, label, request_id)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._connection.state is State.OPEN

    async def send(self, message: str | bytes) -> None:
        """Send one message; waits while the network is slower than we are.

        Raises:
            APIError: the connection has ended.
        """
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise self._end(closed) or APIConnectionError(f"{self._label}: the connection is closed") from None

    async def receive(self) -> str | bytes | None:
        """The next message; None: the vendor has said what it had to say, and closed.

        Raises:
            APIStatusError: it closed because of what it was sent.
            APIConnectionError: the connection broke.
        """
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            error = self._end(closed)
            if error is None:
                return None
            raise error from None

    def abort(self) -> None:
        """Cut the connection at once: who waits in :meth:`receive` hears of it."""
        self._connection.transport.abort()

    async def aclose(self) -> None:
        """Close; a peer that does not answer is cut off. Safe to call twice."""
        try:
            await self._connection.close()
        finally:
            self.abort()  # also when the closing was cancelled

    def _end(self, closed: ConnectionClosed) -> APIError | None:
        """What it means that the connection has ended; None: nothing is wrong."""
        told = closed.rcvd
        call = f", request {self.request_id}" if self.request_id else ""
        if told is None:
            sent = f" ({closed.sent.reason})" if closed.sent is not None and closed.sent.reason else ""
            return APIConnectionError(f"{self._label}: the connection broke{sent}{call}")
        if told.code == 1000:
            return None
        message = f"{self._label}: the connection was closed with {told.code} {told.reason}".rstrip() + call
        if told.code in REFUSED:
            return APIStatusError(
                message, status_code=told.code, request_id=self.request_id or None, body=told.reason, retryable=False
            )
        return APIConnectionError(message, body=told.reason)


def _refusal(refused: InvalidStatus, label: str, request_id_header: str) -> APIStatusError:
    response = refused.response
    body = (response.body or b"").decode(errors="replace").strip()
    said = response.headers.get("dg-error") or body or response.reason_phrase
    return APIStatusError(
        f"{label}: refused with {response.status_code}: {said}",
        status_code=response.status_code,
        request_id=response.headers.get(request_id_header),
        body=body or None,
        retry_after=seconds_asked_for(response.headers.get("retry-after")),
    )


def seconds_asked_for(retry_after: str | None) -> float | None:
    """Of the header of that name; the vendors give seconds, not dates."""
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None
