"""The report of a session, as values and as JSON: what a service keeps of a call when it is over.

Its shape is versioned; ``docs/session-report.schema.json`` is its schema. Moments are seconds since the epoch on a
clock that does not jump, durations are seconds. What was said is in it only if texts were asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Final, Literal

from sessionactors.model.options import APIConnectOptions
from sessionactors.model.sentinel import NotGiven
from sessionactors.model.usage import AgentSessionUsage
from sessionactors.runtime import NS, Clock, CloseReport
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.session_options import AgentSessionOptions

from .distribution import percentile
from .life import Life
from .records import Call, Speech, ToolRun, Turn
from .sums import how_it_ended, made_by

VERSION: Final = 1
"""Raised when a field changes its meaning or goes away; new fields do not raise it."""


@dataclass(frozen=True, slots=True)
class ReportedTurn:
    """One turn of the user."""

    id: str
    typed: bool
    participant: str
    began_at: float
    committed_at: float
    stopped_at: float | None
    """The user's voice ended."""
    speech: str
    """The speech that answers it; empty: none."""
    interrupted: str
    """The speech that it cut off; empty: none."""
    latency: float | None
    """Seconds from the end of the user's speech to the first frame of the reply; None: there was none."""
    latency_parts: dict[str, float]
    """Its parts, by whose time it was: queue, handler, provider, timer, user, outside. They add up."""
    text: str


@dataclass(frozen=True, slots=True)
class ReportedCall:
    """One request to a model, or one segment that a voice spoke."""

    kind: str
    """``llm``, ``tts`` or ``realtime``."""
    id: str
    provider: str
    model: str
    began_at: float
    duration: float
    first_answer: float | None
    """Seconds to the first of the answer."""
    outcome: str
    """``done``, ``failed`` or ``cancelled``; ``open`` while it goes on."""
    error: str


@dataclass(frozen=True, slots=True)
class ReportedTool:
    """One call of a tool."""

    call_id: str
    name: str
    speech: str
    asked_at: float
    duration: float
    outcome: str
    arguments: str
    output: str


@dataclass(frozen=True, slots=True)
class ReportedSpeech:
    """One thing that the agent said."""

    id: str
    turn: str
    source: str
    agent: str
    began_at: float
    audible_at: float | None
    ended_at: float | None
    outcome: str
    """``heard``, ``interrupted``, ``failed``, ``unheard`` or ``speculation``."""
    error: str
    calls: list[ReportedCall]
    text: str


@dataclass(frozen=True, slots=True)
class ReportedBargeIn:
    """A speech was cut off."""

    speech: str
    at: float
    """When the user's voice set in, or the call was made."""
    detection: float | None
    """Seconds from there to the decision."""
    silence: float | None
    """Seconds from the decision to silence."""
    heard: float | None
    """Seconds of the segment that were heard."""


@dataclass(frozen=True, slots=True)
class ReportedError:
    """An error that the session told of."""

    at: float
    source: str
    kind: str
    message: str
    recoverable: bool


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """What a listener noticed."""

    turn_p50: float | None
    turn_p95: float | None
    barge_in_p50: float | None
    """Voice to silence."""
    barge_in_p95: float | None


