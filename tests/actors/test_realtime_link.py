"""The effect that holds a session with a realtime model, without an actor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sessionactors.actors.realtime_link import AskReply, Interrupt, Opening, hold
from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.runtime import Scope
from sessionactors.testing import ScriptedRealtime, ScriptedRealtimeSession


class Slow(ScriptedRealtime):
    """Takes its time over what it is told."""

    def session(self, *, turn_detection_disabled: bool = False) -> ScriptedRealtimeSession:
        session = SlowSession(self, detects_turns=False)
        self.sessions.append(session)
        return session


class SlowSession(ScriptedRealtimeSession):
    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        await asyncio.sleep(0.01)
        await super().update_chat_ctx(chat_ctx)


async def test_a_reply_that_is_cancelled_while_its_context_is_told_is_not_asked_for_and_leaves_nothing() -> None:
    model = Slow()
    said = asyncio.Event()

    async def send(_: object) -> None:
        said.set()

    async def orders() -> AsyncIterator[object]:
        yield AskReply("r", None, None, None, (ChatMessage("system", ["for this reply"], "aside"),))
        await asyncio.sleep(0.003)
        yield Interrupt("r")
        yield AskReply("s", None, None, None, (ChatMessage("system", ["for that reply"], "other"),))
        yield Interrupt("s")
        await asyncio.get_running_loop().create_future()

    opening = Opening("Be kind.", (), (), turn_detection_disabled=True, timeout=1.0, scope=Scope("test"))
    holding = asyncio.create_task(hold(send, orders(), model, opening))
    await said.wait()
    await asyncio.sleep(0.05)
    assert model.last.told("update_chat_ctx") == [["for this reply"], []]
    assert model.last.chat_ctx.items == []
    assert model.last.told("generate_reply") == []
    holding.cancel()
    await asyncio.wait({holding})
    assert model.last.closed
