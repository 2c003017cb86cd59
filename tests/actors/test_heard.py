"""How much of a text was heard, as a table."""

from __future__ import annotations

import pytest

from sessionactors.actors.heard import heard_length, spoken_between
from sessionactors.actors.syllables import SYLLABLES_PER_SECOND, syllables
from sessionactors.interfaces.tts import WordTiming

TEXT = "One two three"
WORDS = (WordTiming(3, 0.3), WordTiming(7, 0.7), WordTiming(13, 1.3))
SENTENCES = "Hello there. How are you?"
ENDS = (WordTiming(12, 1.0), WordTiming(25, 2.0))


@pytest.mark.parametrize(
    "position, heard",
    [
        (0.0, ""),
        (-1.0, ""),
        (0.29, ""),
        (0.296, "One"),
        (0.3, "One"),
        (0.69, "One"),
        (0.7, "One two"),
        (1.29, "One two"),
        (1.3, "One two three"),
        (9.0, "One two three"),
    ],
)
def test_with_an_anchor_for_each_word_it_is_exact_to_the_word(position: float, heard: str) -> None:
    assert TEXT[: heard_length(TEXT, WORDS, position)] == heard


@pytest.mark.parametrize(
    "position, heard",
    [
        (0.4, ""),
        (0.5, "Hello"),
        (0.99, "Hello"),
        (1.0, "Hello there."),
        (1.4, "Hello there. How"),
        (1.99, "Hello there. How are"),
        (2.0, "Hello there. How are you?"),
    ],
)
def test_between_two_anchors_the_text_is_taken_to_be_spoken_evenly(position: float, heard: str) -> None:
    assert SENTENCES[: heard_length(SENTENCES, ENDS, position)] == heard


def test_behind_the_last_anchor_the_pace_so_far_goes_on() -> None:
    text = "One two three four"
    assert text[: heard_length(text, WORDS, 1.75)] == "One two three"
    assert text[: heard_length(text, WORDS, 1.8)] == "One two three four"


def test_behind_the_last_anchor_the_known_end_of_the_audio_counts() -> None:
    text = "One two three four"
    assert text[: heard_length(text, WORDS, 2.9, audio_end=3.0)] == "One two three"
    assert text[: heard_length(text, WORDS, 2.996, audio_end=3.0)] == text


def test_without_anchors_a_rate_of_syllables_is_assumed() -> None:
    text = "word " * 20
    assert SYLLABLES_PER_SECOND == 3.83
    assert heard_length(text, (), 1.0) == len("word word word")
    assert heard_length(text, (), 1.0, speed=2.0) == len("word " * 7) - 1
    assert heard_length("A university.", (), 1.5) == 1  # six syllables take longer
    assert heard_length("A university.", (), 1.6) == len("A university.")


def test_without_anchors_the_length_of_the_audio_gives_the_rate() -> None:
    assert heard_length("aaaa bbbb", (), 1.0, audio_end=2.0) == 4
    assert heard_length("no university", (), 0.4, audio_end=2.4) == 2


@pytest.mark.parametrize(
    "word, count",
    [
        ("a", 1),
        ("word", 1),
        ("time,", 1),
        ("table", 2),
        ("coffee", 2),
        ("university", 5),
        ("daughters", 2),
        ("the", 1),
        ("rhythm", 1),
        ("--", 0),
        ("2026", 2),
        ("\u65e5\u672c\u8a9e", 1),
    ],
)
def test_syllables_of_words(word: str, count: int) -> None:
    assert syllables(word) == count


def test_two_anchors_at_one_moment() -> None:
    anchors = (WordTiming(3, 0.5), WordTiming(7, 0.5))
    assert TEXT[: heard_length(TEXT, anchors, 0.5)] == "One two"


def test_an_empty_text_is_never_heard() -> None:
    assert heard_length("", (), 3.0) == 0
    assert heard_length("", (), 3.0, audio_end=1.0) == 0


def test_the_rest_of_a_text_whose_timings_start_late_is_estimated() -> None:
    anchors = (WordTiming(0, 0.2),)  # silence before the first word
    assert TEXT[: heard_length(TEXT, anchors, 0.2 + 0.53)] == "One two"


@pytest.mark.parametrize(
    "start, end, times",
    [
        (0, 3, (0.0, 0.3)),
        (3, 7, (0.3, 0.7)),
        (0, 13, (0.0, 1.3)),
        (3, 4, (0.3, 0.7)),  # within a word: its end
        (5, 13, (0.3, 1.3)),
        (7, 20, (0.7, None)),  # nothing is known of what stands behind the last word
    ],
)
def test_a_stretch_is_spoken_from_the_end_of_what_is_before_it(
    start: int, end: int, times: tuple[float, float | None]
) -> None:
    assert spoken_between(WORDS, start, end) == times


def test_without_anchors_no_time_is_known() -> None:
    assert spoken_between((), 0, 3) == (None, None)
