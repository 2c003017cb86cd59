"""Scripted providers say what of their script was not played."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sessionactors import ChatContext
from sessionactors.testing import ScriptedLLM, ScriptedReply, ScriptedTTS, run
from sessionactors.testing.scripted_tts import ScriptedVoice


async def ask(model: ScriptedLLM, chunks: int | None = None) -> None:
    """Read a reply, or so many chunks of it."""
    async with model.chat(chat_ctx=ChatContext.empty()) as stream:
        count = 0
        async for _ in stream:
            count += 1
            if count == chunks:
                return


def test_a_model_whose_script_was_played_is_complete() -> None:
    async def main() -> None:
        model = ScriptedLLM(["One.", ScriptedReply(error=OSError("gone"))])
        await ask(model)
        with pytest.raises(OSError, match="gone"):
            await ask(model)
        model.assert_complete()

    run(main)


def test_a_model_names_replies_not_asked_for_cut_off_or_missing() -> None:
    async def main() -> None:
        model = ScriptedLLM(["One two.", "Three."])
        await ask(model, chunks=1)
        with pytest.raises(
            AssertionError, match=r"reply 2 was not asked for; reply 1 \('One two.'\) was cut off after 1"
        ):
            model.assert_complete()
        beyond = ScriptedLLM([], otherwise=ScriptedReply("Else."))
        beyond.assert_complete()

    run(main)


def test_a_voice_names_syntheses_not_asked_for() -> None:
    async def words() -> AsyncIterator[str]:
        yield "Hello."

    async def main() -> None:
        voice = ScriptedTTS(script=[ScriptedVoice(), ScriptedVoice()])
        assert [audio async for audio in voice.synthesize(words())]
        with pytest.raises(AssertionError, match=r"synthesis 2 was not asked for$"):
            voice.assert_complete()
        assert [audio async for audio in voice.synthesize(words())]
        voice.assert_complete()

    run(main)
