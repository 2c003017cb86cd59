"""The order of events is documented in docs/events.md; each block there is what a session really says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionactors import (
    Agent,
    AgentStateChangedEvent,
    ChatContext,
    ChatMessage,
    StopResponse,
    UserStateChangedEvent,
    function_tool,
)
from sessionactors.actors.states import AGENT_TRANSITIONS, USER_TRANSITIONS
from sessionactors.session.event_emitter import EVENT_TYPES
from sessionactors.testing import Run, Scenario, explore

from tests.session.event_lines import lines_of
from tests.session.talks import STORY, Noting, keeper, one_turn

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
FIGURES = ("metrics_collected", "session_usage_updated")


class Clock(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be brief.")

    @function_tool
    async def what_time(self) -> str:
        """Tell the time."""
        return "noon"


def tool_turn() -> Scenario:
    scenario = Scenario(Clock(), frame_ms=50)
    scenario.user_says("What time is it?", at=0.5, until=1.5)
    scenario.llm_replies("Let me see.", tool_calls=[("what_time", "{}")])
    scenario.llm_replies("It is noon.")
    return scenario


def telling() -> Scenario:
    scenario = Scenario(keeper(), frame_ms=50)
    scenario.call(0.5, lambda session: session.say(STORY))
    return scenario


def cut_by_voice() -> Scenario:
    scenario = telling()
    scenario.user_says("Stop.", at=2.0, until=3.0)
    scenario.llm_replies("All right.")
    return scenario


def cut_by_text() -> Scenario:
    scenario = telling()
    scenario.user_types("Stop.", at=2.0)
    scenario.llm_replies("All right.")
    return scenario


def noise() -> Scenario:
    scenario = telling()
    scenario.user_says("", at=2.0, until=2.8)
    return scenario


def closed() -> Scenario:
    scenario = telling()
    scenario.close(at=2.0)
    return scenario


SECTIONS: dict[str, Callable[[], Scenario]] = {
    "One spoken turn": lambda: one_turn(frame_ms=50),
    "One tool turn": tool_turn,
    "An interruption by voice": cut_by_voice,
    "An interruption by text": cut_by_text,
    "A noise that does not interrupt": noise,
    "A close in the middle of a speech": closed,
}


def documented(section: str) -> list[str]:
    """The lines of a section of the page."""
    found = re.search(rf"^### {section}\n.*?```text\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1].splitlines()


def told(run: Run) -> list[str]:
    return [line for line in lines_of(run) if not line.startswith(FIGURES)]


@pytest.mark.parametrize("section", SECTIONS)
def test_events_come_in_the_order_that_the_page_says(section: str) -> None:
    assert told(SECTIONS[section]().play()) == documented(section)


ALWAYS = (
    ("user_input_transcribed: final", "conversation_item_added: user"),
    ("conversation_item_added: user", "agent_state_changed: thinking -> speaking"),
    ("speech_created: generate_reply", "agent_state_changed: listening -> thinking"),
    ("speech_created: say", "agent_state_changed: listening -> speaking"),
    ("speech_created: generate_reply", "agent_state_changed: thinking -> speaking"),
    ("function_tools_executed: what_time", "agent_state_changed: speaking -> thinking"),
)
"""What comes first, wherever both happen."""


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_page_promises_of_the_order_holds_in_any_schedule(section: str) -> None:
    def kept(run: Run) -> None:
        lines, page = told(run), documented(section)
        assert sorted(lines) == sorted(page)
        for kind in EVENT_TYPES:
            assert [x for x in lines if x.startswith(f"{kind}:")] == [x for x in page if x.startswith(f"{kind}:")]
        for first, then in ALWAYS:
            if first in lines and then in lines:
                assert lines.index(first) < lines.index(then)
        assert lines[-1].startswith("close")

    explore(SECTIONS[section], schedules=3, check=lambda _: (), expect=kept)


def test_every_section_of_the_page_is_looked_at_and_every_event_is_in_its_table() -> None:
    assert re.findall(r"^### (.*)$", PAGE, re.MULTILINE) == list(SECTIONS)
    listed = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(EVENT_TYPES) <= set(listed)


def test_p06_the_table_of_states_is_the_one_on_the_page() -> None:
    rows = re.findall(r"^\| (agent|user) `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    page = {(who, state): set(re.findall(r"`(\w+)`", after)) for who, state, after in rows}
    table: dict[tuple[str, str], set[str]] = {
        ("agent", old): set(new) for old, new in AGENT_TRANSITIONS.items() if old != "idle"
    }
    users = {("user", old): set(new) for old, new in USER_TRANSITIONS.items()}
    assert page == table | users


class Silent(Noting):
    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        raise StopResponse


def cut_while_thinking() -> Scenario:
    scenario = Scenario(keeper(), frame_ms=50)
    scenario.call(0.5, lambda session: session.generate_reply(user_input="Hello?"))
    scenario.llm_replies("Never heard.", ttft=1.0, duration=1.1)
    scenario.call(1.0, lambda session: session.interrupt())
    return scenario


def gone_and_back(**options: object) -> Scenario:
    scenario = Scenario(keeper(), frame_ms=50, user_away_timeout=1.0, **options)  # type: ignore[arg-type]
    scenario.user_says("I am back.", at=3.0, until=4.0)
    scenario.llm_otherwise("Welcome.")
    return scenario


def test_p06_every_legal_change_of_state_happens_and_no_other() -> None:
    scenarios = [*(make() for make in SECTIONS.values()), cut_while_thinking(), gone_and_back()]
    scenarios.append(gone_and_back(without=["vad"]))
    agent: set[tuple[str, str]] = set()
    user: set[tuple[str, str]] = set()
    for scenario in scenarios:
        run = scenario.play()
        agent |= {(event.old_state, event.new_state) for event in run.of(AgentStateChangedEvent)}
        user |= {(event.old_state, event.new_state) for event in run.of(UserStateChangedEvent)}
    assert agent == {(old, new) for old, after in AGENT_TRANSITIONS.items() for new in after if old != "idle"}
    assert user <= {(old, new) for old, after in USER_TRANSITIONS.items() for new in after}
    assert user >= {("listening", "speaking"), ("speaking", "listening"), ("listening", "away"), ("away", "speaking")}
