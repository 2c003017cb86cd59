"""How records stand in a journal: msgpack lists whose first item is one of these."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Kinds of records. Those below 10 define what later ones name: see :class:`.tags.Defines`."""

    HEADER = 10
    GIVEN = 11
    ENTERED = 12
    ORDERED = 13
    OBEYED = 14
    TAKEN = 15
    HANDLED = 16
    COMMIT_FAILED = 17
    FAILED = 18
    HOOKED = 19
    HOOK_FAILED = 20
    NOT_CARRIED_OUT = 21
    DISCARDED = 22
    HAPPENED = 23
    FINISHED = 24
    NAMED = 25
    CHECKPOINT = 26
    LOST = 27
    NOTED = 28
    CLOSED = 29
    SAID = 30
