"""The actor kernel on Pykka: refs, mailboxes with two lanes, timers, effects, supervision, inspection.

It knows nothing of voice and could be a package of its own.
"""

from .accounts import Accounts
from .actor import Actor
from .blocked_loop import BlockedLoop
from .clock import NS, Clock
from .close_report import CloseReport
from .dead_letters import DeadLetter
from .dispatcher import Dispatcher, LoopDispatcher
from .effect import EffectPort, Inlet
from .errors import (
    AskCycle,
    AskTimeout,
    BlockingAskOnLoop,
    EffectCancelled,
    EffectDeadlineExceeded,
    HandlerError,
    InternalError,
    KernelError,
    MailboxFull,
    NameTaken,
    OutsideHandler,
    RestartsExhausted,
    SystemClosed,
)
from .flight_recorder import Recorded
from .future import KernelFuture
from .mailbox import Mailbox, MailboxBounds
from .messages import Terminated
from .obligation import Obligation, ObligationExpired
from .outbox import Outbox
from .policy import Lane, MessagePolicy, Overflow, message, policy_of
from .ref import Ref
from .reply import ReplyTo
from .scope import Scope
from .snapshot import ActorSnapshot, EffectInfo, TreeSnapshot
from .supervision import Backoff, ChildSpec, Restart, Strategy, Supervision
from .system import ActorSystem
from .tap import Delivery, Tap
from .watchdog import Stall

__all__ = [
    "NS",
    "Accounts",
    "Actor",
    "ActorSnapshot",
    "ActorSystem",
    "AskCycle",
    "AskTimeout",
    "Backoff",
    "BlockedLoop",
    "BlockingAskOnLoop",
    "ChildSpec",
    "Clock",
    "CloseReport",
    "DeadLetter",
    "Delivery",
    "Dispatcher",
    "EffectCancelled",
    "EffectDeadlineExceeded",
    "EffectInfo",
    "EffectPort",
    "HandlerError",
    "Inlet",
    "InternalError",
    "KernelError",
    "KernelFuture",
    "Lane",
    "LoopDispatcher",
    "Mailbox",
    "MailboxBounds",
    "MailboxFull",
    "MessagePolicy",
    "NameTaken",
    "Obligation",
    "ObligationExpired",
    "Outbox",
    "OutsideHandler",
    "Overflow",
    "Recorded",
    "Ref",
    "ReplyTo",
    "Restart",
    "RestartsExhausted",
    "Scope",
    "Stall",
    "Strategy",
    "Supervision",
    "SystemClosed",
    "Tap",
    "Terminated",
    "TreeSnapshot",
    "message",
    "policy_of",
]
