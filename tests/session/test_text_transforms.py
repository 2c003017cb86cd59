"""Transforms of what the voice is given, the users' own among them. History keeps the text as it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable

import pytest

from sessionactors import NodeError, OptionError, text_transforms
from sessionactors.model.options import TextStreamTransform
from sessionactors.testing import Scenario
from sessionactors.testing import run as in_virtual_time

from tests.session.talks import barge_in, keeper, near, one_turn


def spoken(scenario: Scenario) -> tuple[list[str], list[str]]:
    """What the voice said, word by word, and what the history has."""
    run = scenario.play()
    return [word for piece in run.audio for word in piece.words], run.said()


async def shouting(text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    async for piece in text:
        yield piece.upper()


def test_a_function_of_the_users_transforms_what_is_said_and_the_history_keeps_the_text() -> None:
    words, said = spoken(one_turn(tts_text_transforms=[shouting]))
    assert words == ["I", "AM", "FINE,", "THANK", "YOU."]
    assert said == ["I am fine, thank you."]


def test_transforms_follow_each_other_what_is_left_out_by_name_first() -> None:
    scenario = Scenario(
        keeper(), tts_text_transforms=[text_transforms.replace({"fine": "splendid"}), "filter_markdown", shouting]
    )
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("I am **fine**.")
    words, said = spoken(scenario)
    assert words == ["I", "AM", "SPLENDID."]
    assert said == ["I am **fine**."]


def test_p02_history_is_cut_at_the_last_heard_word_although_other_words_were_said() -> None:
    scenario = barge_in(tts_text_transforms=[text_transforms.replace({"time": "day and night"}), shouting])
    words, said = spoken(scenario)
    heard = said[0].split()
    assert said[0].startswith("Once upon a time there")
    assert "NIGHT" in words
    first = words[: words.index("ALL")]
    assert first[-1].lower() == heard[-1].lower()


async def broken(text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    async for piece in text:
        if piece:
            raise RuntimeError(f"no {piece}")
        yield piece


async def numbers(text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    async for _ in text:
        yield 5  # type: ignore[misc]


@pytest.mark.parametrize(
    "transform, says",
    [(broken, "a text transform raised RuntimeError"), (numbers, "a text transform yielded int")],
)
def test_a_transform_that_is_wrong_costs_the_sound_and_is_named(transform: TextStreamTransform, says: str) -> None:
    run = one_turn(tts_text_transforms=[transform]).play()
    (event,) = [event for event in run.errors if event.source == "tts"]
    assert says in str(event.error)
    assert isinstance(event.error.__cause__, NodeError)
    assert run.agent_states[-1] == "listening"


async def nothing(text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
    async for _ in text:
        yield ""


def test_a_transform_that_leaves_nothing_to_say_is_no_failure() -> None:
    run = one_turn(tts_text_transforms=[nothing]).play()
    assert run.errors == []
    assert run.agent_states[-1] == "listening"


@pytest.mark.parametrize("pieces", [1, 2, 3, 7])
@pytest.mark.parametrize(
    "words, case_sensitive, text, said",
    [
        ({"SQL": "sequel"}, False, "sql and SQL are SQLite.", "sequel and sequel are sequelite."),
        ({"SQL": "sequel"}, True, "sql and SQL", "sql and sequel"),
        ({"New York": "the city", "New": "old"}, False, "new York, New Yo and new", "the city, old Yo and old"),
        ({"a.b": r"\1"}, False, "a.b axb", r"\1 axb"),
        ({"aa": "b"}, False, "aaa", "ba"),
    ],
)
def test_words_are_replaced_however_the_text_comes_in_pieces(
    words: dict[str, str], case_sensitive: bool, text: str, said: str, pieces: int
) -> None:
    async def cut() -> AsyncGenerator[str, None]:
        for start in range(0, len(text), pieces):
            yield text[start : start + pieces]

    async def test() -> str:
        return "".join([piece async for piece in text_transforms.replace(words, case_sensitive=case_sensitive)(cut())])

    assert in_virtual_time(test) == said


def test_text_that_begins_no_word_is_not_held_back() -> None:
    async def test() -> list[str]:
        async def pieces() -> AsyncGenerator[str, None]:
            for piece in ("Hello ", "there, N", "ew York"):
                yield piece

        return [piece async for piece in text_transforms.replace({"New York": "city"})(pieces())]

    assert in_virtual_time(test) == ["Hello ", "there, ", "city"]


@pytest.mark.parametrize("words", [{}, {"": "x"}])
def test_nothing_to_replace_is_an_error(words: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="needs words to replace"):
        text_transforms.replace(words)


def test_a_voice_with_transforms_takes_no_longer() -> None:
    plain, transformed = one_turn().play(), one_turn(tts_text_transforms=[shouting]).play()
    assert transformed.agent_became("speaking") == [near(time) for time in plain.agent_became("speaking")]
