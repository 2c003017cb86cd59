"""Which tool sets are set up: each once, and closed again in bounded time, whatever it does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from sessionactors.model.errors import APITimeoutError

from .tool import Toolset

SETUP_WITHIN = 30.0
"""Seconds a tool set has to be set up; the session does not start with one that is not."""
CLOSE_WITHIN = 2.0
"""Seconds a tool set has to close; it is cancelled then, and named in the log."""

log = structlog.get_logger("sessionactors.session")


@dataclass(slots=True)
class _Open:
    """A set that is set up, or is being."""

    toolset: Toolset
    owners: set[str]
    """Who needs it: keys of agents, and the session under an empty one."""


class OpenToolsets:
    """The tool sets of one session that are set up. On the user's loop."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._closing: dict[int, asyncio.Future[None]] = {}
        """By the identity of a set that is being closed."""

    async def open(self, owner: str, toolsets: Iterable[Toolset]) -> None:
        """Set up those that are not, at the same time. If one fails, none of them stays open for this owner.

        Args:
            owner: the key of the agent that needs them; empty for the session.
            toolsets: what it needs.

        Raises:
            APITimeoutError: one of them takes too long.
            Exception: what ``setup()`` of one of them raised.
        """
        new: list[_Open] = []
        added: list[_Open] = []
        for toolset in toolsets:
            entry = next((entry for entry in self._open if entry.toolset is toolset), None)
            if entry is None:
                entry = _Open(toolset, set())
                new.append(entry)
                self._open.append(entry)
            if owner not in entry.owners:
                entry.owners.add(owner)
                added.append(entry)
        results: list[BaseException | None] = []
        try:
            results = await asyncio.gather(*(self._set_up(entry.toolset) for entry in new), return_exceptions=True)
        except BaseException:
            await self._leave(owner, added)
            raise
        for result in results:
            if isinstance(result, BaseException):
                await self._leave(owner, added)
                raise result

    async def close(self, owner: str) -> None:
        """Close what only this owner needed. What one of them raises is logged and hurts nobody."""
        await self._leave(owner, [entry for entry in self._open if owner in entry.owners])

    async def close_all(self) -> None:
        """Close all that is open."""
        entries, self._open = self._open, []
        await self._close(entries)

    def __bool__(self) -> bool:
        return bool(self._open)

    async def _leave(self, owner: str, entries: Iterable[_Open]) -> None:
        for entry in entries:
            entry.owners.discard(owner)
        gone = [entry for entry in self._open if not entry.owners]
        self._open = [entry for entry in self._open if entry.owners]
        await self._close(gone)

    async def _close(self, entries: Iterable[_Open]) -> None:
        loop = asyncio.get_running_loop()
        closing = [(entry.toolset, loop.create_future()) for entry in entries]
        self._closing.update((id(toolset), over) for toolset, over in closing)
        await asyncio.gather(*(self._closed(toolset, over) for toolset, over in closing))

    async def _closed(self, toolset: Toolset, over: asyncio.Future[None]) -> None:
        try:
            await _closed(toolset)
        finally:
            self._closing.pop(id(toolset), None)
            over.set_result(None)

    async def _set_up(self, toolset: Toolset) -> None:
        """A set that is being closed is set up again behind its end."""
        closing = self._closing.get(id(toolset))
        if closing is not None:
            await asyncio.wait([closing])
        await _set_up(toolset)


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
