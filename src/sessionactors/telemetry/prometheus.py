"""Sums as Prometheus metrics: read when somebody scrapes, so that a call pays nothing for them.

Series are bounded by what the package, its configuration and its providers are, never by rooms or callers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sessionactors.model.usage import AgentSessionUsage, LLMModelUsage, STTModelUsage, TTSModelUsage
from sessionactors.runtime.watchdog import LATENESS_BOUNDS

from .distribution import Distribution
from .life import Life, Waiting
from .sums import Sums, added

if TYPE_CHECKING:
    from .telemetry import Telemetry

LabelsT = TypeVar("LabelsT", bound=tuple[str, ...])

PREFIX: Final = "sessionactors_"


class SessionCollector(Collector):
    """Collects what one :class:`.Telemetry` knows, when it is asked.

    Args:
        telemetry: whose sums and sessions.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is shows when it is collected, and registering reads no session."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics as of now."""
        with self._telemetry.reading() as (sums, lives):  # not while they are written, which may take long, or stop
            found = [*_sessions(sums, lives), *_conversation(sums), *_work(sums, lives), *_actors(sums, lives)]
        yield from found


def _sessions(sums: Sums, lives: Collection[Life]) -> Iterator[Metric]:
    yield _gauge("sessions_open", "Sessions that start, talk or close.", {(): len(lives)})
    yield _counter("sessions_started", "Sessions that were started.", {(): sums.started})
    yield _counter(
        "sessions_closed",
        "Sessions that are over, by reason.",
        {(why,): n for why, n in sums.closed.items()},
        ["reason"],
    )
    errors = {
        (source, kind, str(recoverable).lower()): count for (source, kind, recoverable), count in sums.errors.items()
    }
    yield _counter(
        "errors",
        "Errors that sessions told of, by component, hook or role, and by class.",
        errors,
        ["source", "kind", "recoverable"],
    )


def _conversation(sums: Sums) -> Iterator[Metric]:
    yield _counter("turns", "Turns of users.", {(kind,): n for kind, n in sums.turns.items()}, ["kind"])
    yield _counter(
        "speeches",
        "Speeches of agents, by how they ended.",
        {(how,): n for how, n in sums.speeches.items()},
        ["outcome"],
    )
    yield _counter(
        "false_interruptions", "Speeches that a user's voice paused for nothing.", {(): sums.false_interruptions}
    )
    yield _histogram(
        "barge_in_seconds",
        "How fast a speech was cut off: from voice to decision, from there to silence, and both together.",
        {(part,): measured for part, measured in sums.barge_in.items()},
        ["part"],
    )
    yield _histogram(
        "turn_latency_seconds", "From the end of the user's speech to the first frame of the reply.", {(): sums.latency}
    )
    yield _histogram(
        "turn_latency_part_seconds",
        "The parts of the same: whose time it was. The parts of a turn add up to its latency.",
        sums.latency_parts,
        ["kind", "actor"],
    )


def _work(sums: Sums, lives: Iterable[Life]) -> Iterator[Metric]:
    yield _counter(
        "provider_calls",
        "Requests to models and voices, retries included.",
        sums.calls,
        ["kind", "provider", "model", "outcome"],
    )
    yield _histogram(
        "first_answer_seconds",
        "From a request to the first of its answer.",
        {(kind,): measured for kind, measured in sums.first_answer.items()},
        ["kind"],
    )
    yield _counter("tool_calls", "Calls of tools.", {(outcome,): n for outcome, n in sums.tools.items()}, ["outcome"])
    usage = sums.usage
    for life in lives:
        usage = added(usage, life.usage)
    tokens, characters, audio = used(usage)
    yield _counter(
        "usage_tokens", "Tokens, as providers count them.", tokens, ["kind", "provider", "model", "direction"]
    )
    yield _counter("usage_characters", "Characters that voices were given.", characters, ["provider", "model"])
    yield _counter("usage_audio_seconds", "Audio that was heard or spoken.", audio, ["kind", "provider", "model"])


