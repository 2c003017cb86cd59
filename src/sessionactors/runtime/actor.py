"""What an actor is to its author: a state, a protocol of messages, and one function over both.

``receive(state, message, out) -> state`` is short and synchronous: it does not wait, does no I/O, and reads time,
randomness and ids from ``out``. The new state and everything asked of ``out`` take effect together when it returns; a
handler that raises has changed nothing and sent nothing. That is what makes an actor inspectable, restartable and
replayable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from .mailbox import DEFAULT_BOUNDS, MailboxBounds
from .supervision import Supervision

if TYPE_CHECKING:
    from .outbox import Outbox

S = TypeVar("S")
M = TypeVar("M")


class Actor(Generic[S, M]):
    """Base of all actors. ``S`` is the state (a frozen value), ``M`` the union of messages it accepts.

    Attributes of the object itself hold what never changes: refs, ports, options. All else belongs into the state.
    """

    bounds: ClassVar[MailboxBounds] = DEFAULT_BOUNDS
    """How many messages may wait."""
    supervision: ClassVar[Supervision] = Supervision()
    """What happens when a child of this actor fails."""
    own_thread: ClassVar[bool] = False
    """Run the handler in a thread of its own: for actors that must block. All else stays on the actor loop."""

    def initial(self) -> S:
        """The state of a new actor."""
        raise NotImplementedError(f"{type(self).__name__} must define initial()")

    def started(self, state: S, out: Outbox[M]) -> S:
        """Called once before the first message. Raising here means that the actor did not start."""
        return state

    def receive(self, state: S, message: M, out: Outbox[M]) -> S:
        """Handle one message: return the next state (or the same)."""
        raise NotImplementedError(f"{type(self).__name__} must define receive()")

    def restarted(self, state: S, error: BaseException, out: Outbox[M]) -> S:
        """Called instead of :meth:`started` after a failure, with a fresh state or (``keep_state``) the last one."""
        return self.started(state, out)

    def stopped(self, state: S, out: Outbox[M]) -> None:
        """Called before the actor ends on purpose: last tells and port calls. Timers and effects are gone already."""

    def summary(self, state: S) -> Mapping[str, object]:
        """A few facts about the state for people who inspect it. Cheap, and no audio or secrets."""
        return {}
