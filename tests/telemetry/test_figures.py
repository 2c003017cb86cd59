"""From messages to numbers: what is counted and measured of a conversation, and where Prometheus finds it."""

from __future__ import annotations

import asyncio
import threading
from http.server import ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.parser import text_string_to_metric_families

from sessionactors import Agent, AgentSession, OptionError, SessionStateError, Telemetry
from sessionactors.messages.llm import TextDelta
from sessionactors.model.component_errors import LLMError
from sessionactors.model.errors import APIConnectionError
from sessionactors.model.events import ErrorEvent
from sessionactors.model.usage import AgentSessionUsage, LLMModelUsage, TTSModelUsage
from sessionactors.runtime import Scope
from sessionactors.runtime.watchdog import LATENESS_BOUNDS, Lateness
from sessionactors.telemetry.account import Account
from sessionactors.telemetry.distribution import Distribution, percentile
from sessionactors.telemetry.kept import HEADS, Kept
from sessionactors.telemetry.prometheus import used
from sessionactors.telemetry.roles import role_of
from sessionactors.telemetry.sums import Sums, added
from sessionactors.testing import Scenario

from tests.session.talks import Session, barge_in, keeper, near, one_turn, typed
from tests.telemetry.observed import observed, with_tool


def test_turns_speeches_barge_in_and_latency_of_a_conversation_are_counted() -> None:
    seen = observed(barge_in).metrics()
    name = "sessionactors_"
    assert seen[f"{name}turns_total", "spoken"] == 2
    assert seen[f"{name}speeches_total", "interrupted"] == 1
    assert seen[f"{name}speeches_total", "heard"] == 1
    assert seen[f"{name}barge_in_seconds_count", "total"] == 1
    assert seen[f"{name}barge_in_seconds_sum", "total"] == near(0.5)
    assert seen[f"{name}barge_in_seconds_bucket", "0.3", "total"] == 0
    assert seen[f"{name}barge_in_seconds_bucket", "+Inf", "total"] == 1
    assert seen[f"{name}turn_latency_seconds_count",] == 2
    assert seen[f"{name}turn_latency_seconds_sum",] == near(2.02)
    assert seen[f"{name}sessions_started_total",] == 1
    assert seen[f"{name}sessions_open",] == 0
    assert seen[f"{name}sessions_closed_total", "user_initiated"] == 1
    assert seen[f"{name}provider_calls_total", "llm", "scripted", "done", ""] == 2
    assert seen[f"{name}provider_calls_total", "tts", "marked-voice", "cancelled", ""] == 1
    assert seen[f"{name}usage_tokens_total", "output", "llm", "scripted", ""] == 20
    assert seen[f"{name}usage_characters_total", "marked-voice", ""] == 94
    assert seen[f"{name}unread_deliveries_total",] == 0


def prepared(**options: Any) -> Scenario:
    return one_turn(preemptive_generation=True, **options)


def test_p21_the_parts_of_the_latency_that_are_exported_add_up_to_it() -> None:
    for make in (barge_in, with_tool, prepared):
        seen = observed(make).metrics()
        parts = [value for (name, *_), value in seen.items() if name == "sessionactors_turn_latency_part_seconds_sum"]
        assert sum(parts) == pytest.approx(seen["sessionactors_turn_latency_seconds_sum",])
        assert seen["sessionactors_turn_latency_seconds_sum",] > 0.5
        assert not [key for key in seen if key[0].endswith("latency_part_seconds_sum") and "outside" in key]


def test_what_waits_is_read_of_a_live_session_by_role_and_never_by_room() -> None:
    read: list[dict[tuple[str, ...], float]] = []

    def make(telemetry: Telemetry, **options: Any) -> Scenario:
        scenario = one_turn(telemetry=telemetry, **options)

        def look(session: Session) -> None:
            _ = session.actor("history").suspend()
            read.append(_samples(telemetry))
            _ = session.actor("history").resume()

        scenario.call(4.0, look)
        return scenario

    observed(make)
    (seen,) = read
    assert seen["sessionactors_sessions_open",] == 1
    assert seen["sessionactors_actors", "stt"] == 1
    assert seen["sessionactors_actors", "speech"] == 1
    assert seen["sessionactors_actors", "supervisor"] == 1
    assert ("sessionactors_mailbox_depth", "data", "tts") in seen
    assert ("sessionactors_mailbox_oldest_seconds", "output") in seen
    assert not [key for key in seen if any(part == "scenario" or "caller" in part for part in key)]


