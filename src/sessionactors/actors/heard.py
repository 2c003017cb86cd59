"""How much of a text was heard when its audio stopped at some position. Pure; tested as a table.

Anchors say where in the audio a place in the text has been spoken. Between two anchors the text is taken to be spoken
evenly, and only whole words count. With an anchor for each word that is exact to the word; with an anchor for each
sentence it is an estimate inside the sentence; with none, a rate of syllables is assumed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from sessionactors.interfaces.tts import WordTiming

from .syllables import SYLLABLES_PER_SECOND, count_of, spoken_within

SAME_MOMENT = 0.005
"""Seconds: a word that ends this little after the cut was heard; sinks and voices round differently."""

_WORD = re.compile(r"\S+")


def heard_length(
    text: str,
    anchors: Sequence[WordTiming],
    position: float,
    audio_end: float | None = None,
    speed: float = 1.0,
    *,
    aligned: bool = False,
) -> int:
    """How many characters of ``text`` were heard: the end of the last whole word spoken by ``position``.

    Args:
        text: the text so far.
        anchors: ascending; may be empty.
        position: seconds of audio heard, >= 0.
        audio_end: length of the audio of the whole text in seconds, if it is known.
        speed: how much faster than usual a voice speaks that has no anchors, > 0.
        aligned: there is an anchor for each word that has been spoken so far.
    """
    if position <= 0:
        return 0
    if audio_end is not None and position + SAME_MOMENT >= audio_end:
        return len(text)
    if aligned and (not anchors or anchors[-1].end_time <= position + SAME_MOMENT):
        return anchors[-1].text_end if anchors else 0
    if audio_end is None and not any(anchor.text_end for anchor in anchors):  # nothing has been said by them yet
        silence = anchors[-1].end_time if anchors else 0.0
        return spoken_within(text, (position + SAME_MOMENT - silence) * SYLLABLES_PER_SECOND * speed)
    if audio_end is not None and not anchors:
        return spoken_within(text, (position + SAME_MOMENT) / audio_end * count_of(text))
    place = _place(len(text), anchors, position + SAME_MOMENT, audio_end)
    return _last_word_end(text, place)


def _place(length: int, anchors: Sequence[WordTiming], position: float, audio_end: float | None) -> float:
    """Where in the text the voice is, in characters."""
    index = bisect_right(anchors, position, key=lambda anchor: anchor.end_time)
    before = anchors[index - 1] if index else WordTiming(0, 0.0)
    if index < len(anchors):
        after = anchors[index]
    elif audio_end is not None:
        after = WordTiming(length, audio_end)
    else:
        rate = before.text_end / before.end_time if before.end_time > 0 else 0.0  # the pace so far goes on
        return min(length, before.text_end + rate * (position - before.end_time))
    span = after.end_time - before.end_time
    share = (position - before.end_time) / span if span > 0 else 1.0
    return before.text_end + share * (after.text_end - before.text_end)


def _last_word_end(text: str, place: float) -> int:
    end = 0
    for word in _WORD.finditer(text):
        if word.end() > place:
            break
        end = word.end()
    return end


def spoken_between(anchors: Sequence[WordTiming], start: int, end: int) -> tuple[float | None, float | None]:
    """When a stretch of the text is spoken, in seconds of its audio; None for an end that no anchor tells.

    A stretch begins to be spoken where what stands before it has been spoken, so pauses are before words.

    Args:
        anchors: ascending, one for each word.
        start: where the stretch begins in the text.
        end: where it ends; space at its end is not waited for.
    """
    before = bisect_right(anchors, start, key=lambda anchor: anchor.text_end)
    last = bisect_left(anchors, end, key=lambda anchor: anchor.text_end)
    begins = (anchors[before - 1].end_time if before else 0.0) if anchors else None
    return begins, anchors[last].end_time if last < len(anchors) else None
