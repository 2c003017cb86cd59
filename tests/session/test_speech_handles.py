"""``SpeechHandle`` in full: what it tells, what may wait for it, and who waits for whom (P11)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sessionactors import (
    Agent,
    ChatMessage,
    RunContext,
    SessionStateError,
    SpeechCreatedEvent,
    SpeechHandle,
    function_tool,
)
from sessionactors.session.waits import WaitEdge
from sessionactors.testing import Scenario, explore

from tests.session.talks import Session, keeper, near, one_turn, played, typed

Context = RunContext[object]


def with_tool(tool: Callable[[Context], Awaitable[str]]) -> Scenario:
    """The user asks from 0.5 to 2.5 s; the model says two seconds of text, calls the tool, and answers again."""

    @function_tool
    async def look_up(context: Context) -> str:
        """Looks something up."""
        return await tool(context)

    scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]))
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("Let me see.", tool_calls=[("look_up", "{}")])
    scenario.tts_speaks(duration=2.0)
    scenario.llm_replies("Fine.")
    scenario.tts_speaks(duration=1.0)
    return scenario


# -- what it tells ---------------------------------------------------------------------------------------------------


def test_steps_are_counted_on_the_handle() -> None:
    steps: list[int] = []

    async def tool(context: Context) -> str:
        steps.append(context.speech_handle.num_steps)
        return "found"

    scenario = with_tool(tool)
    handles: list[SpeechHandle] = []
    scenario.call(3.5, lambda session: handles.append(current(session)))
    run = played(scenario)
    assert run.said() == ["Let me see.", "Fine."]
    assert steps == [1]
    assert handles[0].num_steps == 2
    assert [type(item).__name__ for item in handles[0].chat_items] == [
        "ChatMessage",
        "FunctionCall",
        "FunctionCallOutput",
        "ChatMessage",
    ]


def current(session: Session) -> SpeechHandle:
    handle = session.current_speech
    assert handle is not None
    return handle


def modality_of(scenario: Scenario, at: float) -> str:
    found: list[str] = []

    def look(session: Session) -> None:
        session.on("speech_created", lambda event: found.append(event.speech_handle.input_details.modality))

    scenario.call(at, look)
    played(scenario)
    (modality,) = found
    return modality


def test_a_reply_to_a_voice_and_one_to_a_typed_text_say_so() -> None:
    assert modality_of(one_turn(), 0.0) == "audio"
    assert modality_of(typed(None, "Hello."), 0.0) == "text"


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_what_user_code_asks_for_has_the_modality_it_names(modality: str) -> None:
    scenario = Scenario(keeper())
    scenario.llm_replies("Fine.")
    scenario.call(0.5, lambda session: session.generate_reply(user_input="How?", input_modality=modality))  # type: ignore[arg-type]
    assert modality_of(scenario, 0.0) == modality


def test_the_handle_of_an_automatic_reply_knows_how_it_was_asked_for() -> None:
    events: list[SpeechCreatedEvent] = []
    scenario = one_turn(allow_interruptions=False)
    scenario.call(0.0, lambda session: session.on("speech_created", events.append))
    played(scenario)
    (event,) = events
    assert isinstance(event.speech_handle, SpeechHandle)
    assert not event.speech_handle.allow_interruptions
    assert event.speech_handle.done()


# -- waiting ---------------------------------------------------------------------------------------------------------


def test_what_is_waited_for_with_a_speech_is_let_go_when_it_is_cut() -> None:
    waited: list[float] = []

    async def wait(session: Session) -> None:
        handle = session.say("This takes rather long to say, and it goes on and on.")
        never: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        began = asyncio.get_running_loop().time()
        asyncio.get_running_loop().call_later(1.0, handle.interrupt)
        await handle.wait_if_not_interrupted([never])
        waited.append(asyncio.get_running_loop().time() - began)
        assert not never.done()
        never.cancel()
        await handle.wait_if_not_interrupted([never])  # cut already: not at all

    scenario = Scenario(keeper())
    scenario.call(0.5, wait)
    played(scenario)
    assert waited == [near(1.0)]


def test_what_is_waited_for_with_a_speech_may_end_and_raise_before_it() -> None:
    async def wait(session: Session) -> None:
        handle = session.say("Hello.")
        broken: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        broken.set_exception(KeyError("nobody reads it here"))
        await handle.wait_if_not_interrupted([broken])
        assert not handle.done()
        assert isinstance(broken.exception(), KeyError)
        await handle

    scenario = Scenario(keeper())
    scenario.call(0.5, wait)
    played(scenario)


# -- who waits for whom ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["await", "wait_for_playout"])
def test_p11_a_tool_that_waits_for_its_own_speech_is_told_so_at_once(how: str) -> None:
    async def tool(context: Context) -> str:
        with pytest.raises(SessionStateError, match="'look_up' waits for speech-1, the speech that runs it"):
            await (context.speech_handle if how == "await" else context.speech_handle.wait_for_playout())
        return "found"

    assert played(with_tool(tool)).said() == ["Let me see.", "Fine."]


def test_p11_a_self_wait_raises_in_any_order() -> None:
    async def tool(context: Context) -> str:
        with pytest.raises(SessionStateError, match="the speech that runs it"):
            await context.speech_handle
        return "found"

    explore(lambda: with_tool(tool), schedules=3)


def test_p11_two_tools_cannot_wait_for_each_others_speech() -> None:
    refused: list[str] = []
    handles: dict[str, SpeechHandle] = {}
    both = asyncio.Event()

    @function_tool
    async def wait_for_the_other(context: Context) -> str:
        """Waits for the other speech."""
        handles[context.speech_handle.id] = context.speech_handle
        if len(handles) == 2:
            both.set()
        await both.wait()
        (other,) = (handle for name, handle in handles.items() if name != context.speech_handle.id)
        try:
            await other
        except SessionStateError as error:
            refused.append(str(error))
        return "done"

    scenario = Scenario(Agent(instructions="Be kind.", tools=[wait_for_the_other]))
    for _ in range(2):
        scenario.llm_replies(tool_calls=[("wait_for_the_other", "{}")])
    scenario.llm_replies("One.")
    scenario.llm_replies("Two.")

    def ask(session: Session) -> None:
        session.generate_reply(user_input="One?")
        session.generate_reply(user_input="Two?")

    scenario.call(0.5, ask)
    run = played(scenario)
    (text,) = refused
    assert "would wait for ever: wait_for_the_other" in text
    assert sorted(run.said()) == ["One.", "Two."]


def test_p11_waits_of_user_code_can_be_looked_at() -> None:
    seen: list[tuple[WaitEdge, ...]] = []
    lines: list[str] = []

    async def tool(context: Context) -> str:
        await context.session.say("One moment.")
        return "found"

    def look(session: Session) -> None:
        seen.append(session.waits)
        lines.append(session.why())

    scenario = with_tool(tool)
    scenario.call(4.0, look)
    scenario.call(8.0, look)
    run = played(scenario)
    assert run.said() == ["Let me see.", "One moment.", "Fine."]
    during, after = seen
    assert [(edge.waiter, edge.waits_for) for edge in during] == [("speech-1", "speech-2")]
    assert "look_up (call-1-1) of speech-1 waits for speech-2" in lines[0]
    assert after == ()


def test_interrupting_in_a_tool_does_not_wait_for_the_speech_of_that_tool() -> None:
    took: list[float] = []

    async def tool(context: Context) -> str:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await context.session.interrupt()
        took.append(loop.time() - began)
        assert context.speech_handle.interrupted
        return "found"

    run = played(with_tool(tool))
    assert took == [near(0.0)]
    assert "Fine." not in run.said()


# -- generate_reply ----------------------------------------------------------------------------------------------------


def test_a_reply_asked_for_in_a_tool_calls_no_tools_unless_it_is_told_to() -> None:
    async def tool(context: Context) -> str:
        context.session.generate_reply(instructions="Say that it takes a while.")
        context.session.generate_reply(instructions="Look again.", tool_choice="auto")
        return "found"

    scenario = with_tool(tool)
    for _ in range(2):
        scenario.llm_replies("Well.")
    run = played(scenario)
    assert sorted(request.tool_choice for request in run.requests) == ["auto", "auto", "auto", "none"]


def test_a_message_may_be_the_input_and_keeps_its_identity() -> None:
    scenario = Scenario(keeper())
    scenario.llm_replies("Fine.")
    message = ChatMessage("user", ["How are you?"], id="mine", created_at=1.0)
    scenario.call(0.5, lambda session: session.generate_reply(user_input=message))
    run = played(scenario)
    assert [item.id for item in run.history if isinstance(item, ChatMessage) and item.role == "user"] == ["mine"]


def test_only_the_users_own_message_can_be_the_input() -> None:
    def ask(session: Session) -> None:
        with pytest.raises(ValueError, match="got one of the role 'assistant'"):
            session.generate_reply(user_input=ChatMessage("assistant", ["Hm."], id="x", created_at=1.0))

    scenario = Scenario(keeper())
    scenario.call(0.5, ask)
    played(scenario)


def test_say_without_a_voice_is_refused_where_it_would_be_heard() -> None:
    def say(session: Session) -> None:
        with pytest.raises(SessionStateError, match="say\\(\\) needs a voice"):
            session.say("Hello.")
        session.output.set_audio_enabled(False)
        session.say("Hello.")

    scenario = Scenario(keeper(), without=("tts",))
    scenario.call(0.5, say)
    assert played(scenario).said() == ["Hello."]
