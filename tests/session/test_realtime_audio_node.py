"""``realtime_audio_output_node``: the agent's own code between a realtime model's voice and the listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

import pytest

from sessionactors import Agent, AudioFrame, ModelSettings
from sessionactors.model.errors import APITimeoutError, NodeError
from sessionactors.testing import CLIENT_TURNS, SPEAKING, RealtimeScript

from .realtime_talks import barge_in, one_turn
from .talks import near, played


class Passing(Agent):
    """Hears all of it, and changes nothing."""

    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")
        self.heard = 0.0

    async def realtime_audio_output_node(
        self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[AudioFrame]:
        async for frame in audio:
            self.heard += frame.duration
            yield frame


class First(Passing):
    """Lets one second through."""

    async def realtime_audio_output_node(
        self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[AudioFrame]:
        async for frame in audio:
            self.heard += frame.duration
            if self.heard <= 1.0 + 1e-9:
                yield frame


class Raising(Passing):
    """Fails after a second."""

    async def realtime_audio_output_node(
        self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[AudioFrame]:
        async for frame in audio:
            self.heard += frame.duration
            if self.heard > 1.0:
                raise ValueError("no more")
            yield frame


class Hanging(Passing):
    """Never ends."""

    async def realtime_audio_output_node(
        self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[AudioFrame]:
        async for frame in audio:
            yield frame
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("model", [SPEAKING, CLIENT_TURNS], ids=["server", "client"])
def test_the_node_is_given_a_replys_audio_and_what_it_yields_is_heard(model: RealtimeScript) -> None:
    agent = Passing()
    run = played(one_turn(model, agent, word_timings=False))
    assert agent.heard == near(2.0)
    assert run.audible("speech-1") == [(near(3.3), near(5.3))]
    assert run.said() == ["I am fine, thank you."]


def test_a_node_may_shorten_what_is_heard() -> None:
    run = played(one_turn(SPEAKING, First(), word_timings=False))
    assert run.audible("speech-1") == [(near(3.3), near(4.3))]
    assert run.agent_became("listening")[1:] == [near(4.3)]


def test_an_interrupted_reply_is_cut_behind_the_node_too() -> None:
    run = played(barge_in(SPEAKING, Passing(), word_timings=False))
    assert run.audible("speech-1") == [(near(3.3), near(5.05))]
    assert run.realtime is not None
    assert run.realtime.last.truncations[0].audio_end_ms == pytest.approx(1750, abs=20)


def test_a_node_that_raises_is_an_error_and_what_it_gave_is_heard() -> None:
    run = played(one_turn(SPEAKING, Raising(), word_timings=False))
    (event,) = run.errors
    assert isinstance(event.error.__cause__, NodeError)
    assert run.audible("speech-1") == [(near(3.3), near(4.3))]
    assert run.agent_states[-1] == "listening"


def test_a_node_that_never_ends_is_given_up_in_time() -> None:
    run = played(one_turn(SPEAKING, Hanging(), word_timings=False))
    (event,) = run.errors
    assert isinstance(event.error.__cause__, APITimeoutError)
    assert run.audible("speech-1") == [(near(3.3), near(5.3))]
    assert run.agent_states[-1] == "listening"
