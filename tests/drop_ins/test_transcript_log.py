"""The transcript log: a session as a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from sessionactors import Agent, AgentSession, ErrorEvent, FunctionToolCall, function_tool
from sessionactors.testing import run
from sessionactors.testing.scripted_ear import ScriptedSTT, ScriptedVAD
from sessionactors.testing.scripted_llm import ScriptedLLM, ScriptedReply
from sessionactors.testing.scripted_tts import SECONDS_PER_CHARACTER, ScriptedTTS
from sessionactors.transports import MemoryTransport

from actors.transcript_log import TranscriptLog

Row = dict[str, object]


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You look things up.")

    @function_tool
    async def order_status(self, order: int) -> str:
        """Look up an order."""
        return f"order {order} is ready"


def content_of(item: Row) -> object:
    return item.get("text") or item.get("output") or item.get("arguments")


def kept(
    tmp_path: Path,
    script: Callable[[AgentSession[None]], Awaitable[None]],
    *,
    llm: ScriptedLLM | None = None,
    vad: ScriptedVAD | None = None,
    stt: ScriptedSTT | None = None,
    audio: bool = True,
) -> dict[str, list[Row]]:
    """The file after a session."""

    async def hold() -> None:
        session: AgentSession[None] = AgentSession(
            llm=llm,
            vad=vad,
            stt=stt,
            tts=ScriptedTTS() if audio else None,
            actors=[TranscriptLog(tmp_path / "call.json")],
            aec_warmup_duration=None,
        )
        transport = MemoryTransport(audio=audio, silence_rate=16000)
        await session.start(Clerk(), room=transport, room_name="lobby")
        await script(session)
        await session.aclose()

    run(hold)
    return cast("dict[str, list[Row]]", json.loads((tmp_path / "call.json").read_text()))


def test_a_typed_conversation_with_a_tool(tmp_path: Path) -> None:
    call = FunctionToolCall("call-1", "order_status", '{"order": 7}')

    async def script(session: AgentSession[None]) -> None:
        await session.generate_reply(user_input="Where is order seven?").wait_for_playout()

    llm = ScriptedLLM([ScriptedReply(tool_calls=(call,)), "It is ready."])
    file = kept(tmp_path, script, llm=llm, audio=False)
    assert [cast("object", file[key]) for key in ("room", "closed")] == ["lobby", "user_initiated"]
    assert [
        (item["type"], item.get("text") or item.get("output") or item.get("arguments")) for item in file["items"]
    ] == [
        ("agent_handoff", None),
        ("message", "Where is order seven?"),
        ("function_call", '{"order": 7}'),
        ("function_call_output", "order 7 is ready"),
        ("message", "It is ready."),
    ]
    assert [event["new_state"] for event in file["events"] if event["type"] == "agent_state_changed"] == [
        "listening",
        "thinking",
        "speaking",
        "listening",
    ]
    kinds = {event["type"] for event in file["events"]}
    assert {"speech_created", "conversation_item_added", "function_tools_executed", "metrics_collected"} <= kinds
    assert file["events"][-1]["type"] == "close"
    assert all(isinstance(event["at"], float) and 0 <= event["at"] <= 60 for event in file["events"])


def test_a_barge_in_has_its_times_and_what_was_heard(tmp_path: Path) -> None:
    text = "Tonight we start with a tomato soup or a green salad"

    async def script(session: AgentSession[None]) -> None:
        session.say(text)  # type: ignore[unused-awaitable]  # it is cut off
        await asyncio.sleep(6.0)

    file = kept(
        tmp_path,
        script,
        llm=ScriptedLLM(["Fine."]),
        vad=ScriptedVAD([(2.0, 3.2)]),
        stt=ScriptedSTT([(3.4, "stop")], interims=[(2.4, "st")]),
    )
    (interruption,) = file["interruptions"]
    assert interruption["voice_began"] == pytest.approx(2.0, abs=0.03)
    assert interruption["decided"] == pytest.approx(2.5, abs=0.06)
    assert interruption["silent"] == pytest.approx(interruption["decided"], abs=0.002)
    began, seconds = cast("float", interruption["began"]), cast("float", interruption["seconds"])
    assert seconds == pytest.approx(cast("float", interruption["silent"]) - began, abs=0.002)
    heard = cast("str", interruption["heard"])
    assert text.startswith(heard)
    assert 0 <= seconds - len(heard) * SECONDS_PER_CHARACTER < len(" tomato") * SECONDS_PER_CHARACTER
    said, asked, answered = (item for item in file["items"] if item["type"] == "message")
    assert (said["text"], said["interrupted"], said["speech"]) == (heard, True, interruption["speech"])
    assert said["heard"] == {"began": began, "ended": interruption["silent"], "seconds": seconds}
    assert (asked["text"], answered["text"], answered["interrupted"]) == ("stop", "Fine.", False)
    (turn,) = file["turns"]
    assert (turn["text"], turn["typed"], turn["participant"]) == ("stop", False, "caller")
    assert turn["voice_ended"] == pytest.approx(3.2, abs=0.03)
    assert turn["decided"] == pytest.approx(3.7, abs=0.03)
    voice = [(event["type"], event["at"]) for event in file["events"] if str(event["type"]).startswith("voice_")]
    assert voice == [("voice_began", pytest.approx(2.0, abs=0.03)), ("voice_ended", pytest.approx(3.2, abs=0.03))]


def test_an_error_is_kept_as_text(tmp_path: Path) -> None:
    async def script(session: AgentSession[None]) -> None:
        await session.generate_reply(user_input="Hello?").wait_for_playout()

    file = kept(tmp_path, script, llm=ScriptedLLM(), audio=False)
    (error,) = (event for event in file["events"] if event["type"] == "error")
    assert "the script has 0 replies" in str(error["error"])
    assert error["source"] == "llm"


def test_a_session_that_ends_at_once_has_its_file(tmp_path: Path) -> None:
    async def script(session: AgentSession[None]) -> None:
        pass

    file = kept(tmp_path, script, audio=False)
    assert cast("object", file["closed"]) == "user_initiated"
    assert [item["type"] for item in file["items"]] == ["agent_handoff"]


def test_a_file_that_cannot_be_written_is_reported_and_nothing_is_left(tmp_path: Path) -> None:
    errors: list[ErrorEvent] = []

    async def hold() -> None:
        session: AgentSession[None] = AgentSession(actors=[TranscriptLog(tmp_path / "gone" / "call.json")])
        session.on("error", errors.append)
        await session.start(Agent(instructions=""))
        await asyncio.sleep(0.1)
        await session.aclose()

    run(hold)
    assert [event.source for event in errors] == [f"{errors[0].source.split('/')[0]}/transcript-log"]
    assert "there is no directory" in repr(errors[0].error)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_finished_is_logged_and_nothing_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "call.json").mkdir()

    async def hold() -> None:
        session: AgentSession[None] = AgentSession(actors=[TranscriptLog(tmp_path / "call.json")])
        await session.start(Agent(instructions=""))
        await session.aclose()

    run(hold)
    assert "transcript_not_written" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["call.json"]
