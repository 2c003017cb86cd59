"""An agent's own ``transcription_node``: what it makes of its words is shown and kept; the sound never waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from itertools import pairwise

import pytest

from sessionactors import FLUSH, Agent, AgentSession, ModelSettings, NodeError, RoomOutputOptions, TimedString
from sessionactors.messages.realtime import SegmentHeard
from sessionactors.messages.transcription import NodeTextMade
from sessionactors.testing import SPEAKING, Run, Scenario, explore, invariants
from sessionactors.testing.invariants import Broken

from tests.session.realtime_talks import barge_in as realtime_barge_in
from tests.session.talks import STORY, barge_in, near, one_turn, played, typed
from tests.session.test_speech_segments import Flushing

REPLY = "I am fine, thank you."


class Own(Agent):
    """Notes what its node is given, and gives what :meth:`make` makes of it."""

    def __init__(self, **options: object) -> None:
        super().__init__(instructions="Be kind.", **options)  # type: ignore[arg-type]
        self.given: list[str] = []
        self.cancelled = 0
        self.cancelled_at = 0.0

    async def transcription_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterator[str]:
        try:
            async for piece in self.make(self.noted(text)):
                yield piece
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            self.cancelled_at = asyncio.get_running_loop().time()
            raise

    async def noted(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
        async for piece in text:
            self.given.append(piece)
            yield piece

    async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
        async for piece in text:
            yield piece


class Shouting(Own):
    """Changes each word, and keeps their number."""

    async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
        async for piece in text:
            yield piece.upper()


class Translating(Own):
    """Other words, fewer of them, and only when all has come."""

    async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
        words = [word for piece in [piece async for piece in text] for word in piece.split()]
        yield " ".join(f"w{number}" for number in range(len(words) // 2))


class Framing(Own):
    """Adds words before and behind, and leaves some out."""

    async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
        yield "[agent] "
        async for piece in text:
            yield piece.replace("very ", "")
        yield " [end]"


def spoken(agent: Agent, *pieces: str, cut: float | None = None, **options: object) -> Scenario:
    """The agent says something from 0.3 s on, 60 ms a character; nobody else speaks."""
    scenario = Scenario(agent, without=("stt", "vad", "llm"), frame_ms=100, **options)  # type: ignore[arg-type]

    async def text() -> AsyncIterator[str]:
        for piece in pieces or (STORY,):
            yield piece
            await asyncio.sleep(0.05)

    scenario.call(0.1, lambda session: session.say(text()))
    if cut is not None:
        scenario.call(cut, lambda session: session.interrupt())
    return scenario


def shown(run: Run) -> str:
    return "".join(piece.text for piece in run.transcripts if piece.participant == "agent")


def changed(run: Run) -> list[Broken]:
    """Every promise; but the words that were heard are not those that are kept."""
    return [found for found in invariants.broken(run) if "heard was" not in found.what]


def played_changed(scenario: Scenario, seed: int | None = None) -> Run:
    run = scenario.play(seed)
    assert not changed(run)
    return run


# -- what it makes is shown and kept -----------------------------------------------------------------------------------


def test_what_the_node_makes_is_shown_and_kept_and_the_sound_stays_as_it_is() -> None:
    run = played_changed(one_turn(Shouting()))
    assert run.said() == [REPLY.upper()]
    assert shown(run) == REPLY.upper()
    assert run.audible("speech-1") == [(near(3.5), near(5.5))]
    assert run.agent_became("listening")[-1] == near(5.5)
    assert "".join(piece.words[-1] for piece in run.audio) == "you."


def test_words_are_shown_as_they_are_heard_behind_a_node_too() -> None:
    run = played_changed(barge_in(Shouting(), frame_ms=50))
    (first, _) = run.said()
    assert STORY.upper().startswith(first)
    assert first.split() == [word.upper() for word in run.heard_of("speech-1/segment-1")[0]]
    assert shown(run) == first + "ALL RIGHT THEN."


def test_cut_off_a_text_of_other_words_is_kept_in_proportion() -> None:
    run = played_changed(spoken(Translating(), cut=2.5))
    heard = len(run.heard_of("speech-1/segment-1")[0])
    words = len(STORY.split())
    assert run.said()[0].split() == [f"w{number}" for number in range(heard * (words // 2) // words)]


def test_cut_off_words_that_were_left_out_or_added_do_not_shift_the_others() -> None:
    run = played_changed(spoken(Framing(), cut=4.5))
    heard = [word for word in run.heard_of("speech-1/segment-1")[0] if word != "very"]
    assert run.said()[0].split() == ["[agent]", *heard]
    assert "a" in heard[-2:]  # the very horse itself was not heard


def test_a_reply_of_segments_is_one_message_behind_its_node() -> None:
    agent = Framing()
    run = played_changed(one_turn(agent, frame_ms=100, llm=Flushing("Here is one.", FLUSH, "Here is two.")))
    assert run.said() == ["[agent] Here is one. [end] [agent] Here is two. [end]"]
    assert agent.given == ["Here is one.", "Here is two."]


def test_what_is_said_goes_through_the_node_too() -> None:
    class Greeting(Shouting):
        async def on_enter(self) -> None:
            self.session.say("Welcome.")

    assert played_changed(Scenario(Greeting(), without=("llm",))).said() == ["WELCOME."]


def test_without_a_voice_the_nodes_text_is_shown_as_it_is_made() -> None:
    run = played(typed(Shouting(), "Hello."))
    assert run.said() == ["ANSWER 1."]
    assert run.agent_states[-2:] == ["speaking", "listening"]


def test_the_default_node_passes_on() -> None:
    class Passing(Agent):
        def transcription_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> object:
            return Agent.default.transcription_node(self, text, model_settings)

    assert played(spoken(Passing(instructions="Be kind."), REPLY)).said() == [REPLY]


def test_with_words_shown_at_once_the_nodes_text_is_shown_when_it_is_made() -> None:
    options = RoomOutputOptions(sync_transcription=False)
    run = spoken(Shouting(), cut=1.0, room_output_options=options).play()
    assert shown(run) == STORY.upper()
    assert run.said() == ["ONCE UPON"]


# -- interruption ------------------------------------------------------------------------------------------------------


def test_the_node_is_cancelled_when_the_speech_is_cut_off() -> None:
    class Hanging(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            async for _ in text:
                yield "Once upon"
                await asyncio.get_running_loop().create_future()

    agent = Hanging()
    run = played_changed(spoken(agent, cut=1.0))
    assert run.said() == ["Once upon"]
    assert agent.cancelled == 1
    assert agent.cancelled_at == near(1.0)  # and not only with the session
    assert run.leaks == ()


def test_what_a_node_yields_after_it_was_cancelled_is_nowhere() -> None:
    class Stubborn(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            try:
                async for piece in text:
                    yield piece
                    await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                yield " And they lived happily ever after."

    run = played_changed(spoken(Stubborn(), cut=1.0))
    assert "happily" not in shown(run) + "".join(run.said())


def test_what_is_kept_is_what_was_shown_in_whatever_order() -> None:
    explore(lambda: spoken(Framing(), cut=1.0), schedules=3, check=changed)


# -- nodes that fail ---------------------------------------------------------------------------------------------------


class Failing(Own):
    """Makes something, and then goes wrong."""

    def __init__(self, error: BaseException, *, after: int) -> None:
        super().__init__()
        self.error = error
        self.after = after

    async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
        count = 0
        async for piece in text:
            if count == self.after:
                raise self.error
            count += 1
            yield piece.upper()


@pytest.mark.parametrize(
    "error", [KeyError("a bug"), asyncio.CancelledError(), SystemExit(1)], ids=["raises", "cancels", "exits"]
)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_after_a_node_raised_the_words_are_shown_as_they_are(error: BaseException, after: int) -> None:
    pieces = ("Here ", "is ", "one.")
    run = played_changed(spoken(Failing(error, after=after), *pieces))
    assert run.said() == ["".join([*(piece.upper() for piece in pieces[:after]), *pieces[after:]])]
    assert run.audible("speech-1") == [(near(0.45), near(0.45 + 12 * 0.06))]
    (failure,) = run.errors
    assert isinstance(failure.error, NodeError)
    assert failure.recoverable
    assert failure.source == "failing.transcription_node"


def test_a_node_that_gives_nothing_shows_nothing() -> None:
    class Silent(Agent):
        async def transcription_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> None:
            return None

    run = played_changed(spoken(Silent(instructions="Be kind."), "Hello."))
    assert (run.said(), shown(run), run.errors) == ([], "", [])
    assert run.audible("speech-1") == [(near(0.35), near(0.35 + 6 * 0.06))]


def test_a_node_that_does_not_end_is_given_up_shortly_after_the_sound() -> None:
    class Hanging(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            yield "Well: "
            await asyncio.get_running_loop().create_future()

    run = played_changed(spoken(Hanging(), "Hello."))
    assert run.said() == ["Well: Hello."]
    assert run.agent_became("listening")[-1] == near(0.35 + 6 * 0.06 + 2.0)
    assert "2.0 s after all had been heard" in str(run.errors[0].error)


def test_without_a_voice_a_node_that_hangs_is_given_up_and_the_words_are_shown() -> None:
    class Hanging(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            async for _ in text:
                await asyncio.get_running_loop().create_future()
            yield ""

    run = played(typed(Hanging(), "Hello."))
    assert run.said() == ["Answer 1."]
    assert run.agent_became("speaking")[-1] == near(0.5 + 0.3 + 10.0)


def test_a_node_that_makes_text_without_end_is_given_up() -> None:
    class Endless(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            while True:
                yield "la " * 50

    run = played_changed(spoken(Endless(), "Hello."))
    assert len(run.said()[0]) < 2600
    assert "is given up" in str(run.errors[0].error)


def test_a_user_who_speaks_while_only_the_node_is_left_is_answered() -> None:
    class Lagging(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            async for piece in text:
                yield piece
            await asyncio.sleep(4.0)

    scenario = one_turn(Lagging(), frame_ms=50)
    scenario.user_says("Stop!", at=5.6, until=6.4)
    scenario.llm_replies("Yes.")
    scenario.tts_speaks(duration=1.0)
    run = played(scenario)
    assert run.said() == [REPLY, "Yes."]


def test_p12_after_a_restart_of_output_the_next_reply_goes_through_the_node() -> None:
    scenario = barge_in(Shouting(), frame_ms=100)
    scenario.kill("output", message=60)
    run = scenario.play()
    assert run.killed
    assert run.said()[-1] == "ALL RIGHT THEN."
    assert run.told(NodeTextMade)


# -- the voice's own words and times -----------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["session", "agent"])
def test_aligned_transcripts_give_the_node_the_voices_words_and_times(of: str) -> None:
    options = {"use_tts_aligned_transcript": True}
    agent = Own(**(options if of == "agent" else {}))
    run = played(spoken(agent, REPLY, **(options if of == "session" else {})))
    assert agent.given == ["I", " am", " fine,", " thank", " you."]
    words = [word for word in agent.given if isinstance(word, TimedString)]
    assert [word.end_time for word in words] == sorted(word.end_time for word in words)  # type: ignore[type-var]
    assert (words[0].start_time, words[-1].end_time) == (0.0, near(len(REPLY) * 0.06))
    assert all(first.end_time == second.start_time for first, second in pairwise(words))
    assert run.said() == [REPLY]


def test_an_agent_may_do_without_what_the_session_has() -> None:
    agent = Own(use_tts_aligned_transcript=False)
    played(spoken(agent, REPLY, use_tts_aligned_transcript=True))
    assert "".join(agent.given) == REPLY
    assert not any(isinstance(piece, TimedString) for piece in agent.given)


def test_without_word_timings_the_node_is_given_the_models_text() -> None:
    agent = Own()
    played(spoken(agent, REPLY, use_tts_aligned_transcript=True, word_timings=False))
    assert "".join(agent.given) == REPLY
    assert not any(isinstance(piece, TimedString) for piece in agent.given)


def test_cut_off_the_times_that_the_node_gave_say_what_was_heard() -> None:
    class Numbering(Own):
        """No word is the same: only their times tell which were heard."""

        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            number = 0
            async for word in text:
                number += 1
                if isinstance(word, TimedString):
                    yield TimedString(f"w{number} ", word.start_time, word.end_time)

    run = played_changed(spoken(Numbering(), cut=2.0, use_tts_aligned_transcript=True))
    heard = len(run.heard_of("speech-1/segment-1")[0])
    assert run.said()[0].split() == [f"w{number + 1}" for number in range(heard)]


def test_words_that_the_voice_gave_no_time_for_reach_the_node_in_the_end() -> None:
    agent = Own()
    played(spoken(agent, "I am fine. ", "\n", use_tts_aligned_transcript=True))
    assert "".join(agent.given) == "I am fine. \n"


def test_aligned_without_a_voice_the_node_is_given_the_text() -> None:
    agent = Own()
    played(typed(agent, "Hello.", use_tts_aligned_transcript=True))
    assert agent.given == ["Answer", " 1."]


def test_a_session_that_is_closed_while_a_node_works_closes_clean() -> None:
    class Slow(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            async for piece in text:
                await asyncio.sleep(30.0)
                yield piece

    scenario = spoken(Slow())
    scenario.close(at=1.0)
    run = scenario.play()
    assert run.leaks == ()
    assert run.close_took < 5.0


def test_an_agents_session_is_there_in_its_node() -> None:
    class Asking(Own):
        async def make(self, text: AsyncIterable[str]) -> AsyncIterator[str]:
            session: AgentSession[object] = self.session
            async for piece in text:
                yield f"{session.agent_state} {piece}"

    run = played_changed(spoken(Asking(), "Hello."))
    assert run.said() == ["listening Hello."]


def test_a_realtime_models_words_go_through_the_node_and_its_own_memory_keeps_its_own_words() -> None:
    scenario = realtime_barge_in(SPEAKING, Shouting())
    run = scenario.play()
    assert not changed(run)
    first, second = run.said()
    assert STORY.upper().startswith(first)
    assert second == "ALL RIGHT THEN."
    cut = run.told(SegmentHeard)[0]
    assert cut.heard.upper() == first
    assert STORY.startswith(cut.heard)
