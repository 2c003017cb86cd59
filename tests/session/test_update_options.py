"""Options that change while a session runs, and options that only one agent has."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from operator import methodcaller

import pytest

from sessionactors import (
    NOT_GIVEN,
    Agent,
    AgentSession,
    APIConnectOptions,
    ChatMessage,
    OptionError,
    SessionConnectOptions,
)
from sessionactors.session.turn_handling import TurnHandlingOptions
from sessionactors.testing import Scenario, ScriptedTurnDetector, explore

from tests.session.talks import STORY, Session, barge_in, keeper, near, one_turn, played

# -- at run time -------------------------------------------------------------------------------------------------------


def shorter(session: Session) -> None:
    session.update_options(endpointing_opts={"min_delay": 0.8})


@pytest.mark.parametrize(
    "at, thinking",
    [
        (1.0, 3.3),  # before the silence
        (3.0, 3.3),  # while it is waited for: what is left is counted anew
        (4.0, 4.0),  # when it would have been enough already
    ],
)
def test_f10_a_delay_that_changes_holds_for_the_turn_that_waits(at: float, thinking: float) -> None:
    scenario = one_turn(min_endpointing_delay=3.0)
    scenario.call(at, shorter)
    assert played(scenario).agent_became("thinking") == [near(thinking)]


def test_f10_a_delay_changes_in_any_order_of_messages() -> None:
    def scenario() -> Scenario:
        scenario = one_turn(min_endpointing_delay=2.0)
        scenario.call(3.0, shorter)
        return scenario

    explore(scenario, schedules=3)


def test_f10_a_detector_that_is_set_while_the_session_runs_is_asked() -> None:
    detector = ScriptedTurnDetector({"How are you?": 0.1})
    scenario = one_turn()
    scenario.call(1.0, lambda session: session.update_options(turn_detection=detector))
    run = played(scenario)
    assert detector.asked == ["How are you?"]
    assert run.agent_became("thinking") == [near(5.5)]


def test_f10_a_detector_that_is_taken_away_is_not_waited_for() -> None:
    detector = ScriptedTurnDetector({"How are you?": 0.1})
    scenario = one_turn(turn_detection=detector)
    scenario.call(3.5, lambda session: session.update_options(turn_detection=None))
    assert played(scenario).agent_became("thinking") == [near(3.5)]


def test_options_that_change_can_be_read_at_once() -> None:
    session: Session = AgentSession()
    before = session.options
    session.update_options(endpointing_opts={"max_delay": 2.0, "mode": "dynamic"}, turn_detection="vad")
    assert session.options.endpointing == {"mode": "dynamic", "min_delay": 0.5, "max_delay": 2.0, "alpha": 0.9}
    assert session.options.endpointing_overrides == {"mode": "dynamic", "max_delay": 2.0}
    assert session.turn_detection == "vad"
    assert before.endpointing_overrides == {}


def test_a_change_that_cannot_be_changes_nothing() -> None:
    session: Session = AgentSession(turn_handling={"endpointing": {"max_delay": 1.0}})
    before = session.options
    with pytest.raises(OptionError, match="is greater than"):
        session.update_options(endpointing_opts={"min_delay": 2.0}, turn_detection="vad")
    with pytest.raises(OptionError, match="has no 'min'"):
        session.update_options(endpointing_opts={"min": 2.0})  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="min_endpointing_delay: given both flat and in endpointing_opts"):
        session.update_options(endpointing_opts={"min_delay": 0.2}, min_endpointing_delay=0.3)
    assert session.options == before


def test_deprecated_delays_warn_and_work() -> None:
    session: Session = AgentSession()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session.update_options(min_endpointing_delay=0.1, max_endpointing_delay=0.2)
    assert [str(one.message) for one in caught] == [
        "update_options(min_endpointing_delay=...) is deprecated: use endpointing_opts['min_delay']",
        "update_options(max_endpointing_delay=...) is deprecated: use endpointing_opts['max_delay']",
    ]
    assert session.options.endpointing_overrides == {"min_delay": 0.1, "max_delay": 0.2}


def test_options_read_back_have_the_shape_that_users_know() -> None:
    options = AgentSession[object]().options
    assert options.turn_handling == {
        "endpointing": {"mode": "fixed", "min_delay": 0.5, "max_delay": 3.0, "alpha": 0.9},
        "interruption": {
            "enabled": True,
            "discard_audio_if_uninterruptible": True,
            "min_duration": 0.5,
            "min_words": 0,
            "resume_false_interruption": True,
            "false_interruption_timeout": 2.0,
            "backchannel_boundary": (1.0, 1.0),
        },
        "preemptive_generation": {
            "enabled": True,
            "preemptive_tts": False,
            "max_speech_duration": 10.0,
            "max_retries": 3,
        },
        "user_turn_limit": {"max_words": None, "max_duration": None},
    }
    assert (options.max_tool_steps, options.min_consecutive_speech_delay, options.ivr_detection) == (3, 0.0, False)
    assert (options.user_away_timeout, options.transcription_timeout, options.aec_warmup_duration) == (15.0, None, 3.0)
    assert (options.use_tts_aligned_transcript, options.session_close_transcript_timeout) == (False, 2.0)
    assert options.tts_text_transforms == ("filter_markdown", "filter_emoji")
    assert AgentSession[object](tts_text_transforms=None).options.tts_text_transforms is None
    with pytest.raises(TypeError):
        options.interruption["enabled"] = False  # a write that changes nothing must not look as if it did


def test_connection_options_are_read_back_for_each_kind() -> None:
    quick = APIConnectOptions(max_retry=0)
    options = SessionConnectOptions(tts_conn_options=quick, max_unrecoverable_errors=1)
    assert AgentSession[object](conn_options=options).conn_options == options
    assert AgentSession[object](conn_options=quick).conn_options == SessionConnectOptions(quick, quick, quick)


# -- an agent's own ----------------------------------------------------------------------------------------------------


def with_own(**turn_handling: object) -> Agent:
    return Agent(instructions="Be kind.", turn_handling=turn_handling)  # type: ignore[arg-type]


def test_an_agents_delays_take_precedence_key_by_key() -> None:
    agent = with_own(endpointing={"min_delay": 1.5})
    detector = ScriptedTurnDetector({"I would like": 0.1})
    scenario = Scenario(agent, min_endpointing_delay=0.2, max_endpointing_delay=2.5, turn_detection=detector)
    scenario.user_says("Tell me.", at=0.5, until=1.5)
    scenario.llm_replies("Yes.")
    scenario.tts_speaks(duration=1.0)
    scenario.user_says("I would like", at=6.0, until=7.0)
    scenario.llm_replies("Go on.")
    assert played(scenario).agent_became("thinking") == [near(3.0), near(9.5)]


def test_an_agents_delay_survives_a_change_of_the_sessions() -> None:
    scenario = one_turn(with_own(endpointing={"min_delay": 1.5}))
    scenario.call(1.0, lambda session: session.update_options(endpointing_opts={"min_delay": 0.1}))
    assert played(scenario).agent_became("thinking") == [near(4.0)]


@pytest.mark.parametrize(
    "own, delays",
    [({"min_delay": 4.0}, (4.0, 4.0)), ({"max_delay": 0.5}, (0.5, 0.5)), ({"max_delay": 1.5}, (0.5, 1.5))],
)
def test_where_an_agents_delay_contradicts_the_sessions_the_agents_wins(
    own: dict[str, float], delays: tuple[float, float]
) -> None:
    session: Session = AgentSession(turn_handling={"endpointing": {"min_delay": 2.0, "max_delay": 3.0}})
    options = session.options.resolved.overridden(with_own(endpointing=own)._overrides)
    assert (options.min_endpointing_delay, options.max_endpointing_delay) == delays


def test_an_agent_that_cannot_be_interrupted_is_not() -> None:
    run = played(barge_in(with_own(interruption={"enabled": False})))
    assert STORY in [item.text_content for item in run.history if isinstance(item, ChatMessage)]


def test_what_an_agent_is_told_to_say_is_protected_as_its_replies_are() -> None:
    scenario = Scenario(with_own(interruption={"enabled": False}))
    protected: list[bool] = []
    scenario.call(0.5, lambda session: protected.append(session.say("One.").allow_interruptions))
    scenario.call(
        0.5, lambda session: protected.append(session.say("Two.", allow_interruptions=True).allow_interruptions)
    )
    played(scenario)
    assert protected == [False, True]


def test_an_agent_may_pause_between_its_speeches() -> None:
    agent = Agent(instructions="Be slow.", min_consecutive_speech_delay=1.0)
    scenario = Scenario(agent, min_consecutive_speech_delay=0.0)
    for text in ("One.", "Two."):
        scenario.call(1.0, methodcaller("say", text))
        scenario.tts_speaks(text=text, duration=1.0)
    run = played(scenario)
    assert run.agent_became("speaking")[1] - run.agent_became("listening")[1] == near(1.0)


@pytest.mark.parametrize(
    "make, says",
    [
        (
            lambda: with_own(interruption={"min_words": 2, "enabled": False}),
            r"an agent has no .*\['min_words'\] of its own: .*; an agent may have: .*\['interruption'\]\['enabled'\], ",
        ),
        (
            lambda: with_own(user_turn_limit={"max_words": 50}),
            r"an agent has no turn_handling\['user_turn_limit'\]\['max_words'\] of its own",
        ),
        (lambda: with_own(endpointing={"min_delay": -1}), "min_endpointing_delay must not be negative, got -1"),
        (lambda: with_own(endpoints={}), "turn_handling has no 'endpoints'"),
        (
            lambda: Agent(
                instructions="", turn_handling={"endpointing": {"min_delay": 1.0}}, min_endpointing_delay=2.0
            ),
            "min_endpointing_delay: given both flat and in turn_handling",
        ),
    ],
)
def test_f23_what_an_agent_cannot_have_of_its_own_is_an_error(make: Callable[[], Agent], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make()


def test_deprecated_names_of_an_agent_warn_once_and_work() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old = Agent(instructions="", min_endpointing_delay=0.2, max_endpointing_delay=1.0, allow_interruptions=False)
    assert [str(one.message) for one in caught] == [
        "Agent(min_endpointing_delay=...) is deprecated: use turn_handling['endpointing']['min_delay']",
        "Agent(max_endpointing_delay=...) is deprecated: use turn_handling['endpointing']['max_delay']",
        "Agent(allow_interruptions=...) is deprecated: use turn_handling['interruption']['enabled']",
    ]
    new: TurnHandlingOptions = {"endpointing": {"min_delay": 0.2, "max_delay": 1.0}, "interruption": {"enabled": False}}
    assert old._overrides == Agent(instructions="", turn_handling=new)._overrides
    assert keeper()._overrides == {}
    assert NOT_GIVEN not in old._overrides.values()
