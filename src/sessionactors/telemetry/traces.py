"""Sessions as OpenTelemetry traces: session > turn > speech > calls of providers and tools, linked to what caused them.

Times are those of the session's clock. Names of attributes are those of the conventions for generative AI where there
is one, else ``sessionactors.*``. Texts are there only if the account has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    set_span_in_context,
)

from sessionactors.model.events import CloseEvent, CloseReason
from sessionactors.model.metrics import LLMMetrics, Metadata, RealtimeModelMetrics, TTSMetrics
from sessionactors.runtime import NS, Clock
from sessionactors.session.turn_latency import TurnLatency

from .records import BargeIn, Call, Ended, Key, News, Opened, Record, Speech, ToolRun, Turn
from .sums import how_it_ended, made_by

Attributes = Mapping[str, str | bool | int | float]
OWN: Final = "sessionactors."
MESSAGE: Final = f"{OWN}message.id"
"""Of the delivery that opened a span: the same number as in taps, logs and diagrams."""
CAUSE: Final = f"{OWN}cause"
"""On a link: ``requested_by`` (what led to this span) or ``interrupts``."""
REMEMBERED: Final = 256
"""Spans that others may still belong or be linked to."""


class SessionTrace:
    """Writes the trace of one session.

    The session's span is a child of the span that is current where it was started: OpenTelemetry's context at that
    moment, which instrumentation of a web framework sets by the ``traceparent`` of the request.

    Args:
        provider: makes the tracer.
        version: of this package.
        clock: of the session's actor system.
        room: the session's name.
    """

    def __init__(self, provider: TracerProvider, version: str, clock: Clock, room: str) -> None:
        self._tracer: Tracer = provider.get_tracer("sessionactors", version)
        self._clock = clock
        self._epoch = round(clock.wall(clock.origin) * NS) - clock.origin
        self._open: dict[Key, Span] = {}
        self._known: dict[Key, SpanContext] = {}
        self._root = self._tracer.start_span(
            "session",
            context=contexts.get_current(),
            start_time=self._at(clock.now()),
            attributes={"gen_ai.conversation.id": room, f"{OWN}room": room},
        )
        self._session = set_span_in_context(self._root)

    def tell(self, news: News) -> None:
        """Open and end spans."""
        match news:
            case Opened(record):
                self._begin(record)
            case Ended(record):
                self._end(record)
            case TurnLatency(turn=turn):
                self._latency(turn, news)
            case BargeIn(speech=speech):
                self._cut(speech, news)

    def close(self, event: CloseEvent | None, at: int) -> None:
        """The session is over."""
        for span in self._open.values():  # nothing, unless the account and this disagree
            span.end(self._at(at))
        self._open.clear()
        if event is not None:
            self._root.set_attribute(f"{OWN}close.reason", event.reason.value)
        if event is None or event.reason is CloseReason.ERROR:
            kind = "start_failed" if event is None else type(event.error).__name__
            self._root.set_attribute("error.type", kind)
            self._root.set_status(Status(StatusCode.ERROR))
        self._root.end(self._at(at))

    # -- spans -------------------------------------------------------------------------------------------------------

    def _at(self, nanoseconds: int) -> int:
        return self._epoch + nanoseconds

    def _begin(self, record: Record) -> None:
        name, kind = _named(record)
        links = []
        if isinstance(record, Call | ToolRun):
            links = [self._link(key, "requested_by") for key in record.causes]
        elif isinstance(record, Turn) and record.interrupts:
            links = [self._link(("speech", record.interrupts), "interrupts")]
        span = self._tracer.start_span(
            name,
            context=self._parent(record),
            kind=kind,
            attributes={MESSAGE: record.message, **_identity(record)},
            links=[link for link in links if link is not None],
            start_time=self._at(_began(record)),
        )
        self._open[record.key] = span
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[record.key] = span.get_span_context()
        if isinstance(record, Turn):
            self._hearing(record, span)

    def _parent(self, record: Record) -> Context:
        match record:
            case Turn():
                return self._session
            case Speech(turn=turn):
                above: Key = ("turn", turn)
            case Call(speech=speech) | ToolRun(speech=speech):
                above = ("speech", speech)
            case _:
                assert_never(record)
        known = self._known.get(above)
        return self._session if known is None else set_span_in_context(NonRecordingSpan(known), self._session)

    def _link(self, key: Key, why: str) -> Link | None:
        known = self._known.get(key)
        return None if known is None else Link(known, {CAUSE: why})

    def _hearing(self, turn: Turn, span: Span) -> None:
        """What the recogniser did for a turn: from the voice to the last words."""
        if turn.words_at is None or turn.words_at < turn.began_at:
            return
        who = turn.recogniser or Metadata()
        heard = self._tracer.start_span(
            f"speech_to_text {who.model_name or ''}".strip(),
            context=set_span_in_context(span, self._session),
            kind=SpanKind.CLIENT,
            attributes={"gen_ai.operation.name": "speech_to_text", **_models(who)},
            start_time=self._at(turn.began_at),
        )
        heard.end(self._at(turn.words_at))

    def _end(self, record: Record) -> None:
        span = self._open.pop(record.key, None)
        if span is None:
            return
        match record:
            case Turn():
                if record.stopped_at is not None:
                    span.add_event("user stopped speaking", timestamp=self._at(record.stopped_at))
                span.add_event("committed", timestamp=self._at(record.committed_at))
            case Speech(audible_at=audible_at, quiet_at=quiet_at):
                if audible_at is not None:
                    span.add_event("first sound", timestamp=self._at(audible_at))
                if quiet_at is not None:
                    span.add_event("quiet", timestamp=self._at(quiet_at))
            case _:
                pass
        span.set_attributes(_outcome(record))
        if failed := _failure(record):
            span.set_attribute("error.type", failed)
            span.set_status(Status(StatusCode.ERROR))
        span.end(self._at(record.ended_at if record.ended_at is not None else self._clock.now()))

    def _latency(self, turn: str, latency: TurnLatency) -> None:
        span = self._open.get(("turn", turn))
        if span is not None:
            parts = {f"{OWN}latency.{kind}": seconds for kind, seconds in latency.by_kind.items()}
            span.set_attributes({f"{OWN}latency": latency.total, **parts})

    def _cut(self, speech: str, cut: BargeIn) -> None:
        span = self._open.get(("speech", speech))
        if span is not None and cut.detection is not None and cut.silence is not None:
            seconds = {f"{OWN}barge_in.detection": cut.detection, f"{OWN}barge_in.silence": cut.silence}
            span.add_event("interrupted", seconds, self._at(cut.wanted_at))


def _began(record: Record) -> int:
    return record.asked_at if isinstance(record, ToolRun) else record.began_at


def _named(record: Record) -> tuple[str, SpanKind]:
    match record:
        case Turn():
            return "turn", SpanKind.INTERNAL
        case Speech():
            return "speech", SpanKind.INTERNAL
        case Call(kind="tts"):
            return "text_to_speech", SpanKind.CLIENT
        case Call():
            return "chat", SpanKind.CLIENT
        case ToolRun(name=name):
            return f"execute_tool {name}", SpanKind.INTERNAL


def _identity(record: Record) -> Attributes:
    """What is known at the beginning."""
    match record:
        case Turn():
            return {f"{OWN}turn.id": record.id, f"{OWN}turn.typed": record.typed}
        case Speech():
            said = {f"{OWN}speech.id": record.id, f"{OWN}speech.source": record.source}
            return {**said, "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.id": record.agent}
        case Call(kind=kind):
            operation = "text_to_speech" if kind == "tts" else "chat"
            return {"gen_ai.operation.name": operation, f"{OWN}call.id": record.id, f"{OWN}call.kind": kind}
        case ToolRun():
            return {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": record.name,
                "gen_ai.tool.call.id": record.call_id,
                "gen_ai.tool.type": "function",
            }


def _outcome(record: Record) -> Attributes:
    """What is known at the end."""
    match record:
        case Turn():
            return {f"{OWN}turn.text": record.text} if record.text else {}
        case Speech():
            ended = {f"{OWN}speech.outcome": how_it_ended(record)}
            return {**ended, f"{OWN}speech.text": record.text} if record.text else ended
        case Call():
            return {**_models(made_by(record)), **_used(record), f"{OWN}call.outcome": record.outcome}
        case ToolRun():
            known: dict[str, str] = {f"{OWN}tool.outcome": record.outcome}
            if record.arguments:
                known["gen_ai.tool.call.arguments"] = record.arguments
            if record.output:
                known["gen_ai.tool.call.result"] = record.output
            return known


def _used(call: Call) -> Attributes:
    known: dict[str, str | int | float] = {}
    if call.first_at is not None:
        known["gen_ai.response.time_to_first_chunk"] = (call.first_at - call.began_at) / NS
    if call.input:
        known["gen_ai.input.messages"] = call.input
    match call.metrics:
        case LLMMetrics():
            known |= {
                "gen_ai.response.id": call.metrics.request_id,
                "gen_ai.usage.input_tokens": call.metrics.prompt_tokens,
                "gen_ai.usage.output_tokens": call.metrics.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": call.metrics.prompt_cached_tokens,
            }
        case RealtimeModelMetrics():
            known |= {
                "gen_ai.response.id": call.metrics.request_id,
                "gen_ai.usage.input_tokens": call.metrics.input_tokens,
                "gen_ai.usage.output_tokens": call.metrics.output_tokens,
                "gen_ai.output.type": "speech",
            }
        case TTSMetrics():
            known |= {
                "gen_ai.output.type": "speech",
                f"{OWN}usage.characters": call.metrics.characters_count,
                f"{OWN}usage.audio_seconds": call.metrics.audio_duration,
            }
        case _:
            pass
    return known


def _models(who: Metadata) -> Attributes:
    known: dict[str, str] = {}
    if who.model_provider:
        known["gen_ai.provider.name"] = who.model_provider.lower()
    if who.model_name:
        known["gen_ai.request.model"] = who.model_name
    return known


def _failure(record: Record) -> str:
    match record:
        case Speech(error=error) | Call(error=error):
            return error
        case ToolRun(outcome="failed" | "abandoned" as outcome):
            return outcome
        case _:
            return ""
