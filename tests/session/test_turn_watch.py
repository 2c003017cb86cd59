"""Users who are away, words that do not come, users who do not stop (4.12-4.14)."""

from __future__ import annotations

import asyncio

import pytest

from sessionactors import (
    Agent,
    ChatContext,
    ChatMessage,
    SpeechEvent,
    SpeechEventType,
    StopResponse,
    UserTranscriptionTimeoutEvent,
    UserTurnExceededEvent,
)
from sessionactors.actors.user_away import Quiet, window_begins, window_runs
from sessionactors.messages.tools import ToolsRunning
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import STORY, Session, keeper, near, played, typed

FINAL = SpeechEventType.FINAL_TRANSCRIPT

# -- away ------------------------------------------------------------------------------------------------------------

LISTENING = Quiet("listening", "listening")


@pytest.mark.parametrize(
    "quiet, runs",
    [
        (LISTENING, True),
        (Quiet("speaking", "listening"), False),
        (Quiet("thinking", "listening"), False),
        (Quiet("listening", "speaking"), False),
        (Quiet("listening", "away"), False),
        (Quiet("initializing", "listening"), False),
        (Quiet("listening", "listening", tools=1), False),
    ],
)
def test_when_everybody_waits_for_the_user(quiet: Quiet, runs: bool) -> None:
    assert window_runs(quiet) is runs
    assert window_begins(Quiet("initializing", "listening"), quiet) is runs


@pytest.mark.parametrize(
    "before, begins",
    [
        (LISTENING, False),
        (Quiet("speaking", "listening"), True),
        (Quiet("listening", "listening", tools=2), True),
        (Quiet("listening", "listening", sign=-1), True),
        (Quiet("listening", "away"), True),
    ],
)
def test_when_the_window_begins_anew(before: Quiet, begins: bool) -> None:
    assert window_begins(before, LISTENING) is begins


def quiet_room(until: float, **options: object) -> Scenario:
    """Nobody says anything; the session closes at the given time."""
    scenario = Scenario(keeper(), frame_ms=100, **options)  # type: ignore[arg-type]
    scenario.close(until)
    return scenario


def test_a_user_who_says_nothing_for_fifteen_seconds_is_away() -> None:
    run = played(quiet_room(20.0))
    assert run.user_states == ["listening", "away"]
    assert run.user_became("away") == [near(15.0)]


def test_the_window_begins_when_the_agent_falls_silent() -> None:
    scenario = quiet_room(12.0, user_away_timeout=5.0)
    scenario.call(1.0, lambda session: session.say("Hello."))
    scenario.tts_speaks(text="Hello.", duration=2.0)
    run = played(scenario)
    assert run.user_became("away") == [near(run.agent_became("listening")[-1] + 5.0)]


def test_a_user_who_speaks_is_back() -> None:
    scenario = quiet_room(12.0, user_away_timeout=3.0)
    scenario.user_says("Hello?", at=5.0, until=6.0)
    scenario.llm_otherwise("Yes?")
    run = played(scenario)
    assert run.user_states[:4] == ["listening", "away", "speaking", "listening"]


def test_words_too_quiet_for_the_vad_bring_the_user_back() -> None:
    scenario = quiet_room(6.0, user_away_timeout=3.0)
    scenario.stt_reports(SpeechEvent(FINAL, "psst"), at=4.0)
    scenario.llm_otherwise("Yes?")
    run = played(scenario)
    assert run.user_states == ["listening", "away", "listening"]
    assert run.user_became("listening") == [near(4.0)]


def test_without_a_vad_a_transcript_begins_the_window_anew() -> None:
    scenario = quiet_room(12.0, user_away_timeout=5.0, without=["vad", "llm"])
    scenario.stt_reports(SpeechEvent(FINAL, "Hello."), at=3.0)
    run = played(scenario)
    assert run.user_became("away") == [near(8.0)]


def test_tools_that_run_hold_the_window_and_their_end_begins_it_anew() -> None:
    def tools(count: int) -> object:
        def tell(session: Session) -> None:
            root = session._root
            assert root is not None
            root.tell(ToolsRunning(count))

        return tell

    scenario = quiet_room(12.0, user_away_timeout=3.0)
    scenario.call(2.0, tools(1))  # type: ignore[arg-type]
    scenario.call(6.0, tools(0))  # type: ignore[arg-type]
    assert played(scenario).user_became("away") == [near(9.0)]


def test_nobody_is_away_who_may_be_silent_for_ever() -> None:
    assert played(quiet_room(40.0, user_away_timeout=None)).user_states == ["listening"]


