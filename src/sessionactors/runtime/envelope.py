"""One delivery: a message and the facts about it. Senders never see envelopes; inspection and taps do."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

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


Facts: TypeAlias = "tuple[str, int, str, int, MessagePolicy, bool, KernelFuture | None, Origin | None]"
"""Of an envelope: sender, cause, turn, at, policy, checked, reply_to, origin. Messages that are told in a row share one
such tuple: it is made, and taken apart, in one step in C. Only this file, ``commit.carry_out`` and ``handling.serve``
know the order."""


class Envelope(PykkaEnvelope[object]):
    """A message on its way.

    ``id`` counts deliveries of a tree from 1; ``cause`` is the id of the delivery whose handler sent it (0: none);
    ``at`` is the enqueue time on the kernel clock in nanoseconds; ``turn`` is inherited from the cause.
    """

    __slots__ = ("facts", "id")

    facts: Facts
    id: int

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
        checked = origin is not None or reply_to is not None or policy.checked
        made = cls()
        made.message = message
        made.id = id
        made.facts = (sender, cause, turn, at, policy, checked, reply_to, origin)
        return made

    @property
    def sender(self) -> str:
        """Path of the actor that sent it, or where else it comes from."""
        return self.facts[0]

    @property
    def cause(self) -> int:
        """Id of the delivery whose handler sent it; 0: none."""
        return self.facts[1]

    @property
    def turn(self) -> str:
        """The turn it belongs to, inherited from its cause."""
        return self.facts[2]

    @property
    def at(self) -> int:
        """Kernel clock, ns, when it was sent."""
        return self.facts[3]

    @property
    def policy(self) -> MessagePolicy:
        """How it travels."""
        return self.facts[4]

    @property
    def checked(self) -> bool:
        """Whether something must be looked at when it is taken out."""
        return self.facts[5]

    @property
    def reply_to(self) -> KernelFuture | None:  # type: ignore[override]
        """Who waits for the answer; None: it was told."""
        return self.facts[6]

    @property
    def origin(self) -> Origin | None:
        """The timer or effect it comes from, if it does."""
        return self.facts[7]

    def __repr__(self) -> str:
        return f"<Envelope #{self.id} {type(self.message).__name__} from {self.sender}>"
