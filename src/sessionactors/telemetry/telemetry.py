"""``Telemetry``: what users have observe their sessions. It sums up, traces, and reports each session at its close."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast

from sessionactors.model.errors import OptionError, SessionStateError
from sessionactors.model.events import ErrorEvent, PublicEvent
from sessionactors.model.interruption_events import AgentFalseInterruptionEvent
from sessionactors.runtime import ActorSystem
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.callbacks import Callbacks

from .life import Life, Reader
from .records import News
from .report import SessionReport, report_of
from .sums import Sums, added

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from prometheus_client import CollectorRegistry

VERSION: Final = version("sessionactors")

ReportCallback: TypeAlias = Callable[[SessionReport], object]
Userdata = TypeVar("Userdata")


class Telemetry:
    """Observes sessions: ``telemetry.observe(session)`` before it starts, or ``RoomSupervisor(telemetry=...)`` for all.

    One object observes as many sessions as it is given; two of them know nothing of each other. It changes nothing in a
    session and cannot slow it: what it is made of is what taps and public events tell anyway, read between two events.

    Args:
        tracer_provider: writes traces. None: OpenTelemetry's global one, if the program has set one; nothing is traced
            without it, or without the extra ``opentelemetry``.
        traces: False: nothing is traced.
        texts: have what was said, asked and answered in traces and reports too. Without it they have none of that.
        on_report: called with the :class:`SessionReport` of each session that is over, on its user's loop, before
            ``wait_closed()`` returns; it may be ``async``. What it raises is logged.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        traces: bool = True,
        texts: bool = False,
        on_report: ReportCallback | None = None,
    ) -> None:
        self._provider = tracer_provider
        self._traces = traces
        self._texts = texts
        self._on_report = on_report
        self._lock = threading.RLock()
        self._sums = Sums()
        self._lives: dict[Life, None] = {}
        """Of sessions that are open, in the order of their starts."""
        self._watched: weakref.WeakKeyDictionary[AgentSession[object], _Watched] = weakref.WeakKeyDictionary()
        self._callbacks = Callbacks()
        self._registry: CollectorRegistry | None = None

    # -- sessions ----------------------------------------------------------------------------------------------------

    def observe(self, session: AgentSession[Userdata]) -> None:
        """Observe a session from its start to its end; again, if it is started again. A second call does nothing.

        Raises:
            SessionStateError: it runs already.
        """
        observed = cast("AgentSession[object]", session)  # its userdata is not looked at
        if observed in self._watched:
            return
        watched = _Watched(self, observed)
        session.observe(watched)
        session.on_any(watched.note)
        self._watched[observed] = watched

    def report(self, session: AgentSession[Userdata]) -> SessionReport:
        """The report of an observed session as of now: while it runs, or after its end.

        Raises:
            SessionStateError: it is not observed, or has not been started.
        """
        watched = self._watched.get(cast("AgentSession[object]", session))
        if watched is None or watched.life is None:
            how = (
                "it has not been started" if watched is not None else "call telemetry.observe(session) before its start"
            )
            raise SessionStateError(f"report(): there is nothing to tell of the session: {how}")
        watched.life.read()
        with watched.life.lock:
            return report_of(watched.session, watched.life, texts=self._texts, version=VERSION)

    # -- figures -----------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[tuple[Sums, tuple[Life, ...]]]:
        """What all sessions came to until now, and those that are open; nothing of it changes meanwhile. Any thread."""
        for life in self.open_lives():
            life.read()
        with self._lock:
            yield self._sums, self.open_lives()

    def open_lives(self) -> tuple[Life, ...]:
        """The sessions that are not over."""
        with self._lock:
            return tuple(self._lives)

    @property
    def registry(self) -> CollectorRegistry:
        """Prometheus metrics, in a registry of their own. Register it elsewhere too, or serve it yourself.

        Raises:
            OptionError: the extra ``prometheus`` is not installed.
        """
        with self._lock:
            if self._registry is None:
                try:
                    from prometheus_client import CollectorRegistry

                    from .prometheus import SessionCollector
                except ModuleNotFoundError as missing:
                    raise OptionError(
                        f"metrics need {missing.name}: pip install 'sessionactors[prometheus]'"
                    ) from missing
                self._registry = CollectorRegistry(auto_describe=False)
                self._registry.register(SessionCollector(self))
            return self._registry

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics as a scraper wants them, and the content type of that. From any thread; takes milliseconds.

        Args:
            accept: the ``Accept`` header: OpenMetrics is given to those who ask for it.

        Raises:
            OptionError: the extra ``prometheus`` is not installed.
        """
        registry = self.registry
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    # -- what the observed tell --------------------------------------------------------------------------------------

    def _begins(self, system: ActorSystem, room: str) -> Life:
        life = Life(system, room, texts=self._texts, heed=self._heed, reader=self._trace(system, room))
        with self._lock:
            self._lives[life] = None
            self._sums.started += 1
        return life

    def _heed(self, news: News) -> None:
        with self._lock:
            self._sums.note(news)

    def _note(self, event: PublicEvent) -> None:
        match event:
            case ErrorEvent():
                with self._lock:
                    self._sums.note_error(event)
            case AgentFalseInterruptionEvent():
                with self._lock:
                    self._sums.false_interruptions += 1
            case _:
                pass

    def _ended(self, life: Life, session: AgentSession[object]) -> None:
        life.end()
        with self._lock:
            if life not in self._lives:
                return
            del self._lives[life]
            sums = self._sums
            sums.closed["start_failed" if life.close is None else life.close.reason.value] += 1
            sums.usage = added(sums.usage, life.usage)
            sums.restarts.update(life.restarts())
            sums.dead_letters += life.dead_letters
            sums.unread += life.unread
        if self._on_report is not None:
            report = report_of(session, life, texts=self._texts, version=VERSION)
            self._callbacks.call(f"on_report {life.room}", self._on_report, report)

    def _trace(self, system: ActorSystem, room: str) -> Reader | None:
        if not self._traces:
            return None
        try:
            from opentelemetry import trace

            from .traces import SessionTrace
        except ModuleNotFoundError as missing:
            if self._provider is not None:
                raise OptionError(
                    f"traces need {missing.name}: pip install 'sessionactors[opentelemetry]'"
                ) from missing
            return None
        provider = self._provider or trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            return None  # nobody has set one
        return SessionTrace(provider, VERSION, system.clock, room)


class _Watched:
    """One session, over all its lives."""

    def __init__(self, telemetry: Telemetry, session: AgentSession[object]) -> None:
        self._telemetry = telemetry
        self._session = weakref.ref(session)
        self.life: Life | None = None

    @property
    def session(self) -> AgentSession[object]:
        """The session; it is there whenever somebody asks, since it, or its owner, does."""
        session = self._session()
        if session is None:
            raise SessionStateError("the session is gone")
        return session

    def begins(self, system: ActorSystem, room: str) -> None:
        """It is about to start."""
        self.life = self._telemetry._begins(system, room)

    def note(self, event: PublicEvent) -> None:
        """It told something."""
        if self.life is not None:
            self.life.note(event)
            self._telemetry._note(event)

    def ended(self) -> None:
        """It is over."""
        if self.life is not None:
            self._telemetry._ended(self.life, self.session)
