"""Many tools behind a search: those that fit are offered (``ToolSearchToolset``), or told of (``ToolProxyToolset``)."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionactors import (
    Agent,
    AgentSession,
    AsyncToolset,
    BM25SearchStrategy,
    DuplicateToolError,
    FunctionCall,
    FunctionCallOutput,
    KeywordSearchStrategy,
    ProviderTool,
    RunContext,
    SearchItem,
    ToolDefinitionError,
    ToolFlag,
    ToolProxyToolset,
    ToolSearchToolset,
    Toolset,
    function_tool,
    mock_tools,
)
from sessionactors.messages.tools import CallBegan, ToolFinished
from sessionactors.model.errors import ToolTimeoutError
from sessionactors.session.tool import AnyTool
from sessionactors.testing import Run, Scenario

from tests.session.talks import near, played


@function_tool
async def get_weather(city: str) -> str:
    """The weather of a place.

    Args:
        city: where.
    """
    return f"sunny in {city}"


@function_tool
async def book_table(restaurant: str, guests: int) -> str:
    """Reserves seats for dinner."""
    return f"{guests} at {restaurant}"


@function_tool
def add_event(title: str) -> str:
    """Writes something into the calendar."""
    return f"{title} written down"


@function_tool
def list_events() -> str:
    """What the calendar says."""
    return "nothing"


CALENDAR: list[AnyTool] = [add_event, list_events]


def typed(agent: Agent, *steps: list[tuple[str, dict[str, object]]], **options: object) -> Scenario:
    """Each step of the model calls these tools; then it says that it is done."""
    scenario = Scenario(agent, audio=False, **options)  # type: ignore[arg-type]
    scenario.user_types("Go.", at=0.5)
    for step in steps:
        scenario.llm_replies(tool_calls=[(name, json.dumps(arguments)) for name, arguments in step])
    scenario.llm_replies("Done.")
    return scenario


def search(query: str) -> tuple[str, dict[str, object]]:
    return "tool_search", {"query": query}


def call(name: str, **parameters: object) -> tuple[str, dict[str, object]]:
    return "call_tool", {"name": name, "parameters": parameters}


def outputs(run: Run) -> list[str]:
    return [item.output for item in run.history if isinstance(item, FunctionCallOutput)]


def errors(run: Run) -> list[str]:
    return [item.output for item in run.history if isinstance(item, FunctionCallOutput) and item.is_error]


def offered(run: Run) -> list[list[str]]:
    return [[tool.name for tool in request.tools] for request in run.requests]


# -- searching -------------------------------------------------------------------------------------------------------


def many() -> ToolSearchToolset:
    return ToolSearchToolset(id="many", tools=[get_weather, book_table, Toolset(id="calendar", tools=CALENDAR)])


def test_what_a_search_finds_is_offered_in_the_next_step_and_can_be_called() -> None:
    agent = Agent(instructions="", tools=[many()])
    run = played(typed(agent, [search("weather of a city")], [("get_weather", {"city": "Rome"})]))
    assert offered(run)[0] == ["tool_search"]
    assert offered(run)[1] == offered(run)[2] == ["tool_search", "get_weather"]
    assert outputs(run) == ["These can be called now: get_weather.", "sunny in Rome"]


def test_a_tool_of_a_set_is_found_with_all_of_its_set() -> None:
    run = played(typed(Agent(instructions="", tools=[many()]), [search("write")], [search("writes")]))
    assert offered(run)[2] == ["tool_search", "add_event", "list_events"]
    assert errors(run) == ["No tool was found for 'write'. Try other words."]


def test_two_searches_of_one_step_add_up_and_a_later_one_replaces_them() -> None:
    agent = Agent(instructions="", tools=[many()])
    run = played(typed(agent, [search("weather"), search("dinner")], [search("calendar")]))
    assert sorted(offered(run)[1]) == ["book_table", "get_weather", "tool_search"]
    assert offered(run)[2] == ["tool_search", "add_event", "list_events"]


def test_what_is_not_offered_any_more_can_still_be_called_by_its_own_rules() -> None:
    """A model remembers it; or it searches again in the step in which it calls it."""

    @function_tool(timeout=0.5)
    async def ponder() -> str:
        """Thinks about it."""
        await asyncio.sleep(60)
        return "never"

    agent = Agent(instructions="", tools=[ToolSearchToolset(id="many", tools=[ponder, get_weather])])
    run = played(typed(agent, [search("thinks")], [search("weather"), ("ponder", {})], [("ponder", {})]))
    assert offered(run)[2] == ["tool_search", "get_weather"]
    assert outputs(run)[2:] == ["The tool did not return within 0.5 s and was stopped."] * 2


def test_what_was_never_found_cannot_be_called() -> None:
    run = played(typed(Agent(instructions="", tools=[many()]), [("get_weather", {"city": "Rome"})]))
    assert errors(run) == ["Unknown tool 'get_weather'. Available tools: tool_search"]


@pytest.mark.parametrize("query", ["", "  ", 3, None])
def test_a_search_without_words_is_told_so(query: object) -> None:
    run = played(typed(Agent(instructions="", tools=[many()]), [("tool_search", {"query": query})]))
    assert errors(run) == ["tool_search needs a query: a few words of what the tool does"]


def test_what_can_be_found_follows_the_sets_inside() -> None:
    calendar = Toolset(id="calendar", tools=[add_event])
    scenario = Scenario(Agent(instructions="", tools=[ToolSearchToolset(id="many", tools=[calendar])]), audio=False)
    scenario.user_types("Go.", at=0.5)
    scenario.llm_replies(tool_calls=[("tool_search", '{"query": "calendar"}')])
    scenario.llm_replies("Done.")
    scenario.call(2.0, lambda session: calendar.replace_tools([list_events, get_weather]))
    scenario.user_types("Again.", at=3.0)
    scenario.llm_replies(tool_calls=[("tool_search", '{"query": "weather"}')])
    scenario.llm_replies("Done.")
    run = played(scenario)
    assert offered(run)[1:3] == [["tool_search", "add_event"], ["tool_search", "list_events", "get_weather"]]
    assert outputs(run)[1] == "These can be called now: list_events, get_weather."


def test_other_tools_can_be_put_into_the_set_while_it_runs() -> None:
    tools = many()
    scenario = typed(Agent(instructions="", tools=[tools]), [search("weather")])
    scenario.call(2.0, lambda session: tools.replace_tools([book_table]))
    scenario.user_types("Again.", at=3.0)
    scenario.llm_replies(tool_calls=[("tool_search", '{"query": "weather dinner"}')])
    scenario.llm_replies("Done.")
    run = played(scenario)
    assert offered(run)[2:] == [["tool_search"], ["tool_search", "book_table"]]


class Link(Toolset):
    """A set with a connection."""

    def __init__(self) -> None:
        super().__init__(id="link")
        self.log: list[str] = []

    async def setup(self) -> None:
        self.log.append("setup")
        self.replace_tools([get_weather])

    async def aclose(self) -> None:
        self.log.append("aclose")


def test_sets_inside_are_set_up_before_they_are_searched_and_closed_with_it() -> None:
    link = Link()
    tools = ToolSearchToolset(id="many", tools=[link])
    run = played(typed(Agent(instructions="", tools=[tools]), [search("weather")]))
    assert offered(run)[1] == ["tool_search", "get_weather"]
    assert link.log == ["setup", "aclose"]
    assert [tool.id for tool in tools.tools if not isinstance(tool, Toolset)] == ["tool_search"]


def test_a_name_that_is_taken_is_an_error_before_anything_is_found() -> None:
    with pytest.raises(DuplicateToolError, match="get_weather"):
        Agent(instructions="", tools=[many(), get_weather])


def test_at_least_one_result_has_to_be_allowed() -> None:
    with pytest.raises(ToolDefinitionError, match="at least 1, got 0"):
        ToolSearchToolset(id="many", max_results=0)


class Slow:
    """A strategy of the user's own, all coroutines."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def build_index(self, items: list[SearchItem]) -> None:
        self.log.append(f"index {len(items)}")

    async def search(self, query: str, items: list[SearchItem], max_results: int) -> list[SearchItem]:
        await asyncio.sleep(1.0)
        if query == "fail":
            raise OSError("no index")
        return [item for item in items if item.name == query][:max_results]

    async def cleanup(self) -> None:
        self.log.append("cleanup")


