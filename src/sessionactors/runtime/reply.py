"""The right to answer an ask later."""

from __future__ import annotations

from .future import KernelFuture


class ReplyTo:
    """Kept in an actor's state until ``out.reply(value, to=...)``. Failed by the kernel if the actor ends first."""

    __slots__ = ("_future", "message_id")

    def __init__(self, future: KernelFuture, message_id: int) -> None:
        self._future = future
        self.message_id = message_id

    def resolve(self, value: object) -> None:
        """For the kernel, at commit."""
        self._future.succeed(value)

    def fail(self, error: BaseException) -> None:
        """For the kernel, when the actor ends."""
        self._future.fail(error)

    def __repr__(self) -> str:
        return f"<ReplyTo ask #{self.message_id}>"
