"""Events as lines of text, as docs/events.md shows them."""

from __future__ import annotations

from sessionactors import (
    AgentFalseInterruptionEvent,
    AgentHandoff,
    AgentStateChangedEvent,
    CloseEvent,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
    MetricsCollectedEvent,
    SpeechCreatedEvent,
    ToolExecutionUpdatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    VADMetrics,
)
from sessionactors.model.events import PublicEvent
from sessionactors.testing import Run


def line_of(event: PublicEvent) -> str:
    """One line for an event."""
    detail = ""
    match event:
        case AgentStateChangedEvent() | UserStateChangedEvent():
            detail = f"{event.old_state} -> {event.new_state}"
        case UserInputTranscribedEvent():
            detail = "final" if event.is_final else "interim"
        case ConversationItemAddedEvent(item):
            detail = "handoff" if isinstance(item, AgentHandoff) else item.role
            detail += ", interrupted" if getattr(item, "interrupted", False) else ""
        case SpeechCreatedEvent():
            detail = event.source
        case FunctionToolsExecutedEvent():
            detail = ", ".join(call.name for call in event.function_calls)
        case ToolExecutionUpdatedEvent(update):
            detail = update.type
        case AgentFalseInterruptionEvent():
            detail = f"resumed={event.resumed}"
        case MetricsCollectedEvent(metrics):
            detail = metrics.type
        case CloseEvent():
            detail = event.reason.value
        case _:
            pass
    return f"{event.type}: {detail}" if detail else event.type


def lines_of(run: Run) -> list[str]:
    """The events of a run, in order, but for the figures that come every second."""
    return [line_of(timed.event) for timed in run.events if not _comes_every_second(timed.event)]


def _comes_every_second(event: PublicEvent) -> bool:
    return isinstance(event, MetricsCollectedEvent) and isinstance(event.metrics, VADMetrics)
