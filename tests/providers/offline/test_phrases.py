"""The pattern language of phrases."""

from __future__ import annotations

import pytest

from sessionactors.providers.offline.errors import IntentTableError
from sessionactors.providers.offline.phrases import Maybe, SlotRef, Walk, parse_phrase, split_words


def test_phrase_is_words_slots_and_optional_words() -> None:
    assert parse_phrase("book a table for {number} [at {time} [please]]") == (
        *("book", "a", "table", "for"),
        SlotRef("number"),
        Maybe(("at", SlotRef("time"), Maybe(("please",)))),
    )


@pytest.mark.parametrize(
    "phrase, complaint",
    [
        ("a table for 2", "'2' is not a spoken word"),
        ("Book a table", "'Book' is not a spoken word"),
        ("a table, please", "'table,' is not a spoken word"),
        ("a table ]", "']' without a '['"),
        ("a table [please", "never closed"),
        ("a table []", "']' without a '['"),
        ("a table {", "neither a word"),
        ("[please]", "must not be optional"),
        ("", "must not be optional"),
        ("{number} or {number}", "a slot may come once"),
    ],
)
def test_a_phrase_that_cannot_be_spoken_is_refused_with_the_reason(phrase: str, complaint: str) -> None:
    with pytest.raises(IntentTableError, match=complaint.replace("[", r"\[").replace("{", r"\{")):
        parse_phrase(phrase)


@pytest.mark.parametrize(
    "text, words",
    [
        ("When do you close?", ["when", "do", "you", "close"]),
        ("I\u2019d like it at 7:30 p.m.", ["i'd", "like", "it", "at", "7", "30", "p", "m"]),
        ("  ", []),
        ("'quoted'", ["quoted"]),
    ],
)
def test_text_is_compared_by_its_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_the_longest_value_of_a_slot_is_tried_first() -> None:
    walk = Walk(["at", "seven", "thirty"], {"time": (("seven", "thirty"), ("seven",))})
    spans = list(walk.spans(parse_phrase("at {time}"), 0))
    assert [(span.end, span.taken["time"]) for span in spans] == [(3, ("seven", "thirty")), (2, ("seven",))]


def test_a_walk_remembers_that_the_words_ran_out_inside_a_phrase() -> None:
    walk = Walk(["at", "seven"], {"time": (("seven", "thirty"), ("seven",))})
    assert [span.end for span in walk.spans(parse_phrase("at {time}"), 0)] == [2]
    assert walk.ran_out
