"""Hashes of states: equal in every process for equal states, and for those that a replay gets.

What audio holds does not count, only how much of it there is: a journal may keep none. What only lives in the session
counts by the name of its class. Items of the conversation are hashed once each, though every request carries them all.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from typing import Final, cast

from sessionactors.actors.audio_ring import AudioRing
from sessionactors.model.chat import AgentConfigUpdate, AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput
from sessionactors.model.options import SessionOptions
from sessionactors.model.tools import ToolDefinition
from sessionactors.runtime import Scope

from .encoding import to_bytes
from .flattening import FLATTEN, Context, Flattens, Node, class_number, flatten
from .stand_ins import named
from .tags import Tag

LASTING: Final = (
    AgentConfigUpdate, AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput, SessionOptions, ToolDefinition,
)  # fmt: skip
"""Values that stay as they are in state after state."""
REMEMBERED: Final = 2048
"""Hashes of them that are kept."""


def _once(value: object, context: Context) -> Node:
    return cast("Digest", context).once(value)


def _ring(ring: AudioRing, context: Context) -> Node:
    return [class_number(AudioRing), ring.first_number, ring.next_number, ring.seconds]


_TABLE: Final = Flattens({**FLATTEN, **dict.fromkeys(LASTING, _once), AudioRing: _ring})
_PARTS: Final = Flattens(_TABLE)
for _cls in LASTING:
    del _PARTS[_cls]


class Digest(Context):
    """Makes hashes of 32 bits."""

    def __init__(self) -> None:
        self.audio = False
        self.table = _TABLE
        self._known: OrderedDict[int, tuple[object, Node]] = OrderedDict()

    def of(self, state: object) -> int:
        """The hash of a state."""
        return zlib.crc32(to_bytes(flatten(state, self)))

    def once(self, value: object) -> Node:
        """The hash of a value that lasts."""
        found = self._known.get(id(value))
        if found is not None and found[0] is value:
            return found[1]
        node = [class_number(type(value)), zlib.crc32(to_bytes(_PARTS[type(value)](value, self)))]
        self._known[id(value)] = (value, node)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return node

    def live(self, thing: object) -> Node:
        """What it is, not which."""
        return [int(Tag.LIVE), *named(thing)]

    def scope(self, scope: Scope) -> Node:
        """Its path."""
        return [int(Tag.SCOPE), scope.path, scope.closed]