def test_typing_keeps_the_user_there() -> None:
    scenario = typed(None, "Hello", user_away_timeout=4.0)
    scenario.close(3.0)
    assert played(scenario).user_states == ["listening"]


# -- words that do not come ------------------------------------------------------------------------------------------


def timeouts(run: Run) -> list[tuple[float, UserTranscriptionTimeoutEvent]]:
    return [(timed.at, timed.event) for timed in run.events if isinstance(timed.event, UserTranscriptionTimeoutEvent)]


def unheard(*speech: tuple[float, float], **options: object) -> Scenario:
    """Speech of which no words come."""
    scenario = Scenario(keeper(), transcription_timeout=1.5, **options)  # type: ignore[arg-type]
    for at, until in speech:
        scenario.user_says("", at=at, until=until, stt_delay=9.0)
    scenario.close(speech[-1][1] + 4.0)
    return scenario


def test_speech_without_words_is_told_of() -> None:
    ((at, event),) = timeouts(played(unheard((0.5, 2.5))))
    assert at == near(4.0), "1.5 s after the end of speech, not after it was noticed"
    assert event.speech_duration == near(2.0)
    assert event.created_at - event.vad_speech_started_at == near(3.5)


def test_speech_that_goes_on_adds_up_and_is_told_of_once_for_each_silence() -> None:
    run = played(unheard((0.5, 1.5), (2.5, 3.5), (6.0, 7.0)))
    told = timeouts(run)
    assert [at for at, _ in told] == [near(5.0), near(8.5)]
    assert [event.speech_duration for _, event in told] == [near(2.0), near(3.0)]
    assert len({round(event.vad_speech_started_at, 3) for _, event in told}) == 1


def test_words_in_time_are_not_told_of() -> None:
    scenario = Scenario(keeper(), transcription_timeout=1.5)
    scenario.user_says("Hello.", at=0.5, until=2.5)
    scenario.llm_otherwise("Hi.")
    assert timeouts(played(scenario)) == []


def test_an_empty_transcript_does_not_count_as_words() -> None:
    scenario = Scenario(keeper(), transcription_timeout=1.5)
    scenario.user_says("", at=0.5, until=2.5)
    scenario.close(6.0)
    assert [at for at, _ in timeouts(played(scenario))] == [near(4.0)]


def test_without_a_recogniser_no_words_are_missed() -> None:
    assert timeouts(played(unheard((0.5, 2.5), without=["stt"]))) == []


def test_a_cleared_turn_misses_no_words() -> None:
    scenario = unheard((0.5, 2.5))
    scenario.call(3.5, lambda session: session.clear_user_turn())
    assert timeouts(played(scenario)) == []


# -- users who do not stop -------------------------------------------------------------------------------------------


class Limited(Agent):
    """Notes the events of its limit; the hook may take a while."""

    def __init__(self, takes: float = 0.0, *, stock: bool = False) -> None:
        super().__init__(instructions="Be kind.")
        self.events: list[UserTurnExceededEvent] = []
        self._takes = takes
        self._stock = stock

    async def on_user_turn_exceeded(self, ev: UserTurnExceededEvent) -> None:
        self.events.append(ev)
        await asyncio.sleep(self._takes)
        if self._stock:
            await super().on_user_turn_exceeded(ev)


def talking(agent: Agent, limit: dict[str, object], **options: object) -> Scenario:
    """The user talks from 0.5 to 10 s, with finals at 3, 6 and 9 s."""
    scenario = Scenario(agent, turn_handling={"user_turn_limit": limit}, **options)  # type: ignore[arg-type]
    scenario.user_says("", at=0.5, until=10.0)
    for at, text in ((3.0, "one two three"), (6.0, "four five six"), (9.0, "seven eight")):
        scenario.stt_reports(SpeechEvent(FINAL, text), at=at)
    scenario.llm_otherwise("I see.")
    return scenario


@pytest.mark.parametrize(
    "limit, words",
    [
        ({"max_words": 5}, [6, 8]),
        ({"max_words": 6}, [6, 8]),
        ({"max_words": 8}, [8]),
        ({"max_words": 9}, []),
        ({"max_duration": 5.0}, [6, 8]),
        ({"max_duration": 8.6}, []),
        ({}, []),
    ],
)
def test_a_user_who_does_not_stop_is_told_of(limit: dict[str, object], words: list[int]) -> None:
    agent = Limited()
    played(talking(agent, limit))
    assert [event.accumulated_word_count for event in agent.events] == words


def test_the_event_says_what_was_said() -> None:
    agent = Limited()
    played(talking(agent, {"max_words": 5}))
    first = agent.events[0]
    assert first.transcript == first.accumulated_transcript == "one two three four five six"
    assert first.duration == near(5.5)


