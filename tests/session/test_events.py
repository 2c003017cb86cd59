"""Public events: which, in what order, with what in them; and callbacks of every kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from sessionactors import (
    Agent,
    AgentHandoff,
    AgentStateChangedEvent,
    ChatMessage,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    DebugMessageEvent,
    ErrorEvent,
    MetricsCollectedEvent,
    OptionError,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)
from sessionactors.model.metrics import LLMMetrics, TTSMetrics
from sessionactors.testing import VirtualLoop

from tests.session.talks import Session, barge_in, keeper, near, one_turn, played, typed


def test_the_events_of_a_turn_in_their_order() -> None:
    run = played(one_turn())
    kinds = [
        timed.event.type if not isinstance(timed.event, MetricsCollectedEvent) else type(timed.event.metrics).__name__
        for timed in run.events
    ]
    kinds = [kind for kind in kinds if kind != "VADMetrics"]  # one each second
    assert kinds == [
        "agent_state_changed",  # listening
        "conversation_item_added",  # the agent enters
        "user_state_changed",  # speaking
        "user_input_transcribed",
        "STTMetrics",
        "session_usage_updated",
        "user_state_changed",  # listening
        "EOUMetrics",
        "conversation_item_added",  # what the user said
        "speech_created",
        "agent_state_changed",  # thinking
        "LLMMetrics",
        "session_usage_updated",
        "agent_state_changed",  # speaking
        "TTSMetrics",
        "session_usage_updated",
        "conversation_item_added",  # what the agent said
        "agent_state_changed",  # listening
        "close",
    ]


def test_events_carry_what_users_know() -> None:
    run = played(one_turn())
    (transcribed,) = run.of(UserInputTranscribedEvent)
    assert (transcribed.transcript, transcribed.is_final, transcribed.speaker_id) == ("How are you?", True, "caller")
    handoff, user, assistant = (event.item for event in run.of(ConversationItemAddedEvent))
    assert isinstance(handoff, AgentHandoff)
    assert (handoff.new_agent_id, handoff.old_agent_id) == ("default_agent", None)
    assert isinstance(user, ChatMessage)
    assert isinstance(assistant, ChatMessage)
    assert [user, assistant] == [item for item in run.history if isinstance(item, ChatMessage)]
    assert user.metrics["started_speaking_at"] == near(VirtualLoop.wall_origin + 0.5)
    assert user.metrics["stopped_speaking_at"] == near(VirtualLoop.wall_origin + 2.5)
    (close,) = run.of(CloseEvent)
    assert (close.reason.value, close.error) == ("user_initiated", None)


def test_the_users_states_are_dated_back_to_when_the_voice_began_and_ended() -> None:
    began, ended = played(one_turn()).of(UserStateChangedEvent)
    assert began.created_at - VirtualLoop.wall_origin == near(0.5)
    assert ended.created_at - VirtualLoop.wall_origin == near(2.5)


def test_the_figures_of_model_and_voice() -> None:
    metrics = [event.metrics for event in played(one_turn()).of(MetricsCollectedEvent)]
    (model,) = [figures for figures in metrics if isinstance(figures, LLMMetrics)]
    (voice,) = [figures for figures in metrics if isinstance(figures, TTSMetrics)]
    assert (model.speech_id, model.ttft, model.completion_tokens) == ("speech-1", near(0.1), 5)
    assert (voice.segment_id, voice.audio_duration, voice.cancelled) == ("speech-1/segment-1", near(2.0), False)


def test_cut_speech_is_marked_in_the_figures_of_the_voice() -> None:
    metrics = [event.metrics for event in played(barge_in()).of(MetricsCollectedEvent)]
    assert [figures.cancelled for figures in metrics if isinstance(figures, TTSMetrics)] == [True, False]


def test_the_mirror_is_up_to_date_when_a_callback_runs() -> None:
    seen: list[tuple[str, str, str | None]] = []

    def watch(session: Session) -> None:
        def note(event: object) -> None:
            current = session.current_speech
            seen.append((session.agent_state, session.user_state, current.id if current else None))

        session.on("agent_state_changed", note)

    scenario = one_turn()
    scenario.call(0.1, watch)
    played(scenario)
    assert seen == [
        ("thinking", "listening", "speech-1"),
        ("speaking", "listening", "speech-1"),
        ("listening", "listening", None),
    ]


# -- callbacks ---------------------------------------------------------------------------------------------------------


def test_a_callback_may_be_a_coroutine() -> None:
    seen: list[str] = []

    def watch(session: Session) -> None:
        @session.on("agent_state_changed")
        async def note(event: object) -> None:
            await asyncio.sleep(0.1)
            seen.append(session.agent_state)

    scenario = one_turn()
    scenario.call(0.1, watch)
    played(scenario)
    assert seen == ["thinking", "speaking", "listening"]


async def raises_later(event: object) -> None:
    await asyncio.sleep(0.0)
    raise KeyError("later")


def raises_now(event: object) -> None:
    raise KeyError("now")


@pytest.mark.parametrize("callback", [raises_now, raises_later])
def test_a_callback_that_raises_is_logged_and_hurts_nobody(
    callback: Callable[[object], object], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[object] = []

    def watch(session: Session) -> None:
        session.on("agent_state_changed", callback)
        session.on("agent_state_changed", seen.append)

    scenario = one_turn()
    scenario.call(0.1, watch)
    run = played(scenario)
    assert len(seen) == 3
    assert run.said() == ["I am fine, thank you."]
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len([line for line in lines if "callback_failed" in line]) == 3


def test_a_callback_may_be_called_once_or_be_forgotten() -> None:
    seen: list[str] = []

    class Watcher:
        def note(self, event: object) -> None:
            seen.append("note")

        def first(self, event: object) -> None:
            seen.append("first")

    watcher = Watcher()

    def watch(session: Session) -> None:
        session.once("agent_state_changed", watcher.first)
        session.on("agent_state_changed", watcher.note)

    scenario = one_turn()
    scenario.call(0.1, watch)
    scenario.call(3.2, lambda session: session.off("agent_state_changed", watcher.note))
    played(scenario)
    assert seen == ["first", "note"]


def test_an_event_that_does_not_exist_is_an_error_that_lists_those_that_do() -> None:
    scenario = one_turn()

    def watch(session: Session) -> None:
        with pytest.raises(OptionError, match="no event named 'agent_state'; there are: agent_state_changed, "):
            session.on("agent_state", print)  # type: ignore[call-overload]

    scenario.call(0.1, watch)
    played(scenario)


# -- events of one's own -----------------------------------------------------------------------------------------------


def test_a_program_raises_events_of_its_own_and_who_listens_is_called_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[object] = []
    message = DebugMessageEvent({"step": "payment", "attempt": 2}, created_at=1.0)
    failure = ErrorEvent(ValueError("no paper"), "printer", recoverable=True, created_at=2.0)

    def broken(_: object) -> None:
        raise ValueError("a listener's own")

    def tell(session: Session) -> None:
        session.on("debug_message", broken)
        session.on("debug_message", heard.append)
        session.once("error", heard.append)
        session.emit("debug_message", message)
        assert heard == [message]
        session.emit("error", failure)
        session.emit("error", failure)
        assert heard == [message, failure]
        for wrong in (failure, None, {"type": "debug_message"}):
            with pytest.raises(OptionError, match=r"emit\('debug_message'\) was given .*: it takes the event of that"):
                session.emit("debug_message", wrong)  # type: ignore[arg-type]
        with pytest.raises(OptionError, match="no event named 'debug'; there are: agent_state_changed, "):
            session.emit("debug", message)  # type: ignore[arg-type]

    scenario = one_turn()
    scenario.call(0.1, tell)
    run = played(scenario)
    assert run.of(DebugMessageEvent) == [message]  # who hears all, hears it too
    assert run.agent_states == ["initializing", "listening", "thinking", "speaking", "listening"]
    assert "a listener's own" in caplog.text


def test_an_event_of_ones_own_changes_nothing_of_the_session() -> None:
    seen: list[str] = []

    def pretend(session: Session) -> None:
        session.emit("agent_state_changed", AgentStateChangedEvent("listening", "speaking", created_at=1.0))
        session.emit("close", CloseEvent(CloseReason.ERROR, 1.0))
        seen.append(session.agent_state)

    scenario = one_turn()
    scenario.call(0.1, pretend)
    run = scenario.play()
    assert seen == ["listening"]
    assert run.said() == ["I am fine, thank you."]
    assert [event.reason for event in run.of(CloseEvent)] == [CloseReason.ERROR, CloseReason.USER_INITIATED]


# -- history -----------------------------------------------------------------------------------------------------------


def test_history_is_a_copy_and_editing_it_changes_nothing() -> None:
    def edit(session: Session) -> None:
        session.history.add_message(role="user", content="Never said.")
        session.history.items.clear()

    scenario = typed(None, "One.", "Two.")
    scenario.call(1.0, edit)
    run = played(scenario)
    assert [text for _, text in run.conversation] == ["One.", "Answer 1.", "Two.", "Answer 2."]
    assert "Never said." not in [m.text_content for m in run.requests[1].items if isinstance(m, ChatMessage)]


def test_history_is_known_when_the_event_is_delivered() -> None:
    seen: list[bool] = []

    def watch(session: Session) -> None:
        session.on("conversation_item_added", lambda event: seen.append(event.item in session.history.items))

    scenario = typed(None, "One.")
    scenario.call(0.1, watch)
    played(scenario)
    assert seen == [True, True]


def test_userdata_belongs_to_the_session() -> None:
    def use(session: Session) -> None:
        assert session.userdata == 7
        session.userdata = "eight"
        assert session.userdata == "eight"

    scenario = typed(None, "One.", userdata=7)
    scenario.call(0.2, use)
    played(scenario)


def test_userdata_that_was_not_given_is_an_error() -> None:
    def use(session: Session) -> None:
        with pytest.raises(ValueError, match="the session has no userdata"):
            _ = session.userdata

    scenario = typed(Agent(instructions="Be kind."), "One.")
    scenario.call(0.2, use)
    played(scenario)


def test_the_agent_in_charge_and_the_options_can_be_read() -> None:
    agent = keeper()

    def look(session: Session) -> None:
        assert session.current_agent is agent
        assert session.room_name == "scenario"
        assert session.options.endpointing["min_delay"] == 0.5
        assert agent.session is session

    scenario = one_turn(agent)
    scenario.call(0.2, look)
    played(scenario)
