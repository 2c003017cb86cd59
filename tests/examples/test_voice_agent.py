"""The voice agent of three vendors: its SDK clients talk to servers of the vendors' protocols on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sessionactors import ChatMessage, JobContext
from sessionactors.providers import offline
from sessionactors.transports.file import FileTransport
from sessionactors.transports.wav import read_wav, write_wav

from examples import voice_agent
from tests.providers.offline.speech import NO_VOICE, RATE, spoken, voice_installed
from tests.wire.deepgram import Call as Listened
from tests.wire.deepgram import DeepgramServer, Spoken
from tests.wire.elevenlabs import ElevenLabsServer, VoiceCall
from tests.wire.openai_server import Call, Completion, OpenAIServer
from tests.wire.spoken_audio import spoken_in

QUESTION = "where is my order number seven"


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    """Who asks the question."""
    path = tmp_path / "caller.wav"
    write_wav(path, [spoken(QUESTION)], sample_rate=RATE, num_channels=1)
    return path


@pytest.mark.skipif(not voice_installed(), reason=NO_VOICE)
async def test_hears_thinks_and_speaks_with_the_vendors_whose_keys_are_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caller: Path
) -> None:
    seconds = len(spoken(QUESTION)) / 2 / RATE
    greeting = len(offline.FRONT_DESK.greeting) * 0.01  # of the scripted voice
    begin = greeting + 0.7
    room = FileTransport(caller, tmp_path / "agent.wav", lead_in=begin, tail=3.0, sample_rate=24000)
    heard = Listened([Spoken(QUESTION, begin, begin + seconds)])
    async with (
        DeepgramServer([heard]) as deepgram,
        OpenAIServer(
            [Completion(calls=[Call("order_status", '{"order": 7}')]), Completion("It is on its way.")]
        ) as openai,
        ElevenLabsServer([VoiceCall()] * 4) as elevenlabs,
    ):
        monkeypatch.setenv("DEEPGRAM_API_KEY", deepgram.key)
        monkeypatch.setenv("DEEPGRAM_BASE_URL", deepgram.listen_url.removesuffix("/v1/listen"))
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
        monkeypatch.setenv("ELEVEN_API_KEY", elevenlabs.key)
        monkeypatch.setenv("ELEVEN_BASE_URL", elevenlabs.base_url.removesuffix("/v1"))
        job = JobContext(room)
        async with asyncio.timeout(20):
            await voice_agent.entrypoint(job)
        told = openai.asked[-1].messages
        (session,) = job.sessions
        said = [(i.role, (i.text_content or "").strip()) for i in session.history.items if isinstance(i, ChatMessage)]
    assert [message["role"] for message in told] == ["system", "assistant", "user", "assistant", "tool"]
    assert told[-1]["content"] == "Order 7 is on its way."
    assert said == [("assistant", offline.FRONT_DESK.greeting), ("user", QUESTION), ("assistant", "It is on its way.")]
    recording = await asyncio.to_thread(read_wav, tmp_path / "agent.wav")
    assert "It is on its way." in spoken_in(recording.pcm).replace("\0", "")


def test_what_has_no_key_is_served_offline() -> None:
    assert isinstance(voice_agent.ears({}), offline.PocketSphinxSTT)
    assert isinstance(voice_agent.mind({}), offline.RuleBasedLLM)
