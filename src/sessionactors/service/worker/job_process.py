"""``JobProcess``: what all jobs of a worker share."""

from __future__ import annotations

import asyncio
import inspect
import os

from sessionactors.model.errors import SessionStateError

from .options import JobExecutorType
from .user_functions import SetupFunction


class JobProcess:
    """The process that jobs run in: this one. ``setup_fnc`` is given it, and each job has it as ``ctx.proc``.

    Args:
        user_arguments: anything, for who simulates jobs.
        http_proxy: of the connection to the server.
    """

    def __init__(self, *, user_arguments: object = None, http_proxy: str | None = None) -> None:
        self._userdata: dict[object, object] = {}
        self._user_arguments = user_arguments
        self._http_proxy = http_proxy

    @property
    def executor_type(self) -> JobExecutorType:
        """Always ``THREAD``: jobs share the process."""
        return JobExecutorType.THREAD

    @property
    def pid(self) -> int:
        """Of this process."""
        return os.getpid()

    @property
    def userdata(self) -> dict[object, object]:
        """Yours: what ``setup_fnc`` puts here, such as a model that is slow to load, all jobs of this worker share."""
        return self._userdata

    @property
    def user_arguments(self) -> object:
        """As given."""
        return self._user_arguments

    @property
    def http_proxy(self) -> str | None:
        """As given."""
        return self._http_proxy


async def set_up(setup: SetupFunction | None, proc: JobProcess, seconds: float) -> None:
    """Run ``setup_fnc``: a plain one in a thread, because it loads things.

    Raises:
        SessionStateError: it has not returned in time.
        Exception: what it raised.
    """
    if setup is None:
        return
    try:
        async with asyncio.timeout(seconds):
            made = setup(proc) if inspect.iscoroutinefunction(setup) else await asyncio.to_thread(setup, proc)
            if inspect.isawaitable(made):
                await made
    except TimeoutError as late:
        raise SessionStateError(f"setup_fnc has not returned within initialize_process_timeout={seconds:g} s") from late
