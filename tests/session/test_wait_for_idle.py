"""``wait_for_idle()`` and ``drain()``: what they wait for, who may wait, and how a wait ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sessionactors import (
    Agent,
    AgentSession,
    ChatContext,
    ChatMessage,
    OptionError,
    RunContext,
    SessionStateError,
    SpeechHandle,
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


def test_a_tool_may_wait_until_its_words_have_been_heard_and_all_is_idle() -> None:
    times: list[float] = []

    @function_tool
    async def look_up(context: Context) -> str:
        await context.session.wait_for_idle()
        times.append(now())
        return "found"

    scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]))
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("Let me see.", tool_calls=[("look_up", "{}")])
    scenario.tts_speaks(duration=3.0)
    scenario.llm_replies("Fine.")
    run = played(scenario)
    assert run.said() == ["Let me see.", "Fine."]
    assert [moment - run.began / 1e9 for moment in times] == [near(run.audio[0].until)]


def test_tools_that_wait_are_idle_at_the_same_time_in_any_order() -> None:
    def talk() -> Scenario:
        async def tool(context: Context) -> str:
            await context.session.wait_for_idle()
            return "found"

        return with_tool(tool)

    explore(talk, schedules=6)


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


class WaitsInANode(Agent):
    """A node of it waits for what cannot come before the node has ended."""

    def __init__(self, node: str, wait: Callable[[Session], Awaitable[object]]) -> None:
        super().__init__(instructions="Be kind.")
        self._node, self._wait = node, wait
        self.refused: list[str] = []

    async def _refusal(self, node: str) -> None:
        if node == self._node:
            with pytest.raises(SessionStateError) as refused:
                await self._wait(self.session)
            self.refused.append(str(refused.value))

    async def llm_node(self, chat_ctx: ChatContext, tools: Any, model_settings: Any) -> Any:
        await self._refusal("llm_node")
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk

    async def tts_node(self, text: Any, model_settings: Any) -> Any:
        await self._refusal("tts_node")
        async for frame in Agent.default.tts_node(self, text, model_settings):
            yield frame

    async def transcription_node(self, text: Any, model_settings: Any) -> Any:
        await self._refusal("transcription_node")
        async for piece in text:
            yield piece


@pytest.mark.parametrize("node", ["llm_node", "tts_node", "transcription_node"])
def test_p11_a_node_that_waits_for_its_own_speech_is_told_so_at_once(node: str) -> None:
    async def own_speech(session: Session) -> None:
        await handles[0]

    async def idle(session: Session) -> None:
        await session.wait_for_idle()

    async def drained(session: Session) -> None:
        await session.drain()

    for wait, text in (
        (own_speech, f"{node} of speech-1 waits for speech-1, which is over only when that is"),
        (drained, f"{node} of speech-1 waits for speech-1, which is over only when that is"),
        (idle, f"{node} waits until the session is idle, as speech-1 is, for which it works"),
    ):
        handles: list[SpeechHandle] = []
        agent = WaitsInANode(node, wait)
        scenario = Scenario(agent)
        scenario.call(0.5, lambda session: handles.append(session.generate_reply()))  # noqa: B023
        scenario.llm_replies("Fine.")
        run = played(scenario)
        assert run.said() == ["Fine."]
        assert [text in refused for refused in agent.refused] == [True]
        assert run.ended_at < 10.0


def test_p11_the_text_of_a_speech_that_waits_for_it_is_told_so() -> None:
    refused: list[str] = []

    async def source(session: Session) -> AsyncIterator[str]:
        yield "One. "
        try:
            await handles[0]
        except SessionStateError as error:
            refused.append(str(error))
        yield "Two."

    handles: list[SpeechHandle] = []
    scenario = Scenario(keeper(), audio=False)
    scenario.call(0.5, lambda session: handles.append(session.say(source(session))))
    assert played(scenario).said() == ["One. Two."]
    assert refused[0].startswith("the text that say() was given of speech-1 waits for speech-1")


def test_what_a_node_leaves_behind_may_wait_for_its_speech() -> None:
    seen: list[bool] = []

    class Notes(Agent):
        async def llm_node(self, chat_ctx: ChatContext, tools: Any, model_settings: Any) -> Any:
            async def later() -> None:
                await asyncio.sleep(0.5)
                handle = self.session.current_speech
                assert handle is not None
                await handle
                await self.session.wait_for_idle()
                seen.append(handle.done())

            self.left = asyncio.ensure_future(later())
            async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
                yield chunk

    scenario = Scenario(Notes(instructions="Be kind."))
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("Let me see.")
    scenario.tts_speaks(duration=3.0)
    played(scenario)
    assert seen == [True]


def test_what_a_tool_leaves_behind_may_wait_for_its_speech_when_the_tool_is_over() -> None:
    order: list[str] = []

    async def tool(context: Context) -> str:
        async def later() -> None:
            with pytest.raises(SessionStateError, match="look_up"):
                await context.speech_handle  # the tool still runs, and may wait for this task
            await asyncio.sleep(0.1)
            await context.speech_handle
            order.append("over")

        left.append(asyncio.ensure_future(later()))
        await asyncio.sleep(0.05)
        return "found"

    left: list[asyncio.Task[None]] = []
    played(with_tool(tool))
    assert order == ["over"]


# -- who is waited for by a handoff ----------------------------------------------------------------------------------


class SaysGoodbye(Agent):
    """Is heard to its end before it lets go."""

    idle = False

    async def on_exit(self) -> None:
        self.session.say("Goodbye.")
        await self.session.wait_for_idle()
        self.idle = True


def test_on_exit_may_wait_until_what_it_says_has_been_heard() -> None:
    def talk() -> Scenario:
        agents.append(SaysGoodbye(instructions="Be kind."))
        scenario = Scenario(agents[-1], audio=False)
        scenario.call(0.5, lambda session: session.update_agent(Greets(instructions="Be brief.")))
        scenario.user_types("Who are you?", at=0.55)
        scenario.llm_replies("The other one.")
        return scenario

    agents: list[SaysGoodbye] = []
    run = played(talk())
    assert run.said() == ["Goodbye.", "I am the other one.", "The other one."]
    explore(talk, schedules=6)
    assert all(agent.idle for agent in agents)


def test_a_tool_that_a_handoff_waits_for_does_not_wait_for_what_the_user_says_to_the_next_agent() -> None:
    """The turn waits for the next agent, who waits for the tool, which waits until all is idle."""

    def talk(asked_at: float = 1.5) -> Scenario:
        async def tool(context: Context) -> str:
            context.disallow_interruptions()
            await asyncio.sleep(2.0)
            await context.session.wait_for_idle()
            idle.append(True)
            return "found"

        scenario = with_tool(tool)
        scenario.call(1.0, lambda session: session.update_agent(Greets(instructions="Be brief.")))
        scenario.user_types("Are you there?", at=asked_at)
        scenario.llm_replies("Yes.")
        return scenario

    idle: list[bool] = []
    for at in (0.9, 1.5, 2.9):
        said = played(talk(at)).said()
        assert {"I am the other one.", "Fine.", "Yes."} <= set(said)
    assert len(idle) == 3
    explore(talk, schedules=6)
    assert len(idle) == 3 + 6


def test_a_tool_that_waits_already_when_the_handoff_comes_does_not_wait_for_what_that_holds_up() -> None:
    def talk() -> Scenario:
        @function_tool
        async def look_up(context: Context) -> str:
            context.disallow_interruptions()
            await context.session.wait_for_idle()
            idle.append(now())
            return "found"

        scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]))
        scenario.user_types("How are you?", at=0.5)
        scenario.llm_replies("Let me see.", tool_calls=[("look_up", "{}")])
        scenario.tts_speaks(duration=3.0)
        scenario.call(1.5, lambda session: session.update_agent(Greets(instructions="Be brief.")))
        scenario.user_types("Are you there?", at=2.0)
        scenario.llm_replies("Fine.")
        scenario.llm_replies("Yes.")
        return scenario

    idle: list[float] = []
    run = played(talk())
    assert run.said() == ["Let me see.", "Fine.", "I am the other one.", "Yes."]
    assert idle[0] - run.began / 1e9 == near(run.audio[0].until)
    explore(talk, schedules=6)
    assert len(idle) == 1 + 6


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

    explore(talk, schedules=3)


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
