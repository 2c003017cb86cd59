"""What user code asks to be said: handles, the queue, and ``interrupt()``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sessionactors import (
    SPEECH_PRIORITY_HIGH,
    SPEECH_PRIORITY_LOW,
    Agent,
    ChatContext,
    ChatMessage,
    SessionStateError,
    SpeechHandle,
)
from sessionactors.messages.tts import CancelSynthesis
from sessionactors.model.events import SpeechCreatedEvent
from sessionactors.testing import Run, Scenario, Schedule, invariants

from tests.session.talks import Session, keeper, near, one_turn, played, typed


def speaks(scenario: Scenario, text: str, seconds: float) -> str:
    scenario.tts_speaks(duration=seconds, text=text)
    return text


def order_of(run: Run) -> list[str]:
    return [piece.segment.split("/")[0] for piece in run.audio]


# -- say and generate_reply ------------------------------------------------------------------------------------------


def test_say_is_heard_and_kept_and_never_thinks() -> None:
    scenario = Scenario(keeper())
    text = speaks(scenario, "Welcome to the museum.", 2.0)
    scenario.call(1.0, lambda session: session.say(text))
    run = played(scenario)
    assert run.agent_states == ["initializing", "listening", "speaking", "listening"]
    assert run.agent_became("speaking") == [near(1.2)]
    assert run.agent_became("listening")[-1] == near(3.2)
    assert run.conversation == [("assistant", text)]


def test_on_enter_may_say_something_before_its_loop_has_heard_that_the_session_listens() -> None:
    class Greets(Agent):
        async def on_enter(self) -> None:
            self.session.say("Good evening.")

    for seed in (8, 10, 12):  # in each of these it came first
        scenario = Scenario(Greets(instructions=""), frame_ms=100)
        run = scenario.play(Schedule.random(seed))
        invariants.check(run)
        assert (run.said(), run.errors) == (["Good evening."], [])


def test_say_can_be_kept_from_the_model_and_is_still_in_the_history() -> None:
    scenario = one_turn()
    scenario.call(0.0, lambda session: session.say("Beep.", add_to_chat_ctx=False))
    run = played(scenario)
    assert run.said() == ["Beep.", "I am fine, thank you."]
    assert "Beep." not in [m.text_content for m in run.requests[0].items if isinstance(m, ChatMessage)]


def test_say_takes_a_stream_of_text() -> None:
    async def words() -> AsyncIterator[str]:
        for word in ("This ", "comes ", "in ", "pieces."):
            await asyncio.sleep(0.2)
            yield word

    scenario = Scenario(keeper())
    scenario.call(1.0, lambda session: session.say(words()))
    run = played(scenario)
    assert run.said() == ["This comes in pieces."]


def test_a_stream_of_text_that_raises_is_said_as_far_as_it_came_and_the_error_is_on_the_handle() -> None:
    async def words() -> AsyncIterator[str]:
        yield "So far. "
        raise KeyError("no more")

    async def say(session: Session) -> None:
        handle = await session.say(words())
        assert isinstance(handle.exception(), KeyError)

    scenario = Scenario(keeper())
    scenario.call(1.0, say)
    run = played(scenario)
    assert [text.strip() for text in run.said()] == ["So far."]


def test_an_empty_say_is_over_at_once_and_leaves_nothing() -> None:
    scenario = Scenario(keeper())

    async def say(session: Session) -> None:
        handle = session.say("")
        await handle
        assert handle.done()
        assert handle.chat_items == []

    scenario.call(1.0, say)
    run = played(scenario)
    assert run.conversation == []


def test_generate_reply_answers_the_input_it_is_given() -> None:
    scenario = Scenario(keeper())
    scenario.llm_replies("A museum.")

    async def ask(session: Session) -> None:
        handle = await session.generate_reply(user_input="What is this?")
        assert [item.text_content for item in handle.chat_items if isinstance(item, ChatMessage)] == ["A museum."]
        assert handle.exception() is None

    scenario.call(1.0, ask)
    run = played(scenario)
    assert run.conversation == [("user", "What is this?"), ("assistant", "A museum.")]
    assert run.agent_states[1:] == ["listening", "thinking", "speaking", "listening"]


def test_instructions_of_a_reply_are_the_last_message_of_this_request_only() -> None:
    scenario = typed(None, "Hello.")
    scenario.call(3.0, lambda session: session.generate_reply(instructions="Be brief."))
    scenario.llm_replies("Hm.")
    run = played(scenario)
    first, second = run.requests
    assert [m.text_content for m in first.items if isinstance(m, ChatMessage)] == ["Be kind.", "Hello."]
    assert isinstance(second.items[-1], ChatMessage)
    assert (second.items[-1].role, second.items[-1].text_content) == ("system", "Be brief.")
    assert "Be brief." not in [text for _, text in run.conversation]


def test_a_reply_may_be_given_another_context() -> None:
    scenario = typed(None, "Hello.")
    context = ChatContext()
    context.add_message(role="user", content="Something else.")
    scenario.call(3.0, lambda session: session.generate_reply(chat_ctx=context))
    scenario.llm_replies("Hm.")
    run = played(scenario)
    texts = [m.text_content for m in run.requests[1].items if isinstance(m, ChatMessage)]
    assert texts == ["Be kind.", "Something else."]


def test_generate_reply_names_the_tools_it_does_not_know() -> None:
    scenario = Scenario(keeper())

    def ask(session: Session) -> None:
        with pytest.raises(ValueError, match=r"unknown tools weather; the agent has: none"):
            session.generate_reply(tools=["weather"])

    scenario.call(0.5, ask)
    played(scenario)


# -- the queue -------------------------------------------------------------------------------------------------------


def test_speeches_are_heard_one_after_the_other_in_the_order_of_their_calls() -> None:
    scenario = Scenario(keeper())

    def say(session: Session) -> None:
        for text in ("One.", "Two.", "Three."):
            session.say(text)

    scenario.call(0.5, say)
    run = played(scenario)
    assert run.said() == ["One.", "Two.", "Three."]
    assert all(later.at >= earlier.until for earlier, later in zip(run.audio, run.audio[1:], strict=False))


def test_a_higher_priority_is_heard_first_but_cuts_nothing_off() -> None:
    scenario = Scenario(keeper())
    first = speaks(scenario, "This one has the floor.", 3.0)

    def say(session: Session) -> None:
        session.say("Low.", priority=SPEECH_PRIORITY_LOW)
        session.say("Normal.")
        session.say("High.", priority=SPEECH_PRIORITY_HIGH)

    scenario.call(0.5, lambda session: session.say(first))
    scenario.call(1.5, say)
    run = played(scenario)
    assert run.said() == [first, "High.", "Normal.", "Low."]


def test_the_pause_between_two_speeches_is_kept() -> None:
    scenario = Scenario(keeper(), min_consecutive_speech_delay=1.5)

    def say(session: Session) -> None:
        session.say("One.")
        session.say("Two.")

    scenario.call(0.5, say)
    run = played(scenario)
    one, two = run.audio
    assert two.at - one.until == near(1.5)


def test_handles_tell_when_they_become_current_and_when_they_are_over() -> None:
    seen: list[tuple[str, bool, bool]] = []

    async def say(session: Session) -> None:
        first, second = session.say("The first one."), session.say("The second one.")
        assert (first.scheduled, second.scheduled, session.current_speech) == (True, True, None)
        await asyncio.sleep(0.5)
        current = session.current_speech
        first.add_done_callback(lambda handle: seen.append((handle.id, handle.interrupted, second.done())))
        await second
        first.add_done_callback(lambda handle: seen.append((handle.id, handle.interrupted, second.done())))
        assert (current, session.current_speech) == (first, None)
        with pytest.raises(asyncio.InvalidStateError):
            session.say("Another one.").exception()

    scenario = Scenario(keeper())
    scenario.call(0.5, say)
    played(scenario)
    assert seen == [("speech-1", False, False), ("speech-1", False, True)]


def test_a_done_callback_can_be_removed() -> None:
    seen: list[SpeechHandle] = []

    async def say(session: Session) -> None:
        handle = session.say("Hello.")
        handle.add_done_callback(seen.append)
        handle.remove_done_callback(seen.append)
        await handle
        assert "done" in repr(handle)

    scenario = Scenario(keeper())
    scenario.call(0.5, say)
    played(scenario)
    assert seen == []


# -- interrupt -------------------------------------------------------------------------------------------------------


def test_interrupt_cuts_the_current_speech_and_those_behind_it() -> None:
    scenario = Scenario(keeper())
    long = speaks(scenario, "This takes rather long to say.", 8.0)

    async def interrupt(session: Session) -> None:
        first, second = session.say(long), session.say("Behind it.")
        await asyncio.sleep(3.0)
        await session.interrupt()
        assert first.done()
        assert second.done()
        assert first.interrupted
        assert second.interrupted

    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert run.said() == ["This takes"]
    assert run.audio[-1].until == near(3.5)
    assert order_of(run) == ["speech-1"]


def test_interrupt_stops_at_the_first_protected_speech() -> None:
    scenario = Scenario(keeper())
    long = speaks(scenario, "This takes rather long to say.", 8.0)

    async def interrupt(session: Session) -> None:
        session.say(long)
        kept = session.say("A notice.", allow_interruptions=False)
        behind = session.say("Behind it.")
        await asyncio.sleep(3.0)
        await session.interrupt()
        assert not kept.done()
        assert not behind.interrupted

    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert run.said() == ["This takes", "A notice.", "Behind it."]


def test_interrupt_of_a_protected_speech_raises_and_changes_nothing() -> None:
    scenario = Scenario(keeper())
    notice = speaks(scenario, "This may not be interrupted.", 3.0)

    async def interrupt(session: Session) -> None:
        handle = session.say(notice, allow_interruptions=False)
        await asyncio.sleep(1.0)
        with pytest.raises(SessionStateError, match="does not allow interruptions"):
            session.interrupt()
        with pytest.raises(SessionStateError, match="does not allow interruptions"):
            handle.interrupt()
        assert not handle.interrupted

    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert run.said() == [notice]


def test_interrupt_by_force_cuts_a_protected_speech_too() -> None:
    scenario = Scenario(keeper())
    notice = speaks(scenario, "This may not be interrupted.", 10.0)

    async def interrupt(session: Session) -> None:
        handle, behind = session.say(notice, allow_interruptions=False), session.say("Behind it.")
        await asyncio.sleep(2.0)
        await session.interrupt(force=True)
        assert handle.interrupted
        assert behind.interrupted

    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert run.said() == ["This"]


def test_interrupt_right_behind_say_cuts_what_was_just_said() -> None:
    async def interrupt(session: Session) -> None:
        one, two = session.say("One."), session.say("Two.")
        await session.interrupt()
        assert one.interrupted
        assert two.interrupted
        assert one.done()

    scenario = Scenario(keeper())
    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert run.said() == []
    assert run.audio == ()


def test_a_handle_interrupted_right_behind_say_is_cut_and_no_other() -> None:
    async def interrupt(session: Session) -> None:
        one, two = session.say("One."), session.say("Two.")
        one.interrupt()
        one.interrupt()  # twice does nothing more
        await two
        assert one.done()
        assert one.interrupted
        assert not two.interrupted

    scenario = Scenario(keeper())
    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert run.said() == ["Two."]


def test_a_speech_protected_right_behind_say_is_protected() -> None:
    scenario = Scenario(keeper())
    notice = speaks(scenario, "This may not be interrupted.", 5.0)

    def say(session: Session) -> None:
        session.say(notice).allow_interruptions = False

    scenario.call(0.1, say)
    scenario.user_says("I object.", at=1.0, until=3.0)
    scenario.llm_replies("Noted.")
    run = played(scenario)
    assert notice in run.said()


def test_a_speech_cannot_be_protected_when_it_has_been_cut() -> None:
    async def protect(session: Session) -> None:
        handle = session.say("Hello there.")
        await asyncio.sleep(0.5)
        handle.interrupt()
        with pytest.raises(SessionStateError, match="has been interrupted already"):
            handle.allow_interruptions = False
        assert handle.allow_interruptions
        await handle

    scenario = Scenario(keeper())
    scenario.call(0.5, protect)
    played(scenario)


def test_interrupt_with_nothing_to_cut_is_done_at_once() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.5, lambda session: session.interrupt())
    run = played(scenario)
    assert run.errors == []


def test_force_is_not_lost_to_an_interrupt_without_it() -> None:
    scenario = Scenario(keeper())
    notice = speaks(scenario, "This may not be interrupted.", 10.0)

    async def interrupt(session: Session) -> None:
        session.say(notice, allow_interruptions=False)
        await asyncio.sleep(2.0)
        handle = session.current_speech
        assert handle is not None
        handle.interrupt(force=True)
        session.say("Next.")
        await handle

    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert run.said() == ["This", "Next."]


def test_an_interrupted_stream_of_text_is_not_read_on() -> None:
    read: list[str] = []

    async def words() -> AsyncIterator[str]:
        for number in range(100):
            await asyncio.sleep(0.5)
            read.append(str(number))
            yield f"{number}. "

    async def interrupt(session: Session) -> None:
        handle = session.say(words())
        await asyncio.sleep(3.1)
        handle.interrupt()
        await handle

    scenario = Scenario(keeper())
    scenario.call(0.5, interrupt)
    run = played(scenario)
    assert len(read) == 6
    assert len(run.said()) == 1
    assert run.told(CancelSynthesis)


def test_speech_created_names_source_and_handle() -> None:
    scenario = typed(None, "Hello.")
    scenario.call(3.0, lambda session: session.say("Hi."))
    run = played(scenario)
    created = run.of(SpeechCreatedEvent)
    assert [(event.speech_id, event.source, event.user_initiated) for event in created] == [
        ("speech-1", "generate_reply", True),
        ("speech-2", "say", True),
    ]
    assert [isinstance(event.speech_handle, SpeechHandle) for event in created] == [True, True]


def test_p02_a_speech_cut_off_within_its_first_word_has_said_nothing() -> None:
    """The voice tells when each word has been spoken; until it does, nothing is shown and nothing is history."""
    scenario = Scenario(keeper())
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Once upon a time ...")
    scenario.tts_speaks(duration=15.0)  # three quarters of a second for each letter
    scenario.user_says("Stop!", at=5.0, until=6.0)
    scenario.llm_replies("All right.")
    run = played(scenario)
    assert run.said() == ["All right."]
