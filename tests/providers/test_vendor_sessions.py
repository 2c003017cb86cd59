"""Whole sessions in real time, with the vendors' providers against their servers on this machine."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from sessionactors import Agent, ChatMessage
from sessionactors.model.events import ErrorEvent, MetricsCollectedEvent
from sessionactors.model.metrics import STTMetrics, TTSMetrics
from sessionactors.model.options import APIConnectOptions, SessionConnectOptions
from sessionactors.providers import deepgram, elevenlabs
from sessionactors.testing import Run, Scenario, invariants

from tests.wire.deepgram import Call, DeepgramServer, Spoken
from tests.wire.deepgram_flux import FluxServer
from tests.wire.elevenlabs import ElevenLabsServer, VoiceCall
from tests.wire.spoken_audio import MS_PER_CHARACTER
from tests.wire.vendor_server import Fault

pytestmark = pytest.mark.waits("in real time")

REPLY = "Good morning."
STORY = (
    "Once upon a time there was a king who had three daughters and a very old horse. He lived in a castle by the sea."
)


def messages(run: Run) -> list[tuple[str, str]]:
    return [(item.role, item.text_content or "") for item in run.history if isinstance(item, ChatMessage)]


async def test_flux_ends_the_turn_and_the_voice_answers_in_its_words() -> None:
    async with FluxServer([Call([Spoken("Hello there.", 0.1, 0.3)])]) as ear, ElevenLabsServer([VoiceCall()]) as mouth:
        stt = deepgram.STTv2(api_key=ear.key, base_url=ear.listen_url, eager_eot_threshold=0.4)
        tts = elevenlabs.TTS(api_key=mouth.key, base_url=mouth.base_url)
        scenario = Scenario(
            Agent(instructions="Be kind."),
            without=["vad"],
            stt=stt,
            tts=tts,
            turn_detection="stt",
            preemptive_generation=True,
        )
        scenario.llm_replies(REPLY, ttft=0.01, duration=0.02)
        scenario.call(0.9, lambda session: None)
        run = await scenario.run(mode="running")
        await tts.aclose()
    invariants.check(run)
    assert messages(run) == [("user", "Hello there."), ("assistant", REPLY)]
    assert len(run.requests) == 1, "what was prepared at the eager end is what was said"
    spoken = [event.metrics for event in run.of(MetricsCollectedEvent)]
    heard = [metrics for metrics in spoken if isinstance(metrics, STTMetrics)]
    said = [metrics for metrics in spoken if isinstance(metrics, TTSMetrics)]
    assert sum(metrics.audio_duration for metrics in heard) > 0.5
    assert {metrics.request_id for metrics in heard} == {"dg-1"}
    assert [metrics.characters_count for metrics in said] == [len(REPLY)]
    assert abs(said[0].audio_duration - len(REPLY) * MS_PER_CHARACTER / 1000) < 0.05
    assert said[0].ttfb >= 0


async def test_an_interrupted_story_ends_at_the_word_that_was_heard_and_its_context_is_closed() -> None:
    speech = [Spoken("Tell me a story.", 0.1, 0.3), Spoken("Stop please.", 1.4, 1.8)]
    async with FluxServer([Call(speech)]) as ear, ElevenLabsServer([VoiceCall(pace=0.05)]) as mouth:
        stt = deepgram.STTv2(api_key=ear.key, base_url=ear.listen_url)
        tts = elevenlabs.TTS(api_key=mouth.key, base_url=mouth.base_url)
        scenario = Scenario(
            Agent(instructions="Be kind."), without=["vad"], stt=stt, tts=tts, turn_handling={"turn_detection": "stt"}
        )
        scenario.llm_replies(STORY, ttft=0.01, duration=0.02)
        scenario.llm_otherwise("Yes.", ttft=0.01, duration=0.02)
        scenario.call(2.5, lambda session: None)
        run = await scenario.run(mode="running")
        await asyncio.sleep(0.02)
        await tts.aclose()
    invariants.check(run)
    (_, asked), (_, told), (_, stop), (_, yes) = messages(run)
    assert (asked, stop, yes) == ("Tell me a story.", "Stop please.", "Yes.")
    assert STORY.startswith(told)
    assert STORY[len(told)] == " ", f"cut inside a word: {told!r}"
    (cut,) = [item for item in run.history if isinstance(item, ChatMessage) and item.interrupted]
    speaking, listening = run.agent_became("speaking")[0], run.agent_became("listening")[1]
    heard = (listening - speaking) * 1000 / MS_PER_CHARACTER
    assert abs(len(cut.text_content or "") - heard) < 20, "about as many characters as could be heard"
    # The words that were not wanted any more: their context was closed without waiting for the rest.
    (voice,) = mouth.received
    told_to_close = [message["context_id"] for message in voice.messages if "close_context" in message]
    assert len(told_to_close) == len(set(told_to_close)) == 2


async def test_a_recogniser_that_is_lost_hears_again_what_was_not_final() -> None:
    calls = [
        Call([Spoken("Hello there friend.", 0.1, 0.7)], fault=Fault(cut=True, after=4)),
        Call([Spoken("Hello there friend.", 0.1, 0.7)]),
    ]
    async with DeepgramServer(calls) as ear, ElevenLabsServer([VoiceCall()]) as mouth:
        stt = deepgram.STT(api_key=ear.key, base_url=ear.listen_url)
        tts = elevenlabs.TTS(api_key=mouth.key, base_url=mouth.base_url)
        scenario = Scenario(
            Agent(instructions="Be kind."),
            without=["vad"],
            stt=stt,
            tts=tts,
            turn_handling={"turn_detection": "stt"},
            conn_options=SessionConnectOptions(stt_conn_options=APIConnectOptions(retry_interval=0.05)),
        )
        scenario.llm_replies(REPLY, ttft=0.01, duration=0.02)
        scenario.call(1.2, lambda session: None)
        run = await scenario.run(mode="running")
        await tts.aclose()
    invariants.check(run)
    assert messages(run) == [("user", "Hello there friend."), ("assistant", REPLY)]
    first, second = ear.received
    assert bytes(second.audio[: len(first.audio)]) == bytes(first.audio), "the same audio, from its beginning"
    (stumble,) = run.of(ErrorEvent)
    assert "the connection broke" in str(stumble.error)


async def test_a_voice_that_breaks_off_goes_on_behind_the_last_word() -> None:
    async with ElevenLabsServer([VoiceCall(Fault(cut=True, after=4)), VoiceCall()]) as mouth:
        tts = elevenlabs.TTS(api_key=mouth.key, base_url=mouth.base_url)
        scenario = Scenario(
            Agent(instructions="Be kind."),
            without=["vad", "stt"],
            tts=tts,
            conn_options=SessionConnectOptions(tts_conn_options=APIConnectOptions(retry_interval=0.01)),
        )
        scenario.call(0.0, lambda session: session.say(STORY[:80]))
        run = await scenario.run(mode="running")
        await tts.aclose()
    assert [text.strip() for _, text in messages(run)] == [STORY[:80].strip()]
    first, second = (
        "".join(message.get("text", "") for message in received.messages).strip() for received in mouth.received
    )
    assert first == STORY[:80].strip()
    assert STORY[:80].strip().endswith(second)
    assert 30 <= len(second) <= 60, f"words that had been spoken were not asked for again: {second!r}"


async def test_a_model_steers_eleven_v3_with_its_audio_tags() -> None:
    excited, unknown = '<expr type="expression" label="excited"/>', '<expr type="sound" label="hiccup"/>'
    async with ElevenLabsServer([VoiceCall()]) as mouth:
        tts = elevenlabs.TTS(api_key=mouth.key, base_url=mouth.base_url, model="eleven_v3")
        scenario = Scenario(Agent(instructions="Be kind."), without=["vad", "stt"], tts=tts, expressive=True)
        scenario.user_types("Well?", at=0.0)
        scenario.llm_replies(f"{excited} Your table is ready! {unknown} Come in.", ttft=0.01, duration=0.02)
        run = await scenario.run(mode="running")
        await tts.aclose()
    asked = [item.text_content for item in run.requests[0].items if isinstance(item, ChatMessage)]
    assert any("excited" in text and "laughs" in text and "short pause" in text for text in asked)
    sent = " ".join(received.body["text"] for received in mouth.received)
    assert " ".join(sent.split()) == "[excited] Your table is ready! Come in."
    shown = "".join(piece.text for piece in run.transcripts if piece.participant == "agent")
    assert " ".join(shown.split()) == "Your table is ready! Come in."
    assert elevenlabs.TTS(api_key="k").markup is None  # the others would read the tags out


async def test_actors_on_a_loop_of_their_own_use_connections_of_that_loop() -> None:
    async with FluxServer([Call([Spoken("Hello there.", 0.1, 0.3)])]) as ear, ElevenLabsServer([VoiceCall()]) as mouth:
        stt = deepgram.STTv2(api_key=ear.key, base_url=ear.listen_url)
        tts = elevenlabs.TTS(api_key=mouth.key, base_url=mouth.base_url)
        scenario = Scenario(
            Agent(instructions="Be kind."), without=["vad"], stt=stt, tts=tts, turn_handling={"turn_detection": "stt"}
        )
        scenario.llm_replies(REPLY, ttft=0.01, duration=0.02)
        scenario.call(1.0, lambda session: None)
        run = await scenario.run(mode="own")
        # Nobody closed the voice: its connections have ended with the loop of the actors.
        await mouth.all_gone()
        await ear.all_gone()
    assert messages(run) == [("user", "Hello there."), ("assistant", REPLY)]
    assert all(before.at <= after.at for before, after in pairwise(run.events))
