"""Generated conversations are values, made again from their number, and keep every promise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from sessionactors.testing import faults, generated, invariants
from sessionactors.testing.generated import AgentPlan, Conversation, Moment, Reply, ToolPlan, numbered, shrunk

FEW = 6
"""Examples for each test: enough in every run of the suite; thousands are played by ``make explore``."""


@settings(
    max_examples=FEW,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(generated.conversations())
def test_every_promise_holds_in_any_conversation(conversation: Conversation) -> None:
    invariants.check(conversation.scenario().play())


@pytest.mark.parametrize("number", range(FEW))
def test_any_conversation_keeps_what_it_can_under_any_fault(number: int) -> None:
    conversation = numbered(number)
    scenario = conversation.scenario()
    scenario.inject()
    struck = faults.possible(scenario.play()).draw(number)
    scenario = conversation.scenario()
    scenario.inject(*struck)
    assert faults.broken(scenario.play(number)) == [], struck


def test_a_conversation_is_made_again_by_its_number_and_by_what_it_prints() -> None:
    conversation = numbered(17)
    names: dict[str, Any] = {kind.__name__: kind for kind in (AgentPlan, Conversation, Moment, Reply, ToolPlan)}
    assert numbered(17) == conversation != numbered(18)
    assert eval(repr(conversation), names) == conversation


def test_a_conversation_is_shrunk_to_what_matters() -> None:
    conversation = replace(numbered(4), moments=(*numbered(4).moments, Moment(30.0, "types", "This one.")))

    def fails(smaller: Conversation) -> bool:
        return any(moment.text == "This one." for moment in smaller.moments)

    assert shrunk(conversation, fails) == Conversation(
        moments=(Moment(30.0, "types", "This one."),), audio=conversation.audio, closes=conversation.closes
    )


def test_who_comes_back_while_their_last_words_are_waited_for_is_heard() -> None:
    """Number 85: the ear of before still ended when they were there again, and the session broke."""
    conversation = Conversation(
        moments=(
            Moment(1.0, "coughs", lasts=1.0),
            Moment(3.0, "leaves"),
            Moment(5.0, "comes"),  # just when nobody waits for their transcript any more
            Moment(6.0, "says", "Tell me.", 0.8),
        )
    )
    run = conversation.scenario().play()
    invariants.check(run)
    assert run.conversation[-2:] == [("user", "Tell me."), ("assistant", "That is all.")]


@pytest.mark.parametrize("fault", ["garbage tts.audio#9", "dead tts.open#2"])
def test_a_voice_that_fails_before_its_speech_has_the_floor_fails_that_speech(fault: str) -> None:
    """Number 5163: the failure came before ``output`` knew of the segment, and the speech was waited for for ever."""
    moment = Moment(0.41, "tells", "By code, number 0.")
    scenario = Conversation(AgentPlan(enters="replies"), moments=(moment,)).scenario()
    scenario.inject(fault)
    run = scenario.play()
    assert faults.broken(run) == []
    assert [str(struck) for struck in run.struck] == [fault]
    assert run.settled
    assert run.ended_at < 20
