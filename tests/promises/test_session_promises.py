"""Promises that a session keeps, each explored over moments, schedules or faults (docs/promises.md)."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from sessionactors import Agent, RunContext, function_tool
from sessionactors.messages.floor import FloorGranted, FloorWanted, InterruptSpeech, SilenceSpeech
from sessionactors.messages.output import PlaySegment, SinkReported
from sessionactors.messages.room import RoomConnected
from sessionactors.messages.session import ReplyScheduled, SpeechAudible, SpeechPaused, SpeechQuiet, SpeechResumed
from sessionactors.messages.tools import RunTool, ToolFinished
from sessionactors.messages.tts import AudioSynthesized, SegmentAudio
from sessionactors.messages.turn import UserSpeechFact, UserTurnEnded
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.model.events import AgentStateChangedEvent, UserStateChangedEvent
from sessionactors.runtime.messages import Kill
from sessionactors.testing import Broken, PromiseBroken, Run, Scenario, Schedule, explore, invariants
from sessionactors.transports.memory import MemorySink, MemoryTransport

from tests.session.talks import STORY, Session, barge_in, keeper


def broken(run: Run, *checks: invariants.Check) -> list[Broken]:
    return [found for check in checks for found in check(run)]


def only(*checks: invariants.Check) -> Callable[[Run], list[Broken]]:
    return lambda run: broken(run, *checks)


def deaf(**options: object) -> Scenario:
    """A session that speaks and does not listen: cheap, so that many moments can be tried."""
    return Scenario(keeper(), without=("vad", "stt"), room=MemoryTransport, **options)  # type: ignore[arg-type]


# -- P1: no stale sound ------------------------------------------------------------------------------------------------


def queue_of_three() -> Scenario:
    """Three speeches from 0.5 s on, the second of them protected; the first sound comes at 0.71 s."""
    scenario = deaf()

    def say(session: Session) -> None:
        session.say(STORY)
        session.say("The second one.", allow_interruptions=False)
        session.say("The third one.")

    scenario.call(0.5, say)
    return scenario


def cut_first(session: Session) -> None:
    session.interrupt()


def cut_at(at: float) -> Scenario:
    """The first of three speeches is cut at that time."""
    scenario = queue_of_three()
    scenario.call(at, cut_first)
    return scenario


def test_p01_nothing_of_a_silenced_speech_is_heard_in_any_order() -> None:
    """Cut right behind a frame that the voice has given: in some schedules that frame is still on its way."""
    fenced = 0
    for seed in range(60):
        scenario = queue_of_three()
        scenario.call_behind("tts", AudioSynthesized, 1 + seed % 30, cut_first)
        run = scenario.play(seed)
        assert broken(run, invariants.p01_no_stale_sound, invariants.p08_audio_balances) == [], f"seed {seed}"
        assert len(run.told(SilenceSpeech, "output")) == 1
        assert run.said()[-2:] == ["The second one.", "The third one."], "other speeches are untouched"
        fenced += sum(d.outcome == "fenced" and isinstance(d.message, SegmentAudio) for d in run.deliveries)
    assert fenced > 0, "audio of the silenced speech was on its way in some schedules, and none of it was fenced"


def test_p01_a_barge_in_is_silence_under_every_schedule() -> None:
    explore(
        lambda: barge_in(frame_ms=100),
        schedules=12,
        check=only(invariants.p01_no_stale_sound, invariants.p02_history_is_what_was_heard),
        expect=_silent_from_the_interruption_on,
    )


def _silent_from_the_interruption_on(run: Run) -> None:
    ((_, until),) = run.audible("speech-1")
    assert until == pytest.approx(5.5, abs=0.12)  # frames of 100 ms


def test_p01_a_speech_that_is_cut_before_it_is_heard_makes_no_sound() -> None:
    for seed in range(20):
        run = cut_at(0.5 + seed * 0.01).play(seed)
        assert run.audible("speech-1") == []
        assert run.said() == ["The second one.", "The third one."]
        assert broken(run, *invariants.CHECKS) == [], f"seed {seed}"


def test_p01_a_segment_that_opens_after_its_speech_was_silenced_is_not_played() -> None:
    """Cut right behind the grant of the floor: silence reaches ``output`` before the segment does."""
    before = 0
    for seed in range(40):
        scenario = queue_of_three()
        scenario.call_behind("floor", FloorWanted, 1, cut_first)
        run = scenario.play(seed)
        assert broken(run, *invariants.CHECKS) == [], f"seed {seed}"
        assert run.audible("speech-1") == []
        told = [d.message for d in run.handled(object, "output") if isinstance(d.message, SilenceSpeech | PlaySegment)]
        before += isinstance(told[0], SilenceSpeech) and any(
            isinstance(message, PlaySegment) and message.speech == "speech-1" for message in told
        )
    assert before > 0, "silence was never there first: this shows nothing"


def test_p01_silence_overtakes_what_waits_for_the_sink() -> None:
    """Output is held while audio piles up before it; the order to be silent is the next thing that it does."""

    async def hold(session: Session) -> None:
        output = session.actor("output")
        await output.suspend()
        await asyncio.sleep(0.3)
        session.interrupt()
        await asyncio.sleep(0.1)
        snapshot = session.inspect()["output"]
        assert snapshot.data_depth > 0
        assert [waiting.type for waiting in snapshot.control] == ["SilenceSpeech"]
        await output.step()
        await asyncio.sleep(0.1)
        assert session.inspect()["output"].control_depth == 0
        await output.resume()

    scenario = queue_of_three()
    scenario.call(0.8, hold)
    run = scenario.play()
    assert broken(run, *invariants.CHECKS) == []
    assert run.audible("speech-1")[-1][1] == pytest.approx(1.2, abs=0.01)


# -- P2: history is what was heard -------------------------------------------------------------------------------------


def test_p02_history_is_what_was_heard_whenever_the_speech_is_cut() -> None:
    """The story takes 4.9 s: cut at every tenth of a second and a bit."""
    kept = set()
    for number in range(45):
        run = cut_at(0.72 + number * 0.107).play(number)
        assert broken(run, invariants.p02_history_is_what_was_heard) == [], f"number {number}"
        kept.add(run.said()[0])
    assert len(kept) >= 15, "the cuts have hit too few different words"


def test_p02_order_in_history_is_order_of_playout() -> None:
    def crossing() -> Scenario:
        scenario = deaf()
        scenario.llm_replies("The reply, which was asked for first.", ttft=0.4, duration=0.6)
        scenario.llm_otherwise("Another reply.")
        scenario.call(0.5, lambda session: session.generate_reply(user_input="Go on."))
        scenario.call(0.5, lambda session: session.say("Said behind it."))
        scenario.call(0.6, lambda session: session.say("Said first of all.", priority=10))
        scenario.call(2.0, lambda session: session.generate_reply(user_input="And?"))
        scenario.call(2.2, lambda session: session.interrupt())
        scenario.call(2.2, lambda session: session.say("Said last."))
        return scenario

    explore(crossing, schedules=12, check=only(invariants.p02_history_is_what_was_heard))


class LateReports(MemorySink):
    """Reports 50 ms after the fact, as a sink at the end of a network does."""

    def _report(self) -> None:
        asyncio.get_running_loop().call_later(0.05, super()._report)


class FarRoom(MemoryTransport):
    def __init__(self) -> None:
        super().__init__()
        self._sink = LateReports()


def test_p02_a_message_that_cuts_a_speech_comes_behind_what_was_heard_of_it() -> None:
    def cut_by_typing() -> Scenario:
        scenario = Scenario(keeper(), without=("vad", "stt"), room=FarRoom)
        scenario.llm_otherwise("Yes?")
        scenario.call(0.5, lambda session: session.say(STORY))
        scenario.user_types("Stop.", at=2.0)
        return scenario

    def in_order(run: Run) -> None:
        assert [text for _, text in run.conversation] == ["Once upon a time", "Stop.", "Yes?"]

    explore(cut_by_typing, schedules=12, expect=in_order)


class Looking(Agent):
    """Notes what the conversation is to its hook."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")
        self.seen: list[str | None] = []

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        del new_message
        self.seen += [item.text_content for item in turn_ctx.items if isinstance(item, ChatMessage)]


