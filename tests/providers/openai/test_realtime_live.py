"""OpenAI's realtime model itself: needs a key, and spends some cents of it."""

from __future__ import annotations

import asyncio
import os

import pytest

from sessionactors.model.chat import ChatContext, ChatMessage
from sessionactors.providers.openai.realtime import RealtimeModel

from tests.providers.openai.realtime_talk import Talk

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("OPENAI_API_KEY" not in os.environ, reason="OPENAI_API_KEY is not set"),
]


async def test_it_speaks_and_its_message_can_be_shortened() -> None:
    model = RealtimeModel(turn_detection=None)
    talk = Talk(model.session())
    try:
        await talk.ready()
        await talk.session.update_chat_ctx(ChatContext([ChatMessage("user", ["Count from one to ten."], "question")]))
        talk.session.generate_reply(request_id="r")
        async with asyncio.timeout(30):
            done = await talk.done()
        assert done.status == "completed"
        assert talk.seconds > 1.0
        assert "ten" in talk.text.lower()
        message = talk.session.chat_ctx.items[-1]
        talk.session.truncate(message_id=message.id, modalities=["audio"], audio_end_ms=500, audio_transcript="One")
        await talk.ready()
        assert [getattr(item, "text_content", "") for item in talk.session.chat_ctx] == [
            "Count from one to ten.",
            "One",
        ]
    finally:
        await talk.session.aclose()
        await model.aclose()
