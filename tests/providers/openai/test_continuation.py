"""Which response a conversation goes on from, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from sessionactors.providers.openai.responses import continuation
from sessionactors.providers.openai.responses.continuation import Answered, Continuations, calls_of

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
SAID = {"role": "assistant", "content": "Hello."}
CALL = {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "here"}
MORE = {"role": "user", "content": "And?"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


def known(text: str = "", *calls: tuple[str, str]) -> Continuations:
    continuations = Continuations()
    continuations.remember(ASKED, Answered("resp", text, calls_of(calls)))
    return continuations


@pytest.mark.parametrize(
    "answered, follows, rest",
    [
        (known("Hello."), [SAID, MORE], [MORE]),
        (known("Hello."), [SAID], None),
        (known("Hello."), [MORE], None),
        (known("Hello there."), [SAID, MORE], None),
        (known("", ("a", "look")), [CALL, OUTPUT], [OUTPUT]),
        (known("", ("a", "look")), [THOUGHT, CALL, OUTPUT, MORE], [OUTPUT, MORE]),
        (known("Hello.", ("a", "look")), [SAID, CALL, OUTPUT], [OUTPUT]),
        (known("Hello.", ("a", "look")), [CALL, OUTPUT, SAID], [OUTPUT]),
        (known("Hello.", ("a", "look")), [CALL, OUTPUT], None),
        (known("Hello."), [SAID, CALL, OUTPUT], [CALL, OUTPUT]),
        (known("", ("b", "look")), [CALL, OUTPUT], None),
    ],
)
def test_what_is_sent(
    answered: Continuations, follows: list[dict[str, Any]], rest: list[dict[str, Any]] | None
) -> None:
    found = answered.find([*ASKED, *follows])
    assert found == (None if rest is None else ("resp", rest))


def test_of_several_answers_the_newest_that_fits() -> None:
    continuations = known("Hello.")
    continuations.remember(ASKED, Answered("again", "Hello.", frozenset()))
    continuations.remember(ASKED, Answered("other", "Hi.", frozenset()))
    assert continuations.find([*ASKED, SAID, MORE]) == ("again", [MORE])
    continuations.forget("again")
    assert continuations.find([*ASKED, SAID, MORE]) == ("resp", [MORE])
    continuations.forget("resp")
    continuations.forget("other")
    assert continuations.find([*ASKED, SAID, MORE]) is None


def test_the_longest_beginning_counts() -> None:
    continuations = known("Hello.")
    longer = [*ASKED, SAID, MORE]
    continuations.remember(longer, Answered("later", "Fine.", frozenset()))
    again = {"role": "assistant", "content": "Fine."}
    assert continuations.find([*longer, again, MORE]) == ("later", [MORE])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuation, "REMEMBERED", 2)
    continuations = known("Hello.")
    for number in range(2):
        continuations.remember([{"role": "user", "content": str(number)}], Answered(f"{number}", "Yes.", frozenset()))
    assert continuations.find([*ASKED, SAID, MORE]) is None
    yes = {"role": "assistant", "content": "Yes."}
    assert continuations.find([{"role": "user", "content": "0"}, yes, MORE]) == ("0", [MORE])