def _samples(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in telemetry.registry.collect()
        for sample in family.samples
    }


def test_a_restart_and_an_error_are_counted_by_role_and_class() -> None:
    def make(**options: Any) -> Scenario:
        scenario = one_turn(**options)
        scenario.kill("tts", message=1)
        return scenario

    seen = observed(make)
    metrics = seen.metrics()
    assert metrics["sessionactors_restarts_total", "tts"] == 1
    assert seen.reports[0].restarts == {"tts": 1}
    sums = Sums()
    failed = LLMError(APIConnectionError("down"), label="llm", recoverable=True, timestamp=0.0)
    sums.note_error(ErrorEvent(failed, "llm", recoverable=True, created_at=0.0))
    sums.note_error(ErrorEvent(ValueError("x"), "room-7/ear-bob/vad", recoverable=False, created_at=0.0))
    assert sums.errors == {("llm", "APIConnectionError", True): 1, ("vad", "ValueError", False): 1}


def test_a_failed_model_is_a_failed_call_and_an_error() -> None:
    def make(**options: Any) -> Scenario:
        scenario = Scenario(keeper(), **options)
        scenario.user_says("Hello?", at=0.5, until=1.5)
        scenario.llm_replies(error=APIConnectionError("down", retryable=False))
        return scenario

    seen = observed(make)
    metrics = seen.metrics()
    assert metrics["sessionactors_provider_calls_total", "llm", "", "failed", ""] == 1
    assert metrics["sessionactors_speeches_total", "failed"] == 1
    assert metrics["sessionactors_errors_total", "APIConnectionError", "false", "llm"] == 1
    (speech,) = seen.reports[0].speeches
    assert (speech.outcome, speech.calls[0].outcome, speech.calls[0].error) == (
        "failed",
        "failed",
        "APIConnectionError",
    )
    assert seen.span("chat").status.is_ok is False
    assert (seen.span("chat").attributes or {})["error.type"] == "APIConnectionError"


def test_tools_are_counted_by_outcome_and_typed_turns_apart() -> None:
    assert observed(with_tool).metrics()["sessionactors_tool_calls_total", "completed"] == 1
    seen = observed(_two_typed).metrics()
    assert seen["sessionactors_turns_total", "typed"] == 2
    assert seen["sessionactors_turn_latency_seconds_count",] == 2


def _two_typed(telemetry: Telemetry, frame_ms: int) -> Scenario:
    return typed(None, "Hello", "Bye", telemetry=telemetry)


def test_a_speculation_in_vain_is_no_speech_that_was_heard() -> None:
    def make(**options: Any) -> Scenario:
        scenario = one_turn(preemptive_generation=True, **options)
        scenario.llm_replies("I am fine, thank you.")
        scenario.user_says("And you?", at=2.8, until=3.4)
        return scenario

    metrics = observed(make).metrics()
    assert metrics["sessionactors_speeches_total", "speculation"] >= 1
    assert metrics["sessionactors_speeches_total", "heard"] == 1


def test_figures_are_the_same_under_another_order_of_messages() -> None:
    seen = observed(barge_in, seed=1)
    assert seen.metrics()["sessionactors_barge_in_seconds_count", "total"] == 1
    assert seen.metrics()["sessionactors_turn_latency_seconds_count",] == 2
    assert {span.end_time is not None for span in seen.spans} == {True}


def test_two_telemetries_in_one_process_know_nothing_of_each_other() -> None:
    one, other = observed(one_turn), observed(barge_in)
    assert one.metrics()["sessionactors_turns_total", "spoken"] == 1
    assert other.metrics()["sessionactors_turns_total", "spoken"] == 2
    both = CollectorRegistry()
    assert one.telemetry.registry is not other.telemetry.registry
    assert not list(both.collect())


