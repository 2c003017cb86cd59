"""The HTTP session that plugins expect in their context variables, for where livekit's worker has not put one."""

from __future__ import annotations

import asyncio
import contextvars

from livekit.agents.utils import http_context

from sessionactors.providers.per_loop import PerLoop


class _Opened:
    """A context in which an HTTP session is bound."""

    def __init__(self) -> None:
        self.context = contextvars.copy_context()
        self._binding = http_context.open()
        self._bound = asyncio.get_running_loop().create_task(self._bind(), context=self.context)

    async def _bind(self) -> None:
        await self._binding.__aenter__()

    async def ready(self) -> contextvars.Context:
        await asyncio.shield(self._bound)
        return self.context

    async def aclose(self) -> None:
        if self._bound.cancelled() or not self._bound.done():
            self._bound.cancel()
            return
        await asyncio.get_running_loop().create_task(self._unbind(), context=self.context)

    async def _unbind(self) -> None:
        await self._binding.__aexit__(None, None, None)


_opened: PerLoop[_Opened] = PerLoop(_Opened)
"""One HTTP session for each loop, closed with it: connections are reused by all plugins and rooms there."""


async def plugin_context() -> contextvars.Context:
    """Where to start a plugin's work: the user's context, if an HTTP session is bound there; else one with ours."""
    try:
        http_context.http_session()
    except RuntimeError:
        return (await (await _opened.here()).ready()).copy()
    return contextvars.copy_context()