def test_a_strategy_of_ones_own_may_wait_and_may_fail() -> None:
    slow = Slow()
    tools = ToolSearchToolset(
        id="many", tools=CALENDAR, search_strategy=slow, search_description="Look.", query_description="A name."
    )
    run = played(typed(Agent(instructions="", tools=[tools]), [search("fail")], [search("add_event")]))
    assert offered(run)[2] == ["tool_search", "add_event"]
    assert errors(run) == ["An internal error occurred"]
    assert slow.log == ["index 2", "cleanup"]
    told = run.requests[0].tools[0]
    assert told.description == "Look."
    assert told.parameters["properties"] == {"query": {"type": "string", "description": "A name."}}


# -- strategies ------------------------------------------------------------------------------------------------------


def items() -> list[SearchItem]:
    def item(name: str, description: str = "", **parameters: str) -> SearchItem:
        return SearchItem(get_weather, name, description, parameters)

    return [
        item("get_weather", "The weather of a place.", city="where it is"),
        item("book_table", "Reserves seats; weather permitting, outside."),
        item("run_c++", "Compiles c++ programs."),
        item("run_c#", "Compiles c# programs."),
    ]


def found(strategy: BM25SearchStrategy | KeywordSearchStrategy, query: str, most: int = 5) -> list[str]:
    indexed = items()
    strategy.build_index(indexed)
    return [item.name for item in strategy.search(query, indexed, most)]