def test_the_stock_hook_cuts_in_and_its_words_are_no_part_of_the_turn_any_more() -> None:
    """Told of at 6.0; the agent cuts in while the user talks, and the rest is a turn of its own."""
    run = played(talking(Limited(stock=True), {"max_words": 5}))
    assert run.conversation[:2] == [("user", "one two three four five six"), ("assistant", "I see.")]
    assert [text for role, text in run.conversation if role == "user"][1:] == ["seven eight"]
    assert run.audible("speech-1")[0][0] < 7.0


def test_while_the_hook_runs_no_more_is_told() -> None:
    agent = Limited(takes=10.0)
    played(talking(agent, {"max_words": 5}))
    assert len(agent.events) == 1


def test_a_turn_that_ends_by_itself_is_answered_and_not_told_of() -> None:
    agent = Limited()
    scenario = Scenario(agent, turn_handling={"user_turn_limit": {"max_words": 2}})
    scenario.user_says("one two three", at=0.5, until=2.5)
    scenario.llm_otherwise("I see.")
    run = played(scenario)
    assert (agent.events, run.said()) == ([], ["I see."])


def test_a_turn_without_a_reply_is_told_of_after_all() -> None:
    agent = Limited()
    scenario = Scenario(agent, without=["llm"], turn_handling={"user_turn_limit": {"max_words": 2}})
    scenario.user_says("one two three", at=0.5, until=2.5)
    played(scenario)
    assert [event.accumulated_word_count for event in agent.events] == [3]


def test_the_count_begins_anew_when_the_agent_is_heard() -> None:
    agent = Limited()
    scenario = Scenario(agent, turn_handling={"user_turn_limit": {"max_words": 4}})
    for number in range(3):
        scenario.user_says("one two three", at=0.5 + 5 * number, until=2.0 + 5 * number)
    scenario.llm_otherwise("Yes.")
    played(scenario)
    assert agent.events == []


def test_nothing_is_told_while_the_agent_speaks() -> None:
    agent = Limited()
    scenario = talking(agent, {"max_words": 5})
    scenario.call(0.6, lambda session: session.say(STORY, allow_interruptions=False))
    scenario.tts_speaks(text=STORY, duration=12.0)
    scenario.close(14.0)
    played(scenario)
    assert agent.events == []


def test_clearing_the_turn_begins_the_count_anew() -> None:
    agent = Limited()
    scenario = talking(agent, {"max_words": 5})
    scenario.call(4.0, lambda session: session.clear_user_turn())
    played(scenario)
    assert [event.accumulated_word_count for event in agent.events] == [5]


def test_a_hook_that_raises_hurts_nobody() -> None:
    class Broken(Agent):
        async def on_user_turn_exceeded(self, ev: UserTurnExceededEvent) -> None:
            raise RuntimeError("the hook is broken")

    run = played(talking(Broken(instructions=""), {"max_words": 5}))
    assert "the hook is broken" in repr([event.error for event in run.errors])
    assert run.said() == ["I see."]


class Leaving(Limited):
    """Takes two seconds to leave; replies to nobody, and takes its time to say so."""

    async def on_exit(self) -> None:
        await asyncio.sleep(2.0)

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        await asyncio.sleep(2.0)
        raise StopResponse


def test_during_a_handoff_nobody_is_told_and_the_next_agent_is_told_of_all() -> None:
    first, second = Leaving(), Limited()
    scenario = talking(first, {"max_words": 5})
    scenario.call(5.0, lambda session: session.update_agent(second))  # until 7.0; words come at 6.0
    played(scenario)
    assert first.events == []
    assert [event.accumulated_word_count for event in second.events] == [8]


def test_what_was_to_be_told_when_a_handoff_came_is_not_told_later() -> None:
    """The first turn's hook runs until 4.5, the user exceeds at 4.2, the handoff lasts from 4.3 to 6.3."""
    first, second = Leaving(), Leaving()
    scenario = Scenario(first, turn_handling={"user_turn_limit": {"max_words": 5}})
    scenario.user_says("one two", at=0.5, until=2.0)
    scenario.user_says("", at=3.0, until=5.0)
    scenario.stt_reports(SpeechEvent(FINAL, "three four five"), at=4.2)
    scenario.call(4.3, lambda session: session.update_agent(second))
    scenario.user_says("Hello.", at=12.0, until=12.5)
    played(scenario)
    assert first.events == []
    assert [event.transcript for event in second.events] == ["Hello."]  # that which is due now


def test_p03_words_that_were_cut_in_on_are_conserved_in_any_order() -> None:
    explore(lambda: talking(Limited(stock=True), {"max_words": 5}, frame_ms=100), schedules=3)
