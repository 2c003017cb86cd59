"""``JobRequest``: what ``request_fnc`` looks at, and says yes or no to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from sessionactors.model.errors import SessionStateError

from .errors import AssignmentTimeoutError
from .messages import AssignmentNews, JobAcceptArguments, NotAssigned, RequestAccepted, RequestRejected

if TYPE_CHECKING:
    from livekit.protocol import agent, models


class JobRequest:
    """A job that the server offers. Made by the worker.

    Args:
        job: as the server describes it.
        tell: tells the worker the answer.
        news: of the job, once it is accepted.
    """

    def __init__(
        self,
        job: agent.Job,
        tell: Callable[[RequestAccepted | RequestRejected], Awaitable[None]],
        news: AsyncIterator[AssignmentNews],
    ) -> None:
        self._job = job
        self._tell = tell
        self._news = news
        self._said = ""
        self.rejected_for_all = False
        """It was rejected, and nobody else is to be asked."""

    @property
    def id(self) -> str:
        """The job's."""
        return self._job.id

    @property
    def job(self) -> agent.Job:
        """The job, as the server describes it. Not to be changed."""
        return self._job

    @property
    def room(self) -> models.Room:
        """The room it is for."""
        return self._job.room

    @property
    def publisher(self) -> models.ParticipantInfo | None:
        """Who publishes, for a worker of type ``PUBLISHER``."""
        return self._job.participant if self._job.HasField("participant") else None

    @property
    def agent_name(self) -> str:
        """The agent that was asked for; empty: any."""
        return self._job.agent_name

    async def accept(
        self, *, name: str = "", identity: str = "", metadata: str = "", attributes: Mapping[str, str] | None = None
    ) -> None:
        """Take the job; returns when the server has given it and it runs.

        Args:
            name: the agent's, as participants see it.
            identity: the agent's in the room; ``agent-<job id>`` if empty.
            metadata: the agent's.
            attributes: the agent's.

        Raises:
            AssignmentTimeoutError: the server gave it to somebody else, or to nobody, or was lost.
            SessionStateError: it was accepted or rejected before, or ``request_fnc`` has returned.
        """
        self._say("accepted")
        defaults = self.default_arguments(self.id)
        arguments = JobAcceptArguments(name, identity or defaults.identity, metadata, attributes)
        await self._tell(RequestAccepted(self.id, arguments))
        async for news in self._news:
            if isinstance(news, NotAssigned):
                raise AssignmentTimeoutError(news.why)
            return

    async def reject(self, *, terminate: bool = True) -> None:
        """Do not take the job.

        Args:
            terminate: nobody else is asked either.

        Raises:
            SessionStateError: it was accepted or rejected before, or ``request_fnc`` has returned.
        """
        self._say("rejected")
        self.rejected_for_all = terminate
        await self._tell(RequestRejected(self.id, terminate))

    @staticmethod
    def default_arguments(job_id: str) -> JobAcceptArguments:
        """How an agent appears if nobody says anything else."""
        return JobAcceptArguments(name="", identity=f"agent-{job_id}", metadata="")

    def over(self) -> None:
        """For the worker: ``request_fnc`` has returned."""
        self._said = self._said or "answered by silence, as request_fnc has returned,"

    def _say(self, what: str) -> None:
        if self._said:
            raise SessionStateError(f"job {self.id} was {self._said} already")
        self._said = what

    def __repr__(self) -> str:
        return f"<JobRequest {self.id} room {self.room.name!r}>"
