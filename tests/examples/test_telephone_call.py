"""The telephone call of the examples: a scripted caller in Twilio's format, over a real socket, in real time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sessionactors import STT, AudioFrame, FlushSentinel, SpeechEvent, SpeechEventType
from sessionactors.providers import offline
from sessionactors.testing.scripted_tts import ScriptedTTS

from examples import telephone_call


class LoudIsTheQuestion(STT):
    """Understands the caller's question in whatever is loud."""

    async def transcribe(
        self, audio: AsyncIterable[AudioFrame | FlushSentinel], *, language: str | None = None
    ) -> AsyncGenerator[SpeechEvent, None]:
        loud = False
        async for frame in audio:
            if isinstance(frame, AudioFrame):
                loud = loud or bool(np.abs(np.frombuffer(frame.data, "<i2")).max(initial=0) > 3000)
            elif loud:
                loud = False
                yield SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, telephone_call.QUESTION)


async def test_a_telephone_call_from_the_greeting_to_the_hang_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telephone_call, "LISTENS", 0.2)
    monkeypatch.setattr(telephone_call, "QUIET", 0.4)
    voice = ScriptedTTS(ttfb=0.0, seconds_per_character=0.01, speed=100.0)
    ears = telephone_call.Ears(offline.EnergyVAD(min_silence_duration=0.1), LoudIsTheQuestion(), voice)
    noise = (8000 * np.sign(np.sin(np.arange(8000 * 6 // 10)))).astype("<i2").tobytes()
    lines: list[str] = []
    await telephone_call.rehearse(ears, AudioFrame(noise, 8000), lines.append)
    said = [line.removeprefix("assistant: ").removesuffix(" [cut off here]") for line in lines if "assistant" in line]
    assert len(said) == 4, lines
    greeting, hours, answer, bye = said
    assert telephone_call.MENU.startswith(greeting)
    assert 5 < len(greeting) < len(telephone_call.MENU)
    assert telephone_call.HOURS.startswith(hours)
    assert 5 < len(hours) < len(telephone_call.HOURS)
    assert (answer, bye) == ("Order 7 is on its way.", "Good bye.")
    assert [line for line in lines if line.startswith(("key", "user"))] == [
        "key: 1",
        f"user: {telephone_call.QUESTION}",
        "key: *",
    ]
    assert "the line is dead (code 1000)" in lines[-1]


def test_a_number_is_connected_both_ways_with_the_token_as_a_parameter() -> None:
    response = ET.fromstring(telephone_call.twiml("agent.example.com", 'a"<b'))
    (stream,) = response.findall("./Connect/Stream")
    (parameter,) = stream.findall("Parameter")
    assert stream.attrib == {"url": "wss://agent.example.com/"}
    assert parameter.attrib == {"name": "token", "value": 'a"<b'}
