"""Jobs that no server has given: of the console, of tests, and of ``AgentServer.simulate_job``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from .messages import JobAcceptArguments, RunningJobInfo

if TYPE_CHECKING:
    from livekit.protocol import models


def local_job(
    room_name: str,
    *,
    fake: bool = True,
    identity: str = "",
    room: models.Room | None = None,
    url: str = "",
    token: str = "",
    worker_id: str = "",
) -> RunningJobInfo:
    """A job for a room.

    Args:
        room_name: its name, if ``room`` is not given.
        fake: there is no room at any server.
        identity: the agent's; made up if empty.
        room: as the server describes it.
        url: the server's.
        token: lets the agent in.
        worker_id: of the worker that runs it.

    Raises:
        ImportError: the extra ``livekit-worker`` is not installed.
    """
    try:
        from livekit.protocol import agent, models
    except ImportError as missing:
        raise ImportError(
            "a job is described in LiveKit's protocol: pip install 'sessionactors[livekit-worker]'"
        ) from missing

    job = agent.Job(
        id=f"{'mock-job' if fake else 'job'}-{secrets.token_hex(6)}",
        room=room or models.Room(sid=f"SRM_{secrets.token_hex(6)}", name=room_name),
        type=agent.JobType.JT_ROOM,
    )
    arguments = JobAcceptArguments(name="", identity=identity or f"fake-agent-{secrets.token_hex(6)}", metadata="")
    return RunningJobInfo(arguments, job, url, token, worker_id, fake_job=fake, local=True)
