"""Options and tools that cannot be: each is an error that says what, where and what to do."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated

import pydantic
import pytest

from sessionactors import (
    Agent,
    AgentSession,
    FunctionTool,
    OptionError,
    RunContext,
    SessionOptions,
    SessionSpec,
    SessionStateError,
    ToolDefinitionError,
    function_tool,
)
from sessionactors.session.components import options_for
from sessionactors.session.turn_handling import TurnHandlingOptions, place
from sessionactors.testing import Scenario, ScriptedTurnDetector

from tests.session.talks import Session, keeper, near, played

# -- options -----------------------------------------------------------------------------------------------------------


FLAT: dict[str, object] = {
    "turn_detection": "vad",
    "min_endpointing_delay": 0.2,
    "max_endpointing_delay": 1.0,
    "allow_interruptions": False,
    "discard_audio_if_uninterruptible": False,
    "min_interruption_duration": 0.3,
    "min_interruption_words": 2,
    "resume_false_interruption": False,
    "false_interruption_timeout": None,
    "preemptive_generation": False,
}
GROUPED: TurnHandlingOptions = {
    "turn_detection": "vad",
    "endpointing": {"min_delay": 0.2, "max_delay": 1.0},
    "interruption": {
        "enabled": False,
        "discard_audio_if_uninterruptible": False,
        "min_duration": 0.3,
        "min_words": 2,
        "resume_false_interruption": False,
        "false_interruption_timeout": None,
    },
    "preemptive_generation": {"enabled": False},
}


def test_deprecated_flat_options_each_warn_once_and_mean_what_turn_handling_means() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        flat: Session = AgentSession(**FLAT)  # type: ignore[arg-type]
    grouped: Session = AgentSession(turn_handling=GROUPED)
    assert flat.options == grouped.options
    said = [str(one.message) for one in caught]
    assert said == [f"AgentSession({name}=...) is deprecated: use {place(name)}" for name in FLAT]
    assert (
        "AgentSession(min_interruption_words=...) is deprecated: use turn_handling['interruption']['min_words']" in said
    )
    assert {one.filename for one in caught} == {__file__}
    assert all(one.category is DeprecationWarning for one in caught)


def test_the_older_name_of_the_false_interruption_timeout_wins_over_the_newer_one() -> None:
    with pytest.warns(DeprecationWarning, match="false_interruption_timeout"):
        session: Session = AgentSession(false_interruption_timeout=1.0, agent_false_interruption_timeout=3.0)
    assert session.options.interruption["false_interruption_timeout"] == 3.0


def test_preemptive_generation_may_be_given_as_a_dict_too() -> None:
    with pytest.warns(DeprecationWarning, match="preemptive_generation"):
        session: Session = AgentSession(preemptive_generation={"preemptive_tts": True, "max_retries": 1})
    assert (
        session.options
        == AgentSession(turn_handling={"preemptive_generation": {"preemptive_tts": True, "max_retries": 1}}).options
    )  # type: Session


def test_a_room_of_a_service_takes_the_options_of_a_session() -> None:
    of_rooms = {"agent", "prepare", "limits", "restart", "farewell"}
    spec = {option.name for option in fields(SessionSpec)} - of_rooms
    not_of_rooms = {"system", "loop", "agent_false_interruption_timeout", "keyterms_options", "mcp_servers"}
    session = set(inspect.signature(AgentSession).parameters) - not_of_rooms
    assert spec == session


# -- what is not given -------------------------------------------------------------------------------------------------


class Streaming(ScriptedTurnDetector):
    streaming = True


def test_defaults_are_those_that_users_know() -> None:
    options = SessionOptions.resolve({})
    assert (options.min_endpointing_delay, options.max_endpointing_delay) == (0.5, 3.0)
    assert (options.endpointing_mode, options.endpointing_alpha) == ("fixed", 0.9)
    assert (options.false_interruption_timeout, options.backchannel_boundary) == (2.0, (1.0, 1.0))
    assert (options.preemptive_generation, options.preemptive_tts) == (True, False)
    assert (options.preemptive_max_speech_duration, options.preemptive_max_retries) == (10.0, 3)
    assert (options.user_away_timeout, options.transcription_timeout, options.aec_warmup_duration) == (15.0, None, 3.0)
    assert (options.user_turn_max_words, options.user_turn_max_duration) == (None, None)


@pytest.mark.parametrize(
    "given, delays",
    [
        ({}, (0.3, 2.5)),
        ({"min_endpointing_delay": 0.5}, (0.5, 2.5)),
        ({"max_endpointing_delay": 3.0}, (0.3, 3.0)),
        ({"min_endpointing_delay": 4.0}, (4.0, 4.0)),
    ],
)
def test_delays_that_were_not_given_are_shorter_beside_a_streaming_detector(
    given: dict[str, object], delays: tuple[float, float]
) -> None:
    options = SessionOptions.resolve({**given, "turn_detection": Streaming({})})
    assert (options.min_endpointing_delay, options.max_endpointing_delay) == delays
    plain = options.overridden({"turn_detection": "vad"})
    assert plain == SessionOptions.resolve({**given, "turn_detection": "vad"})


def test_a_minimum_above_the_default_maximum_lifts_it() -> None:
    session: Session = AgentSession(turn_handling={"endpointing": {"min_delay": 9.0}})
    assert session.options.endpointing["max_delay"] == 9.0


def test_one_number_is_both_backchannel_boundaries() -> None:
    session: Session = AgentSession(turn_handling={"interruption": {"backchannel_boundary": 0.5}})
    assert session.options.interruption["backchannel_boundary"] == (0.5, 0.5)


@pytest.mark.parametrize("given, with_audio, without", [({}, 3.0, None), ({"aec_warmup_duration": 1.0}, 1.0, 1.0)])
def test_there_is_an_echo_warm_up_only_where_there_is_audio_out_unless_it_was_given(
    given: dict[str, object], with_audio: float | None, without: float | None
) -> None:
    options = SessionOptions.resolve(given)
    assert options_for(options, audio_output=True).aec_warmup_duration == with_audio
    assert options_for(options, audio_output=False).aec_warmup_duration == without


async def test_a_session_starts_on_the_loop_it_was_given() -> None:
    other = asyncio.new_event_loop()
    session: Session = AgentSession(loop=other)
    with pytest.raises(SessionStateError, match=r"AgentSession\(loop=...\) is another one"):
        await session.start(keeper())
    other.close()


@pytest.mark.parametrize(
    "options, says",
    [
        ({"min_endpointing_delay": -1.0}, "min_endpointing_delay must not be negative, got -1.0"),
        (
            {"min_endpointing_delay": 9.0, "max_endpointing_delay": 6.0},
            r"min_endpointing_delay \(9.0\) is greater than max_endpointing_delay",
        ),
        (
            {"turn_detection": "vda"},
            "turn_detection must be one of vad, stt, manual, realtime_llm, a TurnDetector or None, got 'vda'",
        ),
        ({"user_away_timeout": "15"}, "user_away_timeout must be a number of seconds or None, got '15'"),
        ({"max_tool_steps": 1.5}, "max_tool_steps must be a whole number, got 1.5"),
        ({"use_tts_aligned_transcript": 1}, "use_tts_aligned_transcript must be True or False, got 1"),
        ({"conn_options": 3}, "conn_options must be SessionConnectOptions, got 3"),
        ({"turn_handling": ["vad"]}, "turn_handling must be a dict"),
        (
            {"turn_handling": {"endpointing": {"alpha": 2}}},
            "endpointing_alpha must be between 0 and 1, got 2",
        ),
        (
            {"turn_handling": {"interruption": {"mode": "loud"}}},
            "interruption_mode has no 'loud'; there are: adaptive, vad, None",
        ),
        (
            {"min_endpointing_delay": 0.1, "turn_handling": {"endpointing": {"min_delay": 0.2}}},
            "min_endpointing_delay: given both flat and in turn_handling; give each once",
        ),
        (
            {"turn_detection": None, "turn_handling": {"turn_detection": None}},
            "turn_detection: given both flat and in turn_handling",
        ),
        (
            {"turn_handling": {"endpoints": {}}},
            "turn_handling has no 'endpoints'; there are: turn_detection",
        ),
        (
            {"turn_handling": {"endpointing": {"min": 1}}},
            r"turn_handling\['endpointing'\] has no 'min'; there are: ",
        ),
        ({"turn_handling": {"endpointing": 0.5}}, r"turn_handling\['endpointing'\] must be a dict, got 0.5"),
        ({"actors": [object()]}, "is not a drop-in actor: subclass DropIn"),
    ],
)
def test_options_that_cannot_be_are_errors_that_say_so(options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        AgentSession(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("as_dict", [False, True], ids=["flat", "in turn_handling"])
def test_a_turn_detector_may_make_a_turn_wait_longer(as_dict: bool) -> None:
    detector = ScriptedTurnDetector({"I would like": 0.1})
    handling: TurnHandlingOptions = {"turn_detection": detector, "endpointing": {"max_delay": 2.0}}
    flat: dict[str, object] = {"turn_detection": detector, "max_endpointing_delay": 2.0}
    scenario = Scenario(keeper(), **({"turn_handling": handling} if as_dict else flat))
    scenario.user_says("I would like", at=0.5, until=1.5)
    scenario.llm_replies("Yes?")
    run = played(scenario)
    assert detector.asked == ["I would like"]
    assert run.agent_became("thinking") == [near(3.5)]


# -- tools -------------------------------------------------------------------------------------------------------------


def untyped(word) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return str(word)


def variadic(*words: str) -> str:
    return " ".join(words)


def keywords(**words: str) -> str:
    return " ".join(words)


def positional(word: str, /) -> str:
    return word


def unknown_type(word: "Nothing") -> str:  # type: ignore[name-defined]  # noqa: F821, UP037
    return str(word)


class Opaque:
    pass


def opaque(thing: Opaque) -> str:
    return str(thing)


def callback(thing: Callable[[int], int]) -> str:
    return str(thing)


@pytest.mark.parametrize(
    "function, says",
    [
        (untyped, "parameter 'word' has no type; write it as in `word: str`"),
        (variadic, r"parameter \*words: 'str' is variadic positional"),
        (keywords, r"parameter \*\*words: 'str' is variadic keyword"),
        (positional, "is positional-only"),
        (unknown_type, "a type of its signature cannot be resolved: name 'Nothing'"),
        (opaque, "a parameter's type has no JSON schema"),
        (callback, "a parameter's type has no JSON schema"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_an_error_that_names_the_parameter(
    function: Callable[..., str], says: str
) -> None:
    with pytest.raises(ToolDefinitionError, match=says):
        function_tool(function)


def test_a_schema_comes_from_signature_and_docstring() -> None:
    @function_tool
    async def book(
        context: RunContext[object], day: str, guests: int = 2, name: Annotated[str | None, pydantic.Field()] = None
    ) -> str:
        """Books a table.

        Not on Mondays.

        Args:
            day: such as 2026-05-01.
            guests: how many come.
        """
        return f"{day} {guests} {name} {context}"

    assert (book.name, book.description) == ("book", "Books a table. Not on Mondays.")
    schema = book.definition.parameters
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == {"day", "guests", "name"}
    assert properties["day"] == {"description": "such as 2026-05-01.", "type": "string"}
    assert schema["required"] == ["day"]
    assert schema["additionalProperties"] is False


async def test_a_tool_is_still_the_function_it_was() -> None:
    @function_tool(name="plus", description="Adds.")
    def add(left: int, right: int) -> int:
        return left + right

    assert add(1, 2) == 3
    assert (add.name, add.description, add.__name__) == ("plus", "Adds.", "add")
    assert repr(add) == "<FunctionTool plus>"


class Waiter(Agent):
    def __init__(self, tools: list[FunctionTool[..., object]] | None = None) -> None:
        super().__init__(instructions="Serve.", tools=tools or [])
        self.orders: list[str] = []

    @function_tool
    async def order(self, dish: str) -> str:
        """Takes an order."""
        self.orders.append(dish)
        return "ordered"


def test_methods_of_an_agent_are_tools_of_their_own_agent() -> None:
    first, second = Waiter(), Waiter()
    for agent, dish in ((first, "soup"), (second, "salad")):
        scenario = Scenario(agent, audio=False)
        scenario.user_types("Hello.", at=0.5)
        scenario.llm_replies(tool_calls=[("order", f'{{"dish": "{dish}"}}')])
        scenario.llm_replies("Right away.")
        played(scenario)
    assert (first.orders, second.orders) == (["soup"], ["salad"])


def test_two_tools_of_one_name_are_an_error() -> None:
    @function_tool
    async def order(dish: str) -> str:
        return dish

    with pytest.raises(ToolDefinitionError, match="agent 'waiter' has two tools named 'order'"):
        Waiter([order])


def test_what_is_no_tool_is_an_error() -> None:
    with pytest.raises(ToolDefinitionError, match="is not a tool: decorate it with @function_tool"):
        Waiter([len])  # type: ignore[list-item]


def test_an_agent_that_runs_in_no_session_says_so() -> None:
    with pytest.raises(RuntimeError, match="agent 'waiter' is not running in a session: start one with it first"):
        _ = Waiter().session
    assert len(Waiter().tools) == 1
