"""Traces: spans by the session's clock, in their tree, linked to what caused them; and to a real OTLP receiver."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from sessionactors import Telemetry
from sessionactors.runtime import Delivery
from sessionactors.telemetry.traces import CAUSE, MESSAGE
from sessionactors.testing import Scenario

from tests.session.talks import barge_in, one_turn, played, typed
from tests.telemetry.observed import Observed, observed, with_tool

NS = 1_000_000_000
WALL = 1_700_000_000
"""Seconds since the epoch at which virtual time begins."""


def seconds(span: ReadableSpan) -> tuple[float, float]:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time - WALL * NS) / NS, (span.end_time - WALL * NS) / NS


def parent(seen: Observed, span: ReadableSpan) -> ReadableSpan:
    assert span.parent is not None
    ids = {other.context.span_id: other for other in seen.spans if other.context is not None}
    return ids[span.parent.span_id]


def test_the_tree_is_session_turn_speech_and_calls_with_exact_times() -> None:
    seen = observed(barge_in)
    turn, speech = seen.span("turn"), seen.span("speech")
    chat, voice = seen.span("chat"), seen.span("text_to_speech")
    assert [parent(seen, span).name for span in (turn, speech, chat, voice)] == ["session", "turn", "speech", "speech"]
    assert seconds(turn) == (0.5, 6.2)
    assert seconds(speech) == (3.0, 6.2)
    assert seconds(chat) == pytest.approx((3.0, 3.3))
    assert seconds(seen.span("speech_to_text scripted-stt")) == (0.5, 2.7)
    assert seconds(seen.span("session"))[0] == 0.0
    assert seen.span("session").parent is None
    attributes = dict(chat.attributes or {})
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.request.model"] == "scripted"
    assert attributes["gen_ai.usage.output_tokens"] == 17
    assert attributes["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.1)
    assert dict(turn.attributes or {})["sessionactors.latency"] == pytest.approx(1.01)
    assert [event.name for event in speech.events] == ["interrupted", "first sound"]


def test_every_span_lies_within_its_parent() -> None:
    for make in (barge_in, with_tool):
        seen = observed(make)
        for span in seen.spans:
            if span.parent is not None:
                begins, ends = seconds(span)
                above = seconds(parent(seen, span))
                assert above[0] <= begins
                assert ends <= above[1]


def test_a_turn_is_linked_to_the_speech_that_it_cut_off() -> None:
    seen = observed(barge_in)
    first, second = seen.span("turn"), seen.span("turn", 1)
    assert not first.links
    (link,) = second.links
    assert dict(link.attributes or {}) == {CAUSE: "interrupts"}
    assert seen.span("speech").context is not None
    assert link.context.span_id == seen.span("speech").context.span_id


def test_links_are_what_the_causes_of_messages_say() -> None:
    """Each message of a link's span is found by walking up from the message of the span that has the link."""
    seen = observed(with_tool)
    by_id = {delivery.id: delivery for delivery in seen.run.deliveries}
    tool = seen.span("execute_tool weather")
    assert linked(seen, tool) == ["chat"]
    assert linked(seen, seen.span("text_to_speech")) == ["chat"]
    assert linked(seen, seen.span("chat", 1)) == ["execute_tool weather"]
    assert linked(seen, seen.span("chat")) == []
    for span in (tool, seen.span("text_to_speech")):
        (link,) = span.links
        (cause,) = [other for other in seen.spans if other.context and other.context.span_id == link.context.span_id]
        assert opened_by(cause) in chain(opened_by(span), by_id)
    for span in (seen.span("chat"), tool):
        assert opened_by(parent(seen, span)) in chain(opened_by(span), by_id)


def linked(seen: Observed, span: ReadableSpan) -> list[str]:
    wanted = {link.context.span_id for link in span.links}
    return [other.name for other in seen.spans if other.context is not None and other.context.span_id in wanted]


def opened_by(span: ReadableSpan) -> int:
    number = (span.attributes or {})[MESSAGE]
    assert isinstance(number, int)
    return number


def chain(message: int, by_id: dict[int, Delivery]) -> Iterator[int]:
    while message in by_id:
        message = by_id[message].cause
        yield message


