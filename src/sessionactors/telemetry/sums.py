"""What all observed sessions came to: counts and distributions, without a word of who exports or shows them.

Filled by one :class:`.Telemetry`, under its lock. Labels are bounded: roles of actors, kinds, outcomes, providers and
models; never a room, a participant, a turn or the name of a tool that a model made up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from sessionactors.model.component_errors import ComponentError
from sessionactors.model.events import ErrorEvent
from sessionactors.model.metrics import Metadata
from sessionactors.model.usage import AgentSessionUsage, ModelUsage
from sessionactors.runtime import NS
from sessionactors.session.turn_latency import TurnLatency

from .distribution import Distribution
from .records import BargeIn, Call, Ended, News, Opened, Speech, ToolRun, Turn
from .roles import role_of

K = TypeVar("K")


@dataclass(slots=True)
class Sums:
    """Since the start of the process, or rather of its telemetry."""

    started: int = 0
    """Sessions."""
    closed: Counter[str] = field(default_factory=Counter)
    """Sessions, by :class:`.CloseReason`; ``start_failed`` for those that never listened."""
    turns: Counter[str] = field(default_factory=Counter)
    """Turns of users, ``spoken`` and ``typed``."""
    speeches: Counter[str] = field(default_factory=Counter)
    """``heard``, ``interrupted``, ``failed``, ``unheard``, and ``speculation`` for those prepared in vain."""
    false_interruptions: int = 0
    barge_in: dict[str, Distribution] = field(default_factory=dict)
    """Seconds to ``detection`` (voice to decision), of ``silence`` (decision to silence) and in ``total``."""
    latency: Distribution = field(default_factory=Distribution)
    """Seconds from the end of the user's speech to the first frame of the reply."""
    latency_parts: dict[tuple[str, str], Distribution] = field(default_factory=dict)
    """Seconds of a turn's latency, by :class:`.LatencyKind` and role. Those of one turn add up to its latency."""
    calls: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Requests to providers by kind, provider, model and outcome."""
    first_answer: dict[str, Distribution] = field(default_factory=dict)
    """Seconds from a request to the first of its answer, by kind."""
    tools: Counter[str] = field(default_factory=Counter)
    """Calls of tools by outcome."""
    errors: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    """By source (a component, or the role of an actor), class, and whether the session could go on by itself."""
    usage: AgentSessionUsage = field(default_factory=AgentSessionUsage)
    """Of sessions that are over."""
    restarts: Counter[str] = field(default_factory=Counter)
    """Of actors of sessions that are over, by role."""
    dead_letters: int = 0
    """Of sessions that are over."""
    unread: int = 0
    """Deliveries that were not read in time: figures may lack a turn."""

    def note(self, news: News) -> None:
        """Count what an account has made out."""
        match news:
            case Ended(record):
                self._note_end(record)
            case BargeIn(detection=detection, silence=silence):
                if detection is not None and silence is not None:
                    for part, seconds in (
                        ("detection", detection),
                        ("silence", silence),
                        ("total", detection + silence),
                    ):
                        _at(self.barge_in, part).add(seconds)
            case TurnLatency():
                self.latency.add(news.total)
                parts: Counter[tuple[str, str]] = Counter()
                for stretch in news.parts:
                    parts[stretch.kind.value, role_of(f"-/{stretch.actor}")] += stretch.nanoseconds
                for key, nanoseconds in parts.items():
                    _at(self.latency_parts, key).add(nanoseconds / NS)
            case Opened():
                pass

    def _note_end(self, record: Turn | Speech | Call | ToolRun) -> None:
        match record:
            case Turn(typed=typed):
                self.turns["typed" if typed else "spoken"] += 1
            case Speech():
                self.speeches[how_it_ended(record)] += 1
            case Call(kind=kind):
                who = made_by(record)
                provider, model = who.model_provider or "", who.model_name or ""
                self.calls[kind, provider, model, record.outcome] += 1
                if record.first_at is not None:
                    _at(self.first_answer, kind).add((record.first_at - record.began_at) / NS)
            case ToolRun(outcome=outcome):
                self.tools[outcome] += 1

    def note_error(self, event: ErrorEvent) -> None:
        """Count an error."""
        self.errors[source_of(event), kind_of(event.error), event.recoverable] += 1


def how_it_ended(speech: Speech) -> str:
    """In one word."""
    if not speech.scheduled:
        return "speculation"
    if speech.error:
        return "failed"
    if speech.interrupted:
        return "interrupted"
    return "unheard" if speech.audible_at is None else "heard"


def made_by(call: Call) -> Metadata:
    """Provider and model of a call."""
    return (call.metrics and call.metrics.metadata) or Metadata()


def source_of(event: ErrorEvent) -> str:
    """The component, hook or role that an error is about: an actor's path has the room's name in it."""
    return role_of(event.source) if "/" in event.source else event.source


def kind_of(error: BaseException) -> str:
    """The class of an error; of a provider's, that of its cause."""
    return type(error.error if isinstance(error, ComponentError) else error).__name__


def added(one: AgentSessionUsage, other: AgentSessionUsage) -> AgentSessionUsage:
    """What both sessions have used together."""
    sums = {_of(usage): usage for usage in one.model_usage}
    for usage in other.model_usage:
        before = sums.get(_of(usage))
        sums[_of(usage)] = usage if before is None else _both(before, usage)
    return AgentSessionUsage(tuple(sums.values()))


def _of(usage: ModelUsage) -> tuple[str, str, str]:
    return usage.type, usage.provider, usage.model


def _both(one: ModelUsage, other: ModelUsage) -> ModelUsage:
    names = [one_field.name for one_field in fields(one) if one_field.name not in ("provider", "model", "type")]
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in names})


def _at(distributions: dict[K, Distribution], key: K) -> Distribution:
    if key not in distributions:
        distributions[key] = Distribution()
    return distributions[key]