def test_p02_the_hook_of_a_turn_that_cuts_a_speech_sees_what_was_heard_of_it() -> None:
    agent = Looking()
    scenario = Scenario(agent, turn_handling={"turn_detection": "manual"})
    scenario.llm_otherwise("Yes?")
    scenario.call(0.5, lambda session: session.say(STORY))
    scenario.user_says("Stop.", at=1.0, until=1.5)
    scenario.call(2.5, lambda session: session.commit_user_turn())
    run = scenario.play()
    invariants.check(run)
    (first, *_) = run.said()
    assert STORY.startswith(first)
    assert agent.seen == ["Be kind.", first]


def test_p02_what_was_heard_is_kept_when_output_or_the_voice_dies() -> None:
    for actor, number in itertools.product(("output", "tts"), range(1, 48, 3)):
        scenario = deaf()
        scenario.call(0.5, lambda session: session.say(STORY))
        scenario.call(7.0, lambda session: session.say("The next one."))
        scenario.kill(actor, message=number)
        run = scenario.play()
        assert run.killed == (actor,)
        assert broken(run, invariants.p02_history_is_what_was_heard) == [], f"{actor} killed after {number} messages"
        assert run.said()[-1] == "The next one."


@pytest.mark.parametrize("actor", ["speech-1", "floor"])
def test_p02_what_was_heard_is_kept_when_the_speech_dies(actor: str) -> None:
    for number in range(20):
        scenario = deaf()
        scenario.call(0.5, lambda session: session.say(STORY))
        scenario.call(0.69 + 0.27 * number, lambda session: kill(session, actor))
        scenario.call(7.0, lambda session: session.say("The next one."))
        run = scenario.play(number)
        assert broken(run, invariants.p02_history_is_what_was_heard) == [], f"{actor}, {number}"
        assert run.said()[-1] == "The next one."


