"""Objects of livekit.plugins given to a session: the real plugins, against servers of their vendors' protocols."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from sessionactors import (
    Agent,
    AgentSession,
    APIConnectionError,
    APIConnectOptions,
    APIStatusError,
    ChatContext,
    ChatMessage,
    LLMModelUsage,
    OptionError,
    RunContext,
    SessionConnectOptions,
    function_tool,
)
from sessionactors.interfaces.recognition_context import RecognitionContext
from sessionactors.interfaces.stt import SpeechEventType
from sessionactors.interfaces.vad import VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.providers.livekit_plugins import adopted

from tests.providers.deepgram.speech import Microphone, heard
from tests.providers.offline.speech import NO_VOICE, RATE, silence, spoken, voice_installed
from tests.providers.voices.reading_aloud import said
from tests.providers.voices.reading_aloud import spoken as spoken_by
from tests.wire.deepgram import Call as Listened
from tests.wire.deepgram import DeepgramServer, Spoken
from tests.wire.elevenlabs import ElevenLabsServer, VoiceCall
from tests.wire.openai_server import Call, Completion, OpenAIServer

pytest.importorskip("livekit.agents", reason="needs the extra livekit-plugins")

import itertools

import livekit.agents
import livekit.plugins.deepgram
import livekit.plugins.elevenlabs
import livekit.plugins.openai
import livekit.plugins.silero

ONCE_MORE = SessionConnectOptions(llm_conn_options=APIConnectOptions(max_retry=1, retry_interval=0.01, timeout=5.0))


@asynccontextmanager
async def model(answers: Sequence[Completion]) -> AsyncIterator[tuple[Any, OpenAIServer]]:
    async with (
        OpenAIServer(answers) as server,
        livekit.plugins.openai.LLM(model="gpt-4o-mini", base_url=server.base_url, api_key="any") as plugin,
    ):
        yield plugin, server


class Deaf(livekit.agents.stt.STT):  # type: ignore[misc, type-arg, unused-ignore]
    """Hears nothing, until the audio ends."""

    def stream(self, **options: Any) -> Any:
        return DeafStream(stt=self, conn_options=options["conn_options"])

    async def _recognize_impl(self, *_: Any, **options: Any) -> Any:
        raise livekit.agents.APIConnectionError("it is deaf")


class DeafStream(livekit.agents.stt.RecognizeStream):
    async def _run(self) -> None:
        async for _ in self._input_ch:
            pass


class Desk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a front desk.")
        self.threads: list[str] = []

    @function_tool
    async def order_status(self, context: RunContext[None], order: int) -> str:
        """Where an order is."""
        return f"Order {order} is on its way."


async def test_a_plugins_model_answers_calls_tools_and_is_billed() -> None:
    answers = [Completion(calls=[Call("order_status", '{"order": 7}')]), Completion("It comes.", usage=(40, 5))]
    session: AgentSession[None]
    async with model(answers) as (plugin, server), AgentSession(llm=plugin) as session:
        await session.start(Desk())
        result = await session.run(user_input="Where is order 7?")
        result.expect.next_event().is_function_call(name="order_status", arguments={"order": 7})
        result.expect.next_event().is_function_call_output(output="Order 7 is on its way.")
        result.expect.next_event().is_message(role="assistant")
        asked, again = server.asked
        usage = session.usage.model_usage
    assert [message["role"] for message in asked.messages] == ["system", "user"]
    assert asked.body["tools"][0]["function"]["name"] == "order_status"
    assert [message["role"] for message in again.messages] == ["system", "user", "assistant", "tool"]
    assert [(used.model, used.input_tokens) for used in usage if isinstance(used, LLMModelUsage)] == [
        ("gpt-4o-mini", 47)
    ]


async def test_retries_are_the_sessions_alone() -> None:
    failing = Completion(status=500, error={"error": {"message": "down", "type": "server_error"}})
    async with model([failing] * 4) as (plugin, server):
        session: AgentSession[None] = AgentSession(llm=plugin, conn_options=ONCE_MORE)
        async with session:
            failed: list[Any] = []
            session.on("error", failed.append)
            await session.start(Desk())
            await session.generate_reply(user_input="Hello?").wait_for_playout()
        assert len(server.asked) == 2
    error = failed[-1].error
    error = getattr(error, "error", error)
    assert isinstance(error, APIStatusError)
    assert error.status_code == 500


async def test_its_figures_and_errors_are_still_told_to_who_listens_to_the_object() -> None:
    async with model([Completion("Hello.")]) as (plugin, _):
        figures: list[Any] = []
        plugin.on("metrics_collected", figures.append)
        session: AgentSession[None] = AgentSession(llm=plugin)
        async with session:
            await session.start(Desk())
            _ = await session.run(user_input="Hello?")
    assert [type(each).__name__ for each in figures] == ["LLMMetrics"]
    assert figures[0].prompt_tokens == 7


async def test_it_works_on_the_users_loop_also_where_the_actors_have_their_own() -> None:
    seen: list[str] = []

    class Watched(livekit.plugins.openai.LLM):  # type: ignore[misc, name-defined, unused-ignore]
        def chat(self, **arguments: Any) -> Any:
            seen.append(threading.current_thread().name)
            return super().chat(**arguments)

    async with OpenAIServer([Completion("Hello.")]) as server:
        plugin: Any = Watched(base_url=server.base_url, api_key="any")
        session: AgentSession[None] = AgentSession(llm=plugin)
        async with plugin, session:
            await session.start(Desk())
            _ = await session.run(user_input="Hello?")
    assert seen == [threading.current_thread().name]


async def test_a_recogniser_finds_an_http_session_and_says_what_it_heard() -> None:
    async with DeepgramServer([Listened([Spoken("hello there", 0.2, 0.8)])]) as server:
        plugin = livekit.plugins.deepgram.STT(api_key=server.key, base_url=server.listen_url)
        stt: Any = adopted(plugin)
        assert stt.capabilities.interim_results
        async with asyncio.timeout(20), aclosing(stt.transcribe(Microphone([60.0]))) as events:
            final = await anext(event async for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT)
    assert final.text == "hello there"
    assert [word.text for word in final.words] == ["hello", "there"]
    assert final.words[0].start_time == pytest.approx(0.2, abs=0.3)
    assert server.received[0].headers["authorization"] == f"Token {server.key}"


class Prompted(Deaf):
    def __init__(self) -> None:
        can = livekit.agents.stt.STTCapabilities(streaming=True, interim_results=False, keyterms=True)
        super().__init__(capabilities=can)
        self.told: list[list[str]] = []
        self.refuses = False

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self.told.append(keyterms)
        if self.refuses:
            raise RuntimeError("no more than one")


class Line:
    """Audio with what the session knows of it, frame by frame."""

    def __init__(self, *known: tuple[str, ...]) -> None:
        self.known = list(known)
        self.context = RecognitionContext()

    def __aiter__(self) -> Line:
        return self

    async def __anext__(self) -> AudioFrame:
        if not self.known:
            raise StopAsyncIteration
        self.context = RecognitionContext(self.known.pop(0))
        await asyncio.sleep(0)
        return AudioFrame(bytes(640), RATE)


async def test_words_to_expect_reach_a_plugin_that_takes_them_when_they_change() -> None:
    plugin = Prompted()
    stt: Any = adopted(plugin)
    assert stt.capabilities.keyterms
    words = ("Ada",)
    async for _ in stt.transcribe(Line((), words, words, ("Ada", "Grace"))):
        pass
    assert plugin.told == [["Ada"], ["Ada", "Grace"]]


async def test_sessions_that_share_a_plugin_expect_the_words_of_both() -> None:
    plugin = Prompted()
    stt: Any = adopted(plugin)
    plugin.refuses = True  # which costs nothing but the words

    async def hear(*known: tuple[str, ...]) -> None:
        async for _ in stt.transcribe(Line(*known)):
            pass

    async with asyncio.TaskGroup() as both:
        both.create_task(hear(("Ada",), ("Ada",), ("Ada",)))
        both.create_task(hear(("Grace",), ("Grace",), ("Grace",)))
    assert sorted(plugin.told[-1]) == ["Ada", "Grace"]


async def test_deepgrams_plugin_hears_by_the_words_of_the_session_and_its_own() -> None:
    line = Microphone([60.0], context=RecognitionContext(("Ada",)))
    async with DeepgramServer([Listened([Spoken("hello there", 0.2, 0.8)])]) as server:
        plugin = livekit.plugins.deepgram.STT(api_key=server.key, base_url=server.listen_url, keyterm=["Mabel"])
        stt: Any = adopted(plugin)
        async with asyncio.timeout(10), aclosing(stt.transcribe(line)) as events:
            await anext(event async for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT)
    assert server.received[0].all("keyterm") == ["Mabel", "Ada"]


async def test_a_recogniser_that_is_left_leaves_nothing_behind() -> None:
    async with DeepgramServer([Listened([Spoken("hello there", 0.2, 0.8)])]) as server:
        stt: Any = adopted(livekit.plugins.deepgram.STT(api_key=server.key, base_url=server.listen_url))
        async with aclosing(stt.transcribe(Microphone([60.0]))) as events:
            async for _ in events:
                break
        await asyncio.wait_for(server.all_gone(), 10)


async def test_audio_that_fails_fails_the_stream() -> None:
    stt: Any = adopted(Deaf(capabilities=livekit.agents.stt.STTCapabilities(streaming=True, interim_results=False)))
    with pytest.raises(LookupError, match="the microphone"):
        await asyncio.wait_for(heard(stt, 1.0, LookupError("the microphone")), 10)


async def test_a_voice_speaks_and_tells_when_its_words_are_spoken() -> None:
    async with ElevenLabsServer([VoiceCall(absolute=True)] * 2) as server:
        plugin = livekit.plugins.elevenlabs.TTS(api_key=server.key, base_url=server.base_url, encoding="pcm_24000")
        tts: Any = adopted(plugin)
        assert tts.aligned_transcript
        audio = await asyncio.wait_for(spoken_by(tts, "Good morning. ", "How are you?"), 20)
        await tts.aclose()
    assert "".join(said(audio).split()) == "Goodmorning.Howareyou?"
    timings = [timing for piece in audio for timing in piece.timings]
    assert [("Good morning. How are you?"[: timing.text_end]).rsplit(maxsplit=1)[-1] for timing in timings] == [
        *("Good", "morning.", "How", "are", "you?")
    ]
    assert all(a.end_time <= b.end_time for a, b in itertools.pairwise(timings))


@pytest.mark.skipif(not voice_installed(), reason=NO_VOICE)
async def test_a_detector_finds_speech() -> None:
    plugin = await asyncio.to_thread(livekit.plugins.silero.VAD.load)
    vad: Any = adopted(plugin)
    sound = silence(0.5) + spoken("when do you open") + silence(1.0)

    async def frames() -> AsyncIterator[AudioFrame]:
        for at in range(0, len(sound), 640):
            yield AudioFrame(sound[at : at + 640], RATE)

    async with asyncio.timeout(20):
        kinds = [event.type async for event in vad.detect(frames())]
    assert [kind for kind in kinds if kind is not VADEventType.INFERENCE_DONE] == [
        VADEventType.START_OF_SPEECH,
        VADEventType.END_OF_SPEECH,
    ]


async def test_one_object_is_one_component() -> None:
    plugin: Any = livekit.plugins.openai.LLM(api_key="any")
    other: Any = livekit.plugins.openai.LLM(api_key="other")
    session: AgentSession[None] = AgentSession(llm=plugin)
    assert session.llm is adopted(plugin)
    with pytest.raises(OptionError, match="give it once"):
        await session.start(Desk(), llm=other)
    await session.start(Desk(), llm=plugin)
    await session.aclose()
    await plugin.aclose()
    await other.aclose()


def test_a_component_of_another_kind_is_refused() -> None:
    plugin: Any = livekit.plugins.openai.LLM(api_key="any")
    with pytest.raises(OptionError, match=r"stt=.* is no STT"):
        AgentSession(stt=plugin)
    with pytest.raises(OptionError, match=r"tts='openai/tts' names a model of LiveKit's cloud"):
        Agent(instructions="", tts="openai/tts")  # type: ignore[arg-type]


async def test_what_the_model_refuses_is_final() -> None:
    wrong = Completion(status=401, error={"error": {"message": "wrong key", "type": "invalid_request_error"}})
    conversation = ChatContext([ChatMessage("user", ["Hello?"])])
    async with model([wrong]) as (plugin, _):
        llm: Any = adopted(plugin)
        with pytest.raises(APIStatusError, match="401") as failed:
            async for _ in llm.chat(chat_ctx=conversation):
                pass
    assert (failed.value.status_code, failed.value.retryable) == (401, False)


async def test_a_recogniser_of_whole_utterances_is_asked_for_them() -> None:
    can = livekit.agents.stt.STTCapabilities(streaming=False, interim_results=False)
    stt: Any = adopted(Deaf(capabilities=can))
    assert not stt.capabilities.streaming
    with pytest.raises(APIConnectionError, match="it is deaf"):
        await stt.recognize([AudioFrame(bytes(640), RATE)])


async def test_a_voice_of_two_channels_is_refused() -> None:
    class Stereo(livekit.plugins.elevenlabs.TTS):
        @property
        def num_channels(self) -> int:
            return 2

    voice: Any = Stereo(api_key="any")
    with pytest.raises(OptionError, match="2 channels"):
        AgentSession(tts=voice)
