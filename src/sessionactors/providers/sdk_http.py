"""HTTP through the vendors' SDKs: one client for each loop, its errors as ours, its generators closed at once.

Both SDKs are made by the same tool: an error has ``status_code``, ``headers`` and ``body``, a stream is a generator
inside generators.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Generic, Protocol, TypeVar

import httpx

from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError

from .vendor_socket import TLS, seconds_asked_for

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds that the transport waits for bytes; a backstop, the session's deadlines come first."""
LIMITS: Final = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=120.0)
"""Longer than a pause in a conversation: the default of 5 s would have every reply begin with a handshake."""
ONE_TRY: Final = {"max_retries": 0}
"""Request options: retries are the session's."""
GENERATOR_TURNS: Final = 12
"""Turns of the loop in which generators that the SDK has abandoned are closed."""

C = TypeVar("C")


class SDKError(Protocol):
    """What both SDKs raise."""

    status_code: int | None
    headers: Mapping[str, str] | None
    body: object


class SDKClient(Generic[C]):
    """A client of an SDK and the connections under it.

    Args:
        make: makes the client around the connections.
        taken: called with each response, before the SDK reads it; what it raises ends the request.
    """

    def __init__(
        self,
        make: Callable[[httpx.AsyncClient], C],
        taken: Callable[[httpx.Response], Awaitable[None]] | None = None,
    ) -> None:
        hooks = {} if taken is None else {"response": [taken]}
        self._connections = httpx.AsyncClient(verify=TLS, timeout=TIMEOUT, limits=LIMITS, event_hooks=hooks)
        self.client = make(self._connections)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()


@asynccontextmanager
async def our_errors(label: str, theirs: type[Exception], request_id_header: str) -> AsyncIterator[None]:
    """Errors of the SDK and of the connection below it are raised as ours.

    Args:
        label: whose request it is, for people.
        theirs: the SDK's error with a status.
        request_id_header: where the vendor says what it calls the request.
    """
    try:
        yield
    except theirs as error:
        raise _refusal(error, label, request_id_header) from None  # type: ignore[arg-type]
    except httpx.TimeoutException as error:
        raise APITimeoutError(f"{label}: no answer in time: {type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise APIConnectionError(f"{label}: the connection failed: {error or type(error).__name__}") from error


async def generators_closed() -> None:
    """Let asyncio close what the SDK has left open: generators in generators, each in a task, one after the other."""
    for _ in range(GENERATOR_TURNS):
        await asyncio.sleep(0)


def _refusal(error: SDKError, label: str, request_id_header: str) -> APIError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    said = _reason(error.body)
    if error.status_code is None:
        return APIError(f"{label}: {said}", body=error.body)
    return APIStatusError(
        f"{label}: refused with {error.status_code}: {said}",
        status_code=error.status_code,
        request_id=headers.get(request_id_header),
        body=error.body,
        retry_after=seconds_asked_for(headers.get("retry-after")),
    )


def _reason(body: object) -> str:
    """The vendor's words, which Deepgram and ElevenLabs put in different places."""
    if isinstance(body, Mapping):
        for name in ("err_msg", "message", "detail"):
            if body.get(name):
                return _reason(body[name])
    return str(body)[:300]
