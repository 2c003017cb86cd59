"""The state of ``floor`` as a value: the speeches that are not over, in what order they may be heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sessionactors.interfaces.speech_spec import SpeechSpec
from sessionactors.messages.session import OptionsChanged
from sessionactors.runtime import (
    Ref,
    Scope,
)

from .speech import SpeechMessage

REMEMBERED = 64
"""Speeches of which orders are remembered that came before them (or after their end)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A speech that is not over."""

    spec: SpeechSpec
    ref: Ref[SpeechMessage]
    scope: Scope
    order: int
    allow_interruptions: bool
    wants: bool = False
    """It has something to be heard."""
    granted: bool = False
    audible: bool = False
    background: bool = False
    """It has been heard and goes on out of hearing (tools)."""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class EarlyOrder:
    """What was ordered about a speech before it was scheduled: control overtakes data."""

    cut: bool = False
    force: bool = False
    allow_interruptions: bool | None = None


@dataclass(frozen=True, slots=True)
class FloorState:
    """Who speaks, who waits, and whether the user does."""

    entries: Mapping[str, Entry]
    options: OptionsChanged
    """What holds now."""
    current: str | None = None
    speaking: frozenset[str] = frozenset()
    """Participants who are speaking now."""
    claims: tuple[str, ...] = ()
    """User turns that wait for the current speech to be cut off and accounted for."""
    last_end: int | None = None
    """When the last speech ceased to be heard."""
    held: bool = False
    """The session is closing: nothing is granted."""
    scheduled: int = 0
    early: Mapping[str, EarlyOrder] = field(default_factory=dict)
    """Orders about speeches that are not here (yet), the newest of them."""


def early(state: FloorState, speech: str, **orders: bool) -> FloorState:
    """The same with an order remembered about a speech that is not here (yet)."""
    order = replace(state.early.get(speech, EarlyOrder()), **orders)
    early = {**state.early, speech: order}
    while len(early) > REMEMBERED:
        del early[next(iter(early))]
    return replace(state, early=early)


def with_changes(state: FloorState, speech: str, **changes: object) -> FloorState:
    """The same with one speech changed, if it is here."""
    entry = state.entries.get(speech)
    if entry is None:
        return state
    changed = replace(entry, **changes)  # type: ignore[arg-type]
    return replace(state, entries={**state.entries, speech: changed})
