"""One delivery: a message and the facts about it. Senders never see envelopes; inspection and taps do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykka._envelope import Envelope as PykkaEnvelope

if TYPE_CHECKING:
    from .effect import Effect
    from .future import KernelFuture
    from .policy import MessagePolicy

NO_CAUSE = 0
EDGE = "edge"
"""Sender of messages that come from outside the actors."""


class Origin:
    """The rarely needed facts of an envelope: timers and effects."""

    __slots__ = ("effect", "reserved", "timer_generation", "timer_key")

    def __init__(
        self,
        *,
        timer_key: str | None = None,
        timer_generation: int = 0,
        effect: Effect | None = None,
        reserved: bool = False,
    ) -> None:
        self.timer_key = timer_key
        self.timer_generation = timer_generation
        self.effect = effect
        self.reserved = reserved or timer_key is not None or effect is not None
        """The receiver has a place for it also in a full lane: its timers, effects and watches are bounded by what it
        asked for, and a refused timeout or result would be waited for in vain."""


class Envelope(PykkaEnvelope[object]):
    """A message on its way.

    ``id`` counts deliveries of a tree from 1; ``cause`` is the id of the delivery whose handler sent it (0: none);
    ``at`` is the enqueue time on the kernel clock in nanoseconds; ``turn`` is inherited from the cause.
    """

    __slots__ = ("at", "cause", "id", "origin", "policy", "sender", "turn")

    reply_to: KernelFuture | None

    def __init__(
        self,
        message: object,
        reply_to: KernelFuture | None,
        sender: str,
        id: int,
        cause: int,
        turn: str,
        at: int,
        policy: MessagePolicy,
        origin: Origin | None,
    ) -> None:
        self.message = message
        self.reply_to = reply_to
        self.sender = sender
        self.id = id
        self.cause = cause
        self.turn = turn
        self.at = at
        self.policy = policy
        self.origin = origin

    def __repr__(self) -> str:
        return f"<Envelope #{self.id} {type(self.message).__name__} from {self.sender}>"
