"""Keeping out of a journal what people say: texts are changed before they leave the session's memory.

Which fields hold such texts is known by class and name. All others hold names, numbers and options: of actors,
segments, tools, models.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .flattening import CLASSES, Node
from .tags import FIRST_CLASS, Tag

TEXTS: Final = frozenset(
    {
        "append", "arguments", "args", "attributes", "aside", "body", "changes", "changed", "chat_items", "common",
        "confirm", "content", "description", "digit", "extra", "image", "input", "instructions", "items", "keyterms",
        "message", "metadata", "new_transcript", "output", "pending", "prompt", "reason_text", "reply", "said", "shown",
        "spoken", "synchronized_transcript", "text", "texts", "transcript", "transcripts", "user_transcript", "words",
    }
)  # fmt: skip
"""Names of fields in which there is what somebody said, typed, or told a model."""
_LETTERS: Final = re.compile(r"[^\W\d_]")
_DIGITS: Final = re.compile(r"\d")


def masked(text: str) -> str:
    """The same text without its words: their number and length stay, and so what handlers do with it."""
    return _DIGITS.sub("0", _LETTERS.sub("x", text))


class Redactor:
    """Changes the texts in nodes.

    Args:
        change: what a text becomes.
    """

    def __init__(self, change: Callable[[str], str]) -> None:
        self._change = change
        self._fields: dict[int, tuple[bool, ...]] = {}
        self._known = 0

    def __call__(self, node: Node) -> Node:
        """The nodes with their texts changed."""
        if not isinstance(node, list) or not node:
            return node
        tag = node[0]
        if isinstance(tag, int) and tag >= FIRST_CLASS:
            texts = self._texts_of(tag)
            return [tag, *[self._all(part) if text else self(part) for part, text in zip(node[1:], texts, strict=True)]]
        if tag == Tag.EXCEPTION:
            return [tag, node[1], *[self._all(part) for part in node[2:]]]
        if tag == Tag.USER_VALUE:
            return [tag, node[1], *[part if at % 2 == 0 else self._all(part) for at, part in enumerate(node[2:])]]
        if tag == Tag.TIMED_STRING:
            return [tag, self._all(node[1]), *node[2:]]
        return [self(part) for part in node]

    def fact(self, name: str, node: Node) -> Node:
        """A fact of a stand-in, such as the instructions of an agent."""
        return self._all(node) if name in TEXTS else self(node)

    def _all(self, node: Node) -> Node:
        """Every text in a field of texts."""
        if isinstance(node, str):
            return self._changed(node)
        if not isinstance(node, list) or not node:
            return node
        tag, *parts = node
        if not isinstance(tag, int) or tag >= FIRST_CLASS or tag in _NAMES:
            return self(node)
        if tag in (Tag.DICT, Tag.MAPPING):
            return [tag, *[part if at % 2 == 0 else self._all(part) for at, part in enumerate(parts)]]
        if tag == Tag.READ_ONLY_LIST:
            return [tag, parts[0], *map(self._all, parts[1:])]
        return [tag, *map(self._all, parts)]

    def _changed(self, text: str) -> str:
        try:
            changed = self._change(text)
        except Exception:  # noqa: BLE001  the user's: what it fails on is not written
            return masked(text)
        return changed if isinstance(changed, str) else masked(text)  # type: ignore[redundant-expr]  # the user's

    def _texts_of(self, number: int) -> tuple[bool, ...]:
        while self._known < len(CLASSES):
            each, _, names = CLASSES[self._known]
            self._fields[each] = tuple(name in TEXTS for name in names)
            self._known += 1
        return self._fields[number]


_NAMES: Final = frozenset(
    {Tag.ENUM, Tag.LIVE, Tag.SCOPE, Tag.REF, Tag.REPLY, Tag.TYPE, Tag.SENTINEL, Tag.OPAQUE, Tag.USER_ENUM}
    | {Tag.EXCEPTION, Tag.USER_VALUE, Tag.TIMED_STRING}
)