@pytest.mark.parametrize("strategy", [BM25SearchStrategy(), KeywordSearchStrategy()])
def test_the_best_comes_first_and_what_does_not_fit_is_left_out(
    strategy: BM25SearchStrategy | KeywordSearchStrategy,
) -> None:
    assert found(strategy, "Weather, please!") == ["get_weather", "book_table"]
    assert found(strategy, "weather", 1) == ["get_weather"]
    assert found(strategy, "where") == ["get_weather"]
    assert found(strategy, "c#")[0] == "run_c#"
    assert found(strategy, "submarine") == []
    assert found(strategy, "...") == [] or isinstance(strategy, KeywordSearchStrategy)
    strategy.build_index([])
    assert strategy.search("weather", [], 5) == []


def test_a_keyword_may_be_a_regular_expression() -> None:
    assert found(KeywordSearchStrategy(), "^run_") == ["run_c++", "run_c#"]
    assert found(KeywordSearchStrategy(), "c++") == ["run_c++"]


@settings(max_examples=30, deadline=None)
@given(st.text("ab+#_ (.*é", max_size=8), st.lists(st.text("ab+ é", max_size=6), max_size=4), st.integers(1, 3))
def test_any_query_finds_so_many_at_most(query: str, names: list[str], most: int) -> None:
    for strategy in (BM25SearchStrategy(), KeywordSearchStrategy()):
        all_items = [SearchItem(get_weather, name, name) for name in names]
        strategy.build_index(all_items)
        results = strategy.search(query, all_items, most)
        assert len(results) <= most
        assert all(any(result is item for item in all_items) for result in results)


# -- by a proxy ------------------------------------------------------------------------------------------------------


def proxied(*tools: object, **options: object) -> Agent:
    return Agent(instructions="", tools=[ToolProxyToolset(id="all", tools=tools, **options)])  # type: ignore[arg-type]


