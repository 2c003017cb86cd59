"""How one agent follows another: handoffs, and tasks that take over for a while. Used by ``agent`` only.

One move at a time: the next agent is set up, those that leave run ``on_exit`` and are heard to their end, then the
stack changes in one step. A move that cannot begin yet waits; none is lost. Nobody waits for who waits for him: a
speech whose tool awaits a task is not waited for when the task takes over, and a task whose host leaves is ended first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionactors.interfaces.user_code import UserAgent
from sessionactors.messages.agent import (
    HandOver,
    TaskAwaited,
    TaskEnded,
)
from sessionactors.messages.floor import DrainFloor, HoldInterruptions, InterruptSpeech
from sessionactors.messages.history import AgentTakesOver, MergeContext
from sessionactors.messages.session import AgentInCharge, Publish
from sessionactors.messages.tools import CancelOwned, ReleaseAgent
from sessionactors.model.chat import AgentHandoff
from sessionactors.model.errors import HookCutOffError
from sessionactors.model.events import AgentInChargeNote, AgentLeftNote, ErrorEvent, SessionEvent, TaskOverNote
from sessionactors.runtime import Outbox
from sessionactors.runtime.frozen import replace

from .agent_hooks import ENTER_HOOK, EXIT_HOOK, release, run_hook, set_up
from .agent_state import AgentActorState, Host, Move, MoveKind, Phase, Seat
from .wiring import Wiring

if TYPE_CHECKING:
    from .agent import AgentMessage

HANDOFF_WITHIN = 30.0
"""Seconds after which a handoff that is not over is named as overdue: a tool or a hook of who leaves still runs."""

TASK_WITHIN = 3600.0
"""Seconds after which a task that has not ended is named as overdue. Until then ``why()`` shows who awaits it."""
CLOSING = "did not end: the session is closing"

HANDOFF = "handoff"
"""Key of the obligation, and source of the error, of a move."""


class Succession:
    """The moves of one session."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    # -- what is asked for -------------------------------------------------------------------------------------------

    def hand_over(self, state: AgentActorState, order: HandOver, out: Outbox[AgentMessage]) -> AgentActorState:
        """Another agent is to take over for good."""
        if order.refused:
            moves = (*state.wanted, *state.suspended, *(() if state.move is None else (state.move,)))
            out.log("handoff_refused", level="warning", agent=order.agent.key, speech=order.speech)
            taking = {move.agent.key for move in moves if move.agent is not None}
            if state.place_of(order.agent.key) is None and order.agent.key not in taking:
                self._tell(AgentLeftNote(order.agent.key), out)
            return state
        if state.leaving:
            out.log("handoff_refused", level="warning", agent=order.agent.key, reason="the session is closing")
            self._tell(AgentLeftNote(order.agent.key), out)
            return state
        return self._go_on(replace(state, wanted=(*state.wanted, Move(MoveKind.REPLACE, order.agent))), out)

    def await_task(self, state: AgentActorState, order: TaskAwaited, out: Outbox[AgentMessage]) -> AgentActorState:
        """A task is to take over until it ends."""
        key, host = order.task.key, Host(order.host, order.speech)
        if state.leaving:
            return self._refuse(state, order.task, "cannot begin: the session is closing", out)
        if state.place_of(order.host) is None:
            gone = f"cannot begin: agent {order.host}, whose code awaits it, has left"
            return self._refuse(state, order.task, gone, out)
        if host.speech:
            out.tell(self._wiring.floor, HoldInterruptions(host.speech, key, held=True))
        out.oblige(key, f"task {key} to end, which {_who(host)} awaits", TASK_WITHIN)
        wanted = Move(MoveKind.TASK, order.task, host)
        move = state.move
        if move is not None and move.phase is Phase.EXIT and move.exiting == host.agent and not host.speech:
            state = replace(state, move=None, suspended=(*state.suspended, move), wanted=(wanted, *state.wanted))
        elif move is not None and move.kind is not MoveKind.TASK and host.agent in _keys(state.leaving_seats(move)):
            left = f"cannot begin: agent {host.agent}, whose code awaits it, is leaving"
            return self._refuse(state, order.task, left, out, host)
        else:
            state = replace(state, wanted=(*state.wanted, wanted))
            if move is not None and move.phase is Phase.DRAIN:
                state = self._drain(state, move, out)  # its speech is not waited for any more
        return self._go_on(state, out)

    def end_task(self, state: AgentActorState, order: TaskEnded, out: Outbox[AgentMessage]) -> AgentActorState:
        """A task has ended: who awaits it goes on."""
        waiting = next((m for m in state.wanted if m.agent is not None and m.agent.key == order.task), None)
        if waiting is not None:
            state = replace(state, wanted=tuple(move for move in state.wanted if move is not waiting))
            return self._go_on(self._refuse(state, waiting.agent or state.agent, "", out, waiting.host), out)
        move = state.move
        if move is not None and move.kind is MoveKind.TASK and move.agent is not None and move.agent.key == order.task:
            return replace(state, early=(*state.early, order))
        place = state.place_of(order.task)
        if place is None or state.leaving or _returns(state, order.task):
            return state
        return self._go_on(replace(state, wanted=(*state.wanted, Move(MoveKind.RETURN, ended=order))), out)

    def leave(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        """The session closes: all tasks end, and all agents leave, without anybody taking over."""
        move = state.move
        self._tell(AgentInChargeNote(state.agent.key), out)
        for other in (*state.wanted, *(() if move is None else (move,))):
            if other.kind is MoveKind.TASK and other.agent is not None:
                self._task_over(other.agent.key, other.host, CLOSING, out)
            if other.agent is not None:
                self._tell(AgentLeftNote(other.agent.key), out)
        if move is not None and move.agent is not None:
            release(move.agent, out)
        for seat in reversed(state.stack):
            if seat.host is not None:
                self._task_over(seat.agent.key, seat.host, CLOSING, out)
        running = next((m for m in (move, *state.suspended) if m is not None and m.exiting), None)
        exited = frozenset().union(*(m.exited for m in (move, *state.suspended) if m is not None))
        out.discharge(HANDOFF)
        last = Move(MoveKind.LEAVE, phase=Phase.EXIT, exiting="" if running is None else running.exiting, exited=exited)
        state = replace(state, move=last, suspended=(), wanted=(), early=())
        return state if last.exiting else self._exit_next(state, last, out)

    def resume(self, state: AgentActorState, error: BaseException, out: Outbox[AgentMessage]) -> AgentActorState:
        """After a restart: effects are gone, so what a move waits for is asked for again. An ``on_enter`` is not."""
        state = self._entering_cut_off(state, error, out)
        move = state.move
        if move is None:
            return self._go_on(state, out)
        match move.phase:
            case Phase.SET_UP:
                if move.agent is not None:
                    set_up(move.agent, out)
                return state
            case Phase.EXIT:
                return self._exit_next(state, replace(move, exiting=""), out)
            case Phase.DRAIN:
                return self._drain(state, move, out)

    def _entering_cut_off(
        self, state: AgentActorState, error: BaseException, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """``on_enter`` ended with the actor. Run again it would greet again: it is named, and a task has failed."""
        cut_off, state = state.entering, replace(state, entering=())
        for key in cut_off:
            lost = HookCutOffError(
                f"on_enter of {key} was cut off, and is not run again: agent was restarted: {error!r}"
            )
            self._tell(ErrorEvent(lost, ENTER_HOOK, recoverable=True, created_at=out.wall()), out)
            seat = next((seat for seat in state.stack if seat.agent.key == key), None)
            if seat is None or seat.host is None or state.leaving or _returns(state, key):
                continue
            self._task_over(key, seat.host, f"failed: {lost}", out)
            state = replace(state, wanted=(*state.wanted, Move(MoveKind.RETURN, ended=TaskEnded(key, cut=True))))
        return state

    # -- the phases --------------------------------------------------------------------------------------------------

    def _go_on(self, state: AgentActorState, out: Outbox[AgentMessage]) -> AgentActorState:
        """Begin the next move that can begin."""
        if state.move is not None or state.left:
            return state
        for wanted in state.wanted:
            if self._may_begin(state, wanted):
                left = tuple(move for move in state.wanted if move is not wanted)
                return self._begin(replace(state, wanted=left), wanted, out)
        if state.suspended and state.agent.key == state.suspended[-1].exiting:
            move = state.suspended[-1]
            return replace(state, move=move, suspended=state.suspended[:-1])
        if state.suspended and state.suspended[-1].exiting in state.suspended[-1].exited:
            move = state.suspended[-1]
            return self._exit_next(replace(state, suspended=state.suspended[:-1]), move, out)
        return state

    @staticmethod
    def _may_begin(state: AgentActorState, move: Move) -> bool:
        match move.kind:
            case MoveKind.TASK:
                return move.host is not None and state.agent.key == move.host.agent
            case MoveKind.REPLACE:
                return not state.suspended
            case MoveKind.RETURN | MoveKind.LEAVE:
                return True

    def _begin(self, state: AgentActorState, move: Move, out: Outbox[AgentMessage]) -> AgentActorState:
        agent = move.agent
        if agent is not None and agent.key == state.agent.key:
            out.log("handoff_ignored", agent=agent.key, reason="it is in charge already")
            self._tell(AgentInChargeNote(agent.key), out)
            return self._go_on(state, out)
        if move.kind is MoveKind.RETURN and move.ended is not None:
            place = state.place_of(move.ended.task)
            if not place:
                return self._go_on(state, out)
            back = state.stack[place - 1].agent
            move = replace(move, leaving_from=place)
            self._tell(AgentInChargeNote(back.key), out)
            out.oblige(HANDOFF, f"{state.agent.key} to leave and {back.key} to go on", HANDOFF_WITHIN)
            return self._exit_next(state, move, out)
        if agent is None:
            return state
        if move.kind is MoveKind.TASK:
            move = replace(move, leaving_from=len(state.stack))
        else:
            state = self._refuse_waiting_tasks(state, agent, out)
        self._tell(AgentInChargeNote(agent.key), out)
        out.oblige(HANDOFF, f"{state.agent.key} to leave and {agent.key} to take over", HANDOFF_WITHIN)
        set_up(agent, out)
        return replace(state, move=move)

    def _refuse_waiting_tasks(
        self, state: AgentActorState, agent: UserAgent, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        for other in state.wanted:
            if other.kind is MoveKind.TASK and other.agent is not None:
                reason = f"did not begin: agent {agent.key} takes over"
                state = self._refuse(state, other.agent, reason, out, other.host)
        return replace(state, wanted=tuple(other for other in state.wanted if other.kind is not MoveKind.TASK))

    def ready(self, state: AgentActorState, agent: str, out: Outbox[AgentMessage]) -> AgentActorState:
        """The next agent has been set up."""
        move = state.move
        if move is None or move.phase is not Phase.SET_UP or move.agent is None or move.agent.key != agent:
            return state
        if move.kind is MoveKind.TASK:
            return self._drain(state, move, out)
        return self._exit_next(state, move, out)

    def unusable(
        self, state: AgentActorState, agent: str, error: BaseException, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """The next agent could not be set up: the one in charge stays."""
        move = state.move
        self._tell(ErrorEvent(error, HANDOFF, recoverable=True, created_at=out.wall()), out)
        if move is None or move.phase is not Phase.SET_UP or move.agent is None or move.agent.key != agent:
            return state
        out.discharge(HANDOFF)
        self._tell(AgentInChargeNote(state.agent.key), out)
        state = replace(state, move=None)
        if move.kind is MoveKind.TASK:
            state = self._refuse(state, move.agent, f"could not be set up: {error!r}", out, move.host)
        else:
            self._tell(AgentLeftNote(agent), out)
        return self._go_on(state, out)

    def _exit_next(self, state: AgentActorState, move: Move, out: Outbox[AgentMessage]) -> AgentActorState:
        """Run ``on_exit`` of the next one that leaves; when all have: hear them to their end."""
        for seat in state.leaving_seats(move):
            if seat.agent.key not in move.exited:
                run_hook(seat.agent, EXIT_HOOK, out)
                return replace(state, move=replace(move, phase=Phase.EXIT, exiting=seat.agent.key))
        if move.kind is MoveKind.LEAVE:
            return replace(state, move=replace(move, exiting=""), left=True)
        return self._drain(state, replace(move, exiting=""), out)

    def hook_over(self, state: AgentActorState, hook: str, agent: str, out: Outbox[AgentMessage]) -> AgentActorState:
        """``on_enter`` or ``on_exit`` of an agent has ended, well or not."""
        if hook == EXIT_HOOK:
            return self._exited(state, agent, out)
        return replace(state, entering=tuple(key for key in state.entering if key != agent or hook != ENTER_HOOK))

    def _exited(self, state: AgentActorState, agent: str, out: Outbox[AgentMessage]) -> AgentActorState:
        move = state.move
        if move is None or move.exiting != agent:
            done = tuple(
                replace(other, exited=other.exited | {agent}) if other.exiting == agent else other
                for other in state.suspended
            )
            return self._go_on(replace(state, suspended=done), out)
        move = replace(move, exited=move.exited | {agent}, exiting="")
        seat = next((seat for seat in state.stack if seat.agent.key == agent), None)
        if seat is not None and seat.host is not None and not _is_ended_by(move, agent):
            self._task_over(agent, seat.host, "did not end: another agent has taken over from it", out)
            if seat.host.speech and seat.host.agent in _keys(state.leaving_seats(move)):
                out.tell(self._wiring.floor, InterruptSpeech(seat.host.speech, force=True))
        return self._exit_next(state, move, out)

    def _drain(self, state: AgentActorState, move: Move, out: Outbox[AgentMessage]) -> AgentActorState:
        """Ask the floor to say when those that leave, or that pause, have been heard to their end."""
        agents, spared = state.drained_by(move)
        ticket = state.ticket + 1
        cut = move.ended is not None and move.ended.cut
        out.tell(self._wiring.floor, DrainFloor(ticket, agents, spared, cut))
        return replace(state, ticket=ticket, move=replace(move, phase=Phase.DRAIN))

    def drained(self, state: AgentActorState, ticket: int, out: Outbox[AgentMessage]) -> AgentActorState:
        """All have been heard: the stack changes."""
        move = state.move
        if move is None or move.phase is not Phase.DRAIN or ticket != state.ticket:
            return state
        out.discharge(HANDOFF)
        old = state.agent
        if move.kind is MoveKind.RETURN and move.ended is not None:
            return self._return(state, move, move.ended, out)
        if move.agent is None:
            return state
        seat = Seat(move.agent, move.host)
        gone: tuple[Seat, ...] = ()
        if move.kind is MoveKind.REPLACE:
            gone = state.leaving_seats(move)
            stack: tuple[Seat, ...] = (seat,)
        else:
            stack = (*state.stack, seat)
        state = replace(state, stack=stack, move=None)
        self._take_over(state, old, gone, out)
        state = enter(state, move.agent, out)
        early = next((end for end in state.early if end.task == move.agent.key), None)
        if early is not None:
            state = replace(state, early=tuple(end for end in state.early if end is not early))
            return self.end_task(state, early, out)
        return self._go_on(state, out)

    def _return(
        self, state: AgentActorState, move: Move, ended: TaskEnded, out: Outbox[AgentMessage]
    ) -> AgentActorState:
        """A task has left: its host remembers what was said, and goes on."""
        old, gone = state.agent, state.leaving_seats(move)
        state = replace(state, stack=state.stack[: move.leaving_from], move=None)
        history = self._wiring.history
        out.tell(history, MergeContext(state.agent.key, ended.task, ended.with_calls, ended.task))
        self._take_over(state, old, gone, out)
        out.discharge(ended.task)
        host = gone[-1].host
        if host is not None and host.speech:
            out.tell(self._wiring.floor, HoldInterruptions(host.speech, ended.task, held=False))
        return self._go_on(state, out)

    def _take_over(
        self, state: AgentActorState, old: UserAgent, gone: tuple[Seat, ...], out: Outbox[AgentMessage]
    ) -> None:
        new = state.agent
        out.tell(self._wiring.supervisor, AgentInCharge(new))
        handoff = AgentHandoff(new.id, old.id, id=out.new_id("item"), created_at=out.wall())
        out.tell(self._wiring.history, AgentTakesOver(new, handoff, tuple(_keys(gone))))
        for seat in gone:
            self._tell(AgentLeftNote(seat.agent.key), out)
            out.tell(self._wiring.tools, CancelOwned(seat.agent.key))
            out.tell(self._wiring.tools, ReleaseAgent(seat.agent))  # what may not be cancelled goes on with its tools

    # -- the end of tasks --------------------------------------------------------------------------------------------

    def _refuse(
        self,
        state: AgentActorState,
        task: UserAgent,
        reason: str,
        out: Outbox[AgentMessage],
        host: Host | None = None,
    ) -> AgentActorState:
        """A task does not begin."""
        self._task_over(task.key, host, reason, out)
        self._tell(AgentLeftNote(task.key), out)
        return state

    def _task_over(self, task: str, host: Host | None, reason: str, out: Outbox[AgentMessage]) -> None:
        """Who awaits the task goes on, without the stack having changed for it."""
        out.discharge(task)
        if host is not None and host.speech:
            out.tell(self._wiring.floor, HoldInterruptions(host.speech, task, held=False))
        self._tell(TaskOverNote(task, reason), out)

    def _tell(self, event: SessionEvent, out: Outbox[AgentMessage]) -> None:
        out.tell(self._wiring.supervisor, Publish(event))


def enter(state: AgentActorState, agent: UserAgent, out: Outbox[AgentMessage]) -> AgentActorState:
    """Run ``on_enter`` of who is in charge now."""
    run_hook(agent, ENTER_HOOK, out)
    return replace(state, entering=(*state.entering, agent.key))


def _keys(seats: tuple[Seat, ...]) -> list[str]:
    return [seat.agent.key for seat in seats]


def _who(host: Host) -> str:
    return f"a tool of {host.speech}" if host.speech else f"a hook of {host.agent}"


def _is_ended_by(move: Move, agent: str) -> bool:
    return move.ended is not None and move.ended.task == agent


def _returns(state: AgentActorState, task: str) -> bool:
    """Whether the end of the task is known already."""
    moves = (*state.wanted, *(() if state.move is None else (state.move,)))
    return any(move.ended is not None and move.ended.task == task for move in moves)
