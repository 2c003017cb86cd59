"""Options and tools that cannot be: each is an error that says what, where and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import pydantic
import pytest

from sessionactors import (
    Agent,
    AgentSession,
    FunctionTool,
    OptionError,
    RunContext,
    ToolDefinitionError,
    function_tool,
)
from sessionactors.session.turn_handling import TurnHandlingOptions
from sessionactors.testing import Scenario, ScriptedTurnDetector

from tests.session.talks import Session, keeper, near, played

# -- options -----------------------------------------------------------------------------------------------------------


def test_flat_options_and_turn_handling_mean_the_same() -> None:
    flat: Session = AgentSession(
        min_endpointing_delay=0.2,
        max_endpointing_delay=1.0,
        allow_interruptions=False,
        min_interruption_duration=0.3,
        min_interruption_words=2,
    )
    grouped: Session = AgentSession(
        turn_handling={
            "endpointing": {"min_delay": 0.2, "max_delay": 1.0},
            "interruption": {"enabled": False, "min_duration": 0.3, "min_words": 2},
        }
    )
    assert flat.options == grouped.options


@pytest.mark.parametrize(
    "options, says",
    [
        ({"min_endpointing_delay": -1.0}, "min_endpointing_delay must not be negative, got -1.0"),
        (
            {"min_endpointing_delay": 9.0},
            r"min_endpointing_delay \(9.0\) is greater than max_endpointing_delay",
        ),
        ({"turn_detection": "stt"}, "turn_detection must be \"vad\", a TurnDetector or None, got 'stt'"),
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
