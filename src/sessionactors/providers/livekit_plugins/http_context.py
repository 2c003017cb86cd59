"""The HTTP session that plugins expect in their context variables, for where livekit's worker has not put one."""

from __future__ import annotations

import asyncio
import contextvars

import aiohttp
from livekit.agents.utils import http_context

from sessionactors.providers.per_loop import PerLoop


class _Opened:
    """A context in which an HTTP session is bound."""

    def __init__(self) -> None:
        self.context = contextvars.copy_context()
        self._binding = http_context.open()
        self._bound = asyncio.get_running_loop().create_task(self._bind(), context=self.context)

    async def _bind(self) -> aiohttp.ClientSession:
        # Making the first session of a process reads the certificates; read in a thread, they do not block the loop.
        read_certificates = getattr(http_context, "_create_ssl_context", None)
        if read_certificates is not None:
            await asyncio.to_thread(read_certificates)
        return await self._binding.__aenter__()

    async def ready(self) -> contextvars.Context:
        await asyncio.shield(self._bound)
        return self.context

    async def aclose(self) -> None:
        # Not by leaving the binding: a loop that ends closes that first, in a context where it finds no session.
        session = await self._bound
        await session.close()


_opened: PerLoop[_Opened] = PerLoop(_Opened)
"""One HTTP session for each loop, closed with it: connections are reused by all plugins and rooms there."""


async def plugin_context() -> contextvars.Context:
    """Where to start a plugin's work: the user's context, if an HTTP session is bound there; else one with ours."""
    try:
        http_context.http_session()
    except RuntimeError:
        return (await (await _opened.here()).ready()).copy()
    return contextvars.copy_context()
