"""Segments: what the model flushes is spoken in parts, one after the other, and is one message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest

from sessionactors import FLUSH, LLM, AudioFormatError, AudioFrame, ChatChunk, ChatContext, ChatMessage, LLMStream
from sessionactors.actors.output import Output
from sessionactors.actors.tts import TTSActor
from sessionactors.messages.output import MessageEnded, PlaySegment
from sessionactors.messages.tts import EndOfText, SpeakText
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.model.tools import ToolChoice, ToolDefinition
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import Session, keeper, near, one_turn, played
from tests.session.test_failures import LosesOne


class Flushing(LLM):
    """Answers each request with these pieces, so many seconds apart."""

    label = "flushing.LLM"

    def __init__(self, *pieces: str | FlushSentinel, pause: float = 0.1) -> None:
        self._pieces = pieces
        self._pause = pause

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolDefinition] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return LLMStream(self._answer())

    async def _answer(self) -> AsyncGenerator[ChatChunk | FlushSentinel, None]:
        for piece in self._pieces:
            if isinstance(piece, FlushSentinel):
                yield piece
            else:
                await asyncio.sleep(self._pause)
                yield ChatChunk(content=piece)


def in_two_parts(*, pause: float = 0.1, cut: float | None = None) -> Scenario:
    """The user asks from 0.5 to 2.5 s; the answer has two parts of two seconds each."""
    scenario = Scenario(keeper(), llm=Flushing("Here is one.", FLUSH, "Here is two.", pause=pause))
    scenario.user_says("Tell me.", at=0.5, until=2.5)
    for text in ("Here is one.", "Here is two."):
        scenario.tts_speaks(duration=2.0, text=text)
    if cut is not None:
        scenario.call(cut, lambda session: session.interrupt())
    return scenario


def stretches(run: Run) -> list[tuple[str, float, float]]:
    return [(piece.segment, piece.at, piece.until) for piece in run.audio]


def test_two_segments_are_heard_one_after_the_other_and_are_one_message() -> None:
    run = played(in_two_parts())
    one, two = stretches(run)
    assert one == ("speech-1/segment-1", near(3.3), near(5.3))
    assert two == ("speech-1/segment-1.2", near(5.3), near(7.3))
    assert run.said() == ["Here is one. Here is two."]
    assert run.agent_states == ["initializing", "listening", "thinking", "speaking", "listening"]
    assert run.agent_became("listening")[-1] == near(7.3)


def test_the_second_segment_is_synthesised_while_the_first_is_heard() -> None:
    run = played(in_two_parts(pause=1.0))  # the model has the second part 0.8 s after the first began to be heard
    one, two = stretches(run)
    assert two[1] - one[2] == near(0.0)


def test_a_second_segment_that_comes_late_is_heard_when_it_comes() -> None:
    run = played(in_two_parts(pause=3.5))
    one, two = stretches(run)
    assert one[1:] == (near(6.7), near(8.7))
    assert two[1] == near(3.0 + 3.5 + 3.5 + 0.2)
    assert run.said() == ["Here is one. Here is two."]


def test_cut_in_the_first_segment_the_second_is_not_said() -> None:
    run = played(in_two_parts(cut=4.3))
    assert [piece[0] for piece in stretches(run)] == ["speech-1/segment-1"]
    (message,) = (item for item in run.history if isinstance(item, ChatMessage) and item.role == "assistant")
    assert message.text_content == "Here"
    assert message.interrupted


def test_cut_in_the_second_segment_the_first_is_kept_whole() -> None:
    run = played(in_two_parts(cut=6.5))
    assert run.said() == ["Here is one. Here is"]


def test_cut_between_two_segments_what_was_heard_is_kept() -> None:
    run = played(in_two_parts(pause=3.5, cut=9.5))
    (message,) = (item for item in run.history if isinstance(item, ChatMessage) and item.role == "assistant")
    assert (message.text_content, message.interrupted) == ("Here is one.", True)


def test_a_flush_at_the_end_adds_nothing() -> None:
    run = played(one_turn(llm=Flushing("I am fine.", FLUSH, FLUSH)))
    assert run.said() == ["I am fine."]
    assert len(run.told(PlaySegment)) == 1


@pytest.mark.parametrize("cut", [None, 3.31, 4.3, 5.3, 6.5])
def test_segments_in_any_order_of_messages(cut: float | None) -> None:
    explore(lambda: in_two_parts(cut=cut), schedules=3)


def test_segments_without_a_voice_are_shown_as_one_message() -> None:
    scenario = Scenario(keeper(), audio=False, llm=Flushing("One.", FLUSH, "Two."))
    scenario.user_types("Tell me.", at=0.5)
    run = played(scenario)
    assert run.said() == ["One. Two."]


def test_the_end_of_a_message_that_is_lost_to_a_fault_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = LosesOne(monkeypatch, Output, MessageEnded)
    scenario = Scenario(keeper(), llm=Flushing("I am fine.", FLUSH, "", pause=4.0))  # it ends when all was heard
    scenario.user_says("How are you?", at=0.5, until=2.5)
    run = scenario.play()
    assert len(loss.lost) == 1
    assert run.said() == ["I am fine."]
    assert run.agent_states[-1] == "listening"


@pytest.mark.parametrize("kind", [SpeakText, EndOfText])
def test_p02_text_that_is_lost_on_its_way_to_the_voice_is_said_all_the_same(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = LosesOne(monkeypatch, TTSActor, kind)
    run = one_turn().play()
    assert len(loss.lost) == 1
    assert run.said() == ["I am fine, thank you."]
    assert " ".join(word for piece in run.audio for word in piece.words) == "I am fine, thank you."


# -- audio that the caller brings --------------------------------------------------------------------------------------


async def tone(seconds: float, *, frame: float = 0.1, rate: int = 16000) -> AsyncIterator[AudioFrame]:
    for _ in range(round(seconds / frame)):
        yield AudioFrame(b"\x10\x00" * round(frame * rate), rate)


def test_audio_made_by_the_caller_is_heard_and_its_text_kept() -> None:
    scenario = Scenario(keeper(), without=("tts",))
    scenario.call(0.5, lambda session: session.say("A jingle.", audio=tone(2.0)))
    run = scenario.play()
    assert run.agent_became("speaking") == [near(0.5)]
    assert run.agent_became("listening")[-1] == near(2.5)
    assert run.said() == ["A jingle."]
    assert not run.told(SpeakText)


def test_audio_made_by_the_caller_is_read_only_a_little_ahead() -> None:
    read: list[float] = []

    async def frames(session: Session) -> AsyncIterator[AudioFrame]:
        async for frame in tone(20.0):
            read.append(asyncio.get_running_loop().time())
            yield frame

    scenario = Scenario(keeper())
    scenario.call(0.5, lambda session: session.say("Music.", audio=frames(session)))
    scenario.call(2.5, lambda session: session.interrupt())
    run = scenario.play()
    heard = 2.0
    assert heard * 10 < len(read) <= (heard + 2 * 2.0) * 10 + 2
    assert run.agent_became("listening")[-1] == near(2.5)


def test_audio_without_text_is_heard_and_leaves_no_message() -> None:
    scenario = Scenario(keeper())
    scenario.call(0.5, lambda session: session.say("", audio=tone(1.0)))
    run = scenario.play()
    assert run.agent_became("listening")[-1] == near(1.5)
    assert run.said() == []


@pytest.mark.parametrize("broken", ["raises", "empty", "garbage"])
def test_audio_that_breaks_is_an_error_of_its_speech(broken: str) -> None:
    errors: list[BaseException | None] = []

    async def frames() -> AsyncIterator[AudioFrame]:
        if broken == "raises":
            async for frame in tone(1.0):
                yield frame
            raise KeyError("a bug")
        if broken == "garbage":
            yield "not audio"  # type: ignore[misc]

    async def say(session: Session) -> None:
        handle = await session.say("A jingle.", audio=frames())
        errors.append(handle.exception())
        await session.say("And now?")

    scenario = Scenario(keeper())
    scenario.call(0.5, say)
    run = scenario.play()
    (error,) = errors
    assert isinstance(error, KeyError if broken == "raises" else AudioFormatError)
    assert run.said()[-1] == "And now?"


def test_audio_is_not_asked_for_where_there_is_no_sound() -> None:
    read: list[AudioFrame] = []

    async def frames() -> AsyncIterator[AudioFrame]:
        async for frame in tone(1.0):
            read.append(frame)
            yield frame

    scenario = Scenario(keeper(), audio=False)
    scenario.call(0.5, lambda session: session.say("A jingle.", audio=frames()))
    run = played(scenario)
    assert run.said() == ["A jingle."]
    assert len(read) < 25
