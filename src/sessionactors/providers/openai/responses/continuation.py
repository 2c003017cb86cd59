"""Which earlier response a request goes on from, so that only what is new is sent. Pure, but for what it remembers.

A provider object serves many rooms, so it cannot remember "the last response". It remembers what each response was an
answer to (as a digest of the input) and what it was. A conversation that begins with exactly that goes on from there;
one that was interrupted, rewritten or given other instructions does not, and is sent whole. Two rooms that said exactly
the same may go on from the same response: nothing in it is news to either.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

Entry: TypeAlias = Mapping[str, object]

_encode = json.JSONEncoder(ensure_ascii=False).encode
REMEMBERED = 1024
"""Responses: a few for each of some hundred rooms."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A response that the vendor has stored."""

    response_id: str
    text: str
    calls: frozenset[tuple[object, object]]
    """Call ids and names."""


class Continuations:
    """What has been answered. Safe to use from several threads."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, tuple[Answered, ...]] = OrderedDict()
        self._lock = Lock()
        self.found = 0
        """Requests that went on from a response."""

    def remember(self, entries: Sequence[Entry], answered: Answered) -> None:
        """A response is complete.

        Args:
            entries: the whole input that it answers, also if only a part of it was sent.
            answered: what it said.
        """
        key = _digests(entries)[-1]
        with self._lock:
            self._answers[key] = (answered, *self._answers.pop(key, ()))[:4]  # the newest of what was tried again
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)

    def forget(self, response_id: str) -> None:
        """The vendor does not know it any more."""
        with self._lock:
            for key, answers in list(self._answers.items()):
                kept = tuple(answered for answered in answers if answered.response_id != response_id)
                if not kept:
                    del self._answers[key]
                elif len(kept) < len(answers):
                    self._answers[key] = kept

    def find(self, entries: Sequence[Entry]) -> tuple[str, list[Entry]] | None:
        """The newest response that this input goes on from, and what it has not been told; None: send all."""
        digests = _digests(entries)
        with self._lock:
            for length in range(len(entries) - 1, 0, -1):
                for answered in self._answers.get(digests[length], ()):
                    rest = _rest(entries[length:], answered)
                    if rest:
                        self.found += 1
                        return answered.response_id, rest
        return None


def _digests(entries: Sequence[Entry]) -> list[bytes]:
    """Of each beginning, the empty one first."""
    digest = hashlib.blake2b(digest_size=16)
    digests = [digest.digest()]
    for entry in entries:
        digest.update(_encode(entry).encode() + b"\n")  # one piece of code makes them: keys are in one order
        digests.append(digest.copy().digest())
    return digests


def _rest(entries: Sequence[Entry], answered: Answered) -> list[Entry] | None:
    """What follows a response, and the outputs of its calls; None: these entries do not begin with it."""
    owed, text, outputs, place = set(answered.calls), _plain(answered.text), [], 0
    while owed or text:
        entry = entries[place] if place < len(entries) else {}
        call = (entry.get("call_id"), entry.get("name"))
        if entry.get("type") == "reasoning":
            pass
        elif text and entry.get("role") == "assistant" and _plain(entry.get("content")) == text:
            text = ""
        elif entry.get("type") == "function_call" and call in owed:
            owed.remove(call)
            place += 1
            outputs.append(entries[place])
        else:
            return None
        place += 1
    return [*outputs, *entries[place:]]


def _plain(content: object) -> str:
    return " ".join(content.split()) if isinstance(content, str) else ""


def calls_of(calls: Iterable[tuple[str, str]]) -> frozenset[tuple[object, object]]:
    """Call ids and names, as :class:`Answered` has them."""
    return frozenset(calls)
