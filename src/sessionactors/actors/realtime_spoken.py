"""When the user said what a realtime model heard: its transcripts may come late, and not in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sessionactors.runtime.frozen import replace

REMEMBERED = 64
"""Stretches of speech whose transcripts are waited for."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One stretch of speech, which is or will be one item of the server's conversation."""

    item_id: str
    """The server's; empty while it is not known."""
    started_at: int | None = None
    ended_at: int | None = None
    """None while the user goes on."""
    participant: str | None = None
    """Who said it: the words may come when that one has left."""


def began(spoken: tuple[Spoken, ...], item_id: str, at: int, participant: str | None = None) -> tuple[Spoken, ...]:
    """The user begins to speak."""
    return (*spoken, Spoken(item_id, at, None, participant))[-REMEMBERED:]


def ended(spoken: tuple[Spoken, ...], item_id: str, at: int) -> tuple[Spoken, ...]:
    """The user is done."""
    return tuple(
        replace(one, item_id=one.item_id or item_id, ended_at=at) if one.ended_at is None else one for one in spoken
    )


def named(spoken: tuple[Spoken, ...], item_id: str) -> tuple[Spoken, ...]:
    """The server has made an item of the oldest stretch that has none."""
    if any(one.item_id == item_id for one in spoken):
        return spoken
    oldest = next((one for one in spoken if not one.item_id and one.ended_at is not None), None)
    return tuple(replace(one, item_id=item_id) if one is oldest else one for one in spoken)


def taken(spoken: tuple[Spoken, ...], item_id: str) -> tuple[Spoken | None, tuple[Spoken, ...]]:
    """The stretch that a final transcript belongs to, and the others; None: nobody knows."""
    of_item = next((one for one in spoken if one.item_id == item_id), None)
    one = of_item or next((one for one in spoken if not one.item_id), None)
    return one, tuple(other for other in spoken if other is not one)
