"""Speech-to-speech models in turn: each fault of the first becomes a reply of the second, in one conversation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionactors import ErrorEvent, OptionError, RealtimeSessionReconnectedEvent
from sessionactors.interfaces.realtime import RealtimeModel, ResponseDone
from sessionactors.model.errors import ProviderReplaced
from sessionactors.model.events import CloseEvent
from sessionactors.providers.adapters import AvailabilityChangedEvent
from sessionactors.providers.adapters.realtime import FallbackAdapter
from sessionactors.testing import ScriptedRealtime, ScriptedResponse

from tests.providers.openai.realtime_room import Room, room
from tests.providers.openai.realtime_talk import model_at
from tests.wire.openai_realtime import Call, OpenAIRealtimeServer, Reply
from tests.wire.vendor_server import Fault

BUSY = Reply(error=("rate_limit_exceeded", "slow down"))
FINE = Reply("I am here.", 0.1)
STUCK = Reply("Never mind.", 0.5, hangs_after=0)


def primary(fault: str) -> OpenAIRealtimeServer:
    """A server with this fault."""
    calls = {
        "refuses": Call(Fault(status=503)),
        "refuses for good": Call(Fault(status=404, body={"error": {"code": "model_not_found"}})),
        "breaks off": Call(Fault(after=1, cut=True)),
        "says nothing": Call(Fault(after=1, silent=True)),
        "does not read": Call(Fault(after=1, half_open=True)),
        "breaks off when asked": Call(Fault(after=3, cut=True)),
        "says nothing when asked": Call(Fault(after=3, silent=True)),
    }
    replies = {
        "is out of quota": [Reply(error=("insufficient_quota", "pay"))],
        "stops when it has begun": [STUCK],
    }.get(fault, [BUSY] * 3)
    return OpenAIRealtimeServer(replies, calls=[calls.get(fault, Call())])


class Pair:
    """An adapter of two models and what it said of them."""

    def __init__(self, first: OpenAIRealtimeServer, second: OpenAIRealtimeServer, **options: Any) -> None:
        self.models: list[RealtimeModel] = [model_at(first), model_at(second, model="gpt-second")]
        self.adapter = FallbackAdapter(self.models, **{"attempt_timeout": 0.8, **options})
        self.changes: list[tuple[int, bool]] = []
        self.adapter.on("realtime_availability_changed", self._changed)

    def _changed(self, event: AvailabilityChangedEvent[RealtimeModel]) -> None:
        self.changes.append((self.models.index(event.provider), event.available))


@pytest.mark.parametrize(
    "fault",
    [
        "refuses",
        "refuses for good",
        "breaks off",
        "says nothing",
        "does not read",
        "breaks off when asked",
        "says nothing when asked",
        "is out of quota",
        "fails to reply",
        "stops when it has begun",
    ],
)
async def test_p13_the_second_model_replies_when_the_first(fault: str) -> None:
    async with primary(fault) as first, OpenAIRealtimeServer([FINE]) as second:
        pair = Pair(first, second)
        async with room(second, llm=pair.adapter) as seen:
            _ = seen.session.generate_reply()
            assert await seen.said(1) == "I am here."
            assert seen.of(CloseEvent) == []
            assert all(event.recoverable for event in seen.of(ErrorEvent))
        assert pair.changes == [(0, False)]
        assert pair.adapter.model == "gpt-second"
        assert len(first.received) == 1  # the budget is the session's
        assert second.session.settings["instructions"] == "Be kind."


async def test_the_second_model_knows_the_conversation_and_the_first_is_asked_again_when_it_has_rested() -> None:
    answers = [Reply("Good day.", 0.1), Reply("I am back.", 0.1)]
    async with OpenAIRealtimeServer(answers) as first, OpenAIRealtimeServer([FINE]) as second:
        pair = Pair(first, second, cooldown=0.3, attempt_timeout=5.0)
        async with room(second, llm=pair.adapter) as seen:
            await reply(seen, 1)
            await first.session.line.close(1012, "restart")
            await seen.until(RealtimeSessionReconnectedEvent)
            await reply(seen, 2)
            assert [item.text for item in second.session.items] == ["Good day.", "I am here."]
            await seen.later(0.35)
            await second.session.line.close(1012, "restart")
            await seen.until(RealtimeSessionReconnectedEvent, 2)
            await reply(seen, 3)
            assert [item.text for item in first.session.items] == ["Good day.", "I am here.", "I am back."]
        assert pair.changes == [(0, False), (1, False), (0, True)]


async def reply(seen: Room, number: int) -> None:
    _ = seen.session.generate_reply()
    await seen.said(number)


async def test_when_all_have_failed_for_good_the_session_ends_and_says_why() -> None:
    async with primary("refuses for good") as first, primary("refuses for good") as second:
        pair = Pair(first, second)
        async with room(second, llm=pair.adapter) as seen:
            close: CloseEvent = await seen.until(CloseEvent)
        assert "all 2 providers failed" in str(close.error)
        assert (len(first.received), len(second.received)) == (1, 1)


def test_models_that_build_another_session_do_not_go_together() -> None:
    server = OpenAIRealtimeServer()
    options = {"base_url": "http://127.0.0.1:1/v1"}
    spoken, written = model_at(server, **options), model_at(server, modalities=["text"], **options)
    with pytest.raises(OptionError, match="audio_output"):
        FallbackAdapter([spoken, written])
    without = model_at(server, input_audio_transcription=None, **options)
    assert not FallbackAdapter([spoken, without]).capabilities.user_transcription
    with pytest.raises(OptionError, match="realtime_availability_changed"):
        FallbackAdapter([spoken, without]).on("nonsense", print)


async def test_a_model_that_just_ends_its_session_is_followed_by_the_next_one() -> None:
    model, other = ScriptedRealtime(), ScriptedRealtime()
    adapter = FallbackAdapter([model, other])
    session = adapter.session()
    reading = asyncio.ensure_future(anext(aiter(session.events())))
    await asyncio.sleep(0)
    model.last.break_off(None)
    with pytest.raises(ProviderReplaced, match="ended the session"):
        await reading
    await session.aclose()
    adapter.session()
    assert len(other.sessions) == 1


async def test_a_reply_that_was_interrupted_before_it_began_is_not_waited_for() -> None:
    model = ScriptedRealtime([ScriptedResponse("Late.", ttft=5.0)])
    session = FallbackAdapter([model, ScriptedRealtime()], attempt_timeout=0.05).session()
    events: list[object] = []

    async def read() -> None:
        events.extend([event async for event in session.events()])

    reading = asyncio.create_task(read())
    session.generate_reply(request_id="r")
    session.interrupt()
    await asyncio.sleep(0.1)
    assert not reading.done()
    await session.aclose()
    await asyncio.wait({reading})
    assert [type(event) for event in events] == [ResponseDone]
