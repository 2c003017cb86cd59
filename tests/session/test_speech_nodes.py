"""Nodes that an agent replaces: its own model, voice and ear, and what becomes of those that raise or hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

import pytest

from sessionactors import (
    FLUSH,
    Agent,
    APIConnectOptions,
    APITimeoutError,
    AudioFrame,
    ChatChunk,
    ChatContext,
    FunctionCallOutput,
    FunctionToolCall,
    ModelSettings,
    NodeError,
    SpeechEvent,
    function_tool,
)
from sessionactors.model.sentinel import FlushSentinel
from sessionactors.session.agent_nodes import OfferedTool
from sessionactors.testing import Run, Scenario, explore

from tests.session.talks import STORY, barge_in, near, one_turn, played

PATIENT = APIConnectOptions(max_retry=0, timeout=2.0)


class Own(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")


def without_sound_check(run: Run) -> None:
    """Promises that do not look into the voice's marks."""
    assert run.agent_states[-1] == "listening"
    assert run.leaks == ()


# -- llm_node ----------------------------------------------------------------------------------------------------------


def test_an_agents_own_model_answers_in_text_and_in_segments() -> None:
    class Talker(Own):
        async def llm_node(
            self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
        ) -> AsyncIterator[object]:
            yield "Here is one."
            yield FLUSH
            yield ChatChunk(content="Here is two.")

    run = played(one_turn(Talker(), without=("llm",)))
    assert run.said() == ["Here is one. Here is two."]
    assert [piece.segment for piece in run.audio] == ["speech-1/segment-1", "speech-1/segment-1.2"]


@pytest.mark.parametrize("kind", ["text", "chunk", "iterable", "nothing"])
def test_a_node_may_be_a_coroutine(kind: str) -> None:
    class Talker(Own):
        async def llm_node(
            self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
        ) -> object:
            await asyncio.sleep(0.1)
            match kind:
                case "text":
                    return "Fine."
                case "chunk":
                    return ChatChunk(content="Fine.")
                case "iterable":
                    return Agent.default.llm_node(self, chat_ctx, tools, model_settings)
                case _:
                    return None

    run = played(one_turn(Talker()))
    expected = {"iterable": ["I am fine, thank you."], "nothing": []}
    assert run.said() == expected.get(kind, ["Fine."])
    assert run.errors == []
    assert run.agent_states[:3] == ["initializing", "listening", "thinking"]


def test_the_stock_node_inside_of_an_own_one_is_asked_with_what_was_changed() -> None:
    class Shouter(Own):
        async def llm_node(
            self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
        ) -> AsyncIterator[object]:
            chat_ctx.add_message(role="system", content="Shout.")
            async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
                yield ChatChunk(content=chunk.content.upper())

    run = played(one_turn(Shouter()))
    assert run.said() == ["I AM FINE, THANK YOU."]
    assert [item.text_content for item in run.requests[0].items if hasattr(item, "text_content")][-1] == "Shout."


def test_a_tool_that_the_node_adds_can_be_called() -> None:
    @function_tool
    async def look_up() -> str:
        """Looks something up."""
        return "found"

    class Lender(Own):
        async def llm_node(
            self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
        ) -> AsyncIterator[object]:
            if any(isinstance(item, FunctionCallOutput) for item in chat_ctx.items):
                yield "There it is."
                return
            tools.append(look_up)
            yield ChatChunk(tool_calls=(FunctionToolCall("call-1", "look_up", "{}"),))

    run = played(one_turn(Lender()))
    assert [item.output for item in run.history if isinstance(item, FunctionCallOutput)] == ["found"]
    assert run.said() == ["There it is."]


