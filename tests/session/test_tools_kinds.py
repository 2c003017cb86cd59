"""What may be a tool: functions, raw schemas, sets, tools of the provider; and what becomes of a model's arguments."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pydantic
import pytest

from sessionactors import (
    Agent,
    DuplicateToolError,
    FunctionCall,
    FunctionCallOutput,
    FunctionTool,
    ProviderTool,
    RawFunctionTool,
    RunContext,
    ToolDefinitionError,
    ToolFlag,
    Toolset,
    function_tool,
)
from sessionactors.model.errors import APITimeoutError
from sessionactors.model.tool_arguments import ArgumentsUnreadable, canonical_arguments, read_arguments
from sessionactors.session.tool import AnyTool
from sessionactors.testing import Run, Scenario

from tests.session.talks import played

SCHEMA = {
    "name": "lookup",
    "description": "Looks something up.",
    "parameters": {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]},
}


@function_tool(raw_schema=SCHEMA)
async def lookup(raw_arguments: dict[str, object], context: RunContext[object]) -> str:
    return f"{context.function_call.name}: {json.dumps(raw_arguments)}"


@function_tool
async def weather(city: str, days: int = 1) -> str:
    """The weather."""
    return f"sunny in {city} for {days}"


def typed(agent: Agent, **options: object) -> Scenario:
    scenario = Scenario(agent, audio=False, **options)  # type: ignore[arg-type]
    scenario.user_types("Go.", at=0.5)
    return scenario


def outputs(run: Run) -> list[str]:
    return [item.output for item in run.history if isinstance(item, FunctionCallOutput)]


def called(agent: Agent, name: str, arguments: str, **options: object) -> Run:
    scenario = typed(agent, **options)
    scenario.llm_replies(tool_calls=[(name, arguments)])
    scenario.llm_replies("Done.")
    return played(scenario)


# -- kinds -----------------------------------------------------------------------------------------------------------


def test_a_raw_tool_gets_the_arguments_as_one_dict_and_shows_its_schema_unchanged() -> None:
    assert isinstance(lookup, RawFunctionTool)
    run = called(Agent(instructions="", tools=[lookup]), "lookup", '{"key": "a", "more": 1}')
    assert outputs(run) == ['lookup: {"key": "a", "more": 1}']
    (offered,) = run.requests[0].tools
    assert (offered.name, offered.description, offered.parameters) == (
        "lookup",
        "Looks something up.",
        SCHEMA["parameters"],
    )


@pytest.mark.parametrize(
    "schema, function, problem",
    [
        ({"parameters": {}}, lambda raw_arguments: None, "has no name"),
        ({"name": "a"}, lambda raw_arguments: None, "has no parameters"),
        ({"name": "a", "parameters": {}}, lambda: None, "needs a parameter `raw_arguments`"),
        ({"name": "a", "parameters": {}}, lambda raw_arguments, city: None, "'city' is neither"),
    ],
)
def test_a_raw_tool_that_cannot_work_is_refused(schema: dict[str, Any], function: Any, problem: str) -> None:
    with pytest.raises(ToolDefinitionError, match=problem):
        function_tool(function, raw_schema=schema)


@pytest.mark.parametrize(
    "rules, problem",
    [
        ({"on_duplicate": "ignore"}, "on_duplicate must be one of"),
        ({"duplicate_scope": "args"}, "duplicate_scope must be one of"),
        ({"timeout": 0}, "timeout must be more than 0 seconds, got 0"),
        ({"approval_timeout": -1}, "approval_timeout must be more than 0 seconds"),
    ],
)
def test_a_rule_out_of_range_is_refused(rules: dict[str, Any], problem: str) -> None:
    with pytest.raises(ToolDefinitionError, match=problem):
        function_tool(lambda: None, **rules)


def test_what_a_tool_is_can_be_read_from_it() -> None:
    tool = function_tool(
        weather._function,
        name="w",
        flags=ToolFlag.CANCELLABLE | ToolFlag.IRREVERSIBLE,
        on_duplicate="confirm",
        duplicate_scope="name_and_args",
    )
    assert isinstance(tool, FunctionTool)
    assert (tool.id, tool.info.name, tool.info.description) == ("w", "w", "The weather.")
    assert tool.info.on_duplicate == "confirm"
    assert tool.info.duplicate_scope == "name_and_args"
    assert ToolFlag.IRREVERSIBLE in tool.info.flags
    assert "lk_agents_confirm_duplicate" in str(tool.definition.parameters)
    assert "lk_agents_confirm_duplicate" not in str(weather.definition.parameters)


def test_a_provider_tool_is_offered_in_the_providers_format() -> None:
    from sessionactors.providers.openai.chat_messages import OfferedTools

    search = ProviderTool(id="web_search", definition={"type": "web_search", "depth": 2})
    scenario = typed(Agent(instructions="", tools=[search, weather]))
    scenario.llm_replies("Found it.")
    run = played(scenario)
    shown, function = OfferedTools(run.requests[0].tools).offered
    assert shown == {"type": "web_search", "depth": 2}
    assert function["function"]["name"] == "weather"


def test_a_call_of_a_provider_tool_does_not_run_here() -> None:
    run = called(Agent(instructions="", tools=[ProviderTool(id="web_search"), weather]), "web_search", "{}")
    assert outputs(run) == ["Unknown tool 'web_search'. Available tools: weather"]


# -- names -----------------------------------------------------------------------------------------------------------


def test_two_tools_of_one_name_are_an_error_wherever_they_are() -> None:
    other = function_tool(weather._function, name="weather")
    givens: list[list[AnyTool]] = [[weather, other], [weather, Toolset(id="set", tools=[other])]]
    for given in givens:
        with pytest.raises(DuplicateToolError, match="two tools named 'weather'") as raised:
            Agent(instructions="", tools=given)
        assert isinstance(raised.value, ValueError)
    with pytest.raises(DuplicateToolError, match="two tool sets named 'set'"):
        Agent(instructions="", tools=[Toolset(id="set"), Toolset(id="set")])


def test_a_session_does_not_start_with_an_agent_that_has_a_tool_of_its_name() -> None:
    agent = Agent(instructions="", tools=[weather])
    scenario = typed(agent, tools=[weather])
    with pytest.raises(DuplicateToolError, match="with the tools of its session, has two tools named 'weather'"):
        scenario.play()
    assert agent._session is None


def test_tools_of_the_session_come_before_those_of_the_agent() -> None:
    run = called(Agent(instructions="", tools=[weather]), "lookup", '{"key": "a"}', tools=[lookup])
    assert [tool.name for tool in run.requests[0].tools] == ["lookup", "weather"]
    assert outputs(run) == ['lookup: {"key": "a"}']


# -- sets ------------------------------------------------------------------------------------------------------------


class Desk(Toolset):
    """A set with a connection."""

    def __init__(self, problem: BaseException | None = None, hangs: bool = False) -> None:
        super().__init__(id=f"desk-{id(self)}")
        self.log: list[str] = []
        self._problem = problem
        self._hangs = hangs

    async def setup(self) -> None:
        self.log.append("setup")
        if self._hangs:
            await asyncio.sleep(1000)
        if self._problem is not None:
            raise self._problem
        await super().setup()

    async def aclose(self) -> None:
        self.log.append("aclose")
        await super().aclose()

    @property
    def tools(self) -> list[Any]:
        return [] if self._problem is not None else self._tools

    @function_tool
    async def ring(self, times: int) -> str:
        self.log.append("ring")
        return "ring " * times


def test_a_set_is_set_up_before_its_tools_are_offered_and_closed_with_the_session() -> None:
    inner, outer = Desk(), Toolset(id="outer")
    outer.replace_tools([inner])
    run = called(Agent(instructions="", tools=[outer]), "ring", '{"times": 2}')
    assert outputs(run) == ["ring ring "]
    assert inner.log == ["setup", "ring", "aclose"]


def test_a_set_of_the_session_serves_its_agent() -> None:
    desk = Desk()
    run = called(Agent(instructions=""), "ring", '{"times": 1}', tools=[desk])
    assert outputs(run) == ["ring "]
    assert desk.log == ["setup", "ring", "aclose"]


def test_a_set_that_cannot_be_set_up_keeps_the_session_from_starting_and_nothing_stays_open() -> None:
    fine, broken = Desk(), Desk(OSError("no such desk"))
    agent = Agent(instructions="", tools=[broken])
    scenario = typed(agent, tools=[fine])
    with pytest.raises(OSError, match="no such desk"):
        scenario.play()
    assert (fine.log, broken.log) == (["setup", "aclose"], ["setup", "aclose"])
    assert agent._session is None


def test_a_set_that_hangs_is_given_up() -> None:
    desk = Desk(hangs=True)
    with pytest.raises(APITimeoutError, match="was not set up within 30"):
        typed(Agent(instructions="", tools=[desk])).play()
    assert desk.log == ["setup", "aclose"]


def test_a_set_may_change_its_tools_while_it_runs() -> None:
    desk = Toolset(id="desk", tools=[weather])
    scenario = typed(Agent(instructions="", tools=[desk]))
    scenario.llm_replies("One.")
    scenario.call(2.0, lambda session: desk.replace_tools([lookup]))
    scenario.user_types("Again.", at=3.0)
    scenario.llm_replies("Two.")
    run = played(scenario)
    assert [[tool.name for tool in request.tools] for request in run.requests] == [["weather"], ["lookup"]]


def test_a_set_that_takes_a_name_that_is_taken_keeps_its_old_tools() -> None:
    desk = Toolset(id="desk", tools=[lookup])
    scenario = typed(Agent(instructions="", tools=[desk, weather]))
    scenario.call(1.0, lambda session: desk.replace_tools([function_tool(weather._function, name="weather")]))
    scenario.llm_replies("One.")
    scenario.user_types("Again.", at=3.0)
    scenario.llm_replies("Two.")
    run = played(scenario)
    assert [tool.name for tool in run.requests[1].tools] == ["lookup", "weather"]


# -- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent, understood",
    [
        ('{"city": "Rome", "days": 2}', "sunny in Rome for 2"),
        ('{"city": "Rome", "days": 2', "sunny in Rome for 2"),
        ("{'city': 'Rome'}", "sunny in Rome for 1"),
        ('```json\n{"city": "Rome",}\n```', "sunny in Rome for 1"),
        ('{"city": "Rome", "days": "3"}', "sunny in Rome for 3"),
    ],
)
def test_arguments_are_repaired_and_kept_as_plain_json(sent: str, understood: str) -> None:
    run = called(Agent(instructions="", tools=[weather]), "weather", sent)
    assert outputs(run) == [understood]
    (call,) = [item for item in run.history if isinstance(item, FunctionCall)]
    assert json.loads(call.arguments)["city"] == "Rome"


@pytest.mark.parametrize("sent", ["[1, 2]", "nonsense", '"text"', "7"])
def test_arguments_that_are_no_object_are_told_to_the_model(sent: str) -> None:
    (output,) = outputs(called(Agent(instructions="", tools=[weather]), "weather", sent))
    assert output.startswith("Wrong arguments for tool 'weather': ")


def test_what_cannot_be_read_stays_as_it_was_and_nothing_is_repaired_without_end() -> None:
    assert canonical_arguments("nonsense") == "nonsense"
    assert canonical_arguments(' {"b": 1,\n "a": 2} ') == '{"b": 1, "a": 2}'
    assert read_arguments("") == read_arguments("null") == {}
    with pytest.raises(ArgumentsUnreadable, match="too long to repair"):
        read_arguments("{" * 100_000)


class Odd(pydantic.BaseModel):
    value: int

    @pydantic.field_validator("value")
    @classmethod
    def check(cls, value: int) -> int:
        raise KeyError("secret of the house")


def test_a_validator_of_the_users_that_raises_hurts_nobody() -> None:
    @function_tool
    async def odd(one: Odd) -> str:
        return "never"

    run = called(Agent(instructions="", tools=[odd]), "odd", '{"one": {"value": 1}}')
    assert outputs(run) == ["An internal error occurred"]
