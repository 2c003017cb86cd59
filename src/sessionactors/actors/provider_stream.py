"""One provider stream at a time: opened in a scope, read in an effect, and over when its scope is closed.

``vad``, ``stt`` and ``detector`` each run one. What a stream says is fenced by its scope; that it ended is told by
name, so that the end of one that was replaced means nothing. When a lost one is opened again is its actor's policy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from sessionactors.interfaces.home import Home
from sessionactors.messages.ear import StreamEnded
from sessionactors.runtime import EffectPort, Outbox, Scope

E = TypeVar("E")
M = TypeVar("M")

STREAM = "listening"
"""Key of the effect that reads it: what is heard is fed to it."""
INLET = 1024
"""Items that a slow provider may be behind: about 20 s of frames."""


async def relay(events: AsyncIterator[E], into: Callable[[E], M | None], port: EffectPort[M]) -> None:
    """Send ``into(event)`` for each event, unless that is None, until the stream ends.

    What ``into`` raises is a failure of the stream.

    The stream is closed here and not left to the garbage collector: a cancelled effect may be waiting in ``port.send``,
    outside of the provider's generator, which would then keep its connection.
    """
    try:
        async for event in events:
            message = into(event)
            if message is not None:
                await port.send(message)
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()


def open_stream(
    out: Outbox[M],
    kind: str,
    run: Callable[[EffectPort[M], Scope], Awaitable[None]],
    ended: Callable[[StreamEnded], M],
    home: Home,
) -> Scope:
    """Begin a stream in a scope of its own.

    Args:
        out: of the actor.
        kind: names the stream, as in ``recognition-3``.
        run: reads the stream until its end; what it sends carries the scope.
        ended: makes the actor's message of the end.
        home: where the provider lives.
    """
    scope = out.open_scope(f"{out.path}/{out.new_id(kind)}")

    async def read(port: EffectPort[M]) -> None:
        await run(port, scope)

    out.effect(
        STREAM,
        read,
        done=lambda _: ended(StreamEnded(scope.path, None)),
        failed=lambda error: ended(StreamEnded(scope.path, error)),
        user_loop=home is Home.USER,
        inlet=INLET,
    )
    return scope


def close_stream(out: Outbox[M], scope: Scope | None) -> None:
    """End a stream, if there is one: nothing that it says counts any more."""
    if scope is not None:
        out.close_scope(scope)
        out.cancel_effect(STREAM)


def is_end_of(ended: StreamEnded, scope: Scope | None) -> bool:
    """Whether it is the running stream that ended, and not one that was closed before."""
    return scope is not None and scope.path == ended.stream
