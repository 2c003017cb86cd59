"""What a job has of its worker's telemetry: its sessions are observed, and it can ask for their reports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionactors.model.errors import SessionStateError
from sessionactors.session.agent_session import AgentSession
from sessionactors.telemetry import SessionReport, Telemetry
from sessionactors.telemetry.report import ReportedJob

if TYPE_CHECKING:
    from livekit.protocol import agent


class JobReports:
    """The part of :class:`.JobContext` that reports its sessions."""

    @property
    def job(self) -> agent.Job:
        """The job."""
        raise NotImplementedError

    @property
    def primary_session(self) -> AgentSession[object]:
        """The first session that was started."""
        raise NotImplementedError

    telemetry: Telemetry | None
    """The worker's, which observes the sessions of all its jobs; None: it has none."""

    def _observe(self, session: AgentSession[object]) -> None:
        if self.telemetry is not None:
            self.telemetry.observe(session)

    def make_session_report(self, session: AgentSession[object] | None = None) -> SessionReport:
        """The report of a session of this job as of now; the place to ask is ``on_session_end``.

        Args:
            session: None: the first that was started.

        Raises:
            SessionStateError: there is no session, or the worker has no telemetry.
        """
        if self.telemetry is None:
            raise SessionStateError(
                "make_session_report(): nobody observes this job: AgentServer(telemetry=Telemetry(texts=True)) does"
            )
        report = self.telemetry.report(session or self.primary_session)
        job = ReportedJob(self.job.id, self.job.room.sid, self.job.agent_name)
        return replace(report, job=job)
