"""``wait_for_idle()`` and ``drain()``: what they wait for, who may wait, and how a wait ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sessionactors import (
    Agent,
    AgentSession,
    ChatContext,
    ChatMessage,
    OptionError,
    RunContext,
    SessionStateError,
    StopResponse,
    function_tool,
)
from sessionactors.session.waits import WaitEdge
from sessionactors.testing import Scenario, explore

from tests.session.talks import Session, keeper, near, one_turn, played, typed

Context = RunContext[object]


def now() -> float:
    return asyncio.get_running_loop().time()


async def idle_at(session: Session, found: list[float]) -> None:
    """How long it took."""
    began = now()
    await session.wait_for_idle()
    found.append(now() - began)


def with_tool(tool: Callable[[Context], Awaitable[str]], *words: str) -> Scenario:
    """A text room: the user asks at 0.5; the model says something, calls the tool, and goes on with these words."""

    @function_tool
    async def look_up(context: Context) -> str:
        """Looks something up."""
        return await tool(context)

    scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]), audio=False)
    scenario.user_types("How are you?", at=0.5)
    scenario.llm_replies("Let me see.", tool_calls=[("look_up", "{}")])
    for text in words or ("Fine.",):
        scenario.llm_replies(text)
    return scenario


# -- what is waited for ----------------------------------------------------------------------------------------------


def test_a_session_in_which_nobody_speaks_is_idle_at_once() -> None:
    took: list[float] = []
    scenario = Scenario(keeper(), audio=False)
    scenario.call(0.5, lambda session: idle_at(session, took))
    played(scenario)
    assert took == [near(0.0)]


@pytest.mark.parametrize("since", [1.0, 2.6, 3.2, 4.0])
def test_a_session_is_idle_when_the_user_has_been_answered(since: float) -> None:
    """Asked for while the user speaks, while the end of the turn is decided, while the reply is made and heard."""
    took: list[float] = []
    scenario = one_turn()
    scenario.call(since, lambda session: idle_at(session, took))
    run = played(scenario)
    assert run.said() == ["I am fine, thank you."]
    assert took == [near(run.agent_became("listening")[-1] - since)]


def test_what_was_just_asked_for_is_waited_for_and_so_is_what_is_queued_behind_it() -> None:
    took: list[float] = []

    async def ask(session: Session) -> None:
        handles = [session.say("One thing."), session.say("Another thing.")]
        await idle_at(session, took)
        assert [handle.done() for handle in handles] == [True, True]

    scenario = Scenario(keeper())
    for text in ("One thing.", "Another thing."):
        scenario.tts_speaks(duration=2.0, text=text)
    scenario.call(0.5, ask)
    run = played(scenario)
    assert took == [near(run.agent_became("listening")[-1] - 0.5)]
    assert took[0] > 4.0


def test_what_is_asked_for_while_it_becomes_idle_is_waited_for() -> None:
    """The words that say so are on their way already."""

    async def ask(session: Session) -> None:
        waiting = asyncio.ensure_future(session.wait_for_idle())
        await asyncio.sleep(0)
        handle = session.say("Oh, and this.")
        await waiting
        assert handle.done()

    scenario = Scenario(keeper(), audio=False)
    scenario.call(0.5, ask)
    assert played(scenario).said() == ["Oh, and this."]


def test_a_turn_that_is_committed_by_hand_is_waited_for_with_its_reply() -> None:
    said: list[list[str]] = []
    scenario = one_turn(turn_detection="manual")

    async def commit(session: Session) -> None:
        session.commit_user_turn()
        await session.wait_for_idle()
        said.append([message.text_content for message in session.history.messages()])

    scenario.call(3.5, commit)
    played(scenario)
    assert said == [["How are you?", "I am fine, thank you."]]


class StopsTheFirst(Agent):
    """Answers nothing but the second turn."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")
        self.turns = 0

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        self.turns += 1
        await asyncio.sleep(1.0)
        if self.turns == 1:
            raise StopResponse


