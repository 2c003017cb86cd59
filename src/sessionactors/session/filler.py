"""Something to say while a tool takes its time: ``RunContext.with_filler``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import structlog

from sessionactors.interfaces.tool_link import ToolLink
from sessionactors.model.events import AgentStateChangedEvent, UserStateChangedEvent

from .speech_handle import SpeechHandle

if TYPE_CHECKING:
    from .agent_session import AgentSession

FillerSource: TypeAlias = str | Callable[[int], SpeechHandle | str | None]
"""A text, or a function of the number of fillers so far."""

log = structlog.get_logger("sessionactors.session")


class Filler:
    """Speaks when nobody has spoken for a while, until the block is over or the speech of the tool is cut off."""

    def __init__(
        self,
        session: AgentSession[object],
        speech: SpeechHandle,
        link: ToolLink,
        source: FillerSource,
        delay: float,
        interval: float | None,
        max_steps: int | None,
    ) -> None:
        self._session = session
        self._speech = speech
        self._link = link
        self._source = source
        self._delay = delay
        self._interval = interval
        self._max_steps = max_steps
        self._spoken = 0
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to wait for the quiet."""
        self._session.on("agent_state_changed", self._on_agent)
        self._session.on("user_state_changed", self._on_user)
        self._task = asyncio.ensure_future(self._run())

    async def aclose(self) -> None:
        """Say nothing more. What is being said goes on."""
        self._session.off("agent_state_changed", self._on_agent)
        self._session.off("user_state_changed", self._on_user)
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    def hold_back(self) -> None:
        """Something is said instead: the quiet is counted anew."""
        self._stirred.set()

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._stirred.set()

    def _on_user(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._stirred.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._quiet()
                if self._speech.interrupted:
                    return
                self._speak()
                if self._interval is None or (self._max_steps is not None and self._spoken >= self._max_steps):
                    return
                await asyncio.sleep(self._interval)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the source is the user's code
            log.exception("filler_failed", speech=self._speech.id, error=repr(error))

    async def _quiet(self) -> None:
        """Wait until it has been quiet for the whole delay."""
        while True:
            async with self._link.quiet():
                self._stirred.clear()
            if not self._delay:
                return
            try:
                await asyncio.wait_for(self._stirred.wait(), self._delay)
            except TimeoutError:
                return

    def _speak(self) -> None:
        if self._max_steps == 0:
            return
        said = self._source(self._spoken) if callable(self._source) else self._source
        if isinstance(said, str):
            said = self._session.say(said)
        if said is not None:
            self._spoken += 1
