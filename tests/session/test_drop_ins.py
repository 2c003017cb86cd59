"""What a drop-in actor is told, and that it can harm nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sessionactors import (
    ActorSystem,
    Agent,
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    ConversationItemAddedEvent,
    Delivery,
    DropIn,
    ErrorEvent,
    OptionError,
    Outbox,
    messages,
)
from sessionactors.testing import SeededDispatcher, run
from sessionactors.testing.scripted_llm import ScriptedLLM

SCHEDULES = [None, 1, 2, 3, 4, 5]


@dataclass(frozen=True, slots=True)
class Nothing:
    """No state."""


class Listener(DropIn[Nothing, Delivery | messages.EventRaised]):
    name = "listener"
    subscribes = (messages.TextDelta,)
    events = (AgentStateChangedEvent, ConversationItemAddedEvent, CloseEvent)

    def __init__(self, fail_at: str = "") -> None:
        self.heard: list[str] = []
        self._fail_at = fail_at

    def initial(self) -> Nothing:
        return Nothing()

    def receive(
        self, state: Nothing, message: Delivery | messages.EventRaised, out: Outbox[Delivery | messages.EventRaised]
    ) -> Nothing:
        what = message.event if isinstance(message, messages.EventRaised) else message.message
        match what:
            case AgentStateChangedEvent(_, new_state):
                self.heard.append(new_state)
            case ConversationItemAddedEvent():
                self.heard.append("item")
            case messages.TextDelta():
                self.heard.append("delta")
            case CloseEvent(reason):
                self.heard.append(reason.value)
            case _:
                raise AssertionError(what)
        if self.heard[-1] == self._fail_at:
            raise ValueError("the listener breaks")
        return state


def conversation(
    listener: Listener, seed: int | None = None, on_error: Callable[[ErrorEvent], object] = lambda _: None
) -> None:
    async def talk() -> None:
        system = None if seed is None else ActorSystem("running", dispatcher=SeededDispatcher.with_seed(seed))
        session: AgentSession[None] = AgentSession(llm=ScriptedLLM(["Well."]), actors=[listener], system=system)
        session.on("error", on_error)
        await session.start(Agent(instructions=""))
        await session.generate_reply(user_input="How are you?").wait_for_playout()
        await session.aclose()
        if system is not None:
            await system.aclose()

    run(talk)


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_drop_in_is_told_events_in_order_up_to_the_close(seed: int | None) -> None:
    listener = Listener()
    conversation(listener, seed)
    states = [heard for heard in listener.heard if heard not in {"delta", "item"}]
    assert states == ["listening", "thinking", "speaking", "listening", "user_initiated"]
    assert listener.heard.count("item") == len(["the agent takes over", "How are you?", "Well."])
    assert "delta" in listener.heard
    assert listener.heard[-1] == "user_initiated"


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_drop_in_that_fails_is_gone_and_reported_and_the_session_goes_on(seed: int | None) -> None:
    errors: list[ErrorEvent] = []
    listener = Listener(fail_at="thinking")
    conversation(listener, seed, errors.append)
    assert listener.heard[-1] == "thinking"
    assert [(event.source.rsplit("/", 1)[-1], event.recoverable) for event in errors] == [("listener", True)]


@pytest.mark.parametrize("seed", SCHEDULES)
def test_a_drop_in_that_fails_at_the_close_does_not_hold_it_up(seed: int | None) -> None:
    listener = Listener(fail_at="user_initiated")
    conversation(listener, seed)
    assert listener.heard[-1] == "user_initiated"


def test_what_is_no_actor_is_no_drop_in() -> None:
    with pytest.raises(OptionError, match="'recorder' is not a drop-in actor"):
        AgentSession(actors=["recorder"])  # type: ignore[list-item]
