"""Conversations that telemetry's tests observe, and what they came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sessionactors import Agent, SessionReport, Telemetry, function_tool
from sessionactors.testing import Run, Scenario

from tests.session.talks import played

FRAME_MS = 100
"""Of audio: fewer messages than with 20, and the same conversation."""


class Forecaster(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Be kind.")

    @function_tool
    async def weather(self, city: str) -> str:
        """Tell the weather."""
        return f"sunny in {city}"


def with_tool(**options: Any) -> Scenario:
    """The user asks from 0.5 to 1.5 s; a tool is called, and its result told."""
    scenario = Scenario(Forecaster(), **options)
    scenario.user_says("And the weather?", at=0.5, until=1.5)
    scenario.llm_replies(tool_calls=[("weather", '{"city": "Paris"}')])
    scenario.llm_replies("It is sunny.")
    scenario.tts_speaks(duration=1.0)
    return scenario


@dataclass
class Observed:
    """What was observed."""

    telemetry: Telemetry
    run: Run
    spans: list[ReadableSpan]
    reports: list[SessionReport] = field(default_factory=list)

    def span(self, name: str, nth: int = 0) -> ReadableSpan:
        found = sorted((span for span in self.spans if span.name == name), key=lambda span: span.start_time or 0)
        return found[nth]

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Samples by name and labels' values, in the order of the labels' names."""
        families = self.telemetry.registry.collect()
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }


@cache
def observed(make: Callable[..., Scenario], *, texts: bool = False, seed: int | None = None) -> Observed:
    """Play what ``make(telemetry=..., frame_ms=...)`` gives, with every promise checked; once for all tests."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    reports: list[SessionReport] = []
    telemetry = Telemetry(tracer_provider=provider, texts=texts, on_report=reports.append)
    run = played(make(telemetry=telemetry, frame_ms=FRAME_MS), seed)
    return Observed(telemetry, run, list(exporter.get_finished_spans()), reports)