def test_a_proxy_tells_of_tools_and_calls_them_and_never_changes() -> None:
    steps = [[search("weather")], [call("get_weather", city="Rome")], [call("add_event", title="Lunch")]]
    run = played(typed(proxied(get_weather, Toolset(id="calendar", tools=CALENDAR)), *steps))
    assert offered(run) == [["tool_search", "call_tool"]] * 4
    told, weather, event = outputs(run)
    assert json.loads(told) == {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": dict(get_weather.definition.parameters),
    }
    assert (weather, event) == ("sunny in Rome", "Lunch written down")
    assert [item.name for item in run.history if isinstance(item, FunctionCall)][1:] == ["call_tool"] * 2


def test_parameters_may_come_as_text_and_what_is_wrong_is_told() -> None:
    steps: list[list[tuple[str, dict[str, object]]]] = [
        [("call_tool", {"name": "get_weather", "parameters": '{"city": "Rome"}'})],
        [call("get_weather", town="Rome")],
        [("call_tool", {"name": "get_weather", "parameters": [1]})],
        [call("fly")],
        [("call_tool", {})],
        [("call_tool", {"name": "list_events"})],
    ]
    run = played(typed(proxied(get_weather, *CALENDAR), *steps, max_tool_steps=9))
    fine, wrong, no_object, unknown, nothing, none_needed = outputs(run)
    assert (fine, none_needed) == ("sunny in Rome", "nothing")
    assert "Wrong arguments for tool 'get_weather': city: Field required" in wrong
    assert "Wrong arguments for tool 'call_tool': the arguments are no JSON object: [1]" in no_object
    assert unknown == "Unknown tool 'fly': call_tool calls those that tool_search finds."
    assert nothing.startswith("Unknown tool ''")
    assert len(errors(run)) == 4


def test_the_rules_of_the_tool_that_is_meant_hold() -> None:
    log: list[str] = []

    @function_tool(timeout=0.5)
    async def ponder() -> str:
        await asyncio.sleep(60)
        return "never"

    @function_tool(on_duplicate="reject")
    async def fetch(what: str) -> str:
        await asyncio.sleep(1.0)
        log.append(what)
        return what

    @function_tool(requires_approval=True)
    async def pay(context: RunContext[object]) -> str:
        log.append("paid")
        return context.function_call.name

    agent = proxied(ponder, fetch, pay)
    calls = [call("ponder"), call("fetch", what="a"), call("fetch", what="b"), call("pay")]
    scenario = typed(agent, calls)
    scenario.call(1.5, lambda session: session.pending_approvals[0].deny("too dear"))
    run = played(scenario)
    late, first, second, denied = outputs(run)
    assert late == "The tool did not return within 0.5 s and was stopped."
    assert (first, log) == ("a", ["a"])
    assert "fetch" in second
    assert denied == "The call was not approved. too dear"
    assert [type(event.error) for event in run.errors] == [ToolTimeoutError]


def test_what_cannot_be_undone_waits_for_the_words_before_it_behind_a_proxy_too() -> None:
    @function_tool(flags=ToolFlag.IRREVERSIBLE)
    async def launch() -> str:
        return "up"

    scenario = Scenario(proxied(launch))
    scenario.user_says("Launch it.", at=0.5, until=2.5)
    scenario.llm_replies("I am going to launch it.", tool_calls=[("call_tool", json.dumps(call("launch")[1]))])
    scenario.tts_speaks(duration=3.0)
    scenario.llm_replies("Done.")
    run = played(scenario)
    assert run.time_of(run.handled(CallBegan)[0]) == near(6.5)
    assert outputs(run) == ["up"]


