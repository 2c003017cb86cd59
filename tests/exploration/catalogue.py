"""Conversations that are explored in thousands of orders: ``sessionactors explore tests.exploration.catalogue``.

Each is short and in coarse frames, so that it is cheap, and each has something that can come in two orders. What must
hold besides the promises stands in front of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable

from sessionactors import (
    Agent,
    AgentSession,
    AgentTask,
    ChatContext,
    ChatMessage,
    FunctionCallOutput,
    RunContext,
    StopResponse,
    function_tool,
)
from sessionactors.messages.tts import AudioSynthesized
from sessionactors.testing import SPEAKING, Run, Scenario, expecting

Session = AgentSession[object]

COARSE = 100
"""Milliseconds of a frame."""
STORY = "Once upon a time there was a king who had three daughters and a very old horse."


def keeper(*tools: object) -> Agent:
    return Agent(instructions="Be kind.", tools=list(tools))  # type: ignore[arg-type]


def heard_of_users(*texts: str) -> object:
    """Each of them is in the history once."""

    def expect(run: Run) -> None:
        assert Counter(text for role, text in run.conversation if role == "user") == Counter(texts)

    return expecting(expect)


def outputs(*texts: str) -> object:
    """Tools have answered this, in any order."""

    def expect(run: Run) -> None:
        assert sorted(item.output for item in run.history if isinstance(item, FunctionCallOutput)) == sorted(texts)

    return expecting(expect)


def spoken(agent: Agent | None = None, **options: object) -> Scenario:
    """The user asks from 0.3 to 1.0 s; what the model answers is scripted by the caller."""
    scenario = Scenario(agent or keeper(), frame_ms=COARSE, **options)  # type: ignore[arg-type]
    scenario.user_says("Please.", at=0.3, until=1.0)
    return scenario


def typed(agent: Agent | None = None, **options: object) -> Scenario:
    """The user types at 0.5 s, in a room for text."""
    scenario = Scenario(agent or keeper(), audio=False, **options)  # type: ignore[arg-type]
    scenario.user_types("Please.", at=0.5)
    return scenario


# -- voice -----------------------------------------------------------------------------------------------------------


@heard_of_users("Please.")  # type: ignore[operator]
def one_turn() -> Scenario:
    scenario = spoken()
    scenario.llm_replies("I am fine, thank you.")
    scenario.tts_speaks(duration=1.0)
    return scenario


@heard_of_users("Please.", "Stop!")  # type: ignore[operator]
def barge_in() -> Scenario:
    scenario = spoken()
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("Stop!", at=3.0, until=3.8)
    scenario.llm_replies("All right.")
    return scenario


def barge_in_at_the_first_sound() -> Scenario:
    scenario = spoken(ttfb=0.0)
    scenario.llm_replies(STORY, ttft=0.15, duration=0.2)
    scenario.tts_speaks(duration=4.0)
    scenario.user_says("Wait.", at=1.65, until=2.4)
    scenario.llm_replies("Yes?")
    return scenario


def barge_in_at_the_last_word() -> Scenario:
    scenario = spoken()
    scenario.llm_replies("Once upon a time.")
    scenario.tts_speaks(duration=1.0)
    scenario.user_says("Go on.", at=2.4, until=3.0)
    scenario.llm_replies("There was a king.")
    return scenario


@heard_of_users("Tell me a story.", "Another one.", "In writing.", "While it is protected.", "And a last one.")  # type: ignore[operator]
def across_each_other() -> Scenario:
    """Voice, typing and protected speech."""
    scenario = Scenario(keeper(), frame_ms=COARSE)
    scenario.user_says("Tell me a story.", at=0.5, until=1.5)
    scenario.llm_otherwise("Once upon a time. There was a king. He had a horse.")
    scenario.user_says("Another one.", at=2.4, until=3.0)
    scenario.user_types("In writing.", at=3.0)
    scenario.call(3.9, lambda session: session.say("This is protected.", allow_interruptions=False))
    scenario.user_types("While it is protected.", at=4.5)
    scenario.user_says("And a last one.", at=4.8, until=5.6)
    return scenario


def a_noise_as_the_reply_begins() -> Scenario:
    scenario = spoken(ttfb=0.0)
    scenario.llm_replies("Once upon a time.", ttft=0.15, duration=0.2)
    scenario.user_says("", at=1.6, until=2.2)
    return scenario


# -- pauses ----------------------------------------------------------------------------------------------------------


def a_noise_pauses() -> Scenario:
    scenario = spoken(false_interruption_timeout=0.6)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=4.0)
    scenario.user_says("", at=2.6, until=3.3)
    return scenario


def pauses_and_words() -> Scenario:
    """A noise at the first sound, one that pauses, words that interrupt, and the program says something."""
    scenario = spoken(false_interruption_timeout=0.6)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=5.0)
    scenario.user_says("", at=1.9, until=2.1)
    scenario.user_says("", at=3.0, until=3.8)
    scenario.user_says("Stop!", at=5.2, until=6.0)
    scenario.llm_otherwise("Fine.")
    scenario.call(5.5, lambda session: session.say("By the way."))
    return scenario


def a_pause_that_is_cut_by_hand() -> Scenario:
    scenario = spoken(false_interruption_timeout=0.8)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=4.0)
    scenario.user_says("", at=2.6, until=3.3)
    scenario.call(3.4, lambda session: session.interrupt())
    scenario.call(3.4, lambda session: session.say("Something else."))
    return scenario


# -- replies that are prepared ---------------------------------------------------------------------------------------


def prepared() -> Scenario:
    scenario = Scenario(keeper(), frame_ms=COARSE, preemptive_generation=True, preemptive_tts=True)
    scenario.user_says("How are you?", at=0.3, until=1.2, stt_delay=0.1)
    scenario.llm_replies("I am doing great.", ttft=0.1, duration=0.2)
    return scenario


def prepared_in_vain() -> Scenario:
    """The user goes on: the first reply is made for nothing."""
    scenario = Scenario(keeper(), frame_ms=COARSE, preemptive_generation=True, min_silence=0.2)
    scenario.user_says("Tell me a story", at=0.3, until=1.0, stt_delay=0.1)
    scenario.llm_replies("Once upon a time.", ttft=0.1, duration=0.2)
    scenario.user_says("about a horse.", at=1.4, until=2.2, stt_delay=0.1)
    scenario.llm_replies("There was a horse.", ttft=0.1, duration=0.3)
    return scenario


def prepared_and_edited() -> Scenario:
    """The hook changes what the reply is made from."""
    scenario = Scenario(Editing(), frame_ms=COARSE, preemptive_generation=True)
    scenario.user_says("How are you?", at=0.3, until=1.2, stt_delay=0.1)
    scenario.llm_otherwise("I am doing great.")
    return scenario


class Editing(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        del new_message
        await asyncio.sleep(0.2)
        turn_ctx.add_message(role="system", content="The user is in a hurry.")


# -- tools -----------------------------------------------------------------------------------------------------------


def act(seconds: float = 0.0, *, fails: bool = False, irreversible: bool = False) -> object:
    @function_tool
    async def act(context: RunContext[object], name: str = "it") -> str:
        """Does something."""
        if irreversible:
            context.disallow_interruptions()
        if seconds:
            await asyncio.sleep(seconds)
        if fails:
            raise RuntimeError("it is broken")
        return f"{name} is done"

    return act


def calls(*names: str) -> list[tuple[str, str]]:
    return [("act", f'{{"name": "{name}"}}') for name in names or ("it",)]


@outputs("it is done")  # type: ignore[operator]
def a_quick_tool() -> Scenario:
    scenario = spoken(keeper(act()))
    scenario.llm_replies("Let me see.", tool_calls=calls())
    scenario.llm_replies("Done.")
    return scenario


@outputs("it is done")  # type: ignore[operator]
def a_slow_tool_and_a_barge_in() -> Scenario:
    scenario = spoken(keeper(act(2.0)))
    scenario.llm_replies("Let me see.", tool_calls=calls())
    scenario.user_says("Are you there?", at=2.6, until=3.2)
    scenario.llm_otherwise("Yes.")
    return scenario


def a_tool_that_fails() -> Scenario:
    scenario = typed(keeper(act(0.3, fails=True)))
    scenario.llm_replies(tool_calls=calls())
    scenario.llm_otherwise("It did not work.")
    scenario.user_types("And?", at=0.9)
    return scenario


@outputs("it is done")  # type: ignore[operator]
def an_irreversible_tool() -> Scenario:
    scenario = spoken(keeper(act(1.0, irreversible=True)))
    scenario.llm_replies("One moment.", tool_calls=calls())
    scenario.user_says("No, stop!", at=2.2, until=2.9)
    scenario.llm_otherwise("I see.")
    return scenario


@outputs("a is done", "b is done", "c is done")  # type: ignore[operator]
def tools_side_by_side() -> Scenario:
    scenario = typed(keeper(act(0.5)))
    scenario.llm_replies("All three.", tool_calls=calls("a", "b", "c"))
    scenario.llm_otherwise("All done.")
    scenario.user_types("Well?", at=1.2)
    return scenario


def tools_that_are_cut_off() -> Scenario:
    scenario = typed(keeper(act(0.4)))
    scenario.llm_replies("Both.", tool_calls=calls("a", "b"))
    scenario.llm_otherwise("All done.")
    scenario.call(0.8, lambda session: session.interrupt())
    scenario.call(1.0, lambda session: session.interrupt())
    return scenario


def a_tool_in_the_background() -> Scenario:
    @function_tool
    async def books(context: RunContext[object]) -> str:
        """Books a table."""
        await context.update("Booking.")
        await asyncio.sleep(1.0)
        return "booked"

    scenario = typed(keeper(books))
    scenario.llm_replies(tool_calls=[("books", "{}")])
    scenario.llm_otherwise("I see.")
    scenario.user_types("And?", at=1.6)
    return scenario


def a_tool_with_a_filler() -> Scenario:
    @function_tool
    async def looks(context: RunContext[object]) -> str:
        """Takes long."""
        async with context.with_filler("Still looking.", delay=0.5):
            await asyncio.sleep(2.0)
        return "found"

    scenario = spoken(keeper(looks))
    scenario.llm_replies(tool_calls=[("looks", "{}")])
    scenario.user_says("Well?", at=2.6, until=3.2)
    scenario.llm_otherwise("Here it is.")
    return scenario


def a_tool_that_speaks() -> Scenario:
    @function_tool
    async def tells(context: RunContext[object]) -> str:
        """Says something and waits until it is heard."""
        _ = await context.session.say("One moment please.")
        return "told"

    scenario = spoken(keeper(tells))
    scenario.llm_replies(tool_calls=[("tells", "{}")])
    scenario.llm_otherwise("There you are.")
    scenario.user_types("Thanks.", at=2.2)
    return scenario


@outputs("gone")  # type: ignore[operator]
def a_tool_that_hangs_up() -> Scenario:
    @function_tool
    async def hang_up(context: RunContext[object]) -> str:
        """Ends the call."""
        await context.session.aclose()
        return "gone"

    scenario = typed(keeper(hang_up))
    scenario.llm_replies("Goodbye.", tool_calls=[("hang_up", "{}")])
    scenario.llm_otherwise("Still here.")
    return scenario


# -- agents ----------------------------------------------------------------------------------------------------------


class Second(Agent):
    def __init__(self, *, slow: float = 0.0) -> None:
        super().__init__(instructions="You are the second.")
        self._slow = slow

    async def on_enter(self) -> None:
        await asyncio.sleep(self._slow)
        _ = self.session.say("I am the second.")


class First(Agent):
    def __init__(self, *, leaves: float = 0.0, enters: float = 0.0) -> None:
        super().__init__(instructions="You are the first.")
        self._leaves, self._enters = leaves, enters

    @function_tool
    async def transfer(self) -> Agent:
        """Hands over."""
        return Second(slow=self._enters)

    async def on_exit(self) -> None:
        await asyncio.sleep(self._leaves)


TRANSFER = ("transfer", "{}")


@heard_of_users("Please.", "Are you there?", "Hello?")  # type: ignore[operator]
def a_handoff() -> Scenario:
    scenario = typed(First(leaves=1.0))
    scenario.llm_replies(tool_calls=[TRANSFER])
    scenario.user_types("Are you there?", at=1.2)
    scenario.user_types("Hello?", at=1.3)
    scenario.llm_otherwise("Yes.")
    return scenario


@heard_of_users("Please.", "Hello?")  # type: ignore[operator]
def a_spoken_handoff() -> Scenario:
    scenario = spoken(First(leaves=0.5, enters=0.5))
    scenario.llm_replies("I hand you over.", tool_calls=[TRANSFER])
    scenario.user_says("Hello?", at=2.8, until=3.5)
    scenario.llm_otherwise("Yes.")
    return scenario


def an_agent_is_replaced_by_the_program() -> Scenario:
    scenario = spoken(First(leaves=0.3))
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=3.0)
    scenario.call(2.0, lambda session: session.update_agent(Second()))
    scenario.user_says("Who are you?", at=2.4, until=3.1)
    scenario.llm_otherwise("The second.")
    return scenario


class AsksName(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="Find out the name.")

    async def on_enter(self) -> None:
        _ = self.session.say("What is your name?")

    @function_tool
    async def take_name(self, name: str) -> None:
        """The user said it."""
        self.complete(name)


class Outer(AgentTask[str]):
    def __init__(self) -> None:
        super().__init__(instructions="You are the outer task.")

    async def on_enter(self) -> None:
        self.complete(f"{await AsksName()} and friends")


class Booking(Agent):
    def __init__(self, task: type[AgentTask[str]]) -> None:
        super().__init__(instructions="You book tables.")
        self._task = task

    @function_tool
    async def book(self) -> str:
        """Book a table."""
        return f"booked for {await self._task()}"  # type: ignore[call-arg]


def booking(task: type[AgentTask[str]]) -> Scenario:
    scenario = typed(Booking(task))
    scenario.llm_replies(tool_calls=[("book", "{}")])
    scenario.user_types("I am Ada.", at=2.0)
    scenario.llm_replies(tool_calls=[("take_name", '{"name": "Ada"}')])
    scenario.llm_replies("Your table is booked.")
    return scenario


@outputs("", "booked for Ada")  # type: ignore[operator]
def a_task() -> Scenario:
    return booking(AsksName)


@outputs("", "booked for Ada and friends")  # type: ignore[operator]
def a_task_in_a_task() -> Scenario:
    return booking(Outer)


def a_task_that_is_interrupted() -> Scenario:
    scenario = booking(AsksName)
    scenario.call(0.8, lambda session: session.interrupt())
    scenario.user_types("What?", at=1.0)
    scenario.llm_otherwise("Well.")
    return scenario


# -- the program -----------------------------------------------------------------------------------------------------


def said_by_the_program() -> Scenario:
    """Speeches in a queue with priorities, one of them cut as its audio is on the way."""
    scenario = Scenario(keeper(), frame_ms=COARSE, without=("vad", "stt"))

    def three(session: Session) -> None:
        _ = session.say("The first one, which is rather long.")
        _ = session.say("The second one.")
        _ = session.say("The third one.")

    scenario.call(0.3, three)
    scenario.call_behind("tts", AudioSynthesized, 4, lambda session: session.interrupt())
    return scenario


def asked_by_the_program() -> Scenario:
    """`generate_reply` across what the user types, and waits of the program for both."""
    scenario = typed()
    scenario.llm_otherwise("Well then.")

    async def asks(session: Session) -> None:
        _ = await session.generate_reply(instructions="Greet.")

    scenario.call(0.5, asks)
    scenario.call(0.6, asks)
    scenario.user_types("Hello?", at=0.7)
    return scenario


class SlowHook(Agent):
    def __init__(self, *, stops: bool = False) -> None:
        super().__init__(instructions="Be kind.")
        self._stops = stops

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        await asyncio.sleep(0.6)
        if self._stops and "stop" in new_message.text_content:
            raise StopResponse


@heard_of_users("Please.", "And now?")  # type: ignore[operator]
def a_slow_hook() -> Scenario:
    scenario = spoken(SlowHook())
    scenario.user_types("And now?", at=1.9)
    scenario.llm_otherwise("Yes.")
    return scenario


def a_hook_that_stops() -> Scenario:
    scenario = typed(SlowHook(stops=True))
    scenario.user_types("Please stop.", at=0.7)
    scenario.user_types("Go on.", at=1.2)
    scenario.llm_otherwise("Yes.")
    return scenario


class SlowNode(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    async def transcription_node(self, text: AsyncIterable[str], model_settings: object) -> AsyncIterable[str]:
        del model_settings
        async for piece in text:
            await asyncio.sleep(0.05)
            yield piece


def a_slow_node() -> Scenario:
    scenario = spoken(SlowNode())
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=3.0)
    scenario.user_says("Stop!", at=2.6, until=3.2)
    scenario.llm_otherwise("Yes.")
    return scenario


# -- several people, realtime models, the end ------------------------------------------------------------------------


@heard_of_users("How are you?", "And who are you?")  # type: ignore[operator]
def two_callers() -> Scenario:
    scenario = Scenario(keeper(), frame_ms=COARSE)
    scenario.joins("bob")
    scenario.user_says("How are you?", at=0.3, until=1.2)
    scenario.user_says("And who are you?", at=0.8, until=2.0, participant="bob")
    scenario.llm_otherwise("I am fine, thank you.")
    return scenario


def one_who_comes_and_goes() -> Scenario:
    scenario = spoken()
    scenario.joins("bob", at=0.6)
    scenario.user_says("I am here too.", at=1.2, until=2.0, participant="bob")
    scenario.leaves("bob", at=2.3)
    scenario.llm_otherwise("Welcome.")
    return scenario


def a_realtime_model() -> Scenario:
    scenario = Scenario(keeper(), realtime=SPEAKING, frame_ms=COARSE)
    scenario.user_says("Tell me a story.", at=0.3, until=1.2)
    scenario.realtime_replies(STORY, duration=5.0)
    scenario.user_says("Stop!", at=3.0, until=3.6)
    scenario.realtime_replies("All right then.", duration=1.0)
    return scenario


def a_realtime_model_with_a_tool() -> Scenario:
    scenario = Scenario(keeper(act(0.5)), realtime=SPEAKING, frame_ms=COARSE)
    scenario.user_says("Please.", at=0.3, until=1.0)
    scenario.realtime_replies("Let me see.", duration=0.6, tool_calls=calls())
    scenario.realtime_replies("It is done.", duration=0.8)
    scenario.user_types("And?", at=2.4)
    scenario.realtime_replies("That is it.", duration=0.6)
    return scenario


def closed_while_speaking() -> Scenario:
    scenario = spoken()
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    scenario.user_says("Stop!", at=2.4, until=3.0)
    scenario.close(2.9, deadline=1.0)
    return scenario


def closed_in_a_handoff() -> Scenario:
    scenario = typed(First(leaves=0.5, enters=0.5))
    scenario.llm_replies(tool_calls=[TRANSFER])
    scenario.user_types("Hello?", at=0.9)
    scenario.close(1.2, deadline=2.0)
    return scenario


def closed_with_a_tool() -> Scenario:
    scenario = typed(keeper(act(3.0)))
    scenario.llm_replies("One moment.", tool_calls=calls("a", "b"))
    scenario.close(1.0, deadline=1.0)
    return scenario


def the_voice_fails() -> Scenario:
    scenario = spoken()
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=3.0)
    scenario.tts_fails(1, after=0.5, error=ConnectionError("gone"))
    scenario.user_says("Hello?", at=2.6, until=3.2)
    scenario.llm_otherwise("Yes.")
    return scenario
