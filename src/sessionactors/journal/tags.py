"""How values that msgpack has no type for stand in a journal: lists whose first item is one of these.

Whatever is a list in a journal begins with a tag; a list of the user's own is ``[LIST, ...]``. Numbers from
:data:`FIRST_CLASS` on are classes, which the journal defines before it uses them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

FORMAT: Final = 1
"""Of records and values. A journal of another format is refused."""


class Tag(IntEnum):
    """What a list is."""

    TUPLE = 0
    LIST = 1
    DICT = 2
    """Keys and values by turns."""
    SET = 3
    FROZENSET = 4
    MAPPING = 5
    """A read-only mapping, as ``DICT``."""
    READ_ONLY_LIST = 6
    """Its advice, then its items."""
    ENUM = 7
    """Number of the class, value."""
    LIVE = 8
    """Number of something that only lives where it was recorded."""
    SCOPE = 9
    """Number, and whether it is closed."""
    REF = 10
    """Path."""
    REPLY = 11
    """Id of the ask that waits for it."""
    EXCEPTION = 12
    """Names of its classes, newest first; its text; arguments; attributes; cause."""
    TYPE = 13
    """Name of a class."""
    SENTINEL = 14
    """Name."""
    TIMED_STRING = 15
    BIG_INT = 16
    """In decimal."""
    ODD_STRING = 17
    """UTF-8 with surrogates."""
    OPAQUE = 18
    """Something unknown: the name of its type."""
    USER_VALUE = 19
    """A dataclass of the user's: name of its class, then names and values of its fields by turns."""
    USER_ENUM = 20
    """A member of the user's enum: name of the class, name of the member."""
    CHAT_CONTEXT = 21
    """Items."""
    SILENCED = 22
    """Bytes that were not captured: how many."""


FIRST_CLASS: Final = 64
"""Smaller numbers are tags."""


class Defines(IntEnum):
    """What a definition is about."""

    CLASS = 0
    """Number, name, names of its fields."""
    LIVE = 1
    """Number, kind, name of its class, facts."""
    SCOPE = 2
    """Number, path, number of the scope it lies in (0: none)."""
    ACTOR = 3
    """Number, path."""
    MESSAGE = 4
    """Number of a type of messages, its name."""
