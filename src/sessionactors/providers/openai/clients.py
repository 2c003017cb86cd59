"""Clients of the SDK: one for each loop that asks, shared by all who ask there, closed with the loop at the latest.

Connections of one loop hang or raise on another, so nobody hands a client on. A client that the user made stays the
user's: it is used as it is, on the loop that used it first, and never closed here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeAlias
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, ref

try:
    import httpx2  # what the SDK speaks through
    import openai
except ImportError as missing:
    raise ImportError(
        "sessionactors.providers.openai needs the OpenAI SDK: pip install 'sessionactors[openai]'"
    ) from missing

from sessionactors.interfaces.home import Home
from sessionactors.model.errors import OptionError, SessionStateError

ApiKey: TypeAlias = str | Callable[[], Awaitable[str]]
"""A key, or what gives the one of the moment before each request."""

OFFICIAL_HOST: Final = "api.openai.com"

_TLS: Final = httpx2.create_ssl_context()
"""One for all clients: making one reads the trusted certificates from disk, which no loop should wait for."""

_LIMITS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=120.0)
"""Longer than a pause in a conversation: the SDK's own 5 s would have every reply begin with a handshake."""

# The SDK and its transport import half of themselves when a first client is made; that should not be on a loop either.
openai.AsyncOpenAI(api_key="none", http_client=openai.DefaultAsyncHttpxClient(verify=_TLS)).chat.completions  # noqa: B018

NO_KEY = "unused"
"""Sent to an endpoint of one's own when no key was given; the SDK insists on one."""

Make: TypeAlias = Callable[[openai.DefaultAsyncHttpxClient], openai.AsyncOpenAI]


class Clients:
    """The clients of one provider object.

    Args:
        make: makes a client around the connections of a loop.
        given: the user's own client, instead.
    """

    def __init__(self, make: Make, given: openai.AsyncOpenAI | None = None) -> None:
        self._make = make
        self._given = None if given is None else given.with_options(max_retries=0)  # retries are the session's
        self._given_on: ref[asyncio.AbstractEventLoop] | None = None
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = WeakKeyDictionary()
        self._lock = Lock()
        url = (self._given or make(_unused_connections())).base_url
        self.base_url = str(url).rstrip("/")
        self.provider = url.netloc.decode()
        """Host and port: who serves it."""
        self.official = url.host == OFFICIAL_HOST
        """OpenAI itself, and no compatible endpoint."""

    @property
    def home(self) -> Home:
        """A client that the user made lives where the user does."""
        return Home.ACTOR if self._given is None else Home.USER

    async def here(self) -> openai.AsyncOpenAI:
        """The client of the running loop.

        Raises:
            SessionStateError: the user's own client has been used on another loop.
        """
        if self._given is not None:
            return self._given_here(self._given)
        known = self._of(asyncio.get_running_loop())
        await known.begin()
        return known.client

    async def headers(self) -> dict[str, str]:
        """What proves who asks, for sockets that are opened beside the SDK."""
        client = await self.here()
        await client._refresh_api_key()  # noqa: SLF001 - nothing public asks the coroutine function for a key
        return {**client.auth_headers, **_account(client)}

    def _given_here(self, client: openai.AsyncOpenAI) -> openai.AsyncOpenAI:
        loop = asyncio.get_running_loop()
        with self._lock:
            used_on = None if self._given_on is None else self._given_on()
            if used_on is None:
                self._given_on = ref(loop)
            elif used_on is not loop:
                raise SessionStateError(
                    "client= was used on another event loop before, where its connections are: give api_key and "
                    "base_url instead (then there is a client for each loop), or make one provider for each loop"
                )
        return client

    def _of(self, loop: asyncio.AbstractEventLoop) -> _LoopClient:
        with self._lock:
            known = self._clients.get(loop)
            if known is None or known.client.is_closed():
                connections = openai.DefaultAsyncHttpxClient(verify=_TLS, limits=_LIMITS)
                known = self._clients[loop] = _LoopClient(self._make(connections))
            return known

    def prewarm(self) -> None:
        """Open a connection on the running loop, without waiting; where no loop runs, nothing is opened."""
        with suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            if self._given is None:
                self._of(loop).prewarm()

    async def aclose(self) -> None:
        """Close the clients made here, each on its loop."""
        with self._lock:
            clients = list(self._clients.items())
            self._clients.clear()
        here = asyncio.get_running_loop()
        for loop, known in clients:
            if loop is here:
                await known.aclose()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(known.aclose(), loop))
            # A loop that does not run any more has closed its connections when it ended.


