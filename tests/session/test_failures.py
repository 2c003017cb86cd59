"""What fails, and what the call makes of it: actors that are killed, providers that break, sinks that go silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from sessionactors import (
    LLM,
    ActorSystem,
    Agent,
    AgentSession,
    APIConnectOptions,
    APIError,
    AudioFrame,
    ChatChunk,
    ChatContext,
    CloseReason,
    FunctionCallOutput,
    LLMStream,
    TransportEvents,
    function_tool,
)
from sessionactors.actors.input import InputActor
from sessionactors.actors.llm import LLMActor
from sessionactors.actors.output import Output
from sessionactors.actors.playout_lost import PlayoutLost
from sessionactors.actors.supervisor_state import SessionBroken
from sessionactors.actors.tts import TTSActor
from sessionactors.messages.ear import FrameCaptured
from sessionactors.messages.llm import GenerateText
from sessionactors.messages.output import PlaySegment, SegmentText
from sessionactors.messages.tts import EndOfText
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.runtime.messages import Kill
from sessionactors.testing import Faults, Run, Scenario, invariants
from sessionactors.testing import run as in_virtual_time
from sessionactors.transports.memory import MemorySink, MemoryTransport

from tests.session.talks import STORY, Session, barge_in, keeper, near, one_turn, played, typed

PATIENT = APIConnectOptions(max_retry=0, timeout=2.0)


def two_turns(agent: Agent | None = None, **options: object) -> Scenario:
    """A reply that an actor's death may spoil, and a turn behind it that must be answered."""
    scenario = Scenario(agent or keeper(), frame_ms=50, **options)  # type: ignore[arg-type]
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.user_says("Are you still there?", at=12.0, until=13.0)
    scenario.llm_otherwise("I am fine, thank you.")
    scenario.tts_speaks(duration=2.0, text="I am fine, thank you.")
    return scenario


def answered(run: Run) -> bool:
    """Whether the last turn is in the history with its answer behind it."""
    return run.conversation[-2:] == [("user", "Are you still there?"), ("assistant", "I am fine, thank you.")]


# -- actors around providers: the call goes on -------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["input", "vad", "stt", "llm", "tts", "tools", "output"])
def test_the_death_of_an_actor_costs_at_most_what_it_was_doing(actor: str) -> None:
    scenario = two_turns()
    scenario.kill(actor, message=1)
    if actor != "tools":
        scenario.kill(actor, message=3)
    run = played(scenario)
    assert answered(run)
    assert run.close_event.error is None


def test_the_death_of_the_model_before_its_first_word_costs_nothing() -> None:
    scenario = two_turns()
    scenario.kill("llm", message=1)
    run = played(scenario)
    assert run.killed == ("llm",)
    assert run.said() == ["I am fine, thank you.", "I am fine, thank you."]


def test_the_death_of_the_voice_is_hardly_heard() -> None:
    scenario = two_turns()
    scenario.kill("tts", message=12)
    run = played(scenario)
    assert run.said() == ["I am fine, thank you.", "I am fine, thank you."]


def test_the_death_of_output_ends_the_speech_and_history_keeps_what_was_heard() -> None:
    scenario = barge_in()
    scenario.call(4.33, lambda session: kill(session, "output"))
    run = played(scenario)
    assert run.said()[0] == "Once"
    assert run.audio[0].until == near(4.35)
    assert run.said()[-1] == "All right then."


def kill(session: Session, actor: str) -> None:
    session.actor(actor).cell.deliver_system(Kill(RuntimeError(f"the test kills {actor}")))


@pytest.mark.parametrize("actor", ["turn", "floor", "agent", "history", "room"])
@pytest.mark.parametrize("at", [1.5, 3.2, 4.4, 9.0])
def test_actors_that_hold_the_conversation_together_restart_once_and_go_on(actor: str, at: float) -> None:
    scenario = two_turns()
    scenario.call(at, lambda session: kill(session, actor))
    run = scenario.play()
    assert run.close_event.error is None
    assert answered(run)
    assert not [found for found in invariants.broken(run) if found.promise in ("P1", "P2", "P6", "P9", "P10", "P18")]


