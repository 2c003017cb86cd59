"""What the recogniser is told about a table."""

from __future__ import annotations

import importlib.util

import pytest

from sessionactors.providers.offline.errors import MissingDependencyError, MissingPronunciationError
from sessionactors.providers.offline.front_desk import FRONT_DESK
from sessionactors.providers.offline.grammar import cmudict_path, jsgf_grammar, trimmed_dictionary
from sessionactors.providers.offline.intents import Intent, IntentTable, Slot

TABLE = IntentTable(
    (Intent("order", ("tea [for {number}]", "a cup of tea"), "Tea."), Intent("bye", ("bye",), "Bye.")),
    {"number": Slot({"one": 1, "twenty one": 21}, typed={"1": 1})},
)
DICTIONARY = ["tea T IY\n", "teas T IY Z\n", "for F AO R\n", "for(2) F ER\n", "one W AH N\n", "\n"]


def test_grammar_has_a_rule_per_intent_and_slot() -> None:
    assert jsgf_grammar(TABLE).splitlines() == [
        "#JSGF V1.0;",
        "grammar intents;",
        "public <utterance> = <intent_order> | <intent_bye>;",
        "<intent_order> = tea [for <slot_number>] | a cup of tea;",
        "<intent_bye> = bye;",
        "<slot_number> = one | twenty one;",
    ]


def test_words_without_pronunciation_are_all_named() -> None:
    with pytest.raises(MissingPronunciationError, match="'a', 'bye', 'cup'") as raised:
        trimmed_dictionary(TABLE, DICTIONARY)
    assert raised.value.words == ("a", "bye", "cup", "of", "twenty")


def test_given_pronunciations_win_and_alternatives_are_kept() -> None:
    table = IntentTable((Intent("a", ("tea for one",), ""),), pronunciations={"one": "W AA N"})
    assert trimmed_dictionary(table, DICTIONARY).splitlines() == ["one W AA N", "tea T IY", "for F AO R", "for(2) F ER"]


def test_pronunciations_of_words_that_nobody_says_are_left_out() -> None:
    table = IntentTable((Intent("a", ("tea",), ""),), pronunciations={"coffee": "K AO F IY"})
    assert trimmed_dictionary(table, DICTIONARY) == "tea T IY\n"


def test_every_word_of_the_front_desk_can_be_heard() -> None:
    if importlib.util.find_spec("pocketsphinx") is None:
        pytest.skip("pocketsphinx is not installed")
    with cmudict_path().open(encoding="utf-8") as cmudict:
        lines = trimmed_dictionary(FRONT_DESK, cmudict).splitlines()
    assert FRONT_DESK.spoken_words() == {line.split()[0].split("(")[0] for line in lines}


def test_without_pocketsphinx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sessionactors\[offline\]'") as raised:
        cmudict_path()
    assert not raised.value.retryable
