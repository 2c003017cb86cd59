"""The diagram of a turn: its messages, what led to them, and whom it interrupted."""

from __future__ import annotations

import asyncio
import re

from sessionactors import Agent, AgentSession, AudioFrame
from sessionactors.testing import run
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedVAD
from sessionactors.testing.scripted_llm import ScriptedLLM
from sessionactors.testing.scripted_tts import ScriptedTTS
from sessionactors.transports import MemoryTransport

STORY = "Once upon a time there was a king who had three daughters and a very long story to tell."


def diagram_after_a_barge_in(*, until: float) -> str:
    async def conversation() -> str:
        session: AgentSession[None] = AgentSession(
            vad=ScriptedVAD([(0.5, 1.0), (4.0, 5.0), (9.0, 9.5)]),
            stt=ScriptedSTT([(1.2, "a story"), (5.2, "stop it")], interims=[(4.3, "stop")]),
            llm=ScriptedLLM([STORY, "I have stopped."]),
            tts=ScriptedTTS(),
            turn_handling={"preemptive_generation": {"enabled": False}},
        )
        transport = MemoryTransport(silence_rate=16000)
        await session.start(Agent(instructions=""), room=transport)
        transport.play(AudioFrame(bytes(32000), 16000))
        await asyncio.sleep(until)
        try:
            return session.diagram()
        finally:
            await session.aclose()

    return run(conversation)


def arrows(diagram: str) -> list[str]:
    return [line.split(" (")[0].strip() for line in diagram.splitlines() if ">>" in line or "--x" in line]


def test_a_turn_is_told_from_the_voice_to_the_end_of_the_answer_with_whom_it_interrupted() -> None:
    told = arrows(diagram_after_a_barge_in(until=9.8))
    expected = [
        "ear_caller_vad->>ear_caller_turn: SpeechStarted",
        "ear_caller_turn->>floor: InterruptionWanted",
        "floor->>output: SilenceSpeech",
        "output->>history: AppendItems",
        "output->>speech_1: PlayoutFinished",
        "ear_caller_turn->>agent: UserTurnEnded",
        "speech_2->>llm: GenerateText",
        "llm->>speech_2: TextDelta",
        "output->>speech_2: PlayoutStarted",
        "output->>speech_2: PlayoutFinished",
    ]
    assert [arrow for arrow in dict.fromkeys(told) if arrow in expected] == expected
    assert not [arrow for arrow in told if arrow.endswith(("speech_1: TextDelta", "FrameCaptured"))]


def test_the_diagram_of_a_turn_ends_where_the_next_voice_begins() -> None:
    assert arrows(diagram_after_a_barge_in(until=9.8)).count("ear_caller_vad->>ear_caller_turn: SpeechStarted") == 1


def test_a_stream_is_one_arrow_that_says_how_many_and_until_when() -> None:
    diagram = diagram_after_a_barge_in(until=3.0)
    (deltas,) = re.findall(r"llm->>speech_1: TextDelta \((\d+) ms to (\d+) ms\) x(\d+)", diagram)
    assert int(deltas[0]) < int(deltas[1])
    assert int(deltas[2]) == len(STORY.split())
