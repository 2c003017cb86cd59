"""Agents and conversations that several tests use."""

from __future__ import annotations

from typing import TypeAlias

import pytest

from sessionactors import Agent, AgentSession, ChatContext, ChatMessage
from sessionactors.testing import Run, Scenario, invariants

Session: TypeAlias = AgentSession[object]

STORY = "Once upon a time there was a king who had three daughters and a very old horse."
NEAR = 0.02
"""Seconds by which a scripted conversation may differ from its arithmetic."""


def near(seconds: float) -> object:
    """Equal to a time within the tolerance."""
    return pytest.approx(seconds, abs=NEAR)


def keeper() -> Agent:
    return Agent(instructions="Be kind.")


def one_turn(agent: Agent | None = None, **options: object) -> Scenario:
    """The user asks from 0.5 to 2.5 s; a reply of two seconds comes at about 3.5 s."""
    scenario = Scenario(agent or keeper(), **options)  # type: ignore[arg-type]
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("I am fine, thank you.")
    scenario.tts_speaks(duration=2.0)
    return scenario


def barge_in(agent: Agent | None = None, **options: object) -> Scenario:
    """The user asks for a story (15 s of it), and stops it from 5 to 6 s; the last reply takes two seconds."""
    scenario = Scenario(agent or keeper(), **options)  # type: ignore[arg-type]
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("Stop!", at=5.0, until=6.0)
    scenario.llm_replies("All right then.")
    scenario.tts_speaks(duration=2.0)
    return scenario


def typed(agent: Agent | None = None, *texts: str, **options: object) -> Scenario:
    """A text room: the user types these texts, a second apart; the model answers each with "Answer n."."""
    scenario = Scenario(agent or keeper(), audio=False, **options)  # type: ignore[arg-type]
    for number, text in enumerate(texts):
        scenario.user_types(text, at=0.5 + number)
        scenario.llm_replies(f"Answer {number + 1}.")
    return scenario


def played(scenario: Scenario, seed: int | None = None) -> Run:
    """The run, with every promise checked."""
    run = scenario.play(seed)
    invariants.check(run)
    return run


class Noting(Agent):
    """Notes what its hooks see; subclasses override what they need."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")
        self.heard: list[str] = []
        self.contexts: list[list[str]] = []

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        self.heard.append(new_message.text_content)
        self.contexts.append([message.text_content for message in turn_ctx.messages()])
