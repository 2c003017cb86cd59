"""What a voice is given of a text, and the way back from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionactors.actors.text_transforms import spoken_text
from sessionactors.model.errors import OptionError
from sessionactors.model.options import NamedTransform, SessionOptions

BOTH: tuple[NamedTransform, ...] = ("filter_markdown", "filter_emoji")
MARKED = st.text(alphabet=st.sampled_from("ab 1*_`~#>-[]()!\n.😀❤\ufe0f\u200d👨"), max_size=60)


@pytest.mark.parametrize(
    "original, spoken",
    [
        ("Plain text.", "Plain text."),
        ("**bold** and *italic* and __both__ and _one_", "bold and italic and both and one"),
        ("~~gone~~ and `code`", "gone and code"),
        ("# Heading\nText", "Heading\nText"),
        ("- one\n* two\n+ three\n> quoted", "one\ntwo\nthree\nquoted"),
        ("1. one", "1. one"),
        ("see [the page](https://a.example/x_y) now", "see the page now"),
        ("![a cat](cat.png)", "a cat"),
        ("```python\nprint()\n```", "\nprint()\n"),
        ("above\n---\nbelow", "above\n\nbelow"),
        # What only looks like a marker is said.
        ("2 * 3 = 6, 2*3 = 6", "2 * 3 = 6, 2*3 = 6"),
        ("snake_case and a - b", "snake_case and a - b"),
        ("array[0] (sic)", "array[0] (sic)"),
        # Emoji, also those of several code points.
        ("Great 😀!", "Great !"),
        ("family 👨‍👩‍👧 here", "family  here"),
        ("love ❤️ you", "love  you"),
        ("flag 🇨🇭.", "flag ."),
        ("5 € at 20 °C™", "5 € at 20 °C™"),
    ],
)
def test_what_is_said(original: str, spoken: str) -> None:
    assert spoken_text(original, "", BOTH).text == spoken


def test_transforms_can_be_chosen() -> None:
    assert spoken_text("**a** 😀", "", ()).text == "**a** 😀"
    assert spoken_text("**a** 😀", "", ("filter_emoji",)).text == "**a** "
    assert spoken_text("**a** 😀", "", ("filter_markdown",)).text == "a 😀"


def test_a_transform_that_is_not_known_is_refused() -> None:
    with pytest.raises(OptionError, match="filter_markdown, filter_emoji"):
        SessionOptions(tts_text_transforms=("shout",))  # type: ignore[arg-type]


def test_line_marks_count_only_at_the_start_of_a_line() -> None:
    assert spoken_text("- one", "before\n", BOTH).text == "one"
    assert spoken_text("- one", "before ", BOTH).text == "- one"


@pytest.mark.parametrize(
    "original, said, credited",
    [
        ("**Hello** world", "Hello", "**Hello**"),
        ("**Hello** world", "Hello ", "**Hello** "),
        ("say **Hello** world", "say", "say"),
        ("say **Hello** world", "say ", "say "),
        ("see [the page](http://x) now", "see the page", "see [the page](http://x)"),
        ("Great 😀 work", "Great", "Great"),
        ("**Hello**", "Hello", "**Hello**"),
        ("Hello 😀", "Hello ", "Hello 😀"),
    ],
)
def test_the_way_back(original: str, said: str, credited: str) -> None:
    spoken = spoken_text(original, "", BOTH)
    assert spoken.text.startswith(said)
    assert original[: spoken.original_end(len(said))] == credited


@given(MARKED)
def test_the_way_back_is_ascending_and_complete(original: str) -> None:
    spoken = spoken_text(original, "", BOTH)
    ends = [spoken.original_end(end) for end in range(len(spoken.text) + 1)]
    assert ends == sorted(ends)
    if spoken.text:
        assert (ends[0], ends[-1]) == (0, len(original))


@given(MARKED)
def test_what_is_said_is_in_the_original_at_the_place_given(original: str) -> None:
    spoken = spoken_text(original, "", BOTH)
    for stretch in spoken.stretches:
        said = spoken.text[stretch.spoken : stretch.spoken + stretch.length]
        assert said == original[stretch.original : stretch.original + stretch.length]
    assert sum(stretch.length for stretch in spoken.stretches) == len(spoken.text)
    for end in range(1, len(spoken.text) + 1):
        credited = original[: spoken.original_end(end)]
        left = iter(credited)
        assert all(character in left for character in spoken.text[:end])


@given(st.text(max_size=60))
def test_any_text_can_be_transformed(original: str) -> None:
    spoken = spoken_text(original, "x", BOTH)
    assert len(spoken.text) <= len(original)
