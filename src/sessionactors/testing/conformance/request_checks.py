"""What every provider must do with a request, whatever it is a provider of: answer, fail, end, and leave nothing."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

from sessionactors.interfaces.home import Home
from sessionactors.model.errors import APIConnectionError, APIError, APIStatusError

from .check import Checks
from .fault import Fault
from .footprint import footprint, settled
from .outcome import Nonconforming, NotApplicable
from .reading import Reading, within
from .rig import RequestRig

AnyRig: TypeAlias = "RequestRig[Any]"
REQUEST_CHECKS = Checks()
needs = REQUEST_CHECKS.needs

SIDE_BY_SIDE = 3
"""Requests at once."""
HANGING = 10
"""What part of its patience a rig waits before it cancels what hangs: long enough that the request was made."""


@needs()
async def answers(rig: AnyRig) -> None:
    """A request on a healthy backend is answered whole, and ends by itself."""
    async with rig.opened() as provider:
        await _answered(rig, Reading(rig, provider))


@needs()
async def names_itself(rig: AnyRig) -> None:
    """It has a label: errors, figures and bills name it."""
    async with rig.opened() as provider:
        if not getattr(provider, "label", ""):
            raise Nonconforming("its label is empty")
        for attribute in ("model", "provider"):
            if not isinstance(getattr(provider, attribute, None), str):
                raise Nonconforming(f"its {attribute} is no text: {getattr(provider, attribute, None)!r}")


@needs()
async def answers_side_by_side(rig: AnyRig) -> None:
    """Several requests at once (rooms share a provider) are each answered whole, and not mixed."""
    async with rig.opened() as provider:
        readings = [Reading(rig, provider) for _ in range(SIDE_BY_SIDE)]
        for reading in readings:
            await _answered(rig, reading)


@needs()
async def serves_two_loops(rig: AnyRig) -> None:
    """One object serves two loops in two threads at once: a client of one loop hangs or raises on another."""
    async with rig.opened() as provider:
        if getattr(provider, "home", Home.ACTOR) is not Home.ACTOR:
            raise NotApplicable("it belongs to the loop on which it was made")
        here = Reading(rig, provider)

        async def elsewhere() -> None:
            await _answered(rig, Reading(rig, provider))

        def on_a_loop_of_its_own() -> None:
            with asyncio.Runner(loop_factory=rig.loop_factory) as runner:
                runner.run(elsewhere())

        await asyncio.get_running_loop().run_in_executor(None, on_a_loop_of_its_own)
        await _answered(rig, here)


@needs()
async def closes_mid_stream(rig: AnyRig) -> None:
    """A request that is closed after its first piece ends at once, and the next one is answered."""
    async with rig.opened() as provider:
        error = await Reading(rig, provider, stop_after=1).over()
        if error is not None:
            raise Nonconforming(f"closing it raised {error!r}")
        await _answered(rig, Reading(rig, provider))


@needs()
async def cancels_mid_stream(rig: AnyRig) -> None:
    """A request whose task is cancelled ends at once with the cancellation, and the next one is answered."""
    async with rig.opened() as provider:
        reading = Reading(rig, provider)
        await reading.first()
        if not reading.task.done():
            await reading.cancel()
        await _answered(rig, Reading(rig, provider))


@needs()
async def cancels_at_once(rig: AnyRig) -> None:
    """A request may be cancelled at any moment before its first piece; the next one is answered."""
    async with rig.opened() as provider:
        for turns in (0, 1, 2, 5):
            reading = Reading(rig, provider)
            for _ in range(turns):
                await asyncio.sleep(0)
            if not reading.task.done():
                await reading.cancel()
        await _answered(rig, Reading(rig, provider))


@needs()
async def cancelled_requests_do_not_add_up(rig: AnyRig) -> None:
    """Many requests, each cancelled mid-stream, do not leave more and more tasks, threads or sockets."""
    async with rig.opened() as provider:
        before = await footprint()
        for number in range(rig.rounds * 3 // 2):
            if number == rig.rounds // 2:  # pools and threads have come by now
                before = await footprint()
            reading = Reading(rig, provider)
            await reading.first()
            if not reading.task.done():
                await reading.cancel()
        if left := await settled(before, rig.patience, allowed=rig.rounds // 2):
            raise Nonconforming(f"after {rig.rounds} more cancelled requests there are {left}")


@needs()
async def leaves_nothing_behind(rig: AnyRig) -> None:
    """After requests that were read, closed and cancelled, and its own close, it has no task, thread or descriptor."""
    before = await footprint()
    async with rig.opened() as provider:
        await _answered(rig, Reading(rig, provider))
        await Reading(rig, provider, stop_after=1).over()
        reading = Reading(rig, provider)
        await reading.first()
        await reading.cancel()
    if left := await settled(before, rig.patience):
        raise Nonconforming(f"it is closed and there are {left}")


@needs()
async def closes_twice(rig: AnyRig) -> None:
    """It may be closed unused, and closed again."""
    async with rig.opened() as provider:
        await within(rig.patience, "closing it unused", provider.aclose())
        await within(rig.patience, "closing it again", provider.aclose())


# -- faults ----------------------------------------------------------------------------------------------------------


@needs(Fault.INVALID_KEY)
async def refused_key_is_final(rig: AnyRig) -> None:
    """An invalid key is an APIError that is not retryable, and does not show the key."""
    error = await _failure(rig, Fault.INVALID_KEY)
    if error.retryable:
        raise Nonconforming(f"asking again would not help, but it is retryable: {error!r}")


@needs(Fault.RATE_LIMIT)
async def rate_limit_is_retryable(rig: AnyRig) -> None:
    """A rate limit is an APIStatusError with status 429, retryable; the provider does not ask again by itself."""
    error = await _failure(rig, Fault.RATE_LIMIT)
    if not isinstance(error, APIStatusError) or error.status_code != 429 or not error.retryable:
        raise Nonconforming(f"not a retryable APIStatusError 429: {error!r}")


@needs(Fault.SERVER_ERROR)
async def server_error_is_retryable(rig: AnyRig) -> None:
    """An error of the server is a retryable APIError."""
    error = await _failure(rig, Fault.SERVER_ERROR)
    if not error.retryable:
        raise Nonconforming(f"the same request may succeed later, but it is not retryable: {error!r}")


@needs(Fault.UNREACHABLE)
async def unreachable_is_a_connection_error(rig: AnyRig) -> None:
    """A backend that cannot be reached is an APIConnectionError, retryable."""
    error = await _failure(rig, Fault.UNREACHABLE)
    if not isinstance(error, APIConnectionError) or not error.retryable:
        raise Nonconforming(f"not a retryable APIConnectionError: {error!r}")


@needs(Fault.STORM)
async def reconnects_have_a_ceiling(rig: AnyRig) -> None:
    """A backend that ends each connection at once is a retryable APIError after a few connections; retries are ours."""
    async with rig.opened(Fault.STORM) as provider:
        error = _typed(rig, await Reading(rig, provider).over(), "ends each connection")
        made = None if rig.connections is None else rig.connections()
    if not error.retryable:
        raise Nonconforming(f"the same request may succeed later, but it is not retryable: {error!r}")
    if made is not None and made > rig.most_connections:
        raise Nonconforming(f"one request made {made} connections, {rig.most_connections} are allowed")


@needs(Fault.BREAK)
async def break_is_an_error(rig: AnyRig) -> None:
    """A connection that ends in the middle of the answer is a retryable APIError, not a good end."""
    error = await _failure(rig, Fault.BREAK)
    if not error.retryable:
        raise Nonconforming(f"the same request may succeed later, but it is not retryable: {error!r}")


@needs(Fault.GARBAGE)
async def garbage_is_a_typed_error(rig: AnyRig) -> None:
    """An answer that is not of the protocol is an APIError, not whatever the parser raised."""
    await _failure(rig, Fault.GARBAGE)


@needs(Fault.EMPTY)
async def empty_answer_ends(rig: AnyRig) -> None:
    """An answer with nothing in it ends the request, well or with an APIError: the session knows what it means."""
    async with rig.opened(Fault.EMPTY) as provider:
        reading = Reading(rig, provider)
        error = await reading.over()
        if error is not None:
            _typed(rig, error, "answered with nothing")
        elif reading.answers:
            raise Nonconforming("there was a piece of an answer where there is none")


@needs(Fault.SILENCE)
async def silence_can_be_cancelled(rig: AnyRig) -> None:
    """A backend that never answers: the request waits or raises an APIError; a cancelled one ends at once."""
    async with rig.opened(Fault.SILENCE) as provider:
        before = await footprint()
        reading = Reading(rig, provider)
        await asyncio.wait({reading.task}, timeout=rig.patience / HANGING)
        await _deadline(rig, reading)
        if left := await settled(before, rig.patience, allowed=2):
            raise Nonconforming(f"the cancelled request left {left}")


@needs(Fault.STALL)
async def stall_can_be_cancelled(rig: AnyRig) -> None:
    """A backend that lives and never answers: the request waits or raises an APIError; a cancelled one ends at once."""
    async with rig.opened(Fault.STALL) as provider:
        reading = Reading(rig, provider)
        await asyncio.wait({reading.task}, timeout=rig.patience / HANGING)
        await _deadline(rig, reading)


@needs(Fault.HALF_OPEN)
async def half_open_can_be_cancelled(rig: AnyRig) -> None:
    """A backend that stops midway: what came is passed on; a cancelled request ends at once."""
    async with rig.opened(Fault.HALF_OPEN) as provider:
        reading = Reading(rig, provider)
        await reading.first()
        await asyncio.wait({reading.task}, timeout=rig.patience / HANGING)
        await _deadline(rig, reading)


@needs(Fault.DRIP)
async def drip_is_passed_on(rig: AnyRig) -> None:
    """An answer in small pieces is passed on as they come: a session begins to speak with the first."""
    async with rig.opened(Fault.DRIP) as provider:
        reading = Reading(rig, provider)
        error = await reading.over()
        if error is not None:
            raise Nonconforming(f"it raised {error!r}")
        ended = asyncio.get_running_loop().time()
    if len(reading.answers) < 2 or reading.answers[-1] - reading.answers[0] < 0.3 * (ended - reading.began):
        raise Nonconforming(
            f"{len(reading.answers)} pieces came {reading.answers[0] - reading.began:.3f} s after the request"
            f" of {ended - reading.began:.3f} s, all at once"
            if reading.answers
            else "nothing came"
        )


async def _deadline(rig: AnyRig, reading: Reading) -> None:
    """The session's deadline passes: the request has failed by itself, or is cancelled now."""
    if not reading.task.done():
        await reading.cancel()
        return
    error = reading.error()
    if error is None:
        raise Nonconforming("it ended well although the answer had no end")
    _typed(rig, error, "said nothing")


async def _answered(rig: AnyRig, reading: Reading) -> None:
    error = await reading.over()
    if error is not None:
        raise Nonconforming(f"a healthy backend, but it raised {error!r}")
    if wrong := rig.is_whole(reading.items):
        raise Nonconforming(wrong)


async def _failure(rig: AnyRig, fault: Fault) -> APIError:
    async with rig.opened(fault) as provider:
        return _typed(rig, await Reading(rig, provider).over(), fault.value)


def _typed(rig: AnyRig, error: BaseException | None, what: str) -> APIError:
    if error is None:
        raise Nonconforming(f"it ended well although the backend {what!r}")
    if not isinstance(error, APIError):
        raise Nonconforming(f"raised {type(error).__name__}, not an APIError: {error}")
    if rig.secret and rig.secret in f"{error!r} {error.body!r} {error.__dict__}":
        raise Nonconforming("the error shows the key")
    return error
