"""What of a room a session uses, in both spellings, and what happens to what is typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields

import pytest
from livekit import rtc

from sessionactors import (
    NOT_GIVEN,
    AgentSession,
    AudioInputOptions,
    AudioOutputOptions,
    ChatContext,
    ChatMessage,
    OptionError,
    RoomInputOptions,
    RoomOptions,
    RoomOutputOptions,
    RoomWants,
    StopResponse,
    TextInputEvent,
    TextInputOptions,
    TextOutputOptions,
    TransportEvents,
)
from sessionactors.model.sentinel import NotGivenOr
from sessionactors.session.room_options_legacy import in_one_spelling
from sessionactors.testing import Scenario
from sessionactors.transports import MemoryTransport

from tests.session.talks import STORY, Noting, Session, keeper, near, played, typed


def in_the_older(**given: object) -> RoomOptions:
    inputs = {field.name for field in fields(RoomInputOptions)}
    return in_one_spelling(
        None,
        RoomInputOptions(**{name: value for name, value in given.items() if name in inputs}),  # type: ignore[arg-type]
        RoomOutputOptions(**{name: value for name, value in given.items() if name not in inputs}),  # type: ignore[arg-type]
    )


def test_both_spellings_mean_the_same() -> None:
    def see_to_it(_session: object, _event: TextInputEvent) -> None:
        """Nothing."""

    assert in_one_spelling(None, None, None) == RoomOptions()
    assert in_the_older().wants() == RoomOptions().wants() == RoomWants()
    publish, noise = object(), object()
    older = in_the_older(
        video_enabled=True,
        audio_sample_rate=16000,
        audio_num_channels=2,
        audio_frame_size_ms=20,
        noise_cancellation=noise,
        text_input_cb=see_to_it,
        pre_connect_audio=False,
        pre_connect_audio_timeout=1.0,
        participant_kinds=["sip"],
        participant_identity="bob",
        close_on_disconnect=False,
        delete_room_on_close=True,
        audio_publish_options=publish,
        audio_track_name="voice",
        sync_transcription=False,
        transcription_speed_factor=2.0,
    )
    assert older == RoomOptions(
        text_input=TextInputOptions(see_to_it),
        audio_input=AudioInputOptions(16000, 2, 20, noise, NOT_GIVEN, False, 1.0),
        video_input=True,
        # both halves had these two, under one name: here each has its own
        audio_output=AudioOutputOptions(24000, 1, publish, "voice"),
        text_output=TextOutputOptions(sync_transcription=False, transcription_speed_factor=2.0),
        participant_kinds=["sip"],
        participant_identity="bob",
        close_on_disconnect=False,
        delete_room_on_close=True,
    )
    rates = RoomOutputOptions(audio_sample_rate=48000, audio_num_channels=2)
    assert in_one_spelling(None, None, rates).audio_output == AudioOutputOptions(48000, 2)


def test_what_is_switched_off_is_not_wanted() -> None:
    off = RoomWants(audio_input=None, audio_output=None, text_input=False, text_output=None)
    assert RoomOptions(text_input=False, audio_input=False, audio_output=False, text_output=False).wants() == off
    assert (
        in_one_spelling(
            None,
            RoomInputOptions(text_enabled=False, audio_enabled=False, video_enabled=False),
            RoomOutputOptions(transcription_enabled=False, audio_enabled=False),
        ).wants()
        == off
    )


@pytest.mark.parametrize(
    "noise, given, gain",
    [(None, NOT_GIVEN, True), (object(), NOT_GIVEN, False), (len, NOT_GIVEN, True), (object(), True, True)],
)
def test_loudness_is_evened_out_unless_noise_is_cancelled(noise: object, given: NotGivenOr[bool], gain: bool) -> None:
    options = AudioInputOptions(noise_cancellation=noise, auto_gain_control=given)
    wanted = RoomOptions(audio_input=options).wants().audio_input
    assert wanted is not None
    assert wanted.auto_gain_control is gain


def test_kinds_of_participants_have_names_and_livekits_numbers() -> None:
    for name, number in rtc.ParticipantKind.items():
        kind = name.removeprefix("PARTICIPANT_KIND_").lower()
        assert RoomOptions(participant_kinds=[number]).kinds() == {kind}
    assert RoomOptions(participant_kinds=["sip"]).kinds() == {"sip"}
    assert RoomOptions().kinds() == {"connector", "sip", "standard"}
    with pytest.raises(OptionError, match="participant_kinds has 'robot', 99: a participant is one of standard, sip,"):
        RoomOptions(participant_kinds=["robot", 99])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: TextOutputOptions(transcription_speed_factor=0), "transcription_speed_factor must be > 0, got 0"),
        (lambda: RoomOutputOptions(transcription_speed_factor=-1), "transcription_speed_factor must be > 0, got -1"),
        (lambda: TextOutputOptions(next_in_chain=print), "next_in_chain takes a TextOutput, or None, got <built-in"),  # type: ignore[arg-type]
        (lambda: TextOutputOptions(json_format="yes"), "json_format must be True or False, got 'yes'"),  # type: ignore[arg-type]
        (lambda: AudioInputOptions(sample_rate=0), "sample_rate must be a whole number > 0, got 0"),
        (lambda: RoomInputOptions(audio_num_channels=0), "num_channels must be a whole number > 0, got 0"),
        (lambda: AudioInputOptions(frame_size_ms=5), "frame_size_ms must be from 10 to 100, got 5"),
        (lambda: AudioInputOptions(auto_gain_control=1), "auto_gain_control must be True or False, got 1"),  # type: ignore[arg-type]
        (lambda: RoomInputOptions(pre_connect_audio_timeout=-1), "pre_connect_audio_timeout must not be negative"),
        (lambda: AudioOutputOptions(sample_rate=1.5), "sample_rate must be a whole number > 0, got 1.5"),  # type: ignore[arg-type]
        (lambda: RoomOutputOptions(audio_track_name=""), "track_name must not be empty"),
    ],
)
def test_a_value_out_of_range_is_named(make: Callable[[], object], says: str) -> None:
    with pytest.raises(OptionError, match=re.escape(says)):
        make()


class Strict(MemoryTransport):
    """Keeps what it was told."""

    label = "strict"
    wants: RoomWants | None = None

    def configure(self, wants: RoomWants) -> None:
        super().configure(wants)
        self.wants = wants

    async def connect(self, events: TransportEvents) -> None:
        assert self.wants is not None, "it is told before it links"
        await super().connect(events)


def test_a_transport_is_told_what_is_wanted_before_it_links() -> None:
    room = Strict()
    options = RoomOptions(audio_output=AudioOutputOptions(track_name="voice"), participant_identity="caller")
    scenario = typed(None, "Hello", room=lambda: room, room_options=options)
    assert scenario.play().said()
    assert room.wants == options.wants()


@pytest.mark.parametrize(
    "options, names",
    [
        (RoomOptions(audio_input=AudioInputOptions(noise_cancellation=object())), "noise_cancellation"),
        (RoomOptions(text_output=TextOutputOptions(json_format=True)), "json_format"),
        (RoomOptions(delete_room_on_close=True), "delete_room_on_close"),
    ],
)
async def test_a_transport_refuses_what_it_cannot_do_and_nothing_is_left_behind(
    options: RoomOptions, names: str
) -> None:
    session: Session = AgentSession()
    agent = keeper()
    with pytest.raises(OptionError, match=rf"'strict' transport cannot do {names}. Instead of {names}: "):
        await session.start(agent, room=Strict(), room_options=options)
    assert agent._session is None
    await session.start(agent, room=Strict())
    await session.aclose()


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
