"""What of a room a session uses, in both spellings, and what happens to what is typed."""

from __future__ import annotations

import pytest

from sessionactors import (
    AgentSession,
    ChatContext,
    ChatMessage,
    OptionError,
    RoomInputOptions,
    RoomOptions,
    RoomOutputOptions,
    StopResponse,
    TextInputEvent,
    TextInputOptions,
    TextOutputOptions,
)
from sessionactors.testing import Scenario
from sessionactors.transports import MemoryTransport

from tests.session.talks import STORY, Noting, Session, keeper, near, played, typed


def test_both_spellings_mean_the_same() -> None:
    def see_to_it(_session: object, _event: TextInputEvent) -> None:
        """Nothing."""

    assert (RoomOptions().input_options(), RoomOptions().output_options()) == (RoomInputOptions(), RoomOutputOptions())
    room = RoomOptions(
        text_input=TextInputOptions(see_to_it),
        audio_input=False,
        video_input=True,
        audio_output=False,
        text_output=TextOutputOptions(sync_transcription=False, transcription_speed_factor=2.0),
        participant_identity="bob",
        close_on_disconnect=False,
    )
    assert room.input_options() == RoomInputOptions(
        audio_enabled=False,
        video_enabled=True,
        text_input_cb=see_to_it,
        participant_identity="bob",
        close_on_disconnect=False,
    )
    assert room.output_options() == RoomOutputOptions(
        audio_enabled=False, sync_transcription=False, transcription_speed_factor=2.0
    )
    assert not RoomOptions(text_input=False).input_options().text_enabled
    assert not RoomOptions(text_output=False).output_options().transcription_enabled


def test_a_speed_must_be_positive() -> None:
    for make in (TextOutputOptions, RoomOutputOptions):
        with pytest.raises(OptionError, match="transcription_speed_factor must be > 0, got 0"):
            make(transcription_speed_factor=0)


async def test_options_of_the_room_are_given_once() -> None:
    session: Session = AgentSession()
    with pytest.raises(OptionError, match="give the room's options once"):
        await session.start(
            keeper(), room=MemoryTransport(), room_options=RoomOptions(), room_input_options=RoomInputOptions()
        )


def test_typed_text_cuts_what_is_said_and_comes_behind_it() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.user_types("Something else.", at=2.0)
    scenario.llm_replies("Of course.")
    run = played(scenario)
    (_, cut), *rest = run.conversation
    assert STORY.startswith(cut)
    assert cut != STORY
    assert rest == [("user", "Something else."), ("assistant", "Of course.")]
    assert run.agent_states == ["initializing", "listening", "speaking", "thinking", "speaking", "listening"]


def test_typed_text_that_is_not_answered_leaves_the_agent_listening() -> None:
    class Guarded(Noting):
        async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
            raise StopResponse

    scenario = Scenario(Guarded())
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.user_types("Something else.", at=2.0)
    run = played(scenario)
    assert run.agent_states == ["initializing", "listening", "speaking", "thinking", "listening"]
    assert [role for role, _ in run.conversation] == ["assistant"]


def test_typed_text_waits_for_a_protected_speech_and_is_answered() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.5, lambda session: session.say("This must be heard.", allow_interruptions=False))
    scenario.user_types("Something else.", at=1.0)
    scenario.llm_replies("Of course.")
    run = played(scenario)
    assert sorted(run.conversation[:2]) == [("assistant", "This must be heard."), ("user", "Something else.")]
    assert run.conversation[2:] == [("assistant", "Of course.")]


def test_user_code_may_see_to_what_is_typed() -> None:
    events: list[TextInputEvent] = []

    async def answer(session: Session, event: TextInputEvent) -> None:
        events.append(event)
        await session.say("I do not read.")

    options = RoomInputOptions(text_input_cb=answer)
    scenario = typed(None, room_input_options=options)
    scenario.user_types("Hello", at=0.5)
    run = scenario.play()
    assert events == [TextInputEvent("Hello", "caller")]
    assert run.conversation == [("assistant", "I do not read.")]
    assert run.agent_became("speaking") == [near(0.5)]


def test_a_callback_that_raises_costs_its_message_only() -> None:
    def fail(_session: Session, _event: TextInputEvent) -> None:
        raise ValueError("no")

    scenario = typed(None, room_options=RoomOptions(text_input=TextInputOptions(fail)))
    scenario.user_types("Hello", at=0.5)
    scenario.call(1.0, lambda session: session.say("Still here."))
    assert scenario.play().conversation == [("assistant", "Still here.")]
