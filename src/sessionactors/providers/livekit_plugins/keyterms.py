"""Words to expect, for a plugin: it has one list for all that it hears, and a session has its own."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import chain
from typing import Protocol

import structlog
from livekit.agents import stt

log = structlog.get_logger("sessionactors.livekit_plugins")


Expect = Callable[[tuple[str, ...]], None]


class _Takes(Protocol):
    def __call__(self, keyterms: list[str]) -> None: ...


class SharedKeyterms:
    """What the sessions that use one plugin expect, together.

    Args:
        plugin: the user's object. Words that the user gave to it stay.
    """

    def __init__(self, plugin: stt.STT[str]) -> None:
        self._label = plugin.label
        # What livekit's session calls. It has no public name: ``update_options`` would replace the user's own words.
        take: _Takes | None = getattr(plugin, "_update_session_keyterms", None)
        self._take = take if plugin.capabilities.keyterms else None
        self._wanted: dict[int, tuple[str, ...]] = {}
        self._told: list[str] = []

    @property
    def taken(self) -> bool:
        """Whether the plugin takes any."""
        return self._take is not None

    @contextmanager
    def of(self, stream: object) -> Generator[Expect]:
        """While a stream goes on: what to call with the words that it is to expect, at any time."""
        key = id(stream)

        def expect(keyterms: tuple[str, ...]) -> None:
            if self._take is not None and self._wanted.get(key, ()) is not keyterms:
                self._wanted[key] = keyterms
                self._tell(self._take)

        try:
            yield expect
        finally:
            self._wanted.pop(key, None)  # the plugin is told with the next change: nobody hears by it now

    def _tell(self, take: _Takes) -> None:
        together = list(dict.fromkeys(chain.from_iterable(self._wanted.values())))
        if together == self._told:
            return
        self._told = together
        try:
            take(keyterms=together)
        except Exception as error:  # noqa: BLE001  of the plugin: it hears on without them
            log.warning("keyterms_not_taken", plugin=self._label, error=repr(error))