@pytest.mark.parametrize("actor", ["turn", "floor", "agent", "history", "room"])
def test_their_second_failure_ends_the_session_with_an_error_and_its_history(actor: str) -> None:
    scenario = two_turns()
    scenario.call(6.5, lambda session: kill(session, actor))
    scenario.call(8.0, lambda session: kill(session, actor))
    scenario.close(30.0)
    run = scenario.play()
    assert run.close_event.reason is CloseReason.ERROR
    assert isinstance(run.close_event.error, SessionBroken)
    assert run.ended_at < 8.0 + 2.1
    assert run.conversation == [("user", "How are you?"), ("assistant", "I am fine, thank you.")]
    assert run.report is not None
    assert run.leaks == ()


def test_a_speech_that_dies_is_reported_and_the_next_one_is_heard() -> None:
    scenario = two_turns()
    handles = []

    def kill_speech(session: Session) -> None:
        handles.append(session.current_speech)
        kill(session, "speech-1")

    scenario.call(4.0, kill_speech)
    run = scenario.play()
    invariants.p02_history_is_what_was_heard(run)
    (handle,) = handles
    assert handle is not None
    assert str(handle.exception()) == "the test kills speech-1"
    assert run.audible("speech-1")[0][1] == near(4.0)
    assert answered(run)
    assert run.agent_states[:5] == ["initializing", "listening", "thinking", "speaking", "listening"]


def test_a_crash_of_the_supervisor_ends_the_session_with_one_close_event() -> None:
    scenario = one_turn()
    scenario.call(4.0, lambda session: kill(session, "scenario"))
    scenario.close(20.0)
    run = scenario.play()
    assert run.close_event.reason is CloseReason.ERROR
    assert "the test kills scenario" in str(run.close_event.error)
    assert run.audio[-1].until == near(4.0)
    assert run.leaks == ()