def kill(session: Session, actor: str) -> None:
    if any(path.endswith(actor) for path in session.inspect()):
        session.actor(actor).cell.deliver_system(Kill(RuntimeError(f"the test kills {actor}")))


# -- P3, P7: the user's words ------------------------------------------------------------------------------------------


def two_people_talking() -> Scenario:
    """Voice, typing and protected speech across each other."""
    scenario = Scenario(keeper(), frame_ms=100)
    scenario.user_says("Tell me a story.", at=0.5, until=1.5)
    scenario.llm_otherwise("Once upon a time. There was a king. He had a horse.")
    scenario.user_says("Another one.", at=2.4, until=3.0)
    scenario.user_types("In writing.", at=3.0)
    scenario.call(3.9, lambda session: session.say("This is protected.", allow_interruptions=False))
    scenario.user_types("While it is protected.", at=4.5)
    scenario.user_says("And a last one.", at=4.8, until=5.6)
    return scenario


WORDS = ["Tell me a story.", "Another one.", "In writing.", "While it is protected.", "And a last one."]


def test_p03_every_word_of_the_user_is_in_the_history_once() -> None:
    def kept(run: Run) -> None:
        assert Counter(text for role, text in run.conversation if role == "user") == Counter(WORDS)

    explore(two_people_talking, schedules=12, expect=kept)


def test_p03_words_of_a_closing_session_are_stored() -> None:
    for number in range(16):
        scenario = two_people_talking()
        scenario.close(1.4 + number * 0.3)
        run = scenario.play(number)
        assert broken(run, *invariants.CHECKS) == [], f"closed at {1.4 + number * 0.3}"
        turns = [turn.transcript for turn in run.told(UserTurnEnded)]
        stored = [text for role, text in run.conversation if role == "user"]
        assert stored == turns, f"closed at {1.4 + number * 0.3}"


def test_p07_no_reply_begins_while_the_user_speaks() -> None:
    def races() -> Scenario:
        scenario = Scenario(keeper(), frame_ms=50, ttfb=0.0)
        scenario.user_says("Tell me.", at=0.5, until=1.5)
        scenario.llm_replies("Once upon a time.", ttft=0.15, duration=0.2)
        scenario.user_says("", at=2.05, until=2.6)  # noticed at 2.1; the reply wants the floor at 2.15
        return scenario

    granted = 0

    def count(run: Run) -> None:
        nonlocal granted
        granted += len(run.told(FloorGranted))

    explore(races, schedules=16, expect=count)
    assert granted == 16


# -- P5: tools ---------------------------------------------------------------------------------------------------------


@function_tool
async def look_up(context: RunContext[object], word: str) -> str:
    """Looks something up."""
    await asyncio.sleep(0.3)
    return f"{word} it is"


def test_p05_every_call_ends_once_whenever_its_reply_is_cut() -> None:
    outcomes: Counter[str] = Counter()
    for number in range(40):
        scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]), audio=False)
        scenario.llm_replies("Let me see.", tool_calls=[("look_up", '{"word": "one"}'), ("look_up", '{"word": "two"}')])
        scenario.llm_otherwise("That is it.")
        scenario.call(0.5, lambda session: session.generate_reply(user_input="Look it up."))
        scenario.call(0.58 + number * 0.02, lambda session: session.interrupt())
        scenario.user_types("Are you there?", at=2.0)
        run = scenario.play(number)
        assert broken(run, *invariants.CHECKS) == [], f"number {number}"
        ends = Counter(end.call_id for end in run.told(ToolFinished))
        assert set(ends) == {order.call.call_id for order in run.told(RunTool)}
        outcomes.update(end.outcome for end in run.told(ToolFinished))
        assert run.conversation[-1] == ("assistant", "That is it.")
    assert outcomes["completed"] > 10


# -- P6: states --------------------------------------------------------------------------------------------------------

CAUSES = (RoomConnected, ReplyScheduled, SpeechAudible, SpeechPaused, SpeechQuiet, SpeechResumed, UserSpeechFact)
"""The facts that may change a public state."""


