"""The intent table: what it refuses, what it matches, what it calls complete."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionactors.providers.offline.errors import IntentTableError
from sessionactors.providers.offline.front_desk import FRONT_DESK
from sessionactors.providers.offline.intents import (
    Completeness,
    Intent,
    IntentTable,
    IntentTool,
    Slot,
    fill_template,
)

from tests.providers.offline.speech import random_sentence

NUMBER = Slot({"one": 1, "twenty one": 21}, typed={"1": 1})


@given(st.randoms(use_true_random=False))
def test_every_sentence_of_the_grammar_is_matched_and_complete(rng: random.Random) -> None:
    sentence = random_sentence(FRONT_DESK, rng)
    found = FRONT_DESK.match(sentence)
    assert found is not None
    assert FRONT_DESK.is_complete(sentence)
    assert any(sentence.split()[0] == example.split()[0] for example in found.intent.examples)


@given(st.randoms(use_true_random=False), st.data())
def test_no_beginning_of_a_sentence_is_unknown(rng: random.Random, data: st.DataObject) -> None:
    words = random_sentence(FRONT_DESK, rng).split()
    beginning = " ".join(words[: data.draw(st.integers(1, len(words)))])
    assert FRONT_DESK.completeness(beginning) is not Completeness.UNKNOWN


@pytest.mark.parametrize(
    "text, intent, arguments",
    [
        ("book a table for four at seven thirty", "book_table", {"guests": 4, "time": "19:30"}),
        ("Book a table for 2 at 8:30, please!", "book_table", {"guests": 2, "time": "20:30"}),
        ("well, I would like a table for twelve at noon then", "book_table", {"guests": 12, "time": "12:00"}),
        ("where is my order number eleven", "order_status", {"order": 11}),
        ("thank you very much", "thanks", {}),
        ("and when do you close?", "opening_hours", {}),
    ],
)
def test_text_is_matched_with_its_slots(text: str, intent: str, arguments: dict[str, object]) -> None:
    found = FRONT_DESK.match(text)
    assert found is not None
    assert (found.intent.name, FRONT_DESK.arguments(found)) == (intent, arguments)


@pytest.mark.parametrize("text", ["", "hello there", "book a table", "a table for fifty at seven"])
def test_text_that_holds_no_phrase_is_not_matched(text: str) -> None:
    assert FRONT_DESK.match(text) is None


def test_the_phrase_that_covers_most_words_wins() -> None:
    found = FRONT_DESK.match("thank you what is for dinner")
    assert found is not None
    assert found.intent.name == "menu"


@pytest.mark.parametrize(
    "text, completeness",
    [
        ("when do you close", Completeness.COMPLETE),
        ("so when do you close", Completeness.COMPLETE),
        ("thank you when do you close", Completeness.COMPLETE),
        ("thank you", Completeness.MAY_GROW),
        ("book a table for two at seven", Completeness.MAY_GROW),
        ("book a table for two at seven thirty please", Completeness.COMPLETE),
        ("book a table for", Completeness.PARTIAL),
        ("when do you close book a", Completeness.PARTIAL),
        ("hello", Completeness.UNKNOWN),
        ("when do you close tomorrow", Completeness.UNKNOWN),
        ("", Completeness.UNKNOWN),
    ],
)
def test_completeness_is_that_of_the_end_of_the_text(text: str, completeness: Completeness) -> None:
    assert FRONT_DESK.completeness(text) is completeness


def test_an_argument_without_its_slot_is_left_out_and_a_literal_stays() -> None:
    tool = IntentTool("order", arguments={"count": "{number}", "kind": "tea"})
    table = IntentTable((Intent("order", ("tea [for {number}]",), "Tea.", tool),), {"number": NUMBER})
    assert [table.arguments(found) for text in ("tea", "tea for twenty one") if (found := table.match(text))] == [
        {"kind": "tea"},
        {"kind": "tea", "count": 21},
    ]


def _table(*intents: Intent, **slots: Slot) -> Callable[[], IntentTable]:
    return lambda: IntentTable(intents, slots)


@pytest.mark.parametrize(
    "make, complaint",
    [
        (_table(), "at least one intent"),
        (_table(Intent("a", ("yes",), ""), Intent("a", ("no",), "")), "each name once"),
        (_table(Intent("Yes", ("yes",), "")), "name 'Yes'"),
        (_table(Intent("a", (), "")), "no examples"),
        (_table(Intent("a", ("for {number}",), "")), r"names \['number'\]; known slots are \[\]"),
        (_table(Intent("a", ("yes",), "For {number}."), number=NUMBER), "none of its examples contains"),
        (_table(Intent("a", ("yes",), "", IntentTool("t", {"n": "{number}"})), number=NUMBER), "none of its examples"),
        (lambda: Slot({}), "at least one spoken value"),
        (lambda: Slot({"7": 7}), "not spoken words"),
        (lambda: Slot({"": 7}), "not spoken words"),
        (lambda: Slot({"one": 1}, typed={"?": 1}), "no letters or digits"),
        (lambda: IntentTable((Intent("a", ("yo",), ""),), pronunciations={"yo": "Y OW1"}), "not ARPAbet"),
        (lambda: IntentTable((Intent("a", ("yo",), ""),), pronunciations={"yo": ""}), "not ARPAbet"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(IntentTableError, match=complaint):
        make()


def test_a_table_does_not_change_with_what_it_was_made_from() -> None:
    values: dict[str, str | int | float | bool | list[object] | dict[str, object] | None] = {"one": 1}
    slot = Slot(values)  # type: ignore[arg-type]
    values["two"] = 2
    assert list(slot.values) == ["one"]


def test_a_template_takes_text_and_nothing_else() -> None:
    assert fill_template("{a} {a.__class__} {b}", {"a": "{b}", "b": "2"}) == "{b} {a.__class__} 2"
    with pytest.raises(KeyError):
        fill_template("{a}", {})