class LosesOne:
    """Makes the handler of an actor raise at its n-th message of a type: that message is lost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, actor: type, kind: type, number: int = 1) -> None:
        handle = actor.receive  # type: ignore[attr-defined]
        self.lost: list[object] = []
        seen = 0

        def receive(this: object, state: object, message: object, out: object) -> object:
            nonlocal seen
            seen += isinstance(message, kind)
            if isinstance(message, kind) and seen == number and not self.lost:
                self.lost.append(message)
                raise RuntimeError("a fault in the handler")
            return handle(this, state, message, out)

        monkeypatch.setattr(actor, "receive", receive)


@pytest.mark.parametrize(
    "actor, kind",
    [
        (InputActor, FrameCaptured),
        (LLMActor, GenerateText),
        (TTSActor, EndOfText),
        (Output, PlaySegment),
        (Output, SegmentText),
    ],
)
def test_a_message_that_is_lost_to_a_fault_costs_one_turn_at_most(
    actor: type, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = LosesOne(monkeypatch, actor, kind)
    run = two_turns().play()
    assert len(loss.lost) == 1
    assert answered(run)
    assert run.close_event.error is None


def test_results_of_tools_are_kept_also_when_the_report_of_the_playout_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    @function_tool
    async def look_up() -> str:
        """Looks something up."""
        return "found"

    LosesOne(monkeypatch, Output, PlaySegment)
    scenario = two_turns(Agent(instructions="Be kind.", tools=[look_up]))
    scenario.llm_replies("Let me see.", tool_calls=[("look_up", "{}")])
    run = scenario.play()
    assert answered(run)
    assert [item.output for item in run.history if isinstance(item, FunctionCallOutput)] == ["found"]


def test_a_room_that_dies_while_the_news_of_its_link_waits_is_not_linked_twice() -> None:
    scenario = two_turns()
    scenario.kill("room", message=1)  # behind ParticipantJoined: RoomConnected is in the mailbox
    run = played(scenario)
    assert run.killed == ("room",)
    assert answered(run)


class HalfWay(MemoryTransport):
    """Takes a second to link; an attempt that is cancelled leaves nothing."""

    async def connect(self, events: TransportEvents) -> None:
        await asyncio.sleep(1.0)
        await super().connect(events)


def test_a_room_that_dies_while_it_is_linked_is_linked_again() -> None:
    async def test() -> None:
        system = ActorSystem("running")
        session: Session = AgentSession(system=system)
        starting = asyncio.ensure_future(session.start(keeper(), room=HalfWay(audio=False), room_name="half"))
        await asyncio.sleep(0.5)
        kill(session, "room")
        await starting
        assert session.agent_state == "listening"
        await session.aclose()
        await system.aclose()

    in_virtual_time(test)


# -- providers ---------------------------------------------------------------------------------------------------------


class Broken(LLM):
    """Fails for good, so many times; then answers."""

    label = "broken.LLM"

    def __init__(self, times: int) -> None:
        self.left = times

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return LLMStream(self._answer())

    async def _answer(self) -> AsyncGenerator[ChatChunk, None]:
        await asyncio.sleep(0.1)
        if self.left > 0:
            self.left -= 1
            raise APIError("out of order", retryable=False)
        yield ChatChunk(content="Here I am.")


def test_a_failed_request_is_reported_and_the_next_turn_is_answered() -> None:
    run = played(typed(None, "One.", "Two.", llm=Broken(1)))
    assert run.conversation == [("user", "One."), ("user", "Two."), ("assistant", "Here I am.")]
    (event,) = run.errors
    assert (event.source, event.recoverable, str(event.error)) == ("llm", False, "out of order")
    assert run.agent_states[:4] == ["initializing", "listening", "thinking", "listening"]


def test_failures_in_a_row_beyond_the_limit_end_the_session() -> None:
    run = typed(None, *(f"Number {n}." for n in range(6)), llm=Broken(9), max_tool_steps=1).play()
    assert [event.recoverable for event in run.errors if event.source == "llm"] == [False] * 4
    assert run.close_event.reason is CloseReason.ERROR
    assert "llm failed 4 times in a row" in str(run.close_event.error)
    assert [role for role, _ in run.conversation] == ["user"] * 4
    assert run.ended_at < 4.0


def test_a_success_between_failures_starts_the_count_anew() -> None:
    class Moody(Broken):
        async def _answer(self) -> AsyncGenerator[ChatChunk, None]:
            self.left = 1 if self.left == 0 else 0
            if self.left:
                raise APIError("not now", retryable=False)
            yield ChatChunk(content="Yes.")

    run = played(typed(None, *(f"Number {n}." for n in range(12)), llm=Moody(0)))
    assert len(run.said()) == 6
    assert len(run.errors) == 6


def test_a_model_that_hangs_is_given_up_in_time_and_the_agent_listens_again() -> None:
    scenario = Scenario(keeper(), conn_options=PATIENT)
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("This", hang=True, ttft=5.0, duration=5.0)
    run = played(scenario)
    assert run.agent_became("listening") == [0.0, near(5.0)]
    assert "did not start to answer within 2.0 s" in str(run.errors[0].error)


def test_a_reply_that_breaks_off_is_heard_as_far_as_it_came() -> None:
    scenario = Scenario(keeper(), conn_options=PATIENT)
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("Well, I think.", error=APIError("cut off"))

    async def look(session: Session) -> None:
        handle = session.current_speech
        assert handle is not None
        await handle
        assert str(handle.exception()) == "cut off"

    scenario.call(3.6, look)
    run = played(scenario)
    assert run.said() == ["Well, I think."]


def test_a_voice_that_breaks_goes_on_behind_the_last_word_it_spoke() -> None:
    scenario = barge_in()
    scenario.tts_fails(1, after=1.0, error=APIError("crackle"))
    run = played(scenario)
    assert run.audible("speech-1")[-1][1] == near(5.5)
    assert run.said()[0].startswith("Once")


def test_a_voice_that_is_dead_costs_the_sound_and_is_reported() -> None:
    scenario = one_turn(conn_options=PATIENT)
    scenario.tts_fails(1, error=APIError("no voice today"))
    run = played(scenario)
    assert run.said() == []
    assert run.errors[0].source == "tts"
    assert run.agent_states[-1] == "listening"


@pytest.mark.parametrize("part", ["vad", "stt"])
def test_a_stream_of_the_ear_that_breaks_is_opened_again(part: str) -> None:
    scenario = two_turns()
    scenario.ear_fails(part, Faults(failures=[1.0]))  # type: ignore[arg-type]
    run = played(scenario)
    assert answered(run)
    assert run.conversation[0] == ("user", "How are you?")


# -- sinks -------------------------------------------------------------------------------------------------------------


class GoesSilent(MemorySink):
    """Plays, and reports nothing more from a moment on."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    def _report(self) -> None:
        if asyncio.get_running_loop().time() < self.until:
            super()._report()
        else:
            self._queue.events.clear()