@pytest.mark.parametrize("since", [0.4, 0.8])
def test_a_turn_that_waits_behind_one_that_is_not_answered_is_waited_for(since: float) -> None:
    took: list[float] = []
    scenario = Scenario(StopsTheFirst())
    scenario.call(0.2, lambda session: session.say("A word of mine."))
    scenario.user_types("Hm.", at=0.5)
    scenario.user_types("How are you?", at=0.7)
    scenario.llm_replies("Fine.")
    scenario.call(since, lambda session: idle_at(session, took))
    run = played(scenario)
    assert run.said()[-1] == "Fine."
    assert took == [near(run.agent_became("listening")[-1] - since)]


class Greets(Agent):
    """Speaks when it takes over."""

    async def on_enter(self) -> None:
        self.session.say("I am the other one.")


def test_a_wait_goes_on_with_the_agent_that_takes_over() -> None:
    said: list[str] = []

    async def wait(session: Session) -> None:
        session.update_agent(Greets(instructions="Be brief."))
        await session.wait_for_idle()
        said.extend(message.text_content for message in session.history.messages())

    scenario = Scenario(keeper(), audio=False)
    scenario.call(0.5, lambda session: session.say("A last word of mine."))
    scenario.call(0.5, wait)
    played(scenario)
    assert said == ["A last word of mine.", "I am the other one."]


def test_tools_that_run_out_of_hearing_are_not_waited_for() -> None:
    took: list[float] = []

    async def slow(_: Context) -> str:
        await asyncio.sleep(5.0)
        return "found"

    scenario = with_tool(slow)
    scenario.call(2.0, lambda session: idle_at(session, took))
    played(scenario)
    assert took == [near(0.0)]


def test_while_a_tool_has_the_quiet_to_itself_only_it_is_told_of_it() -> None:
    order: list[tuple[str, float]] = []

    async def interviews(context: Context) -> str:
        await context.update("begun")
        async with context.foreground():
            await context.session.wait_for_idle()
            order.append(("in front", now()))
            await asyncio.sleep(3.0)
            order.append(("gives it back", now()))
        return "done"

    async def wait(session: Session) -> None:
        await session.wait_for_idle()
        order.append(("told", now()))

    scenario = with_tool(interviews, "Begun.", "It is done.")
    scenario.call(3.0, wait)
    run = played(scenario)
    assert run.said() == ["Let me see.", "Begun.", "It is done."]
    assert [what for what, _ in order] == ["in front", "gives it back", "told"]
    assert order[2][1] - order[1][1] == near(0.0)


# -- who waits -------------------------------------------------------------------------------------------------------


def test_several_may_wait_and_one_that_gives_up_leaves_nothing_behind() -> None:
    took: list[float] = []

    async def wait(session: Session) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.wait_for_idle(), 0.5)
        await asyncio.gather(*(idle_at(session, took) for _ in range(3)))

    def look(session: Session) -> None:
        seen.append(session.waits)
        requests.append(session.inspect()["floor"].state["idle_wanted"])

    seen: list[tuple[WaitEdge, ...]] = []
    requests: list[object] = []
    scenario = one_turn()
    scenario.call(1.0, wait)
    scenario.call(2.0, look)
    run = played(scenario)
    assert took == [near(run.agent_became("listening")[-1] - 1.5)] * 3
    assert seen == [(WaitEdge("user code", "", "idle"),) * 3]
    assert requests == [["idle-2", "idle-3", "idle-4"]]
    assert run.state_of("floor")["idle_wanted"] == []


def test_who_waits_is_told_all_the_same_when_the_floor_fails() -> None:
    took: list[float] = []
    scenario = one_turn()
    scenario.call(1.0, lambda session: idle_at(session, took))
    scenario.kill("floor", message=12)  # the reply begins to be heard, and dies with it
    scenario.play()
    assert took == [near(2.53)]


def test_p11_a_tool_that_waits_until_all_is_idle_is_told_that_it_waits_for_itself() -> None:
    texts: list[str] = []

    async def tool(context: Context) -> str:
        with pytest.raises(SessionStateError) as refused:
            await context.session.wait_for_idle()
        texts.append(str(refused.value))
        return "found"

    assert played(with_tool(tool)).said() == ["Let me see.", "Fine."]
    (text,) = texts
    assert text == (
        "tool 'look_up' waits until the session is idle, as speech-1 is, which runs it and is over only when it has "
        "returned: wait for what was said before it with RunContext.wait_for_playout(), or go on after update()"
    )