class Broken(Own):
    """A node that misbehaves."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self._how = how

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
    ) -> AsyncIterator[object]:
        match self._how:
            case "raises":
                raise KeyError("a bug")
            case "hangs":
                await asyncio.get_running_loop().create_future()
            case "exits":
                raise SystemExit(1)
            case "is cancelled":
                raise asyncio.CancelledError
            case _:
                yield 42


@pytest.mark.parametrize(
    "how, kind", [("raises", NodeError), ("garbage", NodeError), ("hangs", APITimeoutError), ("exits", NodeError)]
)
def test_p09_a_node_that_fails_is_a_typed_error_in_time(how: str, kind: type) -> None:
    run = played(one_turn(Broken(how), conn_options=PATIENT))
    (event,) = run.errors
    assert isinstance(getattr(event.error, "error", event.error), kind)
    assert "broken.llm_node" in str(event.error)
    assert run.agent_states[-1] == "listening"
    assert run.agent_became("listening")[-1] <= 3.0 + 2.0 + 0.02


def test_p09_a_node_that_hangs_does_so_in_any_order() -> None:
    explore(lambda: one_turn(Broken("hangs"), conn_options=PATIENT), schedules=3)


# -- tts_node ----------------------------------------------------------------------------------------------------------


class Reader(Own):
    """Leaves words out of what the voice is given."""

    async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterator[AudioFrame]:
        async def shorter() -> AsyncIterator[str]:
            async for piece in text:
                yield piece.replace("upon a time ", "")

        async for frame in Agent.default.tts_node(self, shorter(), model_settings):
            yield frame


def test_p02_history_is_exact_though_a_node_changes_the_words_of_the_voice() -> None:
    scenario = barge_in(Reader())
    run = scenario.play()
    heard = run.said()[0]
    spoken = [word for piece in run.audio if piece.speech == "speech-1" for word in piece.words]
    assert spoken[:2] == ["Once", "there"]
    assert STORY.startswith(heard)
    assert heard.split()[-1] == spoken[-1]


def test_a_voice_of_the_agents_own_at_another_rate() -> None:
    class Beeper(Own):
        async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterator[AudioFrame]:
            async for _ in text:
                for _ in range(10):
                    yield AudioFrame(b"\x10\x00" * 800, 8000)

    run = one_turn(Beeper(), without=("tts",)).play()
    without_sound_check(run)
    assert run.said() == ["I am fine, thank you."]
    began, ended = run.agent_became("speaking")[0], run.agent_became("listening")[-1]
    assert ended - began == near(1.0)


def test_a_voice_that_wants_to_be_silent_is_no_failure() -> None:
    class Silent(Own):
        async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> None:
            return None

    run = one_turn(Silent()).play()
    without_sound_check(run)
    assert run.said() == ["I am fine, thank you."]
    assert run.errors == []


def test_a_voice_of_the_agents_own_that_raises_is_a_typed_error() -> None:
    class Mute(Own):
        async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterator[AudioFrame]:
            async for _ in text:
                raise KeyError("a bug")
            yield AudioFrame(b"", 8000)

    run = one_turn(Mute()).play()
    without_sound_check(run)
    (event,) = run.errors
    assert isinstance(getattr(event.error, "error", event.error), NodeError)


# -- stt_node ----------------------------------------------------------------------------------------------------------


def test_an_ear_of_the_agents_own_changes_what_is_understood() -> None:
    class Polite(Own):
        async def stt_node(
            self, audio: AsyncIterable[AudioFrame | FlushSentinel], model_settings: ModelSettings
        ) -> AsyncIterator[SpeechEvent]:
            async for event in Agent.default.stt_node(self, audio, model_settings):
                yield event.with_text(event.text + " Please.") if event.text else event

    run = one_turn(Polite()).play()
    without_sound_check(run)
    assert run.conversation[0] == ("user", "How are you? Please.")


# -- homes -------------------------------------------------------------------------------------------------------------


async def test_stock_providers_are_asked_at_their_home() -> None:
    class Through(Own):
        async def llm_node(
            self, chat_ctx: ChatContext, tools: list[OfferedTool], model_settings: ModelSettings
        ) -> AsyncIterator[object]:
            async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
                yield chunk

    scenario = Scenario(Through(), audio=False)
    scenario.user_types("How are you?", at=0.05)
    scenario.llm_replies("Fine.", ttft=0.01, duration=0.02)
    run = await scenario.run(mode="own")
    assert run.said() == ["Fine."]
    assert run.leaks == ()
