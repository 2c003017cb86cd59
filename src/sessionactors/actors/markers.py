"""Markers in a reply that steer the voice: left out for readers, put into the voice's own words for the voice. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from sessionactors.interfaces.markup import Marker

LONGEST = 256
"""Characters that a marker may have: something longer that was never closed is text."""

EXPRESSIONS = frozenset({"emotion", "expression"})
"""Types of markers that say how something is said, and not what sound is made."""

_MARKER = re.compile(r"<expr\b(?P<attributes>[^<>]*?)(?P<alone>/?)\s*>|</expr\s*>")
_ENCLOSED = re.compile(r"<expr\b(?P<attributes>[^<>]*?)(?:/\s*>|>(?:(?P<text>[^<>]*)</expr\s*>)?)|</expr\s*>")
_BEGUN = re.compile(r"<(?:/?|/?e|/?ex|/?exp|/?expr(?:[\s/][^<>]*)?)\Z")
_OPEN = re.compile(r"<expr\b[^<>]*[^/<>\s]\s*>[^<>]*\Z")
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*\"([^\"]*)\"")


def readable(text: str, *, final: bool = True) -> str:
    """The text without its markers, with one space where there would be two.

    Args:
        text: so far.
        final: no more follows. If some does, the result is a beginning of what it will be then.
    """
    if "<" not in text:
        return text
    parts: list[str] = []
    end, drops_space = 0, False
    for marker in _MARKER.finditer(text):
        stretch = text[end : marker.start()]
        parts.append(stretch.lstrip(" \t") if drops_space else stretch)
        before = "".join(parts[-2:])[-1:] or (parts[-3][-1:] if len(parts) > 2 else "")
        drops_space = not before or before.isspace()
        end = marker.end()
    rest = text[end:]
    if not final and (begun := begun_at(rest)) is not None:
        rest = rest[:begun]
    parts.append(rest.lstrip(" \t") if drops_space else rest)
    return "".join(parts)


def begun_at(text: str) -> int | None:
    """Where a marker begins that may go on behind the end of the text; None: none does."""
    begun = _BEGUN.search(text, max(0, len(text) - LONGEST))
    return None if begun is None else begun.start()


def outside(text: str, place: int) -> int:
    """The same place, or if it lies within a marker, that where the marker begins."""
    for marker in _MARKER.finditer(text):
        if marker.start() < place < marker.end():
            return marker.start()
    return place


def lowered(text: str, native: Callable[[Marker], str]) -> str:
    """The text with the voice's own words in place of the markers."""

    def put(found: re.Match[str]) -> str:
        attributes = dict(_ATTRIBUTE.findall(found["attributes"] or ""))
        if "type" not in attributes:
            return found["text"] or ""  # one that closes nothing, or says nothing
        return native(Marker(attributes["type"], attributes.get("label", ""), found["text"] or ""))

    return _ENCLOSED.sub(put, text)


def expression_in(text: str) -> str:
    """How the text is said: the label of its first marker for an expression or emotion; empty if there is none."""
    for found in _MARKER.finditer(text):
        attributes: dict[str, str] = dict(_ATTRIBUTE.findall(found["attributes"] or ""))
        if attributes.get("type") in EXPRESSIONS and attributes.get("label"):
            return attributes["label"]
    return ""


def settled(text: str) -> int:
    """How much of a growing text can be lowered: up to a marker that may go on."""
    begun = begun_at(text)
    whole = text if begun is None else text[:begun]
    opened = _OPEN.search(whole, max(0, len(whole) - LONGEST))  # its words may be waited for
    return len(whole) if opened is None else opened.start()
