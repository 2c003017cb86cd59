"""What a greeting means, as tables: times, words, and the model's answer."""

from __future__ import annotations

import pytest

from sessionactors import AMDCategory, APIError
from sessionactors.actors.greeting import Greeting, Verdict
from sessionactors.actors.greeting_question import MAX_EXTENSIONS, read_answer, tools_for
from sessionactors.interfaces.llm import FunctionToolCall
from sessionactors.messages.answering import AnswerJudged, Due
from sessionactors.model.answering import AMDOptions
from sessionactors.runtime import NS
from sessionactors.runtime.frozen import replace

DEFAULTS = AMDOptions()
HUMAN, MAILBOX, UNSURE = AMDCategory.HUMAN, AMDCategory.MACHINE_VM, AMDCategory.UNCERTAIN


def after(seconds: float, words: str = "", *, pause: float = 0.0) -> Greeting:
    """A greeting of that length, with a pause in it."""
    greeting = Greeting().voice(NS)
    if pause:
        greeting = greeting.silence(NS + NS // 10).voice(NS + NS // 10 + round(pause * NS))
    greeting = greeting.silence(NS + round(seconds * NS))
    return greeting.words(words) if words else greeting


def test_the_times_are_those_that_users_know() -> None:
    assert (DEFAULTS.human_speech_threshold, DEFAULTS.human_silence_threshold) == (2.5, 0.5)
    assert (DEFAULTS.machine_silence_threshold, DEFAULTS.no_speech_threshold) == (1.5, 10.0)
    assert (DEFAULTS.timeout, DEFAULTS.max_endpointing_delay, DEFAULTS.wait_until_finished) == (20.0, 3.0, True)


@pytest.mark.parametrize(
    "greeting, wait",
    [
        (after(1.0), (Due.SHORT, 0.5)),
        (after(2.5), (Due.SHORT, 0.5)),
        (after(2.6), (Due.SILENCE, 1.5)),
        (after(1.0, "Hello?"), (Due.SILENCE, 1.5)),
        (after(9.0, "You have reached"), (Due.SILENCE, 1.5)),
        (after(3.0, pause=2.0), (Due.SILENCE, 1.5)),  # from the first voice on, pauses included
        (Greeting(transcript="words of no voice"), (Due.SILENCE, 1.5)),
    ],
)
def test_what_silence_means_depends_on_length_and_words(greeting: Greeting, wait: tuple[Due, float]) -> None:
    assert greeting.wait(DEFAULTS) == wait


@pytest.mark.parametrize(
    "category, silent, over, asking, counts",
    [
        (None, True, True, False, False),
        (HUMAN, False, True, False, False),
        (HUMAN, True, False, False, True),
        (HUMAN, True, False, True, False),
        (MAILBOX, True, False, False, False),
        (MAILBOX, False, True, False, False),
        (MAILBOX, True, True, False, True),
        (MAILBOX, True, True, True, False),
        (UNSURE, True, False, False, False),
        (UNSURE, True, True, False, True),
    ],
)
def test_a_person_counts_when_silent_and_all_else_when_the_greeting_is_over(
    category: AMDCategory | None, silent: bool, over: bool, asking: bool, counts: bool
) -> None:
    verdict = None if category is None else Verdict(category, "llm")
    assert Greeting(silent=silent, over=over, verdict=verdict, asking=asking).counts is counts


@pytest.mark.parametrize(
    "before, finish, done, expected",
    [
        (Greeting(), True, False, (UNSURE, True)),  # nothing was heard: there is nothing to wait for
        (after(1.0), True, False, (UNSURE, False)),
        (after(1.0), False, False, (UNSURE, True)),
        (after(1.0), True, True, (UNSURE, True)),
        (replace(after(1.0, "Hi."), verdict=Verdict(MAILBOX, "llm")), True, True, (MAILBOX, True)),
    ],
)
def test_a_timeout_decides_what_the_model_has_not(
    before: Greeting, finish: bool, done: bool, expected: tuple[AMDCategory, bool]
) -> None:
    after_it = before.settled(UNSURE, "timeout", replace(DEFAULTS, wait_until_finished=finish), done=done)
    assert after_it.verdict is not None
    assert (after_it.verdict.category, after_it.counts) == expected


def test_a_turn_that_ends_without_an_end_of_the_voice_is_its_end() -> None:
    ended = Greeting().voice(NS).turn_ended()
    assert (ended.speaking, ended.silent, ended.over) == (False, True, True)
    assert ended.seconds(3 * NS) == 2.0
    assert after(1.0).turn_ended().silent is False
    assert Greeting().silence(NS) == Greeting()
    assert Greeting().seconds(NS) == Greeting().since(NS) == 0.0


@pytest.mark.parametrize(
    "tool, arguments, text, judged",
    [
        ("save_prediction", '{"label": "human"}', "", AnswerJudged(1, HUMAN)),
        ("save_prediction", '{"label": "uncertain"}', "", AnswerJudged(1, UNSURE)),
        ("postpone_termination", '{"seconds": 4}', "", AnswerJudged(1, None, 4.0)),
        ("postpone_termination", '{"seconds": 400}', "", AnswerJudged(1, None, 10.0)),
        ("postpone_termination", '{"seconds": -1}', "", AnswerJudged(1, None, 0.0)),
        ("postpone_termination", '{"seconds": NaN}', "", AnswerJudged(1, None, 10.0)),
        ("postpone_termination", "{}", "", AnswerJudged(1, None, 10.0)),
        ("", "", " Machine-VM.\n", AnswerJudged(1, MAILBOX)),
        ("", "", "It is a mailbox.", None),
        ("", "", "", None),
        ("save_prediction", '{"label": "dog"}', "human", None),
        ("save_prediction", "[1]", "", None),
        ("save_prediction", "{", "", None),
        ("hang_up", '{"label": "human"}', "", None),
    ],
)
def test_the_models_answer_is_read(tool: str, arguments: str, text: str, judged: AnswerJudged | None) -> None:
    calls = [FunctionToolCall("call", tool, arguments)] if tool else []
    if judged is None:
        with pytest.raises(APIError, match="the model was asked who answered the call, and said "):
            read_answer(1, calls, text)
    else:
        assert read_answer(1, calls, text) == judged


def test_a_verdict_cannot_be_postponed_for_ever() -> None:
    assert [len(tools_for(extensions)) for extensions in range(MAX_EXTENSIONS + 1)] == [2, 2, 2, 1]
