"""Faults are values that strike at the point they name, and only there."""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sessionactors import OptionError
from sessionactors.testing import Run, Scenario, faults, invariants, virtual_loop
from sessionactors.testing.faults import ActorFault, Chance, ClockStep, SignalFault, with_faults
from sessionactors.testing.faults.__main__ import soak

from tests.session.talks import keeper

ANSWER = ("assistant", "I am fine.")


def asked(*injected: str) -> Run:
    """The user asks, the agent answers: 4 s."""
    scenario = Scenario(keeper(), frame_ms=100)
    scenario.user_says("How are you?", at=0.4, until=1.0)
    scenario.llm_otherwise("I am fine.")
    scenario.inject(*injected)
    return scenario.play()


@pytest.fixture(scope="module")
def undisturbed() -> Run:
    return asked()


@pytest.mark.parametrize(
    "fault, text",
    [
        (SignalFault("drop", "stt.final_transcript", 2), "drop stt.final_transcript#2"),
        (SignalFault("delay", "playout.finished", 1, 0.5), "delay:0.5 playout.finished#1"),
        (ActorFault("kill", "ear-caller/stt", 12), "kill ear-caller/stt@12"),
        (ActorFault("block", "output", 3), "block:0 output@3"),
        (ClockStep(-3600.0, 100), "clock:-3600 *@100"),
    ],
)
def test_a_fault_has_a_text_that_parses_back(fault: faults.Fault, text: str) -> None:
    assert str(fault) == text
    assert faults.parse(text) == fault


@pytest.mark.parametrize(
    "text",
    ["", "drop", "drop stt.final", "explode tts@1", "kill stt.final#1", "drop tts.audio#0", "delay:-1 tts.audio#1"],
)
def test_what_is_no_fault_is_refused_in_words(text: str) -> None:
    with pytest.raises(OptionError):
        faults.parse(text)


def test_counting_signals_changes_nothing(undisturbed: Run) -> None:
    scenario = Scenario(keeper(), frame_ms=100)
    scenario.user_says("How are you?", at=0.4, until=1.0)
    scenario.llm_otherwise("I am fine.")
    plain = scenario.play()
    assert plain.signals is None
    assert [str(timed) for timed in plain.events] == [str(timed) for timed in undisturbed.events]
    with pytest.raises(OptionError, match="inject"):
        faults.possible(plain)


def test_all_faults_of_a_run_are_known_and_can_be_drawn(undisturbed: Run) -> None:
    possible = faults.possible(undisturbed)
    assert "kill tts@1" in map(str, possible)
    assert "hang llm.open#1" in map(str, possible)
    assert len(set(possible)) == len(possible)
    assert possible.draw(7, 3) == possible.draw(7, 3) != possible.draw(8, 3)
    assert {str(fault).split()[0] for fault in possible.only("drop").stratified(1, 2)} == {"drop"}
    assert [faults.parse(str(fault)) for fault in possible[::97]] == list(possible[::97])


def test_one_fault_of_each_group_strikes_and_the_session_ends_well(undisturbed: Run) -> None:
    """What the promises are worth then is looked at in tests/promises."""
    for fault in faults.possible(undisturbed).stratified(3)[::17]:
        run = asked(str(fault))
        assert run.struck == (fault,), fault
        assert len(run.of(type(undisturbed.close_event))) == 1


@pytest.mark.parametrize("fault", ["fail llm.open#1", "end llm.open#1", "fail tts.open#1"])
def test_a_request_that_breaks_before_it_says_anything_is_made_again(fault: str) -> None:
    run = asked(fault)
    assert [str(struck) for struck in run.struck] == [fault]
    assert run.conversation[-1] == ANSWER
    invariants.check(run)


def test_what_is_cancelled_behind_the_back_of_an_actor_is_a_named_failure() -> None:
    run = asked("cancel llm@1")
    assert "CancelledError" in str(run.errors[-1].error)
    invariants.check(run)


def test_a_clock_that_jumps_moves_nothing(undisturbed: Run) -> None:
    before = time.time()
    run = asked("clock:-86400 *@50")
    assert run.struck
    assert abs(time.time() - before) < 3600, "the clock is right again"
    assert [timed.at for timed in run.events] == [timed.at for timed in undisturbed.events]
    invariants.check(run)


def test_a_soak_run_leaves_nothing_behind_and_is_the_same_for_the_same_seed() -> None:
    told = []
    for _ in range(2):
        chance = Chance(3, 0.05, acts=["drop", "double", "fail", "swap", "delay"])
        seen = virtual_loop.run(partial(soak, 1, chance))
        assert chance.strikes > 3
        assert not [what for what in seen if what.startswith("left behind")]
        told.append((seen, list(chance.struck)))
    assert told[0] == told[1]


def test_what_is_no_provider_gets_no_faults() -> None:
    with pytest.raises(OptionError, match="STT, VAD, LLM, TTS or Transport"):
        with_faults("a voice")  # type: ignore[type-var]
    with pytest.raises(OptionError, match="0 to 1"):
        Chance(1, 2.0)


def test_the_page_about_faults_says_what_happens() -> None:
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    scope: dict[str, Any] = {"Waiter": keeper}
    exec(compile(block, "docs/faults.md", "exec", dont_inherit=True), scope)
    scope["test_a_sink_that_never_reports_the_end_is_given_up"]()
