"""Conversations with a realtime model that several tests use, in coarse frames: they are cheap."""

from __future__ import annotations

from typing import TypeAlias

from sessionactors import Agent, RealtimeCapabilities, function_tool
from sessionactors.testing import RealtimeScript, Scenario

from .talks import STORY, keeper

Realtime: TypeAlias = RealtimeScript | RealtimeCapabilities

FRAME_MS = 50


class Weatherman(Agent):
    """Has one tool."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    @function_tool
    async def weather(self, city: str) -> str:
        """The weather in a city."""
        return f"sunny in {city}"


def talk(realtime: Realtime, agent: Agent | None = None, **options: object) -> Scenario:
    """A room with a realtime model and nothing said yet."""
    return Scenario(agent or keeper(), realtime=realtime, frame_ms=FRAME_MS, **options)  # type: ignore[arg-type]


def one_turn(realtime: Realtime, agent: Agent | None = None, **options: object) -> Scenario:
    """The user asks from 0.5 to 2.5 s; a reply of two seconds is asked for at 3.0 and heard from 3.3 s on."""
    scenario = talk(realtime, agent, **options)
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.realtime_replies("I am fine, thank you.", duration=2.0)
    return scenario


def barge_in(realtime: Realtime, agent: Agent | None = None, **options: object) -> Scenario:
    """The user asks for a story (15 s of it, from 3.3 s), and stops it from 5 to 6 s; then two seconds of reply."""
    scenario = talk(realtime, agent, **options)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.realtime_replies(STORY, duration=15.0)
    scenario.user_says("Stop!", at=5.0, until=6.0)
    scenario.realtime_replies("All right then.", duration=2.0)
    return scenario


def weather(realtime: Realtime, agent: Agent | None = None, **options: object) -> Scenario:
    """The user asks for the weather; the model says a word, calls its tool, and says another."""
    scenario = talk(realtime, agent or Weatherman(), **options)
    scenario.user_says("How is the weather in Oslo?", at=0.5, until=1.5)
    scenario.realtime_replies("Let me see.", duration=1.0, tool_calls=[("weather", '{"city": "Oslo"}')])
    scenario.realtime_replies("It is sunny.", duration=1.0)
    return scenario