def test_p06_states_are_legal_and_each_change_names_the_fact_that_caused_it() -> None:
    def named(run: Run) -> None:
        by_id = {delivery.id: delivery for delivery in run.deliveries}
        agent, user = run.of(AgentStateChangedEvent), run.of(UserStateChangedEvent)
        changes: list[AgentStateChangedEvent | UserStateChangedEvent] = [*agent, *user]
        assert len(changes) > 6
        for change in changes:
            cause = by_id[change.message_id]
            assert cause.target == run.room
            assert isinstance(cause.message, CAUSES), change

    explore(two_people_talking, schedules=8, expect=named)


def test_p06_no_state_is_skipped_when_replies_cross() -> None:
    def crossing() -> Scenario:
        scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]), audio=False)
        scenario.llm_replies("Let me see.", tool_calls=[("look_up", '{"word": "one"}')])
        scenario.llm_otherwise("That is it.")
        for number in range(4):
            scenario.user_types(f"Number {number}.", at=0.5 + number * 0.35)
            scenario.call(0.6 + number * 0.35, lambda session: session.say("Hm."))
        scenario.call(1.7, lambda session: session.interrupt())
        return scenario

    explore(crossing, schedules=12, check=only(invariants.p06_legal_states_only, invariants.no_handler_fails))


def test_p06_a_speech_that_was_cut_before_it_is_known_to_be_heard_is_never_told_as_speaking() -> None:
    cut_first_of_all = 0
    for seed in range(40):
        scenario = deaf()
        scenario.call(0.5, lambda session: session.say(STORY))
        scenario.call_behind("output", SinkReported, 1, cut_first)  # its first sound
        run = scenario.play(seed)
        assert broken(run, *invariants.CHECKS) == [], f"seed {seed}"
        known = [
            d.message for d in run.handled(object, "floor") if isinstance(d.message, InterruptSpeech | SpeechAudible)
        ]
        if isinstance(known[0], InterruptSpeech):
            cut_first_of_all += 1
            assert run.agent_states == ["initializing", "listening"], f"seed {seed}"
        else:
            assert run.agent_states == ["initializing", "listening", "speaking", "listening"], f"seed {seed}"
    assert cut_first_of_all > 0, "the cut never came first: this shows nothing"


# -- P12: restart, not hang up -----------------------------------------------------------------------------------------


def two_turns() -> Scenario:
    scenario = Scenario(Agent(instructions="Be kind.", tools=[look_up]), frame_ms=100)
    scenario.user_says("How are you?", at=0.4, until=1.0)
    scenario.llm_replies("Let me see.", tool_calls=[("look_up", '{"word": "one"}')])
    scenario.llm_otherwise("I am fine, thank you.")
    scenario.user_says("Are you still there?", at=9.0, until=9.6)
    return scenario


def spread(most: int, count: int) -> Iterable[int]:
    """The first three message indices, and others evenly up to the last."""
    return sorted(
        {1, 2, 3, *(1 + round(step * (most - 1) / count) for step in range(count + 1))} & set(range(1, most + 1))
    )


@pytest.mark.parametrize("actor", ["input", "vad", "stt", "llm", "tools", "tts", "output"])
def test_p12_the_next_turn_is_answered_whenever_an_actor_is_killed(actor: str) -> None:
    undisturbed = two_turns().play()
    before = [d for d in undisturbed.handled(object, actor) if undisturbed.time_of(d) < 8.0]
    for number in spread(len(before), 10):
        scenario = two_turns()
        scenario.kill(actor, message=number)
        run = scenario.play()
        assert run.killed == (actor,)
        assert run.conversation[-2:] == [("user", "Are you still there?"), ("assistant", "I am fine, thank you.")], (
            number
        )
        assert broken(run, *invariants.CHECKS) == [], f"{actor} killed after {number} messages"


# -- the explorer itself -----------------------------------------------------------------------------------------------


def test_a_broken_promise_is_reported_with_schedule_promise_and_diagram(monkeypatch: pytest.MonkeyPatch) -> None:
    def claims_too_much(*_: object, **__: object) -> int:
        return len(STORY)

    monkeypatch.setattr("sessionactors.actors.playout_segment.heard_length", claims_too_much)
    with pytest.raises(PromiseBroken) as caught:
        explore(lambda: cut_at(2.0), schedules=3, first=7, strategy="random", shrunk=False)
    assert caught.value.schedule == Schedule.random(7)
    assert caught.value.broken[0].promise == "P2"
    text = str(caught.value)
    assert text.startswith("random:seed=7 breaks P2: speech-1/segment-1: heard was 'Once upon a time', kept is")
    assert 'scenario().play(Schedule.parse("random:seed=7"))' in text
    assert "sequenceDiagram" in text
