"""Each node of an agent against each way of misbehaving: the session goes on, in time, and says what was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from sessionactors import (
    Agent,
    APIConnectOptions,
    AudioFrame,
    ChatChunk,
    SessionActorsError,
    SpeechEvent,
    SpeechEventType,
)
from sessionactors.testing import SPEAKING, Run, Scenario

from tests.session.realtime_talks import talk

BEEP = AudioFrame(b"\x10\x00" * 2400, 24000)
PATIENT = APIConnectOptions(max_retry=0, timeout=0.3)

VALID: Final[dict[str, object]] = {
    "llm_node": ChatChunk(content="too late"),
    "tts_node": BEEP,
    "transcription_node": "too late",
    "stt_node": SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, "too late"),
    "realtime_audio_output_node": BEEP,
}
NODES: Final = tuple(VALID)


def misbehaving(node: str, how: str) -> Callable[..., object]:
    """A node that takes whatever it is given."""

    async def raises(*_: object) -> AsyncIterator[object]:
        if how:
            raise KeyError("a bug")
        yield VALID[node]

    async def nothing(*_: object) -> None:
        return None

    async def never_ends(*_: object) -> AsyncIterator[object]:
        await asyncio.get_running_loop().create_future()
        yield VALID[node]

    async def wrong_types(*_: object) -> AsyncIterator[object]:
        yield 42

    async def after_cancel(*_: object) -> AsyncIterator[object]:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            yield VALID[node]
        yield VALID[node]

    def not_async(*_: object) -> object:
        return [VALID[node]]

    def raises_at_once(*_: object) -> object:
        raise ValueError("a bug")

    async def exits(*_: object) -> AsyncIterator[object]:
        if how:
            raise SystemExit(1)
        yield VALID[node]

    ways = (raises, nothing, never_ends, wrong_types, after_cancel, not_async, raises_at_once, exits)
    return {way.__name__: way for way in ways}[how]


HOW: Final = (
    *("raises", "nothing", "never_ends", "wrong_types"),
    *("after_cancel", "not_async", "raises_at_once", "exits"),
)
AT_FAULT: Final = ("raises", "wrong_types", "not_async", "raises_at_once", "exits")
"""Of these people must be told, whatever the node."""


def of(node: str, how: str) -> Scenario:
    """A short talk in which the node is asked twice; the first time it is cut off, for those who have to be."""
    kind = type("Hostile", (Agent,), {node: misbehaving(node, how)})
    agent = kind(instructions="Be kind.", id="hostile")
    if node == "realtime_audio_output_node":
        scenario = talk(SPEAKING, agent, conn_options=PATIENT)
        for at in (0.2, 1.2):
            scenario.user_types("Well?", at=at)
            scenario.realtime_replies("I am fine.", duration=0.3)
    elif node == "stt_node":
        scenario = Scenario(agent, frame_ms=100, conn_options=PATIENT, session_close_transcript_timeout=0.1)
        scenario.user_says("Well?", at=0.2, until=0.5)
        scenario.user_types("Or in writing?", at=1.2)
        scenario.llm_replies("I am fine.")
    else:
        scenario = Scenario(agent, without=("stt", "vad"), frame_ms=100, conn_options=PATIENT)
        for at in (0.2, 1.2):
            scenario.user_types("Well?", at=at)
            scenario.llm_replies("I am fine.")
    scenario.call(0.7, lambda session: session.interrupt())
    scenario.close(at=2.6)
    return scenario


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("node", NODES)
def test_a_node_that_misbehaves_costs_its_own_part_and_nothing_else(node: str, how: str) -> None:
    run = of(node, how).play()
    assert run.close_took < 1.0
    assert run.leaks == ()
    assert run.agent_states[-1] == "listening"
    assert run.accounts.failed == 0  # no handler
    causes = [getattr(event.error, "error", event.error) for event in run.errors]
    assert [cause for cause in causes if not isinstance(cause, SessionActorsError)] == []
    if how in AT_FAULT:
        assert any(f"hostile.{node}" in str(event.error) for event in run.errors)
    if how == "nothing" and node != "realtime_audio_output_node":
        assert run.errors == []  # to give nothing is a node's right
    assert "too late" not in told(run)
    closed_by_its_ear = node == "stt_node" and how in (*AT_FAULT, "never_ends", "after_cancel")
    assert (
        closed_by_its_ear or run.close_event.error is None
    )  # a recogniser that fails for the fourth time ends a session
    if node == "stt_node":
        assert run.conversation == [("user", "Or in writing?"), ("assistant", "I am fine.")]
    else:
        assert [text for role, text in run.conversation if role == "user"] == ["Well?", "Well?"]


def told(run: Run) -> str:
    return "".join([*(piece.text for piece in run.transcripts), *(text for _, text in run.conversation)])
