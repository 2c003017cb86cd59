"""Text that knows when it is said."""

from __future__ import annotations

from typing import Self

from .sentinel import NOT_GIVEN, NotGivenOr


class TimedString(str):
    """A piece of text with the times of its audio; in all else the text itself.

    Args:
        text: a word or so, with the space around it.
        start_time: seconds from the start of the audio at which it begins to be spoken.
        end_time: seconds at which it has been spoken.
        confidence: how sure a recogniser is, 0 to 1.
        start_time_offset: seconds to be added to both times, where audio does not begin with its session.
        speaker_id: who speaks, where a recogniser tells speakers apart.
    """

    __slots__ = ("confidence", "end_time", "speaker_id", "start_time", "start_time_offset")

    start_time: NotGivenOr[float]
    end_time: NotGivenOr[float]
    confidence: NotGivenOr[float]
    start_time_offset: NotGivenOr[float]
    speaker_id: str | None

    def __new__(
        cls,
        text: str,
        start_time: NotGivenOr[float] = NOT_GIVEN,
        end_time: NotGivenOr[float] = NOT_GIVEN,
        confidence: NotGivenOr[float] = NOT_GIVEN,
        start_time_offset: NotGivenOr[float] = NOT_GIVEN,
        speaker_id: str | None = None,
    ) -> Self:
        """The text, with its times."""
        made = super().__new__(cls, text)
        made.start_time = start_time
        made.end_time = end_time
        made.confidence = confidence
        made.start_time_offset = start_time_offset
        made.speaker_id = speaker_id
        return made
