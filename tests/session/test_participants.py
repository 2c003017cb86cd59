"""Several people in a room: one ear each, nobody's words are lost, and the users speak when any of them does."""

from __future__ import annotations

from sessionactors import (
    CloseReason,
    RoomInputOptions,
    RoomOptions,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)
from sessionactors.testing import Run, Scenario, VirtualLoop, explore

from tests.session.talks import Session, keeper, near, played


def two_callers(**options: object) -> Scenario:
    """The caller asks from 0.5 to 1.5 s, bob something else from 1.0 to 2.5 s."""
    scenario = Scenario(keeper(), frame_ms=50, **options)  # type: ignore[arg-type]
    scenario.joins("bob")
    scenario.user_says("How are you?", at=0.5, until=1.5)
    scenario.user_says("And who are you?", at=1.0, until=2.5, participant="bob")
    scenario.llm_otherwise("I am fine, thank you.")
    return scenario


def test_each_participant_has_an_ear_and_is_named() -> None:
    ears: list[list[str]] = []

    def look(session: Session) -> None:
        ears.append(sorted(path for path in session.inspect() if path.rpartition("/")[2].startswith("ear-")))

    scenario = two_callers()
    scenario.call(0.2, look)
    run = played(scenario)
    assert ears == [["scenario/ear-bob", "scenario/ear-caller"]]
    assert [(event.speaker_id, event.transcript) for event in run.of(UserInputTranscribedEvent)] == [
        ("caller", "How are you?"),
        ("bob", "And who are you?"),
    ]


def test_the_users_speak_from_the_first_voice_to_the_end_of_the_last() -> None:
    run = played(two_callers())
    assert run.user_states == ["listening", "speaking", "listening"]
    began, ended = run.of(UserStateChangedEvent)
    assert began.created_at - VirtualLoop.wall_origin == near(0.5)
    assert ended.created_at - VirtualLoop.wall_origin == near(2.5)


def test_p03_words_of_several_people_at_once_are_conserved_in_any_order() -> None:
    def kept(run: Run) -> None:
        said = [text for role, text in run.conversation if role == "user"]
        assert sorted(said) == ["And who are you?", "How are you?"]

    explore(two_callers, schedules=3, expect=kept)


def test_a_reply_waits_until_nobody_speaks() -> None:
    run = played(two_callers())
    first, *_ = run.agent_became("speaking")
    assert first > 2.5 + 0.5 - 0.02


def test_who_leaves_in_the_middle_of_a_turn_has_said_what_was_said() -> None:
    scenario = Scenario(keeper(), frame_ms=50)
    scenario.joins("bob")
    scenario.user_says("I have to go", at=0.5, until=1.4, participant="bob", stt_delay=0.05)
    scenario.leaves("bob", at=1.5)
    scenario.llm_otherwise("Good bye.")
    looks: list[object] = []
    scenario.call(4.0, lambda session: looks.append(session.inspect()["scenario"].state["ears"]))
    run = played(scenario)
    assert run.conversation == [("user", "I have to go"), ("assistant", "Good bye.")]
    assert run.user_states == ["listening", "speaking", "listening"]
    assert looks == [["caller"]]  # the ear is gone with its participant


def test_who_comes_back_is_heard_again() -> None:
    scenario = Scenario(keeper(), frame_ms=50)
    scenario.joins("bob")
    scenario.leaves("bob", at=0.5)
    scenario.joins("bob", at=1.5)
    scenario.user_says("Here I am again.", at=2.0, until=3.0, participant="bob")
    scenario.llm_otherwise("Welcome back.")
    assert played(scenario).conversation == [("user", "Here I am again."), ("assistant", "Welcome back.")]


def test_the_session_ends_with_the_last_who_leaves() -> None:
    scenario = two_callers()
    scenario.leaves("bob", at=8.0)
    scenario.leaves("caller", at=9.0)
    scenario.close(at=20.0)
    run = scenario.play()
    assert run.close_event.reason is CloseReason.PARTICIPANT_DISCONNECTED
    assert run.ended_at == near(9.0)


def test_a_lost_connection_or_an_option_keeps_the_session() -> None:
    for options, reason in (
        ({}, "CONNECTION_TIMEOUT"),
        ({"room_options": RoomOptions(close_on_disconnect=False)}, "left"),
    ):
        scenario = Scenario(keeper(), frame_ms=50, **options)  # type: ignore[arg-type]
        scenario.leaves("caller", at=1.0, reason=reason)
        scenario.close(at=4.0)
        run = scenario.play()
        assert run.close_event.reason is CloseReason.USER_INITIATED


def test_one_participant_may_be_the_only_one_who_is_listened_to() -> None:
    scenario = two_callers(room_input_options=RoomInputOptions(participant_identity="bob"))
    scenario.user_types("I am not heard.", at=5.0)
    scenario.user_types("But I am.", at=5.5, participant="bob")
    scenario.leaves("caller", at=9.0)
    scenario.close(at=12.0)
    run = scenario.play()
    assert [text for role, text in run.conversation if role == "user"] == ["And who are you?", "But I am."]
    assert run.close_event.reason is CloseReason.USER_INITIATED
