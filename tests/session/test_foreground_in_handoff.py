"""``RunContext.foreground()`` in a tool that a handoff waits for, while the user's turn waits for that handoff."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import Agent, RunContext, function_tool
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import played

Context = RunContext[object]


class Greets(Agent):
    async def on_enter(self) -> None:
        self.session.say("I am the other one.")


def talk(asked_at: float = 1.5, *, seconds: float = 2.0, background: bool = False) -> Scenario:
    """Asked at 0.5 s, a tool wants the quiet ``seconds`` later; at 1 s another agent is to take over."""

    @function_tool
    async def look_up(context: Context) -> str:
        """Looks something up."""
        context.disallow_interruptions()
        if background:
            await context.update("At it.")
        await asyncio.sleep(seconds)
        async with context.foreground():
            await context.session.say("In front.")
        return "found"

    scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]), audio=False)
    scenario.user_types("How are you?", at=0.5)
    scenario.llm_replies("Let me see.", tool_calls=[("look_up", "{}")])
    scenario.call(1.0, lambda session: session.update_agent(Greets(instructions="Be brief.")))
    scenario.user_types("Are you there?", at=asked_at)
    scenario.llm_otherwise("Well.")
    return scenario


def nobody_waits_for_ever(run: Run) -> None:
    assert {"Let me see.", "In front.", "I am the other one.", "Well."} == set(run.said())
    assert run.ended_at < 10.0


@pytest.mark.parametrize("asked_at", [0.9, 1.5, 2.9])
def test_p11_a_tool_that_a_handoff_waits_for_gets_the_quiet_while_a_turn_waits_for_that_handoff(
    asked_at: float,
) -> None:
    run = played(talk(asked_at))
    nobody_waits_for_ever(run)
    said = run.said()
    assert said.index("In front.") < said.index("I am the other one.")


def test_p11_no_handoff_and_no_quiet_wait_for_each_other_in_any_order() -> None:
    explore(talk, schedules=5, expect=nobody_waits_for_ever)


def test_a_tool_that_asks_before_the_handoff_comes_gets_the_quiet() -> None:
    """It has to wait for the words before it, and the handoff for it."""
    nobody_waits_for_ever(played(talk(1.5, seconds=0.02)))


def test_a_tool_in_the_background_waits_for_its_turn_since_no_handoff_waits_for_it() -> None:
    run = played(talk(background=True))
    assert "In front." in run.said()
    assert run.said().index("I am the other one.") < run.said().index("In front.")
