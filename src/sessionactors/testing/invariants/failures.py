"""Actors and providers that fail: P12, P13."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sessionactors.messages.llm import (
    AttemptEnded,
    CancelGeneration,
    ChunkArrived,
    GenerateText,
    GenerationDone,
    GenerationFailed,
    TextDelta,
)
from sessionactors.messages.session import ComponentFailed, ComponentStumbled
from sessionactors.messages.tts import SynthesisEnded
from sessionactors.model.component_errors import ComponentError
from sessionactors.model.events import CloseEvent, CloseReason
from sessionactors.testing.scenario_run import Run

from .broken import Broken


def no_handler_fails(run: Run) -> Iterator[Broken]:
    """Handlers raise only where the script says so."""
    for delivery in run.deliveries:
        if delivery.outcome == "failed" and not run.killed:
            yield Broken(
                "P12", f"{delivery.target} failed at {type(delivery.message).__name__} #{delivery.id}", delivery.id
            )


EXPENDABLE = frozenset({"input", "vad", "stt", "llm", "tts", "tools", "output"})
"""Actors that may die at any message without harm to the call."""


def p12_restart_not_hang_up(run: Run) -> Iterator[Broken]:
    """One death of an actor that may die ends no call."""
    dead = run.killed[0].rpartition("/")[2] if len(run.killed) == 1 else ""
    if dead not in EXPENDABLE or any(delivery.outcome == "failed" for delivery in run.deliveries):
        return
    failed = bool(run.told(ComponentFailed))
    for close in run.of(CloseEvent):
        if close.reason is CloseReason.ERROR and not failed:
            yield Broken("P12", f"{dead} was killed once, and the call ended with {close.error!r}")


def p13_providers_fail_safely(run: Run) -> Iterator[Broken]:
    """Each failure of a provider is a typed event; each request has one end; retries stay within one budget."""
    failures: Counter[tuple[str, bool]] = Counter()
    for failed in run.told(ComponentFailed, run.room):
        failures[failed.component, False] += 1
    for stumbled in run.told(ComponentStumbled, run.room):
        failures[stumbled.component, True] += 1
    events = Counter((event.source, event.recoverable) for event in run.errors)
    for (component, recoverable), count in failures.items():
        if events[component, recoverable] < count and not run.close_asked:
            yield Broken("P13", f"{component} failed {count} times, {events[component, recoverable]} events tell of it")
    for event in run.errors:
        if (event.source, event.recoverable) in failures and not isinstance(event.error, ComponentError):
            yield Broken("P13", f"the failure of {event.source} is told as {type(event.error).__name__}")
    yield from _requests_end_once(run)
    yield from _one_budget(run)


def _requests_end_once(run: Run) -> Iterator[Broken]:
    if not run.settled or run.killed or run.realtime is not None:
        return
    asked = Counter(order.request for order in run.told(GenerateText, "llm"))
    given_up = {order.request for order in run.told(CancelGeneration, "llm")}
    ends: tuple[GenerationDone | GenerationFailed, ...] = (*run.told(GenerationDone), *run.told(GenerationFailed))
    ended = Counter(end.request for end in ends)
    for request in asked:
        if ended[request] > 1 or (ended[request] == 0 and request not in given_up):
            yield Broken("P13", f"{request} was asked of the model and has {ended[request]} ends")


def _one_budget(run: Run) -> Iterator[Broken]:
    """Attempts of one request, or one segment, that failed."""
    tried = Counter(end.request for end in run.told(AttemptEnded) if end.error is not None)
    tried.update(end.segment for end in run.told(SynthesisEnded) if end.error is not None)
    for what, attempts in tried.items():
        if attempts > 1 + run.max_retry + len(run.killed):
            yield Broken("P13", f"{what} was tried {attempts} times, its budget is {1 + run.max_retry}")


def p13_nothing_is_said_by_two_attempts(run: Run) -> Iterator[Broken]:
    """Once an attempt has brought text, no other attempt of its request does: nobody hears two halves."""
    chunks = {
        delivery.id: (delivery.message.request, delivery.message.attempt)
        for delivery in run.handled(ChunkArrived)
        if isinstance(delivery.message, ChunkArrived)
    }
    released: dict[str, dict[int, int]] = {}
    for delivery in run.handled(TextDelta):
        if delivery.cause in chunks:
            request, attempt = chunks[delivery.cause]
            released.setdefault(request, {}).setdefault(attempt, delivery.id)
    for request, attempts in released.items():
        if len(attempts) > 1:
            yield Broken(
                "P13", f"attempts {sorted(attempts)} of {request} all brought text", sorted(attempts.values())[1]
            )
