"""The report of a session: what it says, that it is JSON of its schema, and that the schema in the docs is true."""

from __future__ import annotations

import json
from pathlib import Path

import pydantic
import pytest
from structlog.testing import capture_logs

from sessionactors import Agent, AgentSession, SessionReport, Telemetry

from tests.session.talks import Session, barge_in, near, played, typed
from tests.telemetry.observed import observed, with_tool

SCHEMA = Path(__file__).parents[2] / "docs" / "session-report.schema.json"


def test_a_report_tells_times_turns_speeches_interruptions_usage_and_the_end() -> None:
    (report,) = observed(barge_in).reports
    assert (report.room, report.close_reason, report.agent) == ("scenario", "user_initiated", "default_agent")
    assert report.started_at == 1_700_000_000.0
    assert report.ended_at == report.started_at + report.duration
    assert [(turn.id, turn.speech, turn.interrupted) for turn in report.turns] == [
        ("turn-1", "speech-1", ""),
        ("turn-2", "speech-2", "speech-1"),
    ]
    for turn in report.turns:
        assert turn.latency == near(1.01)
        assert sum(turn.latency_parts.values()) == pytest.approx(turn.latency)
    assert [(speech.id, speech.outcome) for speech in report.speeches] == [
        ("speech-1", "interrupted"),
        ("speech-2", "heard"),
    ]
    (cut,) = report.interruptions
    assert (cut.speech, cut.detection, cut.heard) == ("speech-1", near(0.5), near(1.99))
    assert report.latency.turn_p95 == near(1.01)
    assert report.latency.barge_in_p95 == near(0.5)
    assert {one["type"] for one in report.usage} == {"llm_usage", "tts_usage", "stt_usage"}
    assert report.options["allow_interruptions"] is True
    assert (report.error_count, report.abandoned, report.chat_history) == (0, {}, None)


def test_a_report_tells_the_calls_of_tools_and_with_texts_all_that_was_said() -> None:
    (report,) = observed(with_tool, texts=True).reports
    (tool,) = report.tools
    assert (tool.name, tool.outcome, tool.speech, tool.output) == ("weather", "completed", "speech-1", "sunny in Paris")
    assert report.speeches[0].text == "It is sunny."
    assert report.turns[0].text == "And the weather?"
    assert report.chat_history is not None
    assert "function_call_output" in [item["type"] for item in report.chat_history]


def test_a_report_is_json_of_the_schema_in_the_docs() -> None:
    adapter = pydantic.TypeAdapter(SessionReport)
    schema = json.loads(SCHEMA.read_text())
    assert adapter.json_schema() == schema, "run `python docs/report_schema.py --write`, look, commit"
    (report,) = observed(with_tool, texts=True).reports
    assert adapter.validate_json(report.to_json()) == report
    assert json.loads(report.to_json()) == json.loads(json.dumps(report.to_dict()))
    assert schema["properties"]["version"]["const"] == report.version


def test_a_report_that_nobody_can_take_hurts_no_session() -> None:
    def refuse(report: SessionReport) -> None:
        raise ValueError("no room for reports")

    with capture_logs() as lines:
        run = played(typed(None, "Hello", telemetry=Telemetry(on_report=refuse)))
    assert run.said() == ["Answer 1."]
    (line,) = [line for line in lines if line["event"] == "callback_failed"]
    assert line["callback"] == "on_report scenario"


async def test_a_start_that_fails_is_reported_as_such() -> None:
    reports: list[SessionReport] = []
    telemetry = Telemetry(on_report=reports.append)
    session: Session = AgentSession(telemetry=telemetry)
    other: Session = AgentSession()
    await other.start(Agent(instructions="x"), room_name="taken-name")
    try:
        with pytest.raises(Exception, match="taken-name"):
            await session.start(Agent(instructions="y"), room_name="taken-name")
    finally:
        await other.aclose()
    (report,) = reports
    assert (report.room, report.close_reason, report.speeches) == ("taken-name", None, [])
    with telemetry.reading() as (sums, lives):
        assert sums.closed == {"start_failed": 1}
        assert lives == ()


def test_an_observer_that_fails_is_logged_and_the_call_goes_on() -> None:
    class Faulty:
        def begins(self, system: object, room: str) -> None:
            raise ValueError("not today")

        def ended(self) -> None:
            raise ValueError("nor tomorrow")

        def observe(self, session: Session) -> None:
            session.observe(self)

    with capture_logs() as lines:
        run = played(typed(None, "Hello", telemetry=Faulty()))
    assert run.said() == ["Answer 1."]
    assert [line["event"] for line in lines].count("observer_failed") == 2
