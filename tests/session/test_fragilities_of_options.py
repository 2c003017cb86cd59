"""Fragilities that belong to the turn's end, to what is attached, and to the public names (section 9 of the reference).

``F07`` and so on are the numbers of that list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

import sessionactors
from sessionactors import AudioSource
from sessionactors.actors import states
from sessionactors.interfaces.audio_io import FrameCallback
from sessionactors.model.events import AgentState, UserState
from sessionactors.testing import Scenario, explore

from tests.session.talks import Session, keeper, one_turn, played


@pytest.mark.parametrize("again", [2.98, 3.0, 3.02])
def test_f07_a_turn_that_was_decided_is_committed_whatever_comes_then(again: float) -> None:
    """The user speaks again in the moment in which the turn ends: it is one turn or two, and nothing is lost."""

    def scenario() -> Scenario:
        scenario = Scenario(keeper())
        scenario.user_says("How are", at=0.5, until=2.5)
        scenario.user_says("you today?", at=again, until=again + 1.0)
        scenario.llm_otherwise("Fine.")
        return scenario

    run = played(scenario())
    assert " ".join(text for role, text in run.conversation if role == "user") == "How are you today?"
    if again == 3.0:  # the end of the turn itself
        explore(scenario, schedules=3)


class Noted(AudioSource):
    """Notes when it is started and let go."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name, self._log = name, log

    def start(self, on_frame: FrameCallback, on_end: Callable[[], None]) -> None:
        self._log.append(f"{self._name} starts")

    def stop(self) -> None:
        self._log.append(f"{self._name} is let go")


def test_f15_a_source_is_let_go_before_the_next_one_is_heard() -> None:
    log: list[str] = []
    sources = [Noted(name, log) for name in ("first", "second", "third")]

    def swap(session: Session) -> None:
        for source in sources:
            session.input.audio = source

    scenario = one_turn()
    scenario.call(1.0, swap)
    scenario.close(at=2.0)
    run = scenario.play()
    assert [line for line in log if not line.startswith("third")] == [
        "first starts",
        "first is let go",
        "second starts",
        "second is let go",
    ]
    assert log[4] == "third starts"
    assert "third is let go" in log[5:]
    assert run.leaks == ()


def test_f19_every_public_name_can_be_imported_and_every_public_state_can_be_reached() -> None:
    assert [name for name in sessionactors.__all__ if getattr(sessionactors, name, None) is None] == []
    assert len(set(sessionactors.__all__)) == len(sessionactors.__all__)

    def reached(table: object, start: str) -> set[str]:
        known, new = {start}, {start}
        while new:
            new = {after for state in new for after in table[state]} - known  # type: ignore[index]
            known |= new
        return known

    assert reached(states.AGENT_TRANSITIONS, "initializing") == {*get_args(AgentState)} - {"idle"}
    assert reached(states.USER_TRANSITIONS, "listening") == {*get_args(UserState)}
