"""What the server has been told and has not answered yet: settings, items, and replies that were asked for.

Settings are answered in their order. Items are answered by their id, refusals of anything by the id of our event.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import count

from sessionactors.model.chat import ChatItem
from sessionactors.model.errors import APIError

from .remote import Create, Step

Waiting = asyncio.Future[None]


class Answers:
    """Who waits for what."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._settings: deque[tuple[str, Waiting | None]] = deque()
        self._steps: dict[str, tuple[Step, Waiting | None]] = {}
        self._replies: dict[str, str] = {}
        self._quiet: deque[str] = deque(maxlen=64)

    def name(self, what: str) -> str:
        """A new id for an event of ours."""
        return f"{what}_{next(self._numbers)}"

    @property
    def any_open(self) -> bool:
        """Whether an answer to anything is awaited."""
        return bool(self._settings or self._steps or self._replies)

    # -- settings ----------------------------------------------------------------------------------------------------

    def settings_sent(self, event: str, waiting: Waiting | None) -> None:
        """New settings were sent."""
        self._settings.append((event, waiting))

    def settings_taken(self) -> None:
        """The oldest settings that were open are in force."""
        if self._settings:
            _succeed(self._settings.popleft()[1])

    # -- items -------------------------------------------------------------------------------------------------------

    def step_sent(self, event: str, step: Step, waiting: Waiting | None) -> None:
        """The conversation is to change."""
        self._steps[event] = (step, waiting)

    def created(self, name: str) -> ChatItem | None:
        """The server has the item of that id: ours, if it came from here."""
        return next((step.item for step in self._done(name, made=True) if isinstance(step, Create)), None)

    def deleted(self, name: str) -> None:
        """The server has it no more."""
        self._done(name, made=False)

    def _done(self, name: str, *, made: bool) -> list[Step]:
        """An item that is replaced is deleted and created under one id: the oldest of the kind is meant."""
        for event, (step, waiting) in self._steps.items():
            if step.name == name and isinstance(step, Create) is made:
                del self._steps[event]
                _succeed(waiting)
                return [step]
        return []

    # -- replies -----------------------------------------------------------------------------------------------------

    def reply_sent(self, event: str, request: str) -> None:
        """A reply was asked for."""
        self._replies[event] = request

    @property
    def replies_open(self) -> bool:
        """Whether a reply was asked for and has not begun."""
        return bool(self._replies)

    def reply_began(self, request: str) -> None:
        """It has."""
        self._replies = {event: other for event, other in self._replies.items() if other != request}

    # -- refusals ----------------------------------------------------------------------------------------------------

    def may_fail(self, event: str) -> str:
        """A refusal of this event says nothing: what it was to end had ended by itself."""
        self._quiet.append(event)
        return event

    def refused(self, event: str, error: APIError, *, there_already: bool) -> str | None:
        """An event of ours was refused.

        Args:
            event: its id.
            error: for who waits.
            there_already: the item that was to be made is there, so that who waits has what was wanted.

        Returns:
            The request for a reply that it was; empty: somebody else was told; None: nobody is.
        """
        if event in self._replies:
            return self._replies.pop(event)
        if event in self._steps:
            _, waiting = self._steps.pop(event)
            if there_already:
                _succeed(waiting)
            elif waiting is None:
                return None
            else:
                _fail(waiting, error)
            return ""
        for place, (name, waiting_settings) in enumerate(self._settings):
            if name == event:
                del self._settings[place]
                if waiting_settings is None:
                    return None
                _fail(waiting_settings, error)
                return ""
        return "" if event in self._quiet else None

    def lost(self, error: APIError) -> None:
        """Nothing is answered any more."""
        for waiting in (*(one for _, one in self._settings), *(one for _, one in self._steps.values())):
            if waiting is not None:
                _fail(waiting, error)
        self._settings.clear()
        self._steps.clear()
        self._replies.clear()


def _succeed(waiting: Waiting | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _fail(waiting: Waiting, error: APIError) -> None:
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()  # taken, so that asyncio does not report one that nobody awaits any more
