"""The state of ``agent`` as a value: who is in charge, who waits for its end, who takes over; the open turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.agent import TaskEnded
from sessionactors.messages.session import IdleWanted, SpeakRequested
from sessionactors.messages.turn import UserTurnEnded, UserTurnExceeded
from sessionactors.model.chat import ChatMessage
from sessionactors.model.options import SessionOptions
from sessionactors.runtime.frozen import replace

from .speculation import Speculation


@dataclass(frozen=True, slots=True)
class Host:
    """User code that awaits an ``AgentTask``."""

    agent: str
    """Key of the agent whose code it is."""
    speech: str
    """The speech whose tool it is; empty for a hook."""


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent of the stack."""

    agent: UserAgent
    host: Host | None = None
    """Who awaits it, if it is an ``AgentTask``."""


class MoveKind(Enum):
    """How the stack changes."""

    REPLACE = "replace"
    """Another agent takes over for good."""
    TASK = "task"
    """An ``AgentTask`` takes over for a while."""
    RETURN = "return"
    """It has ended: who awaits it goes on."""
    LEAVE = "leave"
    """The session closes."""


class Phase(Enum):
    """How far a move is."""

    SET_UP = "set up"
    """The next agent gets its tools ready."""
    EXIT = "exit"
    """``on_exit`` of those that leave, one after the other."""
    DRAIN = "drain"
    """What they say is heard to its end."""


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the stack that is under way, or wanted."""

    kind: MoveKind
    agent: UserAgent | None = None
    """Who takes over (``REPLACE``, ``TASK``)."""
    host: Host | None = None
    """Who awaits it (``TASK``)."""
    ended: TaskEnded | None = None
    """What ended the task (``RETURN``)."""
    phase: Phase = Phase.SET_UP
    leaving_from: int = 0
    """Place in the stack from which on all leave."""
    exiting: str = ""
    """Key of the agent whose ``on_exit`` runs."""
    exited: frozenset[str] = frozenset()
    """Keys of the agents whose ``on_exit`` has ended."""


@dataclass(frozen=True, slots=True)
class AgentActorState:
    """Who is in charge, and the turns that are open."""

    stack: tuple[Seat, ...]
    """The last one is in charge; the others wait for it to end."""
    options: SessionOptions
    """The session's; an agent may have its own."""
    move: Move | None = None
    suspended: tuple[Move, ...] = ()
    """Moves whose ``on_exit`` awaits a task; the last one goes on first."""
    wanted: tuple[Move, ...] = ()
    """Moves that have not begun, in the order in which they were asked for."""
    entering: tuple[str, ...] = ()
    """Keys of the agents whose ``on_enter`` runs."""
    early: tuple[TaskEnded, ...] = ()
    """Tasks that ended while they were taking over."""
    ticket: int = 0
    """Of the newest question to ``floor``."""
    held: tuple[SpeakRequested, ...] = ()
    """What shall be said by whoever takes over."""
    idle_wanted: tuple[IdleWanted, ...] = ()
    """Who waits until all is idle; passed on when nobody takes over and no turn is open."""
    turns: tuple[UserTurnEnded, ...] = ()
    """The first one is being handled."""
    claimed: bool = False
    """The floor is clear for it; it waits for whoever takes over."""
    message: ChatMessage | None = None
    """The message of the turn being handled, once a hook has been given it."""
    hooked: str = ""
    """Key of the agent whose hook has the message now."""
    waiting_exceeded: UserTurnExceeded | None = None
    """The user goes on too long; a turn that is open may be answered first."""
    exceeded: UserTurnExceeded | None = None
    """The hook about it runs."""
    version: int = 0
    """Of the history before that message."""
    speculation: Speculation = field(default_factory=Speculation)
    """The reply that is prepared before the turn is over."""
    hook_began: int = 0
    decided_at: int = 0
    replies_withheld: frozenset[str] = frozenset()
    """Detections that found a machine: it is not replied to."""
    left: bool = False
    """``on_exit`` of all has run, or failed."""
    settling: bool = False
    """The supervisor waits for the end of all this."""
    turns_replied: int = 0
    turns_stored: int = 0
    turns_discarded: int = 0

    @property
    def agent(self) -> UserAgent:
        """The one in charge."""
        return self.stack[-1].agent

    @property
    def leaving(self) -> bool:
        """Whether the session closes."""
        return self.left or (self.move is not None and self.move.kind is MoveKind.LEAVE)

    @property
    def stores_only(self) -> bool:
        """Whether a turn is kept and not replied to: the session closes, or a machine talks."""
        return self.leaving or bool(self.replies_withheld)

    def withholding(self, by: str, withheld: bool) -> AgentActorState:
        """A detection wants no replies, or does no more."""
        others = self.replies_withheld - {by}
        return replace(self, replies_withheld=others | {by} if withheld else others)

    def next_turn(self) -> AgentActorState:
        """The open turn is over."""
        return replace(self, turns=self.turns[1:], message=None, hooked="", claimed=False)

    def place_of(self, agent: str) -> int | None:
        """Where in the stack the agent of this key is."""
        return next((place for place, seat in enumerate(self.stack) if seat.agent.key == agent), None)

    def leaving_seats(self, move: Move) -> tuple[Seat, ...]:
        """Those that leave with the move, the one in charge first."""
        return tuple(reversed(self.stack[move.leaving_from :]))

    def drained_by(self, move: Move) -> tuple[frozenset[str], frozenset[str]]:
        """Of which agents the speeches have to be over before the stack changes; and which speeches are spared."""
        if move.kind is not MoveKind.TASK:
            return frozenset(seat.agent.key for seat in self.leaving_seats(move)), frozenset()
        hosts = [seat.host for seat in self.stack] + [other.host for other in (move, *self.wanted)]
        spared = frozenset(host.speech for host in hosts if host is not None and host.speech)
        return frozenset(seat.agent.key for seat in self.stack[-1:]), spared

    def is_waited_for(self, wish: IdleWanted) -> bool:
        """Whether a change of who is in charge waits for the tool or hook that waits until all is idle."""
        move = self.move
        if move is None or not wish.agent:
            return False
        if not wish.speech:
            return move.phase is Phase.EXIT and move.exiting == wish.agent
        agents, spared = self.drained_by(move)
        return move.phase is Phase.DRAIN and wish.agent in agents and wish.speech not in spared

    def revised(self, agent: UserAgent) -> AgentActorState:
        """The same with the newest revision of an agent, wherever it is."""
        key = agent.key
        stack = tuple(replace(seat, agent=agent) if seat.agent.key == key else seat for seat in self.stack)
        return replace(
            self,
            stack=stack,
            move=None if self.move is None else _revised(self.move, agent),
            suspended=tuple(_revised(move, agent) for move in self.suspended),
            wanted=tuple(_revised(move, agent) for move in self.wanted),
        )


def _revised(move: Move, agent: UserAgent) -> Move:
    return replace(move, agent=agent) if move.agent is not None and move.agent.key == agent.key else move