def test_running_calls_behind_a_proxy_can_be_cancelled_by_the_model() -> None:
    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def dig(context: RunContext[object]) -> str:
        await context.update("Digging.")
        await asyncio.sleep(60)
        return "gold"

    scenario = typed(proxied(dig), [call("dig")])
    scenario.user_types("What are you doing?", at=3.0)
    scenario.llm_replies(tool_calls=[("lk_agents_get_running_tasks", "{}")])
    scenario.llm_replies("Digging.")
    scenario.user_types("Stop it.", at=6.0)
    scenario.llm_replies(tool_calls=[("lk_agents_cancel_task", '{"call_id": "call-1-1"}')])
    scenario.llm_replies("Stopped.")
    run = played(scenario)
    about_tasks = ["lk_agents_get_running_tasks", "lk_agents_cancel_task"]
    assert offered(run)[0] == ["tool_search", "call_tool", *about_tasks]
    listed = next(item for item in run.history if isinstance(item, FunctionCallOutput) and item.name == about_tasks[0])
    assert [(running["call_id"], running["name"]) for running in json.loads(listed.output)] == [
        ("call-1-1", "call_tool")
    ]
    assert [(end.outcome) for end in run.told(ToolFinished) if end.call_id.startswith("call-1-1")] == ["cancelled"]


def test_a_tool_that_is_not_for_entering_is_not_called_by_a_proxy_then() -> None:
    @function_tool(flags=ToolFlag.IGNORE_ON_ENTER)
    def end_call() -> str:
        raise AssertionError

    class Greeter(Agent):
        async def on_enter(self) -> None:
            self.session.generate_reply()

    scenario = Scenario(Greeter(instructions="", tools=[ToolProxyToolset(id="all", tools=[end_call])]), audio=False)
    scenario.llm_replies(tool_calls=[("call_tool", json.dumps(call("end_call")[1]))])
    scenario.llm_replies("Hello.")
    assert outputs(played(scenario)) == ["Tool 'end_call' cannot be called yet."]


def test_a_tool_behind_a_proxy_is_mocked_by_its_own_name() -> None:
    with mock_tools(Agent, {"get_weather": lambda city: f"hail in {city}"}):
        run = played(typed(proxied(get_weather), [call("get_weather", city="Rome")]))
    assert outputs(run) == ["hail in Rome"]


def test_calls_of_an_async_set_behind_a_proxy_outlive_their_agent() -> None:
    @function_tool
    async def deliver(context: RunContext[object]) -> str:
        await context.update("On its way.")
        await asyncio.sleep(5.0)
        return "delivered"

    scenario = typed(proxied(AsyncToolset(id="post", tools=[deliver])), [call("deliver")])
    scenario.call(2.0, lambda session: session.update_agent(Agent(instructions="", id="next")))
    scenario.llm_replies("It is delivered.")
    run = played(scenario)
    assert outputs(run)[-1] == "delivered"
    assert run.conversation[-1] == ("assistant", "It is delivered.")


def test_a_tool_that_its_provider_runs_cannot_be_behind_a_proxy() -> None:
    with pytest.raises(ToolDefinitionError, match="'web_search' of tool set 'all' is run by the provider"):
        proxied(ProviderTool(id="web_search"))


async def test_the_tool_of_a_proxy_can_be_called_by_hand() -> None:
    tools = ToolProxyToolset(id="all", tools=[get_weather, add_event])
    call_tool = tools._call_tool
    assert await call_tool({"name": "get_weather", "parameters": {"city": "Rome"}}) == "sunny in Rome"  # type: ignore[misc]
    assert await call_tool({"name": "add_event", "parameters": {"title": "Tea"}}) == "Tea written down"  # type: ignore[misc]
    with pytest.raises(LookupError, match="unknown tool 'fly'"):
        await call_tool({"name": "fly"})  # type: ignore[misc]


# -- rules of tools that only a node offers --------------------------------------------------------------------------


def test_a_tool_that_only_a_node_offers_has_its_own_rules() -> None:
    @function_tool(timeout=0.5)
    async def ponder() -> str:
        await asyncio.sleep(60)
        return "never"

    class Lender(Agent):
        async def llm_node(self, chat_ctx, tools, model_settings):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            tools.append(ponder)
            async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
                yield chunk

    run = played(typed(Lender(instructions=""), [("ponder", {})]))
    assert outputs(run) == ["The tool did not return within 0.5 s and was stopped."]


def test_a_session_may_have_the_sets_too() -> None:
    session: AgentSession[object] = AgentSession(tools=[many()])
    assert [tool.id for tool in session.tools] == ["many"]
