"""What counts as expected: a table of expectations and of what came."""

from __future__ import annotations

import pytest

from sessionactors.evals.checks import differences
from sessionactors.evals.course import Called, Came, Said
from sessionactors.evals.scenario_file import Expectation

DOOR = Called("open_door", '{"number": 7, "slowly": false}', "door 7 is open", is_error=False)
RING = Called("ring", "{}", "it rang", is_error=False)


def came(*said: str, cut: str = "", called: tuple[Called, ...] = (), **others: object) -> Came:
    messages = [Said(text, interrupted=False) for text in said] + ([Said(cut, interrupted=True)] if cut else [])
    return Came(at=1.0, said=tuple(messages), called=called, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "expected, what, keys",
    [
        ({"text": "seven TO  ten"}, came("From seven", "to ten."), []),
        ({"text": ["seven", "eight"]}, came("From seven to ten."), ["text"]),
        ({"text": {"exact": "Hi."}}, came("Hi. "), []),
        ({"text": {"exact": "Hi."}}, came("hi."), ["text"]),
        ({"text": {"matches": r"\d+"}}, came("Room 7"), []),
        ({"text": {"matches": r"\d+"}}, came("Room seven"), ["text"]),
        ({"text": {"contains not": "sorry"}}, came("I am Sorry"), ["text"]),
        ({"text": "a"}, came(), ["text"]),
        ({"silent": True}, came(), []),
        ({"silent": True}, came("Hm?"), ["silent"]),
        ({"silent": False}, came(), ["silent"]),
        ({"absent": ["sorry", "kitchen"]}, came("It left the kitchen."), ["absent"]),
        ({"calls": ["ring"]}, came(called=(DOOR, RING)), []),
        ({"calls": [{"open_door": {"number": 7}}, "ring"]}, came(called=(DOOR, RING)), []),
        ({"calls": ["ring", "open_door"]}, came(called=(DOOR, RING)), ["calls"]),
        ({"calls": ["ring", "ring"]}, came(called=(RING,)), ["calls"]),
        ({"calls": {"open_door": {"number": 8}}}, came(called=(DOOR,)), ["calls"]),
        ({"calls": {"open_door": {"key": 8}}}, came(called=(DOOR,)), ["calls"]),
        ({"calls": [{"name": "ring", "output": "rang"}]}, came(called=(RING,)), []),
        ({"calls": [{"name": "ring", "output": "sang"}]}, came(called=(RING,)), ["calls"]),
        ({"not called": "open_door"}, came(called=(RING,)), []),
        ({"not called": "ring"}, came(called=(RING,)), ["not called"]),
        ({"not called": "others"}, came(called=(RING,)), ["not called"]),
        ({"calls": "ring", "not called": "others"}, came(called=(RING,)), []),
        ({"calls": "ring", "not called": "others"}, came(called=(DOOR, RING)), ["not called"]),
        ({"within": 1}, came("a", latency={"total": 0.9}), []),
        ({"within": 1}, came("a", latency={"total": 1.1}), ["within"]),
        ({"within": {"total": 2, "llm": 0.1}}, came("a", latency={"total": 1.1, "llm": 0.2}), ["within"]),
        ({"within": {"total": 2, "llm": 0.1}}, came("a", latency={"total": 1.1}), []),
        ({"within": {"total": 2, "llm": 0.1}}, came(), ["within"]),
        ({"interrupted": True}, came(cut="Once upon"), []),
        ({"interrupted": True}, came("Once upon a time."), ["interrupted"]),
        ({"interrupted": False}, came(cut="Once"), ["interrupted"]),
        ({"interrupted": False}, came("Once."), []),
        ({"interrupted": "once"}, came("Hm.", cut="Once upon"), []),
        ({"interrupted": {"contains not": "upon"}}, came(cut="Once upon"), ["interrupted"]),
        ({"state": {"agent": "listening", "user": "away"}}, came(), ["state"]),
        ({"ends": True}, came(), ["ends"]),
        ({"ends": True}, came(ended=True), []),
        ({"agent": "Desk"}, came(agent=("Desk", "desk")), []),
        ({"agent": "Bell"}, came(agent=("Desk", "desk")), ["agent"]),
        ({"text": "a", "calls": "ring", "ends": True}, came(), ["text", "calls", "ends"]),
    ],
)
def test_what_is_not_as_expected(expected: dict[str, object], what: Came, keys: list[str]) -> None:
    assert [found.key for found in differences(Expectation.model_validate(expected), what)] == keys


def test_a_difference_says_what_came() -> None:
    wanted = Expectation.model_validate({"calls": {"open_door": {"number": 8}}, "within": {"llm": 0.1}})
    calls, within = differences(wanted, came(called=(DOOR,), latency={"total": 1.0, "llm": 0.6, "timer": 0.4}))
    assert calls.expected == "a call open_door(number=8)"
    assert calls.came.endswith("-> 'door 7 is open': number is 7")
    assert within.expected == "llm's part of it within 0.1 s"
    assert within.came == "0.600 s (total 1.000, timer 0.400)"
