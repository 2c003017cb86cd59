"""Where a place in one text is in another that was made from it: words left out, added or replaced. Pure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_WORD = re.compile(r"\S+")


def aligned_place(source: str, target: str, place: int) -> int:
    """The place in ``target`` that corresponds to ``place`` in ``source``: the end of the words said by then.

    Words that both have are the same words, in their order; between them, one stretch is taken to go with the other
    evenly. A place in the middle of a word counts for the words before it.

    Args:
        source: the text in which the place is known.
        target: the text made from it, or that it was made from.
        place: characters of ``source``, >= 0.
    """
    if target.startswith(source[:place]):
        return min(place, len(target))
    ours, theirs = list(_WORD.finditer(source)), list(_WORD.finditer(target))
    done = sum(1 for word in ours if word.end() <= place)
    if done == len(ours):
        return len(target) if place >= len(source) else _end(theirs, len(theirs))
    our_words, their_words = ([word.group().casefold() for word in text] for text in (ours, theirs))
    matcher = SequenceMatcher(None, our_words, their_words, autojunk=False)
    for _, start, end, their_start, their_end in matcher.get_opcodes():
        if done <= end:
            share = (done - start) / (end - start) if end > start else 1.0
            return _end(theirs, their_start + int(share * (their_end - their_start)))
    return _end(theirs, len(theirs))


def _end(words: list[re.Match[str]], count: int) -> int:
    return words[count - 1].end() if count else 0
