"""Whom a realtime model hears when several people are in the room."""

from __future__ import annotations

import pytest

from sessionactors import RealtimeCapabilities, RoomInputOptions, UserInputTranscribedEvent
from sessionactors.messages.room import UserTranscribed
from sessionactors.testing import CLIENT_TURNS, SPEAKING, Run, Scenario, explore

from .realtime_talks import talk
from .talks import near, played

MODELS = pytest.mark.parametrize("model", [SPEAKING, CLIENT_TURNS], ids=["server", "client"])


def understood(run: Run) -> list[tuple[str | None, str]]:
    heard = [(event.speaker_id, event.transcript) for event in run.of(UserInputTranscribedEvent)]
    told = [delivery.message for delivery in run.handled(UserTranscribed)]
    assert [(said.participant, said.text) for said in told if isinstance(said, UserTranscribed)] == heard, (
        "as in the room"
    )
    return heard


def relay(model: RealtimeCapabilities) -> Scenario:
    """The caller asks and leaves at 7 s; bob speaks before and after."""
    scenario = talk(model)
    scenario.joins("bob")
    scenario.user_says("How are you?", at=0.5, until=1.5)
    scenario.realtime_replies("I am fine.", duration=1.0)
    scenario.user_says("Nobody hears me.", at=4.0, until=5.0, participant="bob")
    scenario.leaves("caller", at=7.0)
    scenario.user_says("And now?", at=9.0, until=10.0, participant="bob")
    scenario.realtime_replies("I hear you, Bob.", duration=1.0)
    return scenario


def test_the_first_participant_is_heard_and_when_they_leave_the_next_one() -> None:
    run = played(relay(SPEAKING))
    assert understood(run) == [("caller", "How are you?"), ("bob", "And now?")]
    assert run.conversation[-2:] == [("user", "And now?"), ("assistant", "I hear you, Bob.")]
    assert run.user_became("speaking") == [near(0.55), near(9.05)]
    assert run.realtime is not None
    cleared = [call.at for call in run.realtime.last.calls if call.name == "clear_audio"]
    assert cleared == [near(7.0)]  # what the caller had begun to say does not begin what bob says


def test_the_next_one_is_heard_in_any_order() -> None:
    def bob_is_heard(run: Run) -> None:
        assert understood(run)[-1] == ("bob", "And now?")

    explore(lambda: relay(SPEAKING), schedules=3, expect=bob_is_heard)


def test_who_leaves_while_they_speak_has_said_it_and_is_not_taken_to_speak_for_ever() -> None:
    """The server goes by silence, and says what it heard when bob is on the line already."""
    scenario = talk(SPEAKING)
    scenario.joins("bob")
    scenario.user_says("I have to", at=0.5, until=3.0)
    scenario.leaves("caller", at=1.5)
    scenario.user_says("And now?", at=9.0, until=10.0, participant="bob")
    scenario.realtime_replies("Good bye.", duration=1.0)
    scenario.realtime_replies("I hear you, Bob.", duration=1.0)
    run = played(scenario)
    assert run.user_states == ["listening", "speaking", "listening", "speaking", "listening"]
    assert understood(run) == [("caller", "I have to"), ("bob", "And now?")]
    assert [text for role, text in run.conversation if role == "user"] == ["I have to", "And now?"]


@MODELS
def test_an_option_names_whom_the_model_hears(model: RealtimeCapabilities) -> None:
    scenario = talk(model, room_input_options=RoomInputOptions(participant_identity="bob"))
    scenario.joins("bob")
    scenario.user_says("Nobody hears me.", at=0.5, until=1.5)
    scenario.user_says("But me.", at=3.0, until=4.0, participant="bob")
    scenario.realtime_replies("Yes, Bob.", duration=1.0)
    assert understood(played(scenario)) == [("bob", "But me.")]
