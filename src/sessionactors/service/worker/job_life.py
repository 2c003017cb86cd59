"""The life of one job: its entry point, until it is to end; then its end, in order and each step bounded.

The order is LiveKit's: entry point, sessions, ``on_session_end``, the room, the shutdown callbacks. Whatever one step
does, those after it are taken. A job's program runs on the loop of the worker, in an effect of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from sessionactors.model.events import CloseReason
from sessionactors.runtime.containment import escapes
from sessionactors.session.agent_session import AgentSession
from sessionactors.session.job import current_job

from .job_context import JobContext
from .messages import ShutDown
from .user_functions import EntryPoint, SessionEndFunction

log = structlog.get_logger("sessionactors.service.worker")

CRASHED: Final = "job crashed"
DISCONNECTED: Final = "room disconnected"
NOTHING_DONE: Final = "the entry point returned, and had joined no room and started no session"
SESSIONS_OVER: Final = "all sessions are over"


@dataclass(frozen=True, slots=True)
class JobBounds:
    """Seconds that each step of the end may take."""

    entry_point: float = 15.0
    """Then it is cancelled."""
    sessions: float = 60.0
    session_end: float = 300.0
    disconnect: float = 5.0
    callbacks: float = 10.0
    cancelled: float = 1.0
    """For what was cancelled to end."""


async def run_job(
    ctx: JobContext,
    entry_point: EntryPoint,
    orders: AsyncIterator[ShutDown],
    ending: Callable[[str], Awaitable[None]],
    *,
    bounds: JobBounds,
    on_session_end: SessionEndFunction | None = None,
) -> None:
    """As :func:`live`, in context variables of the job's own: in them it is the current job.

    Raises:
        BaseException: what the entry point raised, when all else has been done.
    """
    own = contextvars.copy_context()
    own.run(current_job.set, ctx)
    life = live(ctx, entry_point, orders, ending, bounds=bounds, on_session_end=on_session_end)
    error = await asyncio.get_running_loop().create_task(life, name=f"job {ctx!r}", context=own)
    if error is not None:
        raise error


async def live(
    ctx: JobContext,
    entry_point: EntryPoint,
    orders: AsyncIterator[ShutDown],
    ending: Callable[[str], Awaitable[None]],
    *,
    bounds: JobBounds,
    on_session_end: SessionEndFunction | None = None,
) -> BaseException | None:
    """Run a job to its very end.

    Args:
        ctx: the job's.
        entry_point: its program.
        orders: to end it.
        ending: told the reason when it begins to end.
        bounds: of its end.
        on_session_end: called after its sessions, if there was one.

    Returns:
        What the entry point raised.
    """
    serving = asyncio.ensure_future(_outcome(lambda: entry_point(ctx)))
    listening = asyncio.ensure_future(_listen(ctx, orders))
    watching = asyncio.ensure_future(_watch(ctx, serving))
    if not ctx.is_fake_job():
        ctx.room.on("disconnected", lambda *_: ctx.shutdown(DISCONNECTED))
    try:
        reason = await ctx.wait_for_shutdown()
        await ending(reason)
        error = await _end(ctx, serving, reason, bounds, on_session_end)
    except asyncio.CancelledError:  # there is no time for the steps: nobody shall stay in the room, though
        for session in filter(_is_open, ctx.sessions):
            session.shutdown(drain=False, reason=CloseReason.JOB_SHUTDOWN, deadline=bounds.cancelled)
        if not ctx.is_fake_job():
            await _bounded(ctx, "room.disconnect", ctx.room.disconnect, bounds.cancelled)
        raise
    finally:
        for task in (serving, listening, watching):  # all over, unless the job itself was cancelled
            task.cancel()
        await asyncio.wait((serving, listening, watching), timeout=bounds.cancelled)
        await ctx.clean_up()
    return error


async def _listen(ctx: JobContext, orders: AsyncIterator[ShutDown]) -> None:
    async for order in orders:
        ctx.shutdown(order.reason)


async def _watch(ctx: JobContext, serving: asyncio.Future[BaseException | None]) -> None:
    """Notice when nothing will happen any more: no job may hold its slot for nothing."""
    await asyncio.wait((serving,))
    error = serving.result()
    if error is not None:
        log.error("entry_point_failed", job=repr(ctx), error=repr(error), exc_info=error)
        ctx.shutdown(CRASHED)
    elif not ctx.connected and not ctx.sessions:
        log.warning("entry_point_did_nothing", job=repr(ctx), expected="ctx.connect() or session.start(room=ctx.room)")
        ctx.shutdown(NOTHING_DONE)
    elif ctx.is_fake_job():  # no room that could be disconnected
        for session in ctx.sessions:
            await _outcome(session.wait_closed)
        ctx.shutdown(SESSIONS_OVER)


async def _end(
    ctx: JobContext,
    serving: asyncio.Future[BaseException | None],
    reason: str,
    bounds: JobBounds,
    on_session_end: SessionEndFunction | None,
) -> BaseException | None:
    await asyncio.wait((serving,), timeout=bounds.entry_point)
    if not serving.done():
        log.warning("entry_point_cancelled", job=repr(ctx), seconds=bounds.entry_point)
        serving.cancel()
        await asyncio.wait((serving,), timeout=bounds.cancelled)
        error = None  # it did not fail: it was told to end
    else:
        error = serving.result()
    await _close_sessions(ctx, bounds.sessions)
    if on_session_end is not None and ctx.sessions:
        await _bounded(ctx, "on_session_end", lambda: on_session_end(ctx), bounds.session_end)
    await leave(ctx, reason, bounds)
    return error


async def leave(ctx: JobContext, reason: str, bounds: JobBounds) -> None:
    """The last steps, which the console takes too: the room, then the shutdown callbacks."""
    if not ctx.is_fake_job():
        await _bounded(ctx, "room.disconnect", ctx.room.disconnect, bounds.disconnect)
    steps = [
        _bounded(ctx, f"shutdown callback {number}", _with(callback, reason), bounds.callbacks)
        for number, callback in enumerate(ctx.shutdown_callbacks, 1)
    ]
    await asyncio.gather(*steps)


async def _close_sessions(ctx: JobContext, seconds: float) -> None:
    open_ones = [session for session in ctx.sessions if _is_open(session)]
    for session in open_ones:
        session.shutdown(drain=False, reason=CloseReason.JOB_SHUTDOWN)
    if not open_ones:
        return
    ends = [asyncio.ensure_future(_outcome(session.wait_closed)) for session in open_ones]
    _, late = await asyncio.wait(ends, timeout=seconds)
    for end in late:
        end.cancel()
    if late:
        log.error("sessions_not_closed", job=repr(ctx), sessions=len(late), seconds=seconds)


def _is_open(session: AgentSession[object]) -> bool:
    return session.close_report is None and session.room_name != ""


def _with(callback: Callable[[str], object], reason: str) -> Callable[[], object]:
    return lambda: callback(reason)


async def _bounded(ctx: JobContext, what: str, step: Callable[[], object], seconds: float) -> None:
    """One step of the end: what it raises is logged, and if it hangs, the next is taken."""
    running = asyncio.ensure_future(_outcome(step))
    await asyncio.wait((running,), timeout=seconds)
    if not running.done():
        running.cancel()
        log.error("job_step_too_slow", job=repr(ctx), step=what, seconds=seconds)
    elif (error := running.result()) is not None:
        log.error("job_step_failed", job=repr(ctx), step=what, error=repr(error), exc_info=error)


async def _outcome(work: Callable[[], object]) -> BaseException | None:
    """What users' code raised, as a value: a SystemExit that left a task would end the loop, and with it every job."""
    try:
        result = work()
        if inspect.isawaitable(result):
            await result
    except BaseException as error:
        if escapes(error):
            raise
        return error
    return None
