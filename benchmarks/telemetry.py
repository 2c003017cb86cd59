"""What telemetry costs: CPU of the same spoken call with and without, in virtual time, the best of five.

``with`` is all of it: sums, a trace with texts through the SDK's batch processor, a report at the close, and a scrape
each five seconds of the call, which is three times as often as Prometheus's default.

python benchmarks/telemetry.py
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from sessionactors import Agent, SessionReport, Telemetry
from sessionactors.testing import Scenario

CALLS = 8
ROUNDS = 5
SCRAPES = (5.0, 10.0)
STORY = "Once upon a time there was a king who had three daughters and a very old horse."


class Nowhere(SpanExporter):
    """Takes spans, and sends them nowhere: the network is not what is measured."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """All is well."""
        return SpanExportResult.SUCCESS


def call(telemetry: Telemetry | None) -> Scenario:
    """A turn, a reply that is cut off, and another."""
    scenario = Scenario(Agent(instructions="Be kind."), telemetry=telemetry)
    scenario.user_says("Tell me a story.", at=0.5, until=2.5)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=15.0)
    scenario.user_says("Stop!", at=5.0, until=6.0)
    scenario.llm_replies(STORY)
    scenario.tts_speaks(duration=6.0)
    if telemetry is not None:
        for at in SCRAPES:
            scenario.call(at, lambda _: telemetry.exposition())
    return scenario


def seconds(*, observed: bool) -> float:
    """CPU seconds of some calls."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    reports: list[str] = []

    def keep(report: SessionReport) -> None:
        reports.append(report.to_json())

    telemetry = Telemetry(tracer_provider=provider, texts=True, on_report=keep) if observed else None
    began = time.process_time()
    for _ in range(CALLS):
        _ = call(telemetry).play()
    provider.shutdown()
    spent = time.process_time() - began
    if len(reports) != (CALLS if observed else 0):
        raise SystemExit(f"{len(reports)} reports of {CALLS} calls")
    return spent


def main() -> None:
    """Prints both, and the ratio."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rounds = [(seconds(observed=False), seconds(observed=True)) for _ in range(ROUNDS)]
    without, best = (min(one[side] for one in rounds) for side in (0, 1))
    print(f"{CALLS} calls: {without:.3f} s of CPU without telemetry, {best:.3f} s with, ratio {best / without:.3f}")
    print(f"{(best - without) / CALLS * 1e3:.1f} ms of CPU a call")


if __name__ == "__main__":
    main()