def test_texts_are_there_only_if_asked_for() -> None:
    secret, told = observed(with_tool), observed(with_tool, texts=True)
    said = ("weather?", "Paris", "sunny")
    for word in said:
        assert word not in str([span.attributes for span in secret.spans])
        assert word not in secret.reports[0].to_json()
        assert word in str([span.attributes for span in told.spans])
        assert word in told.reports[0].to_json()
    call = dict(told.span("execute_tool weather").attributes or {})
    assert call["gen_ai.tool.call.arguments"] == '{"city": "Paris"}'
    assert call["gen_ai.tool.call.result"] == "sunny in Paris"


def test_attributes_are_those_of_the_conventions_or_our_own() -> None:
    known = {getattr(gen_ai_attributes, name) for name in dir(gen_ai_attributes) if name.startswith("GEN_AI_")}
    seen = observed(with_tool, texts=True)
    used = {name for span in seen.spans for name in span.attributes or {}}
    assert {name for name in used if name not in known and not name.startswith("sessionactors.")} <= {"error.type"}
    assert len(used & known) >= 10


def test_nothing_is_traced_without_a_provider_and_its_absence_costs_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = Telemetry()
    run = played(typed(None, "Hello", telemetry=telemetry))
    assert run.said() == ["Answer 1."]
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry", None)
    again = played(typed(None, "Hello", telemetry=telemetry))
    assert again.said() == ["Answer 1."]


def test_traces_can_be_switched_off() -> None:
    def untraced(telemetry: Telemetry, frame_ms: int) -> Scenario:
        return typed(None, "Hello", telemetry=Telemetry(tracer_provider=telemetry._provider, traces=False))

    assert observed(untraced).spans == []


def test_a_session_is_a_child_of_the_span_that_is_current_where_it_starts() -> None:
    given = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    above = TraceContextTextMapPropagator().extract(given)
    token = trace.context_api.attach(above)  # type: ignore[attr-defined]
    try:
        seen = observed.__wrapped__(one_turn)
    finally:
        trace.context_api.detach(token)  # type: ignore[attr-defined]
    root = seen.span("session")
    assert root.context is not None
    assert root.parent is not None
    assert f"{root.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{root.parent.span_id:016x}" == "b7ad6b7169203331"


class _Receiver(BaseHTTPRequestHandler):
    """An OTLP/HTTP receiver: decodes what it is sent."""

    requests: ClassVar[list[ExportTraceServiceRequest]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        self.requests.append(request)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


def test_an_otlp_receiver_gets_the_trace_as_protobuf() -> None:
    _Receiver.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    provider = TracerProvider()
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(f"http://127.0.0.1:{server.server_port}/v1/traces"))
    )
    try:
        run = played(with_tool(telemetry=Telemetry(tracer_provider=provider)))
        provider.force_flush()
    finally:
        provider.shutdown()
        server.shutdown()
        server.server_close()
        thread.join()
    spans = [
        span
        for request in _Receiver.requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    names = {span.span_id: span.name for span in spans}
    assert sorted(names.values()) == [
        "chat", "chat", "execute_tool weather", "session", "speech", "speech_to_text scripted-stt", "text_to_speech",
        "turn",
    ]  # fmt: skip
    by_id = {delivery.id: delivery for delivery in run.deliveries}
    numbers = {
        span.span_id: attribute.value.int_value
        for span in spans
        for attribute in span.attributes
        if attribute.key == MESSAGE
    }
    links = [(span, link) for span in spans for link in span.links]
    assert sorted((span.name, names[link.span_id]) for span, link in links) == [
        ("chat", "execute_tool weather"),
        ("execute_tool weather", "chat"),
        ("text_to_speech", "chat"),
    ]
    for span, link in links:
        if span.name != "chat":  # callbacks see what tools gave before the model does: the chain ends with them
            assert numbers[link.span_id] in chain(numbers[span.span_id], by_id)
    (session,) = [span for span in spans if span.name == "session"]
    assert session.start_time_unix_nano == WALL * NS


def test_a_session_that_ends_with_an_error_says_so() -> None:
    seen = observed(_killed)
    assert seen.span("session").status.is_ok is False
    assert all(span.end_time is not None for span in seen.spans)


def _killed(**options: Any) -> Scenario:
    scenario = one_turn(**options)
    scenario.kill("history", message=3)
    scenario.kill("history", message=5)
    return scenario
