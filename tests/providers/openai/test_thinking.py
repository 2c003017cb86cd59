"""Thoughts before an answer are not spoken, however the text is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionactors.providers.openai.thinking import SpokenText


def said(pieces: list[str]) -> str:
    spoken = SpokenText()
    return "".join(spoken.take(piece) for piece in pieces) + spoken.finish()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Good morning.", "Good morning."),
        ("<think>hm</think>Good morning.", "Good morning."),
        ("\n<think>\nhm\n</think>\n\n Good <think> morning.", "Good <think> morning."),
        ("<think>and on", ""),
        ("<thin", "<thin"),
        ("<b>Bold</b>", "<b>Bold</b>"),
        ("  <think></think>", ""),
        ("", ""),
    ],
)
@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 60), max_size=12))
def test_however_it_is_cut(text: str, expected: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert said([text[begin:end] for begin, end in pairwise(places)]) == expected
