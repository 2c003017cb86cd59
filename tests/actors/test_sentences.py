"""Cutting a text into pieces: nothing is lost, however the text arrives, and pieces end where sentences do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionactors.actors.sentences import LEAST, MOST, SentenceCutter

TEXTS = st.text(alphabet=st.sampled_from("ab A.!?,;…。\n \t\"')*1")) | st.text(max_size=80)


def cut(*parts: str) -> list[str]:
    cutter = SentenceCutter()
    pieces: list[str] = []
    for part in parts:
        cutter, more = cutter.push(part)
        pieces.extend(more)
    return [*pieces, *cutter.finish()]


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("", []),
        ("   ", ["   "]),
        ("Hello there", ["Hello there"]),
        # The first piece is short, so that the listener waits less.
        ("Hello! How are you doing today? I am fine.", ["Hello! ", "How are you doing today? ", "I am fine."]),
        ("Well, let me see what I can do, my dear friend.", ["Well, let me see what I can do, ", "my dear friend."]),
        # Later ones are long enough to be spoken well.
        (
            "First of all. One. Two. Three. Four. That will do nicely.",
            ["First of all. ", "One. Two. Three. Four. ", "That will do nicely."],
        ),
        # No sentence ends in numbers, abbreviations, initials and ellipses.
        ("It costs about 3.5 euros. Not more than that.", ["It costs about 3.5 euros. ", "Not more than that."]),
        ("I met Dr. Smith and Mr. Brown yesterday. Yes.", ["I met Dr. Smith and Mr. Brown yesterday. ", "Yes."]),
        ("He left the U.S. for good, e.g. by ship.", ["He left the U.S. for good, ", "e.g. by ship."]),
        ("Ask J. Smith about that one day. Do it.", ["Ask J. Smith about that one day. ", "Do it."]),
        ("Wait for it... and there it is. See?", ["Wait for it... and there it is. ", "See?"]),
        ("So it was you… and not me at all. See?", ["So it was you… and not me at all. ", "See?"]),
        # Closing quotes belong to what they close.
        ('She said "Stop it now!" and then left him.', ['She said "Stop it now!" ', "and then left him."]),
        ("**Now that is bold.** And this is not.", ["**Now that is bold.** ", "And this is not."]),
        # Lists: an item is a piece, its number no sentence.
        (
            "1. The first thing to do\n2. The second thing to do\n",
            ["1. The first thing to do\n", "2. The second thing to do\n"],
        ),
        (
            "A heading without a dot\n\nAnd the text below it.",
            ["A heading without a dot\n", "\nAnd the text below it."],
        ),
        # Scripts that need no space after a sentence.
        ("今日は天気がいいですね。明日も晴れるでしょう。", ["今日は天気がいいですね。", "明日も晴れるでしょう。"]),
        ("What a day?! And what a night it was then.", ["What a day?! ", "And what a night it was then."]),
        ("This is what I think . Do you agree with me?", ["This is what I think . ", "Do you agree with me?"]),
    ],
)
def test_pieces(text: str, pieces: list[str]) -> None:
    assert cut(text) == pieces


def test_a_text_without_any_sentence_is_cut_at_white_space() -> None:
    pieces = cut("word " * 200)
    assert all(len(piece) <= MOST for piece in pieces)
    assert all(piece.endswith("word ") for piece in pieces)
    assert "".join(pieces) == "word " * 200


def test_a_text_without_white_space_is_cut_all_the_same() -> None:
    assert [len(piece) for piece in cut("x" * (2 * MOST + 7))] == [MOST, MOST, 7]


def test_a_piece_comes_with_the_space_that_proves_its_end() -> None:
    cutter, pieces = SentenceCutter().push("This is a sentence.")
    assert pieces == ()
    cutter, pieces = cutter.push(" ")
    assert pieces == ("This is a sentence. ",)
    assert cutter.finish() == ()


@given(TEXTS)
def test_nothing_is_lost(text: str) -> None:
    assert "".join(cut(text)) == text


@given(TEXTS, st.data())
def test_pieces_do_not_depend_on_how_the_text_arrives(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    parts = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    assert cut(*parts) == cut(text)


@given(TEXTS)
def test_only_the_first_and_the_last_piece_are_short(text: str) -> None:
    assert all(len(piece.strip()) >= LEAST for piece in cut(text)[1:-1])