def test_metrics_scraped_over_http_are_what_a_parser_of_prometheus_reads() -> None:
    seen = observed(barge_in)
    server = ThreadingHTTPServer(("127.0.0.1", 0), MetricsHandler.factory(seen.telemetry.registry))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        port = server.server_port
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["sessionactors_turns"].type == "counter"
    assert families["sessionactors_barge_in_seconds"].type == "histogram"
    buckets = [s.value for s in families["sessionactors_turn_latency_seconds"].samples if s.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 2
    assert all(family.documentation for family in families.values())


def test_an_exposition_is_open_metrics_for_those_who_ask() -> None:
    telemetry = Telemetry()
    body, kind = telemetry.exposition("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert telemetry.exposition()[1].startswith("text/plain")


def test_without_the_library_metrics_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(OptionError, match=r"sessionactors\[prometheus\]"):
        _ = Telemetry().registry


def test_what_is_kept_of_a_stream_is_its_beginning() -> None:
    kept = Kept()
    scope = Scope("speech-1")
    deltas = [TextDelta("speech-1/step-1", "a", scope) for _ in range(HEADS + 5)]
    assert [kept(delta) for delta in deltas] == [True] * HEADS + [False] * 5
    assert kept(TextDelta("speech-2/step-1", "a", scope))
    assert Account().take([]) == []


def test_roles_are_as_many_as_there_are_kinds_of_actors() -> None:
    known = {
        "room": "supervisor",
        "room/ear-alice": "ear",
        "room/ear-alice~2/vad": "vad",
        "room/ear-bob/stt-2": "stt",
        "room/floor/speech-12": "speech",
        "room/floor/speech-12/audio": "reader",
        "room/ear-bob/detector-1": "detector",
        "room/recorder-for-alice": "drop-in",
        "room/ear-e/unheard-of": "drop-in",
        "": "",
    }
    assert {path: role_of(path) for path in known} == known


def test_distributions_and_sums_of_usage() -> None:
    measured = Distribution((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 3.0):
        measured.add(value)
    assert measured.cumulative() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert measured.count == 4
    assert measured.total == pytest.approx(3.65)
    assert (measured.percentile(0.5), measured.percentile(0.95)) == (0.1, 3.0)
    assert percentile([], 0.5) is None
    one = AgentSessionUsage((LLMModelUsage("a", "m", input_tokens=2),))
    other = AgentSessionUsage((LLMModelUsage("a", "m", input_tokens=3), TTSModelUsage("b", "v", characters_count=5)))
    tokens, characters, _ = used(added(one, other))
    assert tokens == {("llm", "a", "m", "input"): 5}
    assert characters == {("b", "v"): 5}


async def test_a_session_is_observed_from_its_start_and_told_of_while_it_runs() -> None:
    telemetry = Telemetry()
    session: Session = AgentSession()
    with pytest.raises(SessionStateError, match="observe"):
        telemetry.report(session)
    telemetry.observe(session)
    with pytest.raises(SessionStateError, match="not been started"):
        telemetry.report(session)
    await session.start(Agent(instructions="x"))
    telemetry.observe(session)  # once is enough
    with pytest.raises(SessionStateError, match="begins with it"):
        Telemetry().observe(session)
    assert telemetry.report(session).ended_at is None
    scraped: list[dict[tuple[str, ...], float]] = []
    reader = threading.Thread(target=lambda: scraped.append(_samples(telemetry)))
    reader.start()
    await asyncio.to_thread(reader.join)
    assert scraped[0]["sessionactors_sessions_open",] == 1
    assert scraped[0]["sessionactors_actors", "agent"] == 1
    assert ("sessionactors_loop_lateness_seconds_count", "actor") in scraped[0]
    await session.aclose()
    report = telemetry.report(session)
    assert report.ended_at is not None
    assert report.close_reason == "user_initiated"
    await session.start(Agent(instructions="y"))
    assert telemetry.report(session).ended_at is None, "another life"
    await session.aclose()
    assert _samples(telemetry)["sessionactors_sessions_closed_total", "user_initiated"] == 2


def test_lateness_is_counted_by_bound() -> None:
    late = Lateness()
    for seconds in (0.0005, 0.001, 0.02, 9.0):
        late.add(seconds)
    assert late.counts[0] == 2
    assert late.counts[LATENESS_BOUNDS.index(0.025)] == 1
    assert late.counts[-1] == 1
    assert late.seconds == pytest.approx(9.0215)


def test_a_scrape_that_is_given_up_halfway_holds_up_nobody() -> None:
    telemetry = Telemetry()
    (collector,) = telemetry.registry._collector_to_names
    half = iter(collector.collect())
    next(half)
    free: list[bool] = []
    other = threading.Thread(target=lambda: free.append(telemetry._lock.acquire(blocking=False)))
    other.start()
    other.join()
    assert free == [True]
