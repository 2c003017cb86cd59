"""The public states, as a reducer over facts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import TypeAlias, get_args

import pytest

from sessionactors.actors import states
from sessionactors.actors.states import AGENT_TRANSITIONS, USER_TRANSITIONS, AgentFacts
from sessionactors.model.events import AgentState, UserState

Step: TypeAlias = Callable[[AgentFacts], AgentFacts]


def scheduled(speech: str) -> Step:
    return lambda facts: states.scheduled(facts, speech)


def audible(speech: str) -> Step:
    return lambda facts: states.audible(facts, speech)


def quiet(speech: str, *, working: bool = False) -> Step:
    return lambda facts: states.quiet(facts, speech, working=working)


def seen(*steps: Step) -> list[AgentState]:
    facts = AgentFacts(ready=True)
    shown = [states.agent_state(facts)]
    for step in steps:
        facts = step(facts)
        shown.append(states.agent_state(facts))
    return [shown[0], *(new for old, new in pairwise(shown) if new != old)]


@pytest.mark.parametrize(
    "steps, shown",
    [
        ((), ["listening"]),
        ((scheduled("a"), audible("a"), quiet("a")), ["listening", "thinking", "speaking", "listening"]),
        ((audible("a"), quiet("a")), ["listening", "speaking", "listening"]),
        ((scheduled("a"), quiet("a")), ["listening", "thinking", "listening"]),
        (
            (scheduled("a"), audible("a"), quiet("a", working=True), audible("a"), quiet("a")),
            ["listening", "thinking", "speaking", "thinking", "speaking", "listening"],
        ),
        (
            (scheduled("a"), audible("a"), scheduled("b"), quiet("a"), audible("b"), quiet("b")),
            ["listening", "thinking", "speaking", "thinking", "speaking", "listening"],
        ),
        (
            (scheduled("a"), audible("b"), quiet("b"), quiet("a")),
            ["listening", "thinking", "speaking", "thinking", "listening"],
        ),
        ((audible("a"), audible("b"), quiet("a"), quiet("b")), ["listening", "speaking", "listening"]),
        ((quiet("never"),), ["listening"]),
    ],
)  # fmt: skip
def test_agent_state_follows_the_facts(steps: tuple[Step, ...], shown: list[AgentState]) -> None:
    assert seen(*steps) == shown


def test_nothing_but_initializing_before_the_session_listens() -> None:
    assert states.agent_state(states.audible(AgentFacts(), "a")) == "initializing"


def test_every_change_that_facts_of_two_speeches_can_make_is_in_the_table() -> None:
    steps = [
        make(speech) for speech in ("a", "b") for make in (scheduled, audible, quiet, lambda s: quiet(s, working=True))
    ]
    for sequence in product(steps, repeat=4):
        for old, new in pairwise(seen(*sequence)):
            assert new in AGENT_TRANSITIONS[old]


def test_the_tables_name_every_state_and_no_change_to_itself() -> None:
    assert set(AGENT_TRANSITIONS) == set(get_args(AgentState))
    assert set(USER_TRANSITIONS) == set(get_args(UserState))
    assert not [
        state for state, following in (*AGENT_TRANSITIONS.items(), *USER_TRANSITIONS.items()) if state in following
    ]


def test_the_users_speak_when_any_of_them_does() -> None:
    assert states.user_state(frozenset()) == "listening"
    assert states.user_state(frozenset({"ann"})) == "speaking"
    assert states.user_state(frozenset({"ann", "bob"})) == "speaking"