@dataclass(frozen=True, slots=True)
class ReportedJob:
    """The job that it ran in, on a worker of LiveKit's."""

    job_id: str
    room_id: str
    agent_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """All of a session."""

    room: str
    started_at: float
    ended_at: float | None
    """None: it goes on."""
    duration: float
    close_reason: str | None
    """A value of :class:`.CloseReason`; None while it goes on, or if it never started."""
    close_error: str
    """The class of the error that ended it."""
    abandoned: dict[str, str]
    """Actors that did not end in time, and what they were doing."""
    agent: str
    """Who was in charge last."""
    user_turns: int
    latency: LatencySummary
    turns: list[ReportedTurn]
    speeches: list[ReportedSpeech]
    tools: list[ReportedTool]
    interruptions: list[ReportedBargeIn]
    false_interruptions: int
    errors: list[ReportedError]
    """The last ones."""
    error_count: int
    restarts: dict[str, int]
    """By role of the actor."""
    dead_letters: int
    usage: list[dict[str, str | int | float]]
    """One entry for each model of each provider, with its ``type``."""
    options: dict[str, object]
    left_out: int
    """Turns and speeches that were too many to be kept."""
    chat_history: list[dict[str, object]] | None
    """None: texts were not asked for."""
    job: ReportedJob | None = None
    sdk_version: str = ""
    timestamp: float = 0.0
    """When the report was made."""
    tags: list[str] = field(default_factory=list)
    """Whatever the service wants to find it by."""
    version: Literal[1] = VERSION

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def report_of(session: AgentSession[object], life: Life, *, texts: bool, version: str) -> SessionReport:
    """The report of a session, as of now.

    Args:
        session: which.
        life: what was observed of it.
        texts: with what was said.
        version: of this package.
    """
    clock, account = life.system.clock, life.account
    ended = life.ended_at
    now = clock.now()
    cut = [
        each.detection + each.silence
        for each in account.barge_ins
        if each.detection is not None and each.silence is not None
    ]
    totals = [turn.latency.total for turn in account.turns if turn.latency is not None]
    close = life.close
    return SessionReport(
        room=life.room,
        started_at=clock.wall(life.began_at),
        ended_at=None if ended is None else clock.wall(ended),
        duration=((now if ended is None else ended) - life.began_at) / NS,
        close_reason=None if close is None else close.reason.value,
        close_error="" if close is None or close.error is None else type(close.error).__name__,
        abandoned=_abandoned(session.close_report),
        agent=session.current_agent.id,
        user_turns=len(account.turns),
        latency=LatencySummary(
            percentile(totals, 0.5), percentile(totals, 0.95), percentile(cut, 0.5), percentile(cut, 0.95)
        ),
        turns=[_turn(turn, clock) for turn in account.turns],
        speeches=[_speech(speech, clock) for speech in account.speeches],
        tools=[_tool(tool, clock) for tool in account.tools],
        interruptions=[
            ReportedBargeIn(each.speech, clock.wall(each.wanted_at), each.detection, each.silence, each.heard)
            for each in account.barge_ins
        ],
        false_interruptions=life.false_interruptions,
        errors=[ReportedError(each.at, each.source, each.kind, each.message, each.recoverable) for each in life.errors],
        error_count=life.error_count,
        restarts=dict(life.restarts()),
        dead_letters=life.dead_letters,
        usage=_usage(life.usage),
        options=options_of(session.options),
        left_out=account.left_out,
        chat_history=session.history.to_dict(exclude_timestamp=False)["items"] if texts else None,
        sdk_version=version,
        timestamp=clock.wall(now),
    )


def options_of(options: AgentSessionOptions) -> dict[str, object]:
    """The options that plain values can say; detectors, filters and the like by their type."""
    resolved = options.resolved
    values = {one.name: getattr(resolved, one.name) for one in fields(resolved)}
    return {name: _plain(value) for name, value in values.items() if not isinstance(value, NotGiven)}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(content) for key, content in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(str(_plain(content)) for content in value)
    if isinstance(value, list | tuple):
        return [_plain(content) for content in value]
    if isinstance(value, APIConnectOptions):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return getattr(value, "__name__", None) or type(value).__name__


def _usage(usage: AgentSessionUsage) -> list[dict[str, str | int | float]]:
    return [asdict(one) for one in usage.model_usage]


def _abandoned(report: CloseReport | None) -> dict[str, str]:
    return {} if report is None else dict(report.abandoned)


def _turn(turn: Turn, clock: Clock) -> ReportedTurn:
    latency = turn.latency
    return ReportedTurn(
        id=turn.id,
        typed=turn.typed,
        participant=turn.participant,
        began_at=clock.wall(turn.began_at),
        committed_at=clock.wall(turn.committed_at),
        stopped_at=_moment(turn.stopped_at, clock),
        speech=turn.speech,
        interrupted=turn.interrupts,
        latency=None if latency is None else latency.total,
        latency_parts={} if latency is None else dict(latency.by_kind),
        text=turn.text,
    )


def _speech(speech: Speech, clock: Clock) -> ReportedSpeech:
    return ReportedSpeech(
        id=speech.id,
        turn=speech.turn,
        source=speech.source,
        agent=speech.agent,
        began_at=clock.wall(speech.began_at),
        audible_at=_moment(speech.audible_at, clock),
        ended_at=_moment(speech.ended_at, clock),
        outcome=how_it_ended(speech) if speech.ended_at is not None else "open",
        error=speech.error,
        calls=[_call(call, clock) for call in speech.calls],
        text=speech.text,
    )


def _call(call: Call, clock: Clock) -> ReportedCall:
    who = made_by(call)
    return ReportedCall(
        kind=call.kind,
        id=call.id,
        provider=who.model_provider or "",
        model=who.model_name or "",
        began_at=clock.wall(call.began_at),
        duration=_seconds(call.began_at, call.ended_at, clock),
        first_answer=None if call.first_at is None else (call.first_at - call.began_at) / NS,
        outcome=call.outcome,
        error=call.error,
    )


def _tool(tool: ToolRun, clock: Clock) -> ReportedTool:
    return ReportedTool(
        call_id=tool.call_id,
        name=tool.name,
        speech=tool.speech,
        asked_at=clock.wall(tool.asked_at),
        duration=_seconds(tool.asked_at, tool.ended_at, clock),
        outcome=tool.outcome,
        arguments=tool.arguments,
        output=tool.output,
    )


def _moment(at: int | None, clock: Clock) -> float | None:
    return None if at is None else clock.wall(at)


def _seconds(began: int, ended: int | None, clock: Clock) -> float:
    return ((clock.now() if ended is None else ended) - began) / NS
