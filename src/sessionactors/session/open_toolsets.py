"""Which tool sets are set up: each once, and closed again in bounded time, whatever it does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from sessionactors.model.errors import APITimeoutError

from .tool import Toolset

SETUP_WITHIN = 30.0
"""Seconds a tool set has to be set up; the session does not start with one that is not."""
CLOSE_WITHIN = 2.0
"""Seconds a tool set has to close; it is cancelled then, and named in the log."""

log = structlog.get_logger("sessionactors.session")


class OpenToolsets:
    """The tool sets of one session that are set up. On the user's loop."""

    def __init__(self) -> None:
        self._open: list[Toolset] = []

    async def open(self, toolsets: Iterable[Toolset]) -> None:
        """Set up those that are not, at the same time. If one fails, none of them stays open.

        Raises:
            APITimeoutError: one of them takes too long.
            Exception: what ``setup()`` of one of them raised.
        """
        new = [toolset for toolset in toolsets if not any(toolset is other for other in self._open)]
        self._open.extend(new)
        results: list[BaseException | None] = []
        try:
            results = await asyncio.gather(*map(_set_up, new), return_exceptions=True)
        except BaseException:
            await self.close(new)
            raise
        for result in results:
            if isinstance(result, BaseException):
                await self.close(new)
                raise result

    async def close(self, toolsets: Iterable[Toolset]) -> None:
        """Close those that are open. What one of them raises is logged and hurts nobody."""
        to_close = [toolset for toolset in toolsets if any(toolset is other for other in self._open)]
        self._open = [toolset for toolset in self._open if not any(toolset is other for other in to_close)]
        await asyncio.gather(*(_closed(toolset) for toolset in to_close))

    async def close_all(self) -> None:
        """Close all that is open."""
        await self.close(tuple(self._open))

    def __bool__(self) -> bool:
        return bool(self._open)


async def _set_up(toolset: Toolset) -> None:
    try:
        await asyncio.wait_for(toolset.setup(), SETUP_WITHIN)
    except TimeoutError as error:
        raise APITimeoutError(f"tool set {toolset.id!r} was not set up within {SETUP_WITHIN} s") from error


async def _closed(toolset: Toolset) -> None:
    try:
        await asyncio.wait_for(toolset.aclose(), CLOSE_WITHIN)
    except TimeoutError:
        log.warning("toolset_abandoned", toolset=toolset.id, within=CLOSE_WITHIN)
    except Exception as error:
        log.exception("toolset_close_failed", toolset=toolset.id, error=repr(error))
