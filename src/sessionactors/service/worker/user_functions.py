"""The functions that a program gives to its worker, as types; and how its load is measured."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, cast

from sessionactors.model.errors import OptionError

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


async def measured(function: LoadFunction, server: AgentServer) -> float:
    """What a ``load_fnc`` measures, in a thread.

    Raises:
        OptionError: it is no load.
    """
    takes_server = bool(inspect.signature(function).parameters)
    given = await asyncio.to_thread(cast("Callable[..., float]", function), *((server,) if takes_server else ()))
    load = float(given)
    if not (math.isfinite(load) and load >= 0):
        raise OptionError(f"load_fnc must return a load >= 0, got {given!r}")
    return load
