"""The SDK's client for HTTP: its retries off, its imports done before a loop waits for them."""

from __future__ import annotations

import warnings

import httpx
from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment

from sessionactors.model.errors import APIError
from sessionactors.providers.sdk_http import SDKClient
from sessionactors.providers.vendor_socket import TLS

from .endpoint import Endpoint


def sdk_client(endpoint: Endpoint, path: str) -> SDKClient[AsyncDeepgramClient]:
    """A client with connections of its own.

    Args:
        endpoint: where Deepgram is, and with which key.
        path: of the endpoint, which the SDK knows itself.
    """
    root = endpoint.root(path)
    environment = DeepgramClientEnvironment(base=root, production=root, agent=root, agent_rest=root)

    def make(connections: httpx.AsyncClient) -> AsyncDeepgramClient:
        return AsyncDeepgramClient(
            api_key=endpoint.api_key, environment=environment, httpx_client=connections, max_retries=0
        )

    return SDKClient(make, _no_page)


async def _no_page(response: httpx.Response) -> None:
    """The SDK would give the bytes of a portal's or proxy's page as audio."""
    kind = response.headers.get("content-type", "").lower()
    if response.is_success and kind.startswith("text/"):
        raise APIError(f"the answer of {response.url.host} is {kind}: is that Deepgram?")


with warnings.catch_warnings():
    # The SDK imports half of itself when a client is first used. It warns of its own sockets, which are not used.
    warnings.simplefilter("ignore", DeprecationWarning)
    _unused = AsyncDeepgramClient(api_key="none", httpx_client=httpx.AsyncClient(verify=TLS))
    _unused.speak.v1.audio  # noqa: B018
    _unused.listen.v1.media  # noqa: B018
