"""The program with two agents and a task."""

from __future__ import annotations

from sessionactors import AgentHandoff
from sessionactors.testing import Scenario, invariants

from examples import handoff


def test_the_front_desk_asks_for_the_name_and_hands_over() -> None:
    scenario = Scenario(handoff.FrontDesk(), audio=False)
    scenario.user_types("Where is my order?", at=0.5)
    scenario.llm_replies(tool_calls=[("connect_to_order_desk", "{}")])
    scenario.user_types("I am Ada.", at=2.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "Ada"}')])
    scenario.user_types("Number seven.", at=4.0)
    scenario.llm_replies("It is on its way.")
    run = scenario.play()
    invariants.check(run)
    assert run.said() == [
        "May I have your name, please?",
        "Hello Ada, this is the order desk.",
        "It is on its way.",
    ]
    assert [item.new_agent_id for item in run.history if isinstance(item, AgentHandoff)] == [
        *("front_desk", "ask_name", "front_desk", "order_desk")
    ]
