"""The functions that a program gives to its worker, as types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .agent_server import AgentServer
    from .job_context import JobContext
    from .job_process import JobProcess
    from .job_request import JobRequest

EntryPoint: TypeAlias = "Callable[[JobContext], Awaitable[None]]"
"""Serves one job."""
RequestFunction: TypeAlias = "Callable[[JobRequest], Awaitable[None]]"
"""Accepts or rejects a job that is offered."""
SetupFunction: TypeAlias = "Callable[[JobProcess], object]"
"""Prepares what all jobs share; plain or ``async``."""
LoadFunction: TypeAlias = "Callable[[AgentServer], float] | Callable[[], float]"
"""Measures the load, 0 to 1."""
SessionEndFunction: TypeAlias = "Callable[[JobContext], object]"
"""Called when the session of a job is over; plain or ``async``."""
