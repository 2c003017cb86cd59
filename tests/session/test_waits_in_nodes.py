"""A node that waits for what is heard only behind its own speech is told so; what comes before, it may wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sessionactors import Agent, ChatContext, RunContext, SessionStateError, function_tool
from sessionactors.testing import Scenario, explore

from tests.session.talks import Session, near, played

Wait = Callable[[Session], Awaitable[object]]


class WaitsInItsModel(Agent):
    """Waits in its ``llm_node``, in the request of that number."""

    def __init__(self, wait: Wait, request: int = 0) -> None:
        super().__init__(instructions="Be kind.")
        self.wait, self.request = wait, request
        self.requests = 0
        self.refused: list[str] = []
        self.took: list[float] = []

    async def llm_node(self, chat_ctx: ChatContext, tools: Any, model_settings: Any) -> AsyncIterable[Any]:
        number, self.requests = self.requests, self.requests + 1
        if number == self.request:
            before = asyncio.get_running_loop().time()
            try:
                await self.wait(self.session)
            except SessionStateError as error:
                self.refused.append(str(error))
            self.took.append(asyncio.get_running_loop().time() - before)
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk

    @function_tool
    async def look_up(self, context: RunContext[object]) -> str:
        """Looks something up."""
        return "found"


async def says(session: Session) -> None:
    await session.say("One moment.")


async def replies(session: Session) -> None:
    await session.generate_reply(instructions="Say that it takes a moment.")


async def says_first(session: Session) -> None:
    await session.say("One moment.", priority=10)


REFUSED = "llm_node of speech-1 waits for speech-2, which is heard only when speech-1 is over"


@pytest.mark.parametrize("wait", [says, replies, says_first])
def test_p11_a_node_that_waits_for_a_speech_behind_its_own_is_told_so_at_once(wait: Wait) -> None:
    agent = WaitsInItsModel(wait)
    scenario = Scenario(agent, audio=False)
    scenario.user_types("How are you?", at=0.5)
    scenario.llm_otherwise("Fine.")
    run = played(scenario)
    assert [REFUSED in text for text in agent.refused] == [True]
    assert agent.took == [near(0.0)]
    assert run.said() == ["Fine.", "Fine." if wait is replies else "One moment."]


def test_p11_a_node_of_the_reply_to_a_tool_is_told_so_too() -> None:
    agent = WaitsInItsModel(says, request=1)
    scenario = Scenario(agent, audio=False)
    scenario.user_types("How are you?", at=0.5)
    scenario.llm_replies("Let me see.", tool_calls=[("look_up", "{}")])
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert [REFUSED in text for text in agent.refused] == [True]
    assert run.said() == ["Let me see.", "Fine.", "One moment."]


def story_first(agent: Agent) -> Scenario:
    """A speech of two seconds is heard from about 0.6 s on; the model's reply is asked for at 0.5 s."""
    scenario = Scenario(agent)
    scenario.call(0.4, lambda session: session.say("Before."))
    scenario.tts_speaks(duration=2.0, text="Before.")
    scenario.call(0.5, lambda session: session.generate_reply())
    scenario.llm_replies("Fine.")
    return scenario


def test_p11_a_node_of_a_speech_that_is_still_queued_is_told_so_when_its_turn_comes() -> None:
    agent = WaitsInItsModel(says)
    run = played(story_first(agent))
    assert ["waits for speech-3, which is heard only when speech-2" in text for text in agent.refused] == [True]
    assert agent.took[0] < 2.2
    assert run.said() == ["Before.", "Fine.", "One moment."]


def test_a_node_may_wait_for_what_is_heard_before_its_own_speech() -> None:
    agent = WaitsInItsModel(says_first)
    run = played(story_first(agent))
    assert agent.refused == []
    assert run.said() == ["Before.", "One moment.", "Fine."]


def test_p11_the_text_of_a_speech_does_not_wait_for_one_behind_it() -> None:
    refused: list[str] = []

    async def source(session: Session) -> AsyncIterator[str]:
        yield "One. "
        try:
            await session.say("Three.")
        except SessionStateError as error:
            refused.append(str(error))
        yield "Two."

    scenario = Scenario(Agent(instructions="Be kind."), audio=False)
    scenario.call(0.5, lambda session: session.say(source(session)))
    assert played(scenario).said() == ["One. Two.", "Three."]
    assert ["waits for speech-2, which is heard only when speech-1" in text for text in refused] == [True]


def test_p11_no_node_waits_for_itself_in_any_order() -> None:
    def scenario() -> Scenario:
        made = Scenario(WaitsInItsModel(says), audio=False)
        made.user_types("How are you?", at=0.5)
        made.llm_otherwise("Fine.")
        return made

    def ends(run: Any) -> None:
        assert run.ended_at < 5.0

    explore(scenario, schedules=6, expect=ends)
