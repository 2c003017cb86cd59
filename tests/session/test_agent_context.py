"""What an agent remembers, and how it is changed while it runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessionactors import (
    Agent,
    AgentConfigUpdate,
    AgentSession,
    ChatContext,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
    Instructions,
    ToolError,
    function_tool,
)
from sessionactors.model.chat import INSTRUCTIONS_ITEM_ID, ChatItem
from sessionactors.model.errors import DuplicateToolError
from sessionactors.testing import Run, Scenario

from tests.session.talks import keeper, played, typed


def shown(run: Run, request: int) -> list[str]:
    """Texts of the messages that the model was shown."""
    return [item.text_content for item in run.requests[request].items if isinstance(item, ChatMessage)]


def types(items: list[ChatItem]) -> list[str]:
    return [item.role if isinstance(item, ChatMessage) else item.type for item in items]


def test_a_fresh_agent_remembers_its_instructions_then_its_configuration_then_the_talk() -> None:
    agent = keeper()
    run = played(typed(agent, "Hello."))
    assert types(agent.chat_ctx.items) == ["system", "agent_config_update", "user", "assistant"]
    first, second = agent.chat_ctx.items[:2]
    assert isinstance(first, ChatMessage)
    assert (first.id, first.text_content) == (INSTRUCTIONS_ITEM_ID, "Be kind.")
    assert isinstance(second, AgentConfigUpdate)
    assert (second.instructions, second.tools_added) == ("Be kind.", None)
    assert types(list(run.history)) == ["agent_handoff", "agent_config_update", "user", "assistant"]


def test_the_context_of_an_agent_is_a_read_only_copy() -> None:
    agent = keeper()
    context = agent.chat_ctx
    with pytest.raises(TypeError, match="update_chat_ctx"):
        context.items.insert(0, ChatMessage("user", ["lost?"]))
    played(typed(agent, "Hello."))
    assert len(context) == 0


def test_new_instructions_hold_from_the_next_request_on_and_are_noted() -> None:
    agent = keeper()
    scenario = typed(agent, "One.", "Two.")
    scenario.call(1.2, lambda session: session.current_agent.update_instructions("Be brief."))
    run = played(scenario)
    assert shown(run, 0)[0] == "Be kind."
    assert shown(run, 1) == ["Be brief.", "One.", "Answer 1.", "Two."]
    assert agent.instructions == "Be brief."
    noted = [item for item in run.history if isinstance(item, AgentConfigUpdate)]
    assert [update.instructions for update in noted] == ["Be kind.", "Be brief."]
    assert [item for item in agent.chat_ctx if isinstance(item, AgentConfigUpdate)] == noted


def test_an_awaited_change_can_be_read_at_once() -> None:
    agent = keeper()
    seen: list[list[str]] = []

    async def change(session: AgentSession[object]) -> None:
        await agent.update_instructions("Be brief.")
        seen.append(types(agent.chat_ctx.items))
        await agent.update_chat_ctx(ChatContext([ChatMessage("user", ["Once."])]))
        seen.append([message.text_content for message in agent.chat_ctx.messages()])

    scenario = typed(agent, "One.")
    scenario.call(1.5, change)
    played(scenario)
    assert seen == [
        ["system", "agent_config_update", "user", "assistant", "agent_config_update"],
        ["Be brief.", "Once."],
    ]


def test_another_context_is_what_the_next_request_is_made_with_and_the_history_stays() -> None:
    agent = keeper()

    async def forget(session: AgentSession[object]) -> None:
        await agent.update_chat_ctx(agent.chat_ctx.copy().truncate(max_items=1))

    scenario = typed(agent, "One.", "Two.")
    scenario.call(1.2, forget)
    run = played(scenario)
    assert shown(run, 1) == ["Be kind.", "Answer 1.", "Two."]
    assert [text for _, text in run.conversation] == ["One.", "Answer 1.", "Two.", "Answer 2."]


@function_tool
async def weather(place: str) -> str:
    """Look at the sky."""
    return f"sunny in {place}"


@function_tool
async def time_of_day() -> str:
    """Look at the clock."""
    raise ToolError("the clock has stopped")


def test_new_tools_are_offered_with_the_next_request_and_calls_of_the_old_ones_leave_the_context() -> None:
    agent = Agent(instructions="Be kind.", tools=[weather])
    scenario = Scenario(agent, audio=False)
    scenario.user_types("How is Rome?", at=0.5)
    scenario.llm_replies(tool_calls=[("weather", '{"place": "Rome"}')])
    scenario.llm_replies("Sunny.")
    scenario.call(2.0, lambda session: session.current_agent.update_tools([time_of_day]))
    scenario.user_types("What time is it?", at=3.0)
    scenario.llm_replies("Late.")
    run = played(scenario)
    assert [[tool.name for tool in request.tools] for request in run.requests] == [
        ["weather"],
        ["weather"],
        ["time_of_day"],
    ]
    assert not [item for item in run.requests[2].items if isinstance(item, FunctionCall | FunctionCallOutput)]
    (update,) = [item for item in run.history if isinstance(item, AgentConfigUpdate) and item.tools_removed]
    assert (update.tools_added, update.tools_removed) == (["time_of_day"], ["weather"])


def test_tools_of_one_name_are_refused_and_nothing_changes() -> None:
    agent = Agent(instructions="Be kind.", tools=[weather])

    async def change(session: AgentSession[object]) -> None:
        with pytest.raises(DuplicateToolError):
            await agent.update_tools([time_of_day, time_of_day])

    scenario = typed(agent, "One.")
    scenario.call(0.2, change)
    run = played(scenario)
    assert [tool.name for tool in run.requests[0].tools] == ["weather"]


async def test_an_agent_that_does_not_run_is_changed_for_its_next_session() -> None:
    agent = keeper()
    await agent.update_instructions("Be brief.")
    await agent.update_tools([weather])
    await agent.update_chat_ctx(
        ChatContext(
            [
                ChatMessage("user", ["Earlier."]),
                FunctionCall("1", "weather", "{}"),
                FunctionCall("2", "gone", "{}"),
            ]
        )
    )
    assert types(agent.chat_ctx.items) == ["user", "function_call"]


def test_a_context_given_to_an_agent_is_copied_without_calls_of_tools_that_it_has_not() -> None:
    given = ChatContext([ChatMessage("user", ["Earlier."]), FunctionCall("2", "gone", "{}")])
    agent = Agent(instructions="Be kind.", chat_ctx=given)
    assert types(agent.chat_ctx.items) == ["user"]
    assert len(given) == 2


def test_instructions_follow_the_way_in_which_the_user_spoke() -> None:
    agent = Agent(instructions=Instructions("Be kind.", audio="Speak.", text="Write."))
    scenario = Scenario(agent)
    scenario.user_says("Hello.", at=0.5, until=1.5)
    scenario.llm_replies("Hi.")
    scenario.user_types("Hello again.", at=6.0)
    scenario.llm_replies("Hi again.")
    run = played(scenario)
    assert [shown(run, request)[0] for request in (0, 1)] == ["Be kind.\n\nSpeak.", "Be kind.\n\nWrite."]


class Adds(Agent):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        new_message.content.append(ImageContent("https://a/b.png", id="img"))
        new_message.extra = {"seen": True}  # type: ignore[misc]


def test_the_hook_may_change_the_message_and_the_history_keeps_what_it_made_of_it() -> None:
    run = played(typed(Adds(instructions="Be kind."), "Look."))
    (message,) = [item for item in run.history if isinstance(item, ChatMessage) and item.role == "user"]
    assert message.content == ["Look.", ImageContent("https://a/b.png", id="img")]
    assert message.extra == {"seen": True}
    assert type(message) is ChatMessage
    assert replace(message, content=["x"]).content == ["x"]
