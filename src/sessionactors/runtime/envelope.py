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
    ``at`` is the enqueue time on the kernel clock in nanoseconds; ``turn`` is inherited from the cause; ``checked``:
    whether something must be looked at when it is taken out.
    """

    __slots__ = ("at", "cause", "checked", "id", "origin", "policy", "sender", "turn")

    at: int
    cause: int
    checked: bool
    id: int
    origin: Origin | None
    policy: MessagePolicy
    reply_to: KernelFuture | None
    sender: str
    turn: str

    if TYPE_CHECKING:

        def __init__(self) -> None: ...
    else:
        __init__ = object.__init__  # none: `commit` fills an envelope in place, which is half of a call's time

    @classmethod
    def of(
        cls,
        message: object,
        reply_to: KernelFuture | None,
        sender: str,
        id: int,
        cause: int,
        turn: str,
        at: int,
        policy: MessagePolicy,
        origin: Origin | None,
    ) -> Envelope:
        """An envelope of all these."""
        made = cls()
        made.message = message
        made.reply_to = reply_to
        made.sender = sender
        made.id = id
        made.cause = cause
        made.turn = turn
        made.at = at
        made.policy = policy
        made.origin = origin
        made.checked = origin is not None or reply_to is not None or policy.checked
        return made

    def __repr__(self) -> str:
        return f"<Envelope #{self.id} {type(self.message).__name__} from {self.sender}>"