def _actors(sums: Sums, lives: Collection[Life]) -> Iterator[Metric]:
    waiting: dict[str, Waiting] = {}
    restarts = sums.restarts.copy()
    for life in lives:
        life.waiting(waiting)
        restarts.update(life.restarts())
    yield _gauge(
        "actors", "Actors that live, by role.", {(role,): of_role.actors for role, of_role in waiting.items()}, ["role"]
    )
    depths = {(role, "control"): of_role.control for role, of_role in waiting.items()}
    depths |= {(role, "data"): of_role.data for role, of_role in waiting.items()}
    yield _gauge(
        "mailbox_depth", "Messages that wait in the mailboxes of all actors of a role.", depths, ["role", "lane"]
    )
    yield _gauge(
        "mailbox_oldest_seconds",
        "Age of the oldest message that waits for an actor of a role.",
        {(role,): of_role.oldest for role, of_role in waiting.items()},
        ["role"],
    )
    yield _counter("restarts", "Restarts of actors.", {(role,): n for role, n in restarts.items()}, ["role"])
    dead = sums.dead_letters + sum(life.dead_letters for life in lives)
    yield _counter("dead_letters", "Messages that nobody took.", {(): dead})
    unread = sums.unread + sum(life.unread for life in lives)
    yield _counter("unread_deliveries", "Deliveries that came faster than telemetry read them.", {(): unread})
    yield _lateness(lives)


def used(usage: AgentSessionUsage) -> tuple[dict[tuple[str, ...], float], ...]:
    """Tokens, characters and seconds of audio, each by its labels."""
    tokens: dict[tuple[str, ...], float] = {}
    characters: dict[tuple[str, ...], float] = {}
    audio: dict[tuple[str, ...], float] = {}
    for one in usage.model_usage:
        who = one.provider, one.model
        match one:
            case LLMModelUsage():
                tokens["llm", *who, "input"] = one.input_tokens
                tokens["llm", *who, "input_cached"] = one.input_cached_tokens
                tokens["llm", *who, "output"] = one.output_tokens
            case TTSModelUsage():
                characters[who] = one.characters_count
                audio["tts", *who] = one.audio_duration
                tokens["tts", *who, "input"] = one.input_tokens
                tokens["tts", *who, "output"] = one.output_tokens
            case STTModelUsage():
                audio["stt", *who] = one.audio_duration
                tokens["stt", *who, "input"] = one.input_tokens
                tokens["stt", *who, "output"] = one.output_tokens
            case _:
                pass
    return {key: count for key, count in tokens.items() if count}, characters, audio


def _lateness(lives: Iterable[Life]) -> Metric:
    """Of loops, not of sessions: many sessions share them."""
    systems = {id(life.system): life.system for life in lives}
    found: dict[str, tuple[list[int], float]] = {}
    for system in systems.values():
        with suppress(AttributeError):  # its watchdog ends just now
            for loop, late in system.watchdog.lateness().items():  # type: ignore[union-attr]
                counts, seconds = found.get(loop, ([0] * len(late.counts), 0.0))
                found[loop] = [a + b for a, b in zip(counts, late.counts, strict=True)], seconds + late.seconds
    family = HistogramMetricFamily(
        f"{PREFIX}loop_lateness_seconds", "How late loops are, asked ten times a second.", labels=["loop"]
    )
    for loop, (counts, seconds) in found.items():
        measured = Distribution(LATENESS_BOUNDS)
        measured.counts, measured.total = counts, seconds
        family.add_metric([loop], measured.cumulative(), seconds)
    return family


def _gauge(name: str, text: str, values: Mapping[LabelsT, float], labels: Collection[str] = ()) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, text, labels=list(labels))
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _counter(
    name: str, text: str, values: Mapping[LabelsT, float], labels: Collection[str] = ()
) -> CounterMetricFamily:
    family = CounterMetricFamily(PREFIX + name, text, labels=list(labels))
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _histogram(
    name: str, text: str, values: Mapping[LabelsT, Distribution], labels: Collection[str] = ()
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(PREFIX + name, text, labels=list(labels))
    for key, measured in values.items():
        family.add_metric(list(key), measured.cumulative(), measured.total)
    return family
