"""A client's end of a stream of texts, made of the library ``websockets``. It sends nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidHandshake, InvalidStatus

OPENED_WITHIN = 10.0
"""Seconds for the handshake."""


class Unanswered(Exception):
    """Raised when a server refuses the handshake, in its words.

    Args:
        status: of HTTP.
        body: what it said.
    """

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


@asynccontextmanager
async def dialled(
    url: str, headers: Mapping[str, str], *, by_proxy: bool = False
) -> AsyncIterator[AsyncGenerator[str, None]]:
    """The texts that a server sends, until it closes the connection.

    Args:
        url: ``ws`` or ``wss``.
        headers: of the handshake.
        by_proxy: whether a proxy that the environment names is used.

    Raises:
        Unanswered: the handshake was refused, or answered by something else.
        TimeoutError: it was not answered.
        ConnectionResetError: the connection was cut.
        OSError: nobody listens there.
    """
    try:
        connection = await connect(
            url,
            additional_headers=headers,
            open_timeout=OPENED_WITHIN,
            compression=None,
            proxy=True if by_proxy else None,
        )
    except InvalidStatus as refused:
        raise Unanswered(
            refused.response.status_code, (refused.response.body or b"").decode(errors="replace")
        ) from None
    except (InvalidHandshake, EOFError) as error:
        raise Unanswered(502, str(error)) from None
    async with connection, aclosing(_texts(connection)) as texts:
        yield texts


async def _texts(connection: ClientConnection) -> AsyncGenerator[str, None]:
    try:
        async for told in connection:
            if isinstance(told, str):
                yield told
    except ConnectionClosedError as cut:
        raise ConnectionResetError(str(cut)) from cut
