"""A spoken question over a real server: a voice asks, real detector and recogniser hear it, the agent answers aloud.

The caller is the SDK's, its words are a synthesiser's, and nothing of the agent is scripted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit import rtc

from sessionactors import Agent, AgentSession, ChatMessage
from sessionactors.model.resampling import MonoResampler
from sessionactors.providers import offline
from sessionactors.transports.livekit import LiveKitTransport

from .test_real_rooms import RATE, room_name, server, until
from .test_real_text import Reader
from benchmarks.livekit_server import Server

__all__ = ["room_name", "server"]

pytestmark = [
    pytest.mark.livekit,
    pytest.mark.leaves_behind("the SDK's native library and the recogniser's process keep their threads"),
    pytest.mark.may_block("the SDK asks its native library on the loop"),
]

QUESTION = "What are your opening hours?"
INTERRUPTION = "Where is my order number seven?"


async def spoken(text: str) -> bytes:
    """The words as int16 at the room's rate, from the synthesiser that is installed."""
    voice = offline.default_tts()

    async def words() -> AsyncIterator[str]:
        yield text

    resampler = MonoResampler(RATE)
    try:
        pieces = [resampler.feed(audio.frame) async for audio in voice.synthesize(words())]
    finally:
        await voice.aclose()
    pieces.append(resampler.flush())
    return b"".join(piece.data for piece in pieces if piece is not None)


async def say(caller: Reader, pcm: bytes) -> None:
    """All of it, as fast as the SDK's source takes it, with silence behind."""
    pcm += bytes(RATE)
    step = RATE // 50 * 2
    for at in range(0, len(pcm), step):
        piece = pcm[at : at + step]
        await caller.source.capture_frame(rtc.AudioFrame(piece, RATE, 1, len(piece) // 2))


def agent_text(caller: Reader) -> str:
    return " ".join("".join(pieces) for who, _, pieces in caller.streams if who != caller.identity)


def user_text(caller: Reader) -> str:
    return " ".join("".join(pieces) for who, _, pieces in caller.streams if who == caller.identity).lower()


async def test_a_spoken_question_is_answered_aloud_and_in_text_and_the_answer_can_be_cut_off(
    server: Server, room_name: str
) -> None:
    desk = offline.FRONT_DESK
    transport = LiveKitTransport(url=server.url, api_key=server.key, api_secret=server.secret, room_name=room_name)
    detector, recogniser, voice = offline.SileroVAD(), offline.PocketSphinxSTT(desk), offline.default_tts()
    session: AgentSession[Any] = AgentSession(
        vad=detector,
        stt=recogniser,
        llm=offline.RuleBasedLLM(desk),
        tts=voice,
        aec_warmup_duration=None,  # else the caller could not interrupt in the first three seconds
    )
    question, interruption = await asyncio.gather(spoken(QUESTION), spoken(INTERRUPTION))
    async with Reader(server, room_name) as caller:
        await caller.publish()
        await session.start(Agent(instructions="You are a front desk."), room=transport)
        await asyncio.wait_for(session.room_io.wait_for_ready(), 10)
        asked = time.monotonic()
        await say(caller, question)
        await until(lambda: "opening hours" in user_text(caller), 20)
        await until(lambda: caller.hears(asked), 20)
        await until(lambda: "front desk is open" in agent_text(caller).lower(), 20)
        assert session.agent_state == "speaking"
        await until(lambda: "speaking" in caller.states)
        assert "thinking" in caller.states[: caller.states.index("speaking")]
        # -- cut off
        await say(caller, interruption)
        await until(lambda: "order" in user_text(caller), 20)
        await until(lambda: len(said(session, "assistant")) >= 2, 20)
        first = said(session, "assistant")[0]
        assert first.interrupted
        assert len(first.text_content or "") < 100  # of 118 characters
        after_cut = caller.states[caller.states.index("speaking") :]
        assert any(state != "speaking" for state in after_cut)
        assert [message.text_content for message in said(session, "user")][1].lower().startswith("where is my order")
        await session.aclose()
    for provider in (detector, recogniser, voice):
        await provider.aclose()


def said(session: AgentSession[Any], role: str) -> list[ChatMessage]:
    return [item for item in session.history.items if isinstance(item, ChatMessage) and item.role == role]