class _LoopClient:
    """A client and what closes it."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client = client
        self._life = self._until_the_loop_ends()
        self._begun = False
        self._warming: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """From now on the end of the loop closes it."""
        if not self._begun:
            self._begun = True
            await anext(self._life)

    def prewarm(self) -> None:
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._warm(), name="openai prewarm")

    async def _warm(self) -> None:
        await self.begin()
        # Costs no tokens, and compatible endpoints know it; what fails here fails again where it is told.
        with suppress(openai.OpenAIError, ValueError):
            await self.client.models.list()

    async def aclose(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait((self._warming,))
        await self._life.aclose()
        await self.client.close()

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """Closes the client when it is closed itself, which every loop does with open generators when it ends.

        Programs that make a provider for a session and forget it leave connections behind otherwise.
        """
        try:
            yield
        finally:
            await self.client.close()


def _account(client: openai.AsyncOpenAI) -> dict[str, str]:
    """Who pays, where a key may act for several."""
    named = {"OpenAI-Organization": client.organization, "OpenAI-Project": client.project}
    return {name: value for name, value in named.items() if value}


def _unused_connections() -> openai.DefaultAsyncHttpxClient:
    """For a client that is only asked where it would go."""
    return openai.DefaultAsyncHttpxClient(verify=_TLS)


def clients_for(
    label: str,
    *,
    api_key: ApiKey | None,
    base_url: str | None,
    client: openai.AsyncOpenAI | None,
    timeout: float,
) -> Clients:
    """Clients for OpenAI or a compatible endpoint.

    Raises:
        OptionError: no key, neither given nor in the environment, and no ``base_url``; a client and what makes one; a
            ``base_url`` that is none; ``timeout`` is not positive.
    """
    if timeout <= 0:
        raise OptionError(f"timeout must be positive, got {timeout}")
    if client is not None:
        if api_key is not None or base_url is not None:
            raise OptionError(f"{label}: client has its own key and address: give either it, or api_key and base_url")
        return Clients(lambda _: client, client)
    address = base_url or os.environ.get("OPENAI_BASE_URL") or None
    if address is not None and urlsplit(address).scheme not in ("http", "https"):
        raise OptionError(f"base_url must begin with http:// or https://, got {address!r}")
    key = api_key or os.environ.get("OPENAI_API_KEY") or (NO_KEY if address else None)
    if key is None:
        raise OptionError(f"{label} needs an api_key: pass one, set OPENAI_API_KEY, or give a base_url")
    return Clients(
        lambda connections: openai.AsyncOpenAI(
            api_key=key, base_url=address, timeout=timeout, max_retries=0, http_client=connections
        )
    )


@dataclass(frozen=True, slots=True)
class AzureOptions:
    """How to reach a resource at Azure; what is None comes from the environment, as its fields say."""

    azure_endpoint: str | None = None
    """``AZURE_OPENAI_ENDPOINT``, such as ``https://resource.openai.azure.com``."""
    azure_deployment: str | None = None
    """The deployment; None: the model's name is that of one."""
    api_version: str | None = None
    """``OPENAI_API_VERSION``."""
    api_key: str | None = None
    """``AZURE_OPENAI_API_KEY``."""
    azure_ad_token: str | None = None
    """``AZURE_OPENAI_AD_TOKEN``."""
    azure_ad_token_provider: Callable[[], str | Awaitable[str]] | None = None
    """Asked before each request."""
    organization: str | None = None
    project: str | None = None
    base_url: str | None = None
    """The whole address, instead of ``azure_endpoint``."""


def azure_clients(label: str, options: AzureOptions, timeout: float) -> Clients:
    """Clients for a resource at Azure.

    Raises:
        OptionError: no address, no credential or no version, neither given nor in the environment.
    """

    def make(connections: openai.DefaultAsyncHttpxClient) -> openai.AsyncOpenAI:
        return openai.AsyncAzureOpenAI(  # type: ignore[call-overload,misc,no-any-return]  # its overloads part what may be given
            azure_endpoint=options.azure_endpoint,
            azure_deployment=options.azure_deployment,
            api_version=options.api_version,
            api_key=options.api_key,
            azure_ad_token=options.azure_ad_token,
            azure_ad_token_provider=options.azure_ad_token_provider,
            organization=options.organization,
            project=options.project,
            base_url=options.base_url,
            timeout=timeout,
            max_retries=0,
            http_client=connections,
        )

    try:
        return Clients(make)
    except (openai.OpenAIError, ValueError) as error:
        raise OptionError(f"{label} at Azure: {error}") from error
