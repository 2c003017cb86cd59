"""Messages that nobody took: counted by reason, the last ones kept as facts, never as the messages themselves."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from .tree import Tree

KEPT = 256
LOGGED_PER_TREE = 10
"""After so many lines a tree's dead letters are only counted."""

ENDED = "the actor has ended"
"""The reason of what crosses with an actor's end, as the answer to one that was cut off: it is to be expected."""

FULL = "its lane is full"
"""The reason of what was refused: there was no room, and it is of a kind that is never dropped."""

log = structlog.get_logger("sessionactors.runtime")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was not handled, and why."""

    room: str
    sender: str
    target: str
    type: str
    reason: str


class DeadLetters:
    """The dead letters of one actor system."""

    def __init__(self) -> None:
        self.last: deque[DeadLetter] = deque(maxlen=KEPT)
        self.by_reason: Counter[str] = Counter()

    def add(self, tree: Tree, sender: str, target: str, message: object, reason: str, *, counted: bool = False) -> None:
        """Note a message that ended here. ``counted``: its mailbox has accounted for it already."""
        letter = DeadLetter(tree.name, sender, target, type(message).__name__, reason)
        self.last.append(letter)
        self.by_reason[reason] += 1
        tree.dead_letters += 1
        if not counted:
            tree.undeliverable += 1
        if tree.dead_letters <= LOGGED_PER_TREE and not tree.closing:
            write = log.info if reason == ENDED else log.warning
            write(
                "dead_letter",
                room=tree.name,
                actor=target,
                message_id=0,
                sender=sender,
                type=letter.type,
                reason=reason,
            )