class OddRoom(MemoryTransport):
    def __init__(self, sink: MemorySink) -> None:
        super().__init__(silence_rate=16000)
        self._sink = sink


def test_a_sink_that_reports_nothing_more_is_given_up_and_the_session_goes_on() -> None:
    scenario = Scenario(keeper(), room=lambda: OddRoom(GoesSilent(5.0)))
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies("Once upon a time there was a king.")
    scenario.tts_speaks(duration=5.0)
    run = scenario.play()
    (event,) = run.errors
    assert isinstance(event.error, PlayoutLost)
    assert run.agent_states[-1] == "listening"
    assert run.settled
    assert run.said() == ["Once upon"]  # what the sink had reported
    assert 8.5 < run.agent_became("listening")[-1] < 15.0


class OwnSink(MemorySink):
    """A sink of the user's own."""


def test_a_sink_that_is_replaced_cuts_the_speech_at_the_word_and_the_next_is_heard_on_the_new_one() -> None:
    sink = OwnSink()

    def replace_sink(session: Session) -> None:
        session.output.audio = sink

    scenario = Scenario(keeper())
    scenario.tts_speaks(duration=8.0, text="This takes rather long to say.")
    scenario.call(0.5, lambda session: session.say("This takes rather long to say."))
    scenario.call(3.39, replace_sink)
    scenario.call(5.0, lambda session: session.say("Hello again."))
    run = scenario.play()
    assert [found for found in invariants.broken(run) if found.promise in ("P1", "P6", "P9", "P10", "P18")] == []
    assert run.audio[-1].until == near(3.39)
    # 10 of 30 characters end at 0.71 + 8 * 10 / 30 = 3.377 s
    assert run.said() == ["This takes", "Hello again."]
    assert sum(played.duration for played in sink.runs) == near(0.06 * 12)
    sink.close()


def test_without_a_sink_a_speech_is_shown_instead() -> None:
    def remove_sink(session: Session) -> None:
        session.output.audio = None

    scenario = Scenario(keeper())
    scenario.call(0.5, remove_sink)
    scenario.call(1.0, lambda session: session.say("Nobody hears this."))
    run = scenario.play()
    assert run.said() == ["Nobody hears this."]
    assert run.audio == ()
    assert "".join(segment.text for segment in run.transcripts) == "Nobody hears this."


class Refuses(MemorySink):
    """Breaks when it is written to."""

    def write(self, segment: str, frame: AudioFrame) -> None:
        raise OSError("the device is gone")


def test_a_sink_that_raises_costs_the_sound_not_the_session() -> None:
    scenario = Scenario(keeper(), room=lambda: OddRoom(Refuses()))
    scenario.user_says("How are you?", at=0.5, until=2.5)
    scenario.llm_replies("Fine.")
    scenario.close(20.0)
    run = scenario.play()
    assert run.said() == []
    assert run.agent_states[-1] == "listening"
    assert run.close_event.reason is CloseReason.USER_INITIATED


async def test_a_sink_is_muted_by_the_watchdog_when_output_does_not_come_to_the_order() -> None:
    """In real time: the story takes 4.9 s, the order to be silent comes at 1.0 s and is acknowledged at 2.2 s."""

    async def hold(session: Session) -> None:
        output = session.actor("output")
        await output.suspend()
        session.interrupt()
        await asyncio.sleep(1.2)
        await output.resume()

    scenario = Scenario(keeper(), without=("vad", "stt"), room=MemoryTransport, ttfb=0.0)
    scenario.call(0.1, lambda session: session.say(STORY))
    scenario.call(1.0, hold)
    run = await scenario.run(mode="own")
    (piece,) = run.audio
    assert 1.3 < piece.until < 1.9
    assert run.said()[0].startswith("Once upon a time")
    assert not [found for found in invariants.broken(run) if found.promise in ("P2", "P6", "P10", "P18")]
