"""Five conversations in which something happens at every index: short, so that each can be played hundreds of times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from sessionactors import Agent, RunContext, function_tool
from sessionactors.testing import Scenario

from tests.session.talks import STORY, Session, keeper

Make = Callable[[], Scenario]


@function_tool
async def look_up(word: str) -> str:
    """Looks something up."""
    await asyncio.sleep(0.4)
    return f"{word} it is"


@function_tool
async def stubborn(word: str) -> str:
    """Goes on for a second when it is told to stop."""
    try:
        await asyncio.sleep(3.0)
    except asyncio.CancelledError:
        await asyncio.sleep(1.0)
        raise
    return word


def voice() -> Scenario:
    """The basic one: two turns, and the second reply is cut by a third."""
    scenario = Scenario(keeper(), frame_ms=100)
    scenario.user_says("How are you?", at=0.4, until=1.0)
    scenario.llm_replies("I am fine, thank you.")
    scenario.tts_speaks(duration=1.0)
    scenario.user_says("Tell me a story.", at=4.0, until=4.8)
    scenario.llm_replies(STORY)
    scenario.user_says("Stop!", at=7.0, until=7.8)
    scenario.llm_otherwise("That is all.")
    return scenario


def tools() -> Scenario:
    """A reply with two tools, one of which does not stop when it is told to; typed words cut it."""
    scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up, stubborn]), frame_ms=100)
    scenario.user_says("Look it up.", at=0.3, until=0.9)
    calls = [("look_up", '{"word": "one"}'), ("stubborn", '{"word": "two"}')]
    scenario.llm_replies("Let me see.", tool_calls=calls)
    scenario.user_types("And?", at=3.5)
    scenario.llm_otherwise("That is all.")
    return scenario


def _tell_a_story(session: Session) -> None:
    _ = session.say(STORY)


def pause() -> Scenario:
    """Somebody coughs into a story: it is held, and goes on."""
    scenario = Scenario(keeper(), frame_ms=100, false_interruption_timeout=0.8)
    scenario.call(0.2, _tell_a_story)
    scenario.user_says("", at=1.5, until=2.2)
    return scenario


class Second(Agent):
    """Greets, and says goodbye."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the second.")

    async def on_enter(self) -> None:
        _ = await self.session.say("I am the second.")

    async def on_exit(self) -> None:
        _ = await self.session.say("Goodbye.")


class First(Agent):
    """Hands over when it is asked to."""

    def __init__(self) -> None:
        super().__init__(instructions="You are the first.")

    @function_tool
    async def hand_over(self, context: RunContext[object]) -> Agent:
        """Hands over."""
        await asyncio.sleep(0.2)
        return Second()


def handoff() -> Scenario:
    """A tool hands over to somebody who greets."""
    scenario = Scenario(First(), frame_ms=100)
    scenario.user_says("The other one, please.", at=0.3, until=1.0)
    scenario.llm_replies("", tool_calls=[("hand_over", "{}")])
    scenario.llm_otherwise("That is all.")
    return scenario


def hung() -> Scenario:
    """A model that hangs, in a room where people type."""
    scenario = Scenario(keeper(), audio=False)
    scenario.user_types("Are you there?", at=0.2)
    scenario.llm_replies("Well,", hang=True)
    scenario.user_types("Hello?", at=1.2)
    scenario.llm_replies("Yes.")
    scenario.call(2.0, lambda session: session.generate_reply(user_input="Once more."))
    scenario.llm_otherwise("That is all.")
    return scenario


TALKS: Mapping[str, Make] = {talk.__name__: talk for talk in (voice, tools, pause, handoff, hung)}