def test_a_tool_that_has_answered_its_call_may_wait_and_so_may_what_it_left_behind() -> None:
    order: list[str] = []
    left: list[asyncio.Task[None]] = []

    async def later(session: Session) -> None:
        await asyncio.sleep(10.0)
        await session.wait_for_idle()
        order.append("left behind")

    async def tool(context: Context) -> str:
        await context.update("begun")
        await context.session.wait_for_idle()
        order.append("idle")
        left.append(asyncio.ensure_future(later(context.session)))
        return "done"

    scenario = with_tool(tool, "Begun.", "It is done.")
    scenario.call(20.0, lambda _: None)
    assert played(scenario).said() == ["Let me see.", "Begun.", "It is done."]
    assert order == ["idle", "left behind"]


class WaitsInItsHook(Agent):
    """Waits for what its own turn keeps from coming."""

    refused = ""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        with pytest.raises(SessionStateError) as refused:
            await self.session.wait_for_idle()
        self.refused = str(refused.value)


def test_p11_a_hook_without_whose_end_the_session_is_not_idle_is_told_so() -> None:
    agent = WaitsInItsHook(instructions="Be kind.")
    assert played(typed(agent, "Hello.")).said() == ["Answer 1."]
    assert agent.refused.startswith("on_user_turn_completed() waits until the session is idle, which is over only when")


# -- how a wait ends -------------------------------------------------------------------------------------------------


def test_a_session_that_closes_tells_those_who_wait_at_once_and_those_who_come() -> None:
    told: list[tuple[str, float]] = []

    async def wait(session: Session) -> None:
        with pytest.raises(SessionStateError) as closing:
            await session.wait_for_idle()
        told.append((str(closing.value), now()))
        with pytest.raises(SessionStateError, match="is closing"):
            await session.wait_for_idle()

    async def close(session: Session) -> None:
        closed_at.append(now())
        await session.aclose()
        with pytest.raises(SessionStateError, match="has been closed"):
            await session.wait_for_idle()

    closed_at: list[float] = []
    scenario = one_turn()
    scenario.call(1.0, wait)
    scenario.call(4.0, close)
    played(scenario)
    assert told == [("wait_for_idle(): the session is closing", near(closed_at[0]))]


async def test_a_session_that_was_never_started_is_not_waited_for() -> None:
    session: Session = AgentSession()
    for waiting in (session.wait_for_idle(), session.drain()):
        with pytest.raises(RuntimeError, match="not running"):
            await waiting


def test_a_wait_ends_behind_the_reply_in_any_order() -> None:
    def talk() -> Scenario:
        async def wait(session: Session) -> None:
            handle = session.generate_reply(user_input="How are you?")
            await session.wait_for_idle()
            assert handle.done()

        scenario = Scenario(keeper(), audio=False)
        scenario.llm_replies("Fine.")
        scenario.call(0.5, wait)
        return scenario

    explore(talk, schedules=8)


# -- drain -----------------------------------------------------------------------------------------------------------


def test_drain_waits_for_what_was_asked_for_so_far_with_tools_and_replies() -> None:
    said: list[str] = []

    async def slow(_: Context) -> str:
        await asyncio.sleep(5.0)
        return "found"

    async def drain(session: Session) -> None:
        assert await session.drain()
        said.extend(message.text_content for message in session.history.messages())
        assert await session.drain()  # nothing is left

    scenario = with_tool(slow)
    scenario.call(2.0, drain)
    played(scenario)
    assert said == ["How are you?", "Let me see.", "Fine."]


def test_drain_gives_up_at_its_deadline_and_cuts_nothing() -> None:
    took: list[float] = []

    async def drain(session: Session) -> None:
        began = now()
        assert not await session.drain(deadline=0.5)
        took.append(now() - began)
        with pytest.raises(OptionError, match="deadline must not be negative, got -1"):
            await session.drain(deadline=-1)

    scenario = one_turn()
    scenario.call(4.0, drain)
    run = played(scenario)
    assert took == [near(0.5)]
    assert run.said() == ["I am fine, thank you."]


def test_p11_a_tool_that_drains_the_session_is_told_that_it_waits_for_itself() -> None:
    async def tool(context: Context) -> str:
        with pytest.raises(SessionStateError, match="waits for speech-1, the speech that runs it"):
            await context.session.drain()
        return "found"

    assert played(with_tool(tool)).said() == ["Let me see.", "Fine."]
