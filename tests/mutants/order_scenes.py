"""Conversations in which things fall into one moment: what the order mutants are hunted in.

Each is right in the order of production, and dense: someone interrupts where a speech ends by itself, a user types
while agents change, words come when a turn is over. Which of two such things is first, is the schedule's to choose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessionactors import (
    Agent,
    APIConnectOptions,
    APIError,
    RunContext,
    SessionConnectOptions,
    function_tool,
)
from sessionactors.messages.floor import DrainFloor, FloorDrained, FloorWanted
from sessionactors.messages.llm import TextDelta, ToolCallsRequested
from sessionactors.messages.output import SinkReported
from sessionactors.messages.session import SpeakRequested
from sessionactors.messages.tools import RunTool, ToolFinished, ToolReturned
from sessionactors.messages.tts import AudioSynthesized
from sessionactors.session.speech_handle import SpeechHandle
from sessionactors.testing import Scenario
from sessionactors.transports.memory import MemoryTransport

from tests.session.talks import STORY, Session, keeper

CALL = ("look_up", '{"what": "horse"}')
TRANSFER = ("transfer", "{}")


class Clerk(Agent):
    """Looks things up, at once or after a while, and may hand over."""

    def __init__(self, *, takes: float = 0.0, name: str = "clerk", successor: Agent | None = None) -> None:
        super().__init__(instructions=f"You are the {name}.", id=name)
        self._takes = takes
        self._successor = successor

    @function_tool
    async def look_up(self, what: str) -> str:
        """Look something up.

        Args:
            what: of which to know more.
        """
        if self._takes:
            await asyncio.sleep(self._takes)
        return f"The {what} is old."

    @function_tool
    async def note_down(self, context: RunContext[object], what: str) -> str:
        """Write something down.

        Args:
            what: what to keep.
        """
        return f"Noted: {what}."

    @function_tool
    async def transfer(self) -> Agent:
        """Hand over to the successor."""
        if self._takes:
            await asyncio.sleep(self._takes)
        return self._successor or Clerk(name="successor")


def _deaf(agent: Agent | None = None, **options: object) -> Scenario:
    return Scenario(agent or keeper(), without=("vad", "stt"), room=MemoryTransport, **options)  # type: ignore[arg-type]


def _interrupt(session: Session) -> None:
    _ = session.interrupt()


def _say_three(session: Session) -> None:
    _ = session.say(STORY)
    _ = session.say("The second one.", allow_interruptions=False)
    _ = session.say("The third one.")


def cut_at_the_grant() -> Scenario:
    """The first of three speeches is cut when it has just been given the floor."""
    scenario = _deaf()
    scenario.call(0.5, _say_three)
    scenario.call_behind("floor", FloorWanted, 1, _interrupt)
    return scenario


def cut_at_a_frame(number: int = 3) -> Scenario:
    """It is cut behind a frame that the voice has given."""
    scenario = _deaf()
    scenario.call(0.5, _say_three)
    scenario.call_behind("tts", AudioSynthesized, number, _interrupt)
    return scenario


def cut_at_the_end() -> Scenario:
    """A speech is cut in the moment in which it has been heard to its end."""
    scenario = _deaf()

    def say(session: Session) -> None:
        _ = session.say("One two three.")
        _ = session.say("The second one.")

    scenario.call(0.5, say)
    scenario.call(_ENDS_AT, _interrupt)
    return scenario


_ENDS_AT = 1.55
"""When the first of them has been heard: 0.5 s, and 0.21 s to the first sound, and 14 characters of 0.06 s."""


def typed_at_the_end() -> Scenario:
    """The user types in the moment in which a speech has been heard to its end."""
    scenario = _deaf()
    scenario.call(0.5, lambda session: session.say("One two three."))
    scenario.user_types("And then?", at=_ENDS_AT)
    scenario.llm_replies("Four.")
    return scenario


def typed_over_a_speech() -> Scenario:
    """What is typed cuts a speech off, twice in a moment."""
    scenario = _deaf()
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.user_types("Stop.", at=1.4)
    scenario.user_types("Please.", at=1.4)
    scenario.llm_replies("All right.")
    scenario.llm_otherwise("I said all right.")
    return scenario


def cut_at_the_first_sound() -> Scenario:
    """It is cut when the sink reports its first sound."""
    scenario = _deaf()
    scenario.call(0.5, _say_three)
    scenario.call_behind("output", SinkReported, 1, _interrupt)
    return scenario


def cut_in_the_text() -> Scenario:
    """A reply is cut behind its first words, while the others wait."""
    scenario = _deaf()
    scenario.user_types("Tell me a story.", at=0.5)
    scenario.llm_replies(STORY, ttft=0.1, duration=0.1)
    scenario.llm_otherwise("Well.")
    scenario.call_behind("speech-1", TextDelta, 1, _interrupt)
    return scenario


def tools_and_a_cut(kind: type = RunTool, number: int = 1, actor: str = "tools", takes: float = 0.0) -> Scenario:
    """A reply with tools is cut behind one of their messages."""
    scenario = _deaf(Clerk(takes=takes))
    scenario.user_types("What of the horse?", at=0.5)
    scenario.llm_replies("Let me see.", tool_calls=[CALL, ("note_down", '{"what": "it"}')])
    scenario.llm_replies("It is old.")
    scenario.llm_otherwise("Well.")
    scenario.call_behind(actor, kind, number, _interrupt)
    scenario.user_types("And its name?", at=2.5)
    return scenario


def tools_of_a_reply_of_its_own() -> Scenario:
    """A reply that the program asks for has tools, and is cut behind the order of the first."""
    scenario = _deaf(Clerk())
    scenario.call(0.5, _asks(0))
    scenario.llm_replies("", tool_calls=[CALL, ("note_down", '{"what": "it"}')])
    scenario.llm_otherwise("Well.")
    scenario.call_behind("tools", RunTool, 1, _interrupt)
    return scenario


def cut_when_a_tool_starts() -> Scenario:
    """A reply is cut when its tools are asked for."""
    return tools_and_a_cut(ToolCallsRequested, 1, "speech-1")


def cut_when_a_tool_returns() -> Scenario:
    """A reply is cut when a tool has just returned."""
    return tools_and_a_cut(ToolReturned, 1, takes=0.5)


def cut_when_a_result_is_stored() -> Scenario:
    """A reply is cut when the results of its tools go into the history."""
    return tools_and_a_cut(ToolFinished, 1, "speech-1", takes=0.5)


def two_tools_at_once() -> Scenario:
    """Two tools of a text reply end in one moment, while the user types."""
    scenario = Scenario(Clerk(takes=0.5), audio=False)
    scenario.user_types("What of the horse?", at=0.5)
    scenario.llm_replies("Let me see.", tool_calls=[CALL, CALL])
    scenario.llm_otherwise("It is old.")
    scenario.user_types("Quick!", at=1.3)
    scenario.user_types("Now!", at=1.4)
    return scenario


def handoff_and_typing(behind: type = ToolFinished, actor: str = "speech-1", **timing: float) -> Scenario:
    """A tool hands over; a user types while the agents change."""
    scenario = Scenario(Clerk(name="first", successor=Clerk(name="second"), **timing), audio=False)
    scenario.user_types("Somebody else, please.", at=0.5)
    scenario.llm_replies("", tool_calls=[TRANSFER])
    scenario.llm_otherwise("I am here.")
    for number in range(2):
        scenario.call_behind(actor, behind, 1, _asks(number))
    scenario.user_types("Hello?", at=0.8)
    scenario.user_types("Who is there?", at=0.8)
    return scenario


def _asks(number: int) -> Callable[[Session], object]:
    return lambda session: session.generate_reply(user_input=f"Question {number}?")


def agents_change_and_asking() -> Scenario:
    """The program changes the agent, and asks for replies in the moment in which the old one has been heard out."""
    scenario = Scenario(Clerk(name="first"), audio=False)
    scenario.call(0.5, lambda session: session.update_agent(Clerk(name="second")))
    scenario.call_behind("floor", DrainFloor, 1, _asks(1))
    scenario.call_behind("agent", FloorDrained, 1, _asks(2))
    scenario.user_types("Hello?", at=0.5)
    scenario.llm_otherwise("I am here.")
    return scenario


def two_rushes() -> Scenario:
    """Speeches are asked for, cut and protected from many sides in one moment; a text room."""
    scenario = Scenario(Clerk(), audio=False)

    def rush(session: Session) -> None:
        handle = session.say("One.")
        _ = session.generate_reply(user_input="Two?")
        _ = handle.interrupt()
        _ = session.say("Three.", allow_interruptions=False)

    scenario.call(0.5, rush)
    scenario.user_types("Four?", at=0.5)
    scenario.user_types("Five?", at=0.5)
    scenario.call_behind("floor", FloorWanted, 2, _interrupt)
    scenario.llm_otherwise("Six.")
    return scenario


def words_at_the_end_of_a_turn() -> Scenario:
    """A final transcript comes in the moment in which the turn is over."""
    scenario = Scenario(keeper(), frame_ms=100, min_endpointing_delay=0.5, max_endpointing_delay=0.5)
    scenario.user_says("My name is", at=0.5, until=1.5, stt_delay=0.5)
    scenario.user_says("Anna.", at=1.9, until=2.1, stt_delay=0.5)
    scenario.llm_otherwise("Hello.")
    return scenario


def voice_at_the_first_word() -> Scenario:
    """The user goes on in the moment in which the reply would begin."""
    scenario = Scenario(keeper(), frame_ms=100)
    scenario.user_says("How are you", at=0.5, until=1.5)
    scenario.user_says("today?", at=2.05, until=3.0)
    scenario.llm_otherwise("Fine.", ttft=0.1)
    return scenario


def noise_while_the_agent_speaks() -> Scenario:
    """A noise pauses the agent; another comes when it goes on."""
    scenario = Scenario(keeper(), frame_ms=100, false_interruption_timeout=0.5)
    scenario.user_says("Tell me a story.", at=0.5, until=1.5)
    scenario.llm_otherwise(STORY)
    scenario.user_says("", at=4.0, until=4.8)
    scenario.user_says("", at=5.7, until=6.6)
    scenario.user_says("Stop it now!", at=7.5, until=8.2)
    return scenario


def closed_in_the_rush() -> Scenario:
    """The session closes while a turn is being taken and a tool runs."""
    scenario = Scenario(Clerk(takes=0.3), audio=False)
    scenario.user_types("What of the horse?", at=0.5)
    scenario.llm_replies("Let me see.", tool_calls=[CALL])
    scenario.llm_otherwise("It is old.")
    scenario.user_types("Quick!", at=1.0)
    scenario.close(1.0, deadline=5.0)
    return scenario


def model_at_its_deadline() -> Scenario:
    """The model begins to answer in the moment in which it is given up."""
    patience = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=2, timeout=1.0))
    scenario = Scenario(keeper(), audio=False, conn_options=patience)
    scenario.user_types("How are you?", at=0.5)
    scenario.llm_replies("I am fine.", ttft=1.0, duration=1.3)
    scenario.llm_otherwise("I am very well.")
    return scenario


def noise_at_the_end() -> Scenario:
    """A noise pauses a speech in the moment in which it has been heard to its end."""
    scenario = Scenario(keeper(), frame_ms=50, false_interruption_timeout=0.5)
    scenario.call(0.5, lambda session: session.say("One two three."))
    scenario.user_says("", at=_ENDS_AT - 0.5, until=_ENDS_AT + 0.3)
    scenario.user_says("What now?", at=4.0, until=5.0)
    scenario.llm_otherwise("Four.")
    return scenario


def cleared_with_words() -> Scenario:
    """What the user says is to be forgotten in the moment in which its words come."""
    scenario = Scenario(keeper(), frame_ms=100)
    scenario.user_says("Forget this.", at=0.5, until=1.5, stt_delay=0.2)
    scenario.call(1.7, lambda session: session.clear_user_turn())
    scenario.user_says("Not this.", at=3.0, until=4.0, stt_delay=0.2)
    scenario.llm_otherwise("Well.")
    return scenario


def prepared_and_failed() -> Scenario:
    """The reply that was prepared fails in the moment in which the turn is over."""
    scenario = Scenario(keeper(), frame_ms=100, preemptive_generation=True, min_endpointing_delay=0.5)
    scenario.user_says("How are you?", at=0.5, until=1.5, stt_delay=0.2)
    scenario.llm_replies("", ttft=0.3, duration=0.3, error=APIError("the line is dead", retryable=False))
    scenario.llm_otherwise("Fine.")
    return scenario


def a_cut_reply_that_waits() -> Scenario:
    """A reply waits for the account of the speech that it follows, and is cut off itself."""
    scenario = _deaf()
    waiting: list[SpeechHandle] = []
    scenario.call(0.5, lambda session: session.say(STORY))

    def ask(session: Session) -> None:
        _ = session.interrupt()
        waiting.append(session.generate_reply(user_input="And then?"))

    scenario.call(1.4, ask)
    scenario.call_behind("agent", SpeakRequested, 2, lambda _: waiting[0].interrupt(force=True))
    scenario.llm_otherwise("Nothing.")
    return scenario


SCENES: tuple[Callable[[], Scenario], ...] = (
    cut_at_the_grant,
    cut_at_a_frame,
    cut_at_the_end,
    typed_at_the_end,
    typed_over_a_speech,
    cut_at_the_first_sound,
    cut_in_the_text,
    tools_and_a_cut,
    tools_of_a_reply_of_its_own,
    cut_when_a_tool_starts,
    cut_when_a_tool_returns,
    cut_when_a_result_is_stored,
    two_tools_at_once,
    handoff_and_typing,
    agents_change_and_asking,
    two_rushes,
    words_at_the_end_of_a_turn,
    voice_at_the_first_word,
    noise_while_the_agent_speaks,
    closed_in_the_rush,
    model_at_its_deadline,
    noise_at_the_end,
    cleared_with_words,
    prepared_and_failed,
    a_cut_reply_that_waits,
)
