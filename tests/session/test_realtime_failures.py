"""A realtime model that fails, hangs or is lost; and the ``realtime`` actor killed at any moment (P9, P12, P13)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionactors import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APITimeoutError,
    CloseReason,
    RealtimeSessionReconnectedEvent,
)
from sessionactors.interfaces.realtime import RealtimeSessionError, SessionReconnected
from sessionactors.messages.tts import SynthesisFailed
from sessionactors.testing import (
    CLIENT_TURNS,
    SPEAKING,
    Faults,
    RealtimeScript,
    Run,
    ScriptedRealtime,
    explore,
    invariants,
)

from .realtime_talks import barge_in, one_turn, talk
from .talks import Session, near, played

TWO_SECONDS = APIConnectOptions(max_retry=1, retry_interval=0.5, timeout=2.0)


def server_of(run: Run) -> ScriptedRealtime:
    assert run.realtime is not None
    return run.realtime


def test_a_lost_session_is_replaced_by_one_that_knows_the_conversation() -> None:
    run = played(barge_in(RealtimeScript(SPEAKING, faults=Faults([5.8]))))
    assert [type(event.error.__cause__) for event in run.errors] == [APIConnectionError]
    assert run.errors[0].recoverable
    first, second = server_of(run).sessions
    assert first.closed
    assert second.instructions == "Be kind."
    assert second.told("update_chat_ctx") == [["Tell me a story.", "Once upon"]]
    assert run.snapshot is not None
    assert run.snapshot["realtime"].state["connections"] == 2
    (back,) = run.of(RealtimeSessionReconnectedEvent)
    assert (back.label, back.outage) == ("scripted-realtime", near(0.1))


def test_a_reply_that_failed_and_was_asked_for_again_ends_well() -> None:
    """What failed before is forgotten: no voice has failed, and all of the text was heard."""
    scenario = talk(CLIENT_TURNS)
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.realtime_replies("", error=APIError("busy"))
    scenario.realtime_replies("Fine.", duration=0.1)
    run = played(scenario)
    assert run.said() == ["Fine."]
    assert not run.told(SynthesisFailed)
    assert run.errors == []


def test_a_session_that_never_worked_was_not_reconnected() -> None:
    run = played(one_turn(RealtimeScript(SPEAKING, faults=Faults([]))))
    assert run.of(RealtimeSessionReconnectedEvent) == []


def test_losing_the_session_while_idle_is_not_noticed_by_the_user() -> None:
    run = played(one_turn(RealtimeScript(SPEAKING, faults=Faults([0.2]))))
    assert run.agent_became("speaking") == [near(3.3)]
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]


def test_losing_the_session_in_the_middle_of_a_reply_plays_what_there_is() -> None:
    run = played(barge_in(RealtimeScript(SPEAKING, faults=Faults([4.0]))))
    assert run.agent_became("speaking") == [near(3.3), near(6.8)]
    assert run.said()[0] == "Once"  # 1.4 s of sound had come
    assert run.audible("speech-1") == [(near(3.3), near(4.7))]


def test_a_request_that_was_not_begun_is_asked_of_the_next_session() -> None:
    scenario = one_turn(RealtimeScript(CLIENT_TURNS, faults=Faults([3.02])))
    scenario.realtime_replies("I am fine again.")
    run = played(scenario)
    assert run.said() == ["I am fine again."]
    assert [len(session.told("generate_reply")) for session in server_of(run).sessions] == [1, 1]


def test_the_user_who_speaks_when_the_session_is_lost_is_not_taken_to_speak_for_ever() -> None:
    run = played(barge_in(RealtimeScript(SPEAKING, faults=Faults([5.5]))))
    assert run.user_became("listening")[1:] == [near(5.5), near(6.5)]  # the next session hears the rest


def test_a_loss_in_any_order() -> None:
    explore(lambda: barge_in(RealtimeScript(SPEAKING, faults=Faults([4.0]))), schedules=3)


def test_a_server_that_never_comes_back_ends_the_session_with_its_error() -> None:
    lost = Faults([1.0, 1.2, 1.9, 2.6])
    run = one_turn(RealtimeScript(SPEAKING, faults=lost), conn_options=TWO_SECONDS).play()
    assert run.close_event.reason is CloseReason.ERROR
    assert isinstance(run.close_event.error, Exception)
    assert isinstance(run.close_event.error.__cause__, APIConnectionError)
    assert [event.recoverable for event in run.errors] == [True, False]


def test_a_server_that_does_not_begin_is_asked_again_in_a_new_session_and_then_given_up() -> None:
    scenario = one_turn(RealtimeScript(CLIENT_TURNS, hanging=("generate_reply",)), conn_options=TWO_SECONDS)
    run = scenario.play()
    assert [type(event.error.__cause__) for event in run.errors] == [APITimeoutError, APITimeoutError]
    assert [session.told("generate_reply") != [] for session in server_of(run).sessions] == [True, True]
    assert run.close_event.reason is CloseReason.ERROR
    assert run.conversation == [("user", "How are you?")]  # history intact


def test_a_server_that_stops_in_a_reply_fails_that_reply_and_the_next_is_answered() -> None:
    scenario = talk(CLIENT_TURNS, conn_options=TWO_SECONDS)
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.realtime_replies("Once upon a time.", duration=2.0, hang=True, after=1.0)
    scenario.user_says("Are you there?", at=6.0, until=7.0)
    scenario.realtime_replies("Yes.", duration=1.0)
    run = played(scenario)
    assert [type(event.error.__cause__) for event in run.errors] == [APITimeoutError]
    assert run.said() == ["Once", "Yes."]  # one second of sound: the second word was not finished
    assert server_of(run).last.told("interrupt") != []


def test_a_call_that_never_returns_costs_the_session_and_not_the_conversation() -> None:
    """``update_chat_ctx`` hangs in every session: what was typed is given to none, and that is said."""
    scenario = talk(RealtimeScript(CLIENT_TURNS, hanging=("update_chat_ctx",)), conn_options=TWO_SECONDS)
    scenario.user_types("Hello.", at=0.5)
    scenario.realtime_replies("Hi.")
    run = scenario.play()
    assert run.close_event.reason is CloseReason.ERROR
    assert "update_chat_ctx() of the realtime session did not return within 2 s" in str(run.errors[-1].error)
    assert run.conversation == [("user", "Hello.")]


def test_a_reply_that_fails_at_the_server_is_asked_for_again() -> None:
    scenario = talk(CLIENT_TURNS)
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.realtime_replies(error=APIError("overloaded"))
    scenario.realtime_replies("Hi.")
    run = played(scenario)
    assert run.said() == ["Hi."]
    assert run.errors == []


def test_a_reply_that_fails_for_good_is_an_error_of_the_speech() -> None:
    scenario = talk(CLIENT_TURNS)
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.realtime_replies(error=APIError("no", retryable=False))
    run = played(scenario)
    assert [(event.source, event.recoverable) for event in run.errors] == [("realtime", True)]
    assert run.agent_states == ["initializing", "listening"]


def test_an_empty_reply_is_a_failure_and_asked_for_again() -> None:
    scenario = talk(CLIENT_TURNS)
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.realtime_replies("")
    scenario.realtime_replies("Hi.")
    assert played(scenario).said() == ["Hi."]


@pytest.mark.parametrize("recoverable", [True, False])
def test_an_error_that_the_server_reports(recoverable: bool) -> None:
    scenario = one_turn(SPEAKING)
    broken = RealtimeSessionError(APIError("quota"), recoverable)
    scenario.call(1.0, lambda session: model_of(session).last.emit(broken))
    run = scenario.play()
    assert [event.recoverable for event in run.errors] == [recoverable]
    assert (run.close_event.reason is CloseReason.ERROR) is not recoverable
    if recoverable:
        invariants.check(run)


def test_a_session_that_reconnects_by_itself_goes_on() -> None:
    scenario = one_turn(SPEAKING)
    scenario.call(1.0, lambda session: model_of(session).last.emit(SessionReconnected()))
    run = played(scenario)
    assert run.errors == []
    assert run.said() == ["I am fine, thank you."]
    assert [(event.outage, event.label) for event in run.of(RealtimeSessionReconnectedEvent)] == [
        (0.0, "scripted-realtime")
    ]


def test_what_is_no_event_is_a_typed_failure_and_not_the_actors_end() -> None:
    scenario = one_turn(SPEAKING)
    scenario.call(1.0, lambda session: model_of(session).last.emit("rubbish"))  # type: ignore[arg-type]
    run = scenario.play()
    assert run.close_event.reason is CloseReason.ERROR  # not retryable: it would say it again
    assert "no RealtimeEvent" in str(run.errors[0].error)


def model_of(session: Session) -> ScriptedRealtime:
    model = session._llm
    assert isinstance(model, ScriptedRealtime)
    return model


@pytest.mark.parametrize("message", [2, 40, 75, 90, 120, 170])
def test_p12_realtime_killed_once_goes_on_from_its_last_committed_state(message: int) -> None:
    scenario = barge_in(SPEAKING)
    scenario.kill("realtime", message=message)
    run = played(scenario)
    assert run.killed == ("realtime",)
    assert run.close_event.reason is CloseReason.USER_INITIATED
    assert run.agent_states[-1] == "listening"


@pytest.mark.parametrize("model", [SPEAKING, CLIENT_TURNS], ids=["server", "client"])
def test_p12_realtime_killed_twice_closes_the_session_with_its_history_intact(model: object) -> None:
    scenario = barge_in(model)  # type: ignore[arg-type]
    scenario.kill("realtime", message=80)
    scenario.kill("realtime", message=100)
    run = scenario.play()
    assert run.close_event.reason is CloseReason.ERROR
    assert run.conversation[:1] == [("user", "Tell me a story.")]
    assert run.leaks == ()


def test_p12_realtime_killed_in_the_middle_of_a_reply_in_any_order() -> None:
    def killed() -> object:
        scenario = barge_in(replace(CLIENT_TURNS))
        scenario.kill("realtime", message=100)
        return scenario

    explore(killed, schedules=3)  # type: ignore[arg-type]
