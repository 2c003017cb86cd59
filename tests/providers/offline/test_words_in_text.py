"""Words in a text, and where a long text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionactors.providers.offline.words_in_text import TextWords, split_long


@pytest.mark.parametrize("index, end", [(0, 0), (2, 8), (5, 8), (7, 8), (8, 8), (10, 12), (100, 12)])
def test_a_word_ends_after_its_punctuation(index: int, end: int) -> None:
    assert TextWords("  'Yes,' ok!").end_of_word_at(index) == end


def test_short_texts_are_not_cut() -> None:
    assert split_long("One. Two. Three.", 120) == ["One. Two. Three."]


def test_long_texts_are_cut_after_the_first_sentence() -> None:
    text = "This is the first sentence. This is the second. And here comes a third one, which is long."
    assert split_long(text, 60) == [
        "This is the first sentence. ",
        "This is the second. ",
        "And here comes a third one, which is long.",
    ]


def test_an_abbreviation_is_not_a_sentence() -> None:
    assert split_long("Dr. Smith and his wife are here for dinner. Shall we begin?", 50)[0].startswith("Dr. Smith and")


def test_a_long_sentence_is_cut_after_a_clause_or_a_word() -> None:
    assert split_long("we have soup and salad, roast chicken and fish", 30)[0] == "we have soup and salad, "
    assert split_long("we have soup and salad and roast chicken", 30)[0] == "we have soup and salad and "


@given(st.text(alphabet="ab .,!\n", max_size=300), st.integers(30, 80))
def test_the_parts_are_the_text(text: str, most: int) -> None:
    assert "".join(split_long(text, most)) == text


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=9), min_size=1, max_size=60))
def test_no_word_is_cut_and_no_part_is_long(words: list[str]) -> None:
    parts = split_long(" ".join(words), 40)
    assert [word for part in parts for word in part.split()] == words
    assert all(len(part) <= 60 for part in parts)
